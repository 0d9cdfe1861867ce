"""The test suites of others, with ours installed and without: one table.

    python tests/upstream_suites/table.py [--only WORD] [--folder FOLDER]

Keras's own tests of its optimizers, and the tests of packages whose optimizers build on Keras's.
They come from the source releases on PyPI, which pip downloads now: none of their text is here.
TensorFlow has its tests in no package; tests/test_upstream_behaviour.py says what they say.

The exit status is 1 where a test that passes without ours fails with them.
"""

import argparse
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "strangers"))

import folders  # noqa: E402

# What Keras needs beside what TensorFlow brings.
_OF_KERAS = ("pyyaml==6.0.1",)
# Packages that the suite of another one uses.
_OF_SUITES = {"keras-lookahead==0.9.0": ("keras-radam==0.15.0",)}
# (requirement whose source release holds the suite, path of the suite in it, Keras it runs on).
SUITES = [
    ("keras==2.2.4", "tests/keras/optimizers_test.py", "keras==2.2.4"),
    ("keras==2.2.5", "tests/keras/optimizers_test.py", "keras==2.2.5"),
    ("keras==2.3.1", "tests/keras/optimizers_test.py", "keras==2.3.1"),
    # Their other suite, test_similar.py, compares with PyTorch's optimizers and needs PyTorch.
    ("keras-radam==0.15.0", "tests/test_optimizers.py", "keras==2.3.1"),
    ("keras-rectified-adam==0.17.0", "tests/test_optimizers.py", "keras==2.3.1"),
    ("keras-gradient-accumulation==0.0.6", "tests", "keras==2.3.1"),
    ("keras-lookahead==0.9.0", "tests", "keras==2.3.1"),
    ("keras-lr-multiplier==0.9.0", "tests", "keras==2.3.1"),
    ("keras-rl==0.4.2", "tests/rl/test_util.py", "keras==2.2.5"),
]
_RESULT = re.compile(r"^(\S+::\S+) (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)", re.MULTILINE)


def results(requirement, path, keras, with_ours, folder):
    """The outcome of each test, by name."""
    source = folders.source_of(requirement, folder)
    paths = [folders.installed([keras, *_OF_KERAS], folder), source, ROOT, HERE]
    paths += [folders.installed([other], folder) for other in _OF_SUITES.get(requirement, ())]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(paths), TF_CPP_MIN_LOG_LEVEL="2")
    environment.update(KERAS_OPTIMIZERS_HOST="keras", TF_KERAS="0")
    command = [sys.executable, "-W", "ignore", "-m", "pytest", "-v", "--tb=no", "-W", "ignore"]
    # Their own settings ask for plugins that are not needed to pass or fail.
    command += ["-c", os.devnull, "--rootdir", source, "-p", "no:cacheprovider", "-p", "no:xdist"]
    if with_ours:
        command += ["-p", "with_ours"]
    done = subprocess.run(
        [*command, path],
        cwd=source,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    text = done.stdout.decode(errors="replace")
    found = dict(_RESULT.findall(text))
    if not found:
        print(text[-2000:], flush=True)
    return found


def summary(outcomes):
    """For the table: how many passed and failed."""
    passed = sum(outcome == "PASSED" for outcome in outcomes.values())
    failed = sum(outcome in ("FAILED", "ERROR") for outcome in outcomes.values())
    return "{} passed, {} failed".format(passed, failed) if outcomes else "did not run"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", metavar="WORD", help="suites that contain WORD")
    parser.add_argument("--folder", default=".tox/strangers-packages", help="where packages go")
    options = parser.parse_args()
    folder = os.path.abspath(options.folder)
    lines = [
        "| suite of | on | without ours | with ours | worse |",
        "| --- | --- | --- | --- | --- |",
    ]
    all_fine = True
    for requirement, path, keras in SUITES:
        if options.only not in requirement:
            continue
        without, with_ours = (
            results(requirement, path, keras, installed, folder) for installed in (False, True)
        )
        worse = [
            test
            for test, outcome in without.items()
            if outcome == "PASSED" and with_ours.get(test) != "PASSED"
        ]
        all_fine = all_fine and bool(without) and not worse
        cells = [
            requirement,
            keras,
            summary(without),
            summary(with_ours),
            ", ".join(worse) or "none",
        ]
        lines.append("| {} |".format(" | ".join(cells)))
        print(lines[-1], flush=True)
    print("\n" + "\n".join(lines))
    return 0 if all_fine else 1


if __name__ == "__main__":
    sys.exit(main())
