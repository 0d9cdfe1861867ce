"""The commands `inspect`, `migrate` and `verify`."""

import argparse
import json
import sys
from typing import Any, Callable, Dict, List, Sequence

from keras_optimizers import output
from keras_optimizers.checkpoint import inspection, migration, verification
from keras_optimizers.checkpoint.eras import configs
from keras_optimizers.checkpoint.errors import CheckpointError
from keras_optimizers.checkpoint.formats import registry
from keras_optimizers.checkpoint.storage import supervision
from keras_optimizers.reference import OPTIMIZERS
from keras_optimizers.suggestions import did_you_mean

FINE, DIFFERENT, UNUSABLE = 0, 1, 2

INSPECT_EXAMPLES = """\
examples:
  keras-optimizers inspect model.h5
  keras-optimizers inspect model.keras --json
  keras-optimizers inspect checkpoints/model.ckpt-1000       a TensorFlow checkpoint's prefix
"""
MIGRATE_EXAMPLES = """\
examples:
  keras-optimizers migrate old.h5 new.h5 --to optimizer-v2
  keras-optimizers migrate old.h5 new.keras --to keras-3 --strict
  keras-optimizers migrate old.h5 new.h5 --to keras-2.3 --iterations 12000
  keras-optimizers migrate model.h5 --in-place --to tf-keras-1.10
  keras-optimizers migrate old.h5 new.keras --to keras-3 --dry-run
"""
VERIFY_EXAMPLES = """\
examples:
  keras-optimizers verify old.h5 new.keras
  keras-optimizers verify old.h5 new.keras --tolerance 0 --json
"""


def _migrate_epilog() -> str:
    """The formats, and examples."""
    titles = registry.titles()
    width = max(map(len, titles))
    listed = [f"  {name:<{width}}  {title}" for name, title in titles.items()]
    return "formats:\n" + "\n".join(listed) + "\n\n" + MIGRATE_EXAMPLES


