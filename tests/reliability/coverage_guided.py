"""Coverage-guided fuzzing of the readers, with atheris (which needs Python 3.8 to 3.12, and no
TensorFlow).

    tox -e fuzz                                       # each reader for a minute
    tox -e fuzz -- --seconds 600 --target architecture

Each target is run by a process of its own, because libFuzzer ends the process. What fails is left
as a file `crash-...` in the current folder.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def fuzz(name, arguments):
    """Fuzz one target in this process, which then ends."""
    import atheris

    with atheris.instrument_imports(include=["keras_optimizers"]):
        from tests.reliability import readers
    folder = tempfile.mkdtemp()

    def try_one(data):
        said = readers.try_one(name, data, folder)
        if said is not None:
            raise AssertionError(said)

    def mutate(data, largest, seed):
        """Half of the time values of the JSON, else bytes."""
        import random

        choose = random.Random(seed)
        if data and choose.random() < 0.5:
            return readers.changed(data, choose)[:largest]
        return atheris.Mutate(data, largest)

    atheris.Setup([sys.argv[0], *arguments], try_one, custom_mutator=mutate)
    atheris.Fuzz()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=60, help="for each target (%(default)s)")
    parser.add_argument("--target", action="append", help="a name among readers.TARGETS")
    parser.add_argument("--in-process", metavar="FOLDER", help="with one --target: its inputs")
    options = parser.parse_args()
    if options.in_process:
        limits = ["-max_total_time=%d" % options.seconds, "-max_len=20000", "-timeout=30"]
        fuzz(options.target[0], [*limits, "-rss_limit_mb=2000", options.in_process])
        return 0
    from tests.reliability import readers  # in the other process it is instrumented first

    names = options.target or sorted(readers.TARGETS)
    failed = []
    for name in names:
        corpus = tempfile.mkdtemp()
        for number, seed in enumerate(readers.TARGETS[name].seeds()):
            with open(os.path.join(corpus, "seed%d" % number), "wb") as opened:
                opened.write(seed)
        command = [sys.executable, os.path.abspath(__file__), "--seconds", str(options.seconds)]
        command += ["--target", name, "--in-process", corpus]
        done = subprocess.run(command, stderr=subprocess.STDOUT, stdout=subprocess.PIPE)
        said = done.stdout.decode(errors="replace")
        lines = [line for line in said.splitlines() if line.startswith(("#", "stat::", "Done"))]
        print("%s: status %d; %s" % (name, done.returncode, lines[-1] if lines else ""), flush=True)
        if done.returncode:
            failed.append(name)
            print(said[-3000:])
        shutil.rmtree(corpus)
    print("coverage-guided: %d readers, %d failed" % (len(names), len(failed)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
