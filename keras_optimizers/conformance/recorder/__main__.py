"""Record an upstream version that is installed here, or compare it with its recording."""

import argparse
import os
import sys
import types

FOLDER = os.path.dirname(os.path.abspath(__file__))
CONFORMANCE = os.path.dirname(FOLDER)

if not __package__:  # run as a folder, where nothing of keras_optimizers need be installed
    for _name, _path in (
        ("keras_optimizers", os.path.dirname(CONFORMANCE)),
        ("keras_optimizers.conformance", CONFORMANCE),
    ):
        # Packages without their own code: only the recorder's modules are imported from them.
        _package = types.ModuleType(_name)
        _package.__path__ = [_path]
        sys.modules[_name] = _package
    sys.path.pop(0)

from keras_optimizers.conformance.recorder import (  # noqa: E402
    comparing,
    hosts,
    record,
    storage,
)

SHIPPED = os.path.join(CONFORMANCE, "recordings")


def main() -> int:
    """Record or compare; the exit status."""
    parser = argparse.ArgumentParser(prog="recorder", description=__doc__)
    parser.add_argument("reference", choices=list(hosts.REFERENCES), metavar="REFERENCE")
    parser.add_argument("--output", default=SHIPPED, help="the folder of recordings")
    parser.add_argument("--compare", action="store_true", help="write nothing, compare")
    parser.add_argument("--case", action="append", help="only this case; nothing is written")
    options = parser.parse_args()
    reference = hosts.REFERENCES[options.reference]

    def progress(name: str) -> None:
        if sys.stderr.isatty():
            print("\r\033[K%s: %s" % (reference.name, name), end="", file=sys.stderr, flush=True)

    try:
        made = record.record_reference(reference, progress, options.case)
        progress("done\n")
        if not options.compare and not options.case:
            print("%s: wrote %s" % (reference.name, made.save(options.output)))
            refused = [name for name in made.case_names() if made.refusal(name)]
            print("%d cases, %d refused" % (len(made.case_names()), len(refused)))
            return 0
        recorded = storage.load(os.path.join(options.output, reference.name + ".json"))
        lines = comparing.compare_recordings(made, recorded, options.case)
    except (ValueError, ImportError, storage.RecordingError) as error:
        print("recorder: %s" % error, file=sys.stderr)
        return 2
    print("\n".join(lines))
    return 1 if len(lines) > 1 else 0


if __name__ == "__main__":
    sys.exit(main())