def add_inspect_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `inspect`."""
    parser.description = (
        "Show the optimizer's state in a checkpoint of any era: class, hyperparameters, steps, "
        "slots with shapes and norms, and what is missing."
    )
    parser.epilog = INSPECT_EXAMPLES
    parser.add_argument("file", metavar="FILE", help="a checkpoint with optimizer state")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--no-norms", action="store_true", help="do not read the slots' values")
    _add_read_arguments(parser)
    parser.set_defaults(command=_command(inspect, ["file"]))


def add_migrate_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `migrate`."""
    parser.description = (
        "Convert a checkpoint with optimizer state. Prints what became of every field. Exit "
        "status 0: done; 1: refused as --strict asks; 2: impossible, nothing was written."
    )
    parser.epilog = _migrate_epilog()
    parser.add_argument("source", metavar="SRC", help="the checkpoint to convert")
    parser.add_argument("target", metavar="DST", nargs="?", help="where the result goes")
    parser.add_argument("--to", metavar="FORMAT", required=True, help="one of the formats below")
    parser.add_argument("--in-place", action="store_true", help="replace SRC; keep a backup of it")
    parser.add_argument("--overwrite", action="store_true", help="replace DST if it exists")
    parser.add_argument(
        "--strict", action="store_true", help="refuse what is not exact (exit status 1)"
    )
    parser.add_argument("--dry-run", action="store_true", help="report only, write nothing")
    parser.add_argument(
        "--iterations", type=int, metavar="N", help="finished steps, where SRC does not hold them"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a hyperparameter that takes the place of the one in SRC; may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--report", metavar="FILE", help="write the report as JSON to FILE")
    _add_read_arguments(parser)
    parser.add_argument(
        "--scope",
        default="training",
        help="for saver: the name scope of the slots' variables (default: training)",
    )
    parser.add_argument(
        "--keras-version",
        metavar="VERSION",
        help="for HDF5 and .keras: the release that will read the file, where it differs from its "
        "era (Keras 2.0.0 to 2.0.5; Nadam in Keras 3.0 to 3.9)",
    )
    parser.set_defaults(command=_command(migrate, ["source", "model"]))


def add_verify_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `verify`."""
    parser.description = (
        "Take the next step of both checkpoints in NumPy, on seeded gradients, and compare. "
        "Exit status 0: the same; 1: different; 2: unreadable."
    )
    parser.epilog = VERIFY_EXAMPLES
    parser.add_argument("first", metavar="A", help="a checkpoint")
    parser.add_argument("second", metavar="B", help="another")
    parser.add_argument("--seed", type=int, default=1, help="of the gradients (default: 1)")
    parser.add_argument(
        "--tolerance",
        type=_tolerance,
        default=4.0,
        metavar="ULP",
        help="units in the last place that count as equal (default: 4)",
    )
    parser.add_argument(
        "--iterations", type=int, metavar="N", help="finished steps, where a file lacks them"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    _add_read_arguments(parser)
    parser.set_defaults(command=_command(verify, ["first", "second", "model"]))


def _tolerance(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not value >= 0:
        raise argparse.ArgumentTypeError(f"must be a number from 0 on, not {text!r}")
    return value


def _add_read_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("for TensorFlow's checkpoints, which do not tell everything")
    group.add_argument("--class", dest="class_name", help="the optimizer's class")
    group.add_argument("--model", help="an HDF5 or .keras file that holds the same model")
    group.add_argument(
        "--optimizer",
        metavar="NAME",
        help="which one, where a tf.train.Checkpoint holds several: the attributes that lead to it",
    )


def _command(
    work: Callable[[argparse.Namespace], int], path_arguments: Sequence[str]
) -> Callable[[argparse.Namespace], int]:
    """`work` with user's errors as one line, and damaged files kept from doing harm."""

    def run(options: argparse.Namespace) -> int:
        try:
            _check_names(options)
        except CheckpointError as error:
            print(f"keras-optimizers: {error}", file=sys.stderr)
            return UNUSABLE

        def guarded() -> int:
            try:
                return work(options)
            except output.OutputError as error:
                return output.status_of(error)
            except (CheckpointError, OSError) as error:
                output.complain(str(error))
                return UNUSABLE

        found = [getattr(options, name, None) for name in path_arguments]
        paths = [path for path in found if path]
        return supervision.supervised(guarded, paths, not _needs_tensorflow(options))

    return run


def _check_names(options: argparse.Namespace) -> None:
    """Refuse an unknown format or class before any file is read.

    Raises:
        CheckpointError: If there is one.
    """
    if hasattr(options, "to"):
        registry.format_named(options.to)
    given = options.class_name
    if given is not None and configs.known_class(given) is None:
        raise CheckpointError(
            f"Unknown class {given!r} in --class.{did_you_mean(given, OPTIMIZERS)} There are: "
            f"{', '.join(OPTIMIZERS)}."
        )


def _needs_tensorflow(options: argparse.Namespace) -> bool:
    """Whether TensorFlow is imported: it writes its own formats, and reads nothing."""
    return hasattr(options, "to") and registry.format_named(options.to).needs_tensorflow


def read_options(options: argparse.Namespace) -> Dict[str, Any]:
    """What `read` is told on the command line."""
    class_name = options.class_name and configs.known_class(options.class_name)
    given = {"class_name": class_name, "model": options.model, "optimizer": options.optimizer}
    return {name: value for name, value in given.items() if value is not None}


def inspect(options: argparse.Namespace) -> int:
    """What a checkpoint holds."""
    state = registry.read(options.file, **read_options(options))
    description = inspection.describe(state, norms=not options.no_norms, progress=_progress())
    if options.json:
        output.show(json.dumps(description, indent=2))
    else:
        output.show(inspection.as_text(description))
    return FINE


def migrate(options: argparse.Namespace) -> int:
    """Convert a checkpoint."""
    if options.target is None and not options.in_place:
        print("keras-optimizers migrate: give DST, or --in-place", file=sys.stderr)
        return UNUSABLE
    if options.report:
        checkpoints = (options.source, options.target, options.model)
        output.check_place_of_text(options.report, checkpoints)
    given = {"scope": options.scope if options.to == "saver" else None}
    given["keras_version"] = options.keras_version
    write_options = {name: value for name, value in given.items() if value is not None}
    outcome = migration.migrate(
        options.source,
        options.source if options.target is None else options.target,
        options.to,
        iterations=options.iterations,
        values=migration.parse_values(options.set),
        strict=options.strict,
        dry_run=options.dry_run,
        in_place=options.in_place,
        overwrite=options.overwrite,
        progress=_progress(),
        model=options.model,
        read_options=read_options(options),
        write_options=write_options,
    )
    report = inspection.describe_outcome(outcome)
    try:
        if options.report:
            output.write_text(options.report, json.dumps(report, indent=2))
            print(f"wrote the report to {options.report}", file=sys.stderr)
        output.show(
            json.dumps(report, indent=2) if options.json else inspection.report_as_text(report)
        )
    except output.OutputError as error:
        if outcome.written and not error.pipe_is_closed:
            raise output.OutputError(f"{error} The checkpoint itself is written.") from error
        raise
    if options.strict and outcome.report.inexact:
        print(f"keras-optimizers: {migration.refuse_in_strict(outcome)}", file=sys.stderr)
        return DIFFERENT
    return FINE


def verify(options: argparse.Namespace) -> int:
    """Compare the next step of two checkpoints."""
    given = read_options(options)
    first, second = (registry.read(path, **given) for path in (options.first, options.second))
    for state in (first, second):
        if state.iterations is None and options.iterations is not None:
            state.iterations = options.iterations
    comparison = verification.compare(first, second, seed=options.seed, progress=_progress())
    same = comparison.is_same(options.tolerance)
    description = inspection.describe_comparison(comparison, same)
    if options.json:
        output.show(json.dumps(description, indent=2))
    else:
        output.show(inspection.comparison_as_text(description))
    return FINE if same else DIFFERENT


def _progress() -> Any:
    """A progress bar on a terminal; elsewhere only the sign of life that supervision needs."""
    bar: List[Any] = []

    def show(done: int, total: int) -> None:
        supervision.progressed()
        if not bar and sys.stderr.isatty():
            bar.append(_new_bar(total))
        if bar and bar[0] is not None:
            bar[0].update(done - bar[0].n)
            if done >= total:
                bar[0].close()
                bar.clear()

    return show


def _new_bar(total: int) -> Any:
    try:
        import tqdm
    except ImportError:  # it is in the extra [checkpoint]; nothing else depends on it
        return None
    return tqdm.tqdm(total=total, unit="B", unit_scale=True, delay=1, leave=False)
