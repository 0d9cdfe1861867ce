"""Optimizers from PyPI in the kit: with ours as their base they do what they do with upstream's.

    python tests/conformance/from_pypi.py [--folder FOLDER] [--only WORD]

For each package and release of Keras the kit records the optimizer on Keras's own classes, and
then compares it, with ours installed, in every check and to the bit. The exit status is 1 where it
differs. `tox -e conformance-pypi` runs this.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "strangers"))

import folders  # noqa: E402

_OF_KERAS = ("pyyaml==6.0.1",)
RELEASES = ("keras==2.2.5", "keras==2.3.1")
PACKAGES = ("keras-radam==0.15.0", "keras-adamw==1.38", "keras-gradient-noise==0.11")


def radam():
    from keras_radam import RAdam

    return RAdam


def adamw():
    from keras_adamw import AdamW

    def make(**arguments):
        return AdamW(
            total_iterations=40, use_cosine_annealing=True, init_verbose=False, **arguments
        )

    return make


def gradient_noise():
    import keras
    import numpy as np
    from keras_gradient_noise import add_gradient_noise

    noisy = add_gradient_noise(keras.optimizers.Adam)

    def make(**arguments):
        np.random.seed(0)  # Keras draws the seed of the noise from it
        return noisy(**arguments)

    return make


FACTORIES = dict(zip(PACKAGES, (radam, adamw, gradient_noise)))
_REFUSED = "ours refuse a negative bound, which Keras 2 takes"
_RACES = "the package's own get_updates reads and writes iterations with no order"
BOUNDS = {"errors[negative clipnorm]": _REFUSED, "errors[negative clipvalue]": _REFUSED}
# What is known to differ, and why.
EXPECTED = {
    "keras-radam==0.15.0": dict(BOUNDS, determinism=_RACES),
    "keras-adamw==1.38": dict(BOUNDS, determinism=_RACES),
    "keras-gradient-noise==0.11": BOUNDS,
}


def record(package, path):
    """In a process of its own: what the optimizer does on Keras's own classes."""
    from keras_optimizers import conformance

    conformance.record_all(FACTORIES[package](), path, host="keras")


def compare(package, path):
    """In a process of its own: the same on ours; prints results as JSON."""
    import keras

    import keras_optimizers
    from keras_optimizers import conformance

    keras_optimizers.install(keras)
    expected = EXPECTED[package]
    found = conformance.run(
        FACTORIES[package](), path, host="keras", expected_failed_checks=expected
    )
    assert "keras_optimizers" in str(keras.optimizers.Adam)
    print(json.dumps([[one.check, one.case, one.status, one.text] for one in found]))


def outcome(package, release, folder):
    """The results of a package on a release of Keras."""
    paths = [folders.installed([package], folder)]
    paths += [folders.installed([release, *_OF_KERAS], folder), ROOT]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(paths), TF_CPP_MIN_LOG_LEVEL="3")
    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(scratch, "recorded.json")
        for work in ("record", "compare"):
            command = [sys.executable, os.path.abspath(__file__), work, package, path]
            done = subprocess.run(
                command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            if done.returncode:
                raise SystemExit(done.stderr.decode(errors="replace"))
    return json.loads(done.stdout.decode().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", default=".tox/strangers-packages", help="where packages go")
    parser.add_argument("--only", default="", metavar="WORD", help="packages that contain WORD")
    options = parser.parse_args()
    bad = 0
    for package in PACKAGES:
        for release in RELEASES if options.only in package else ():
            found = outcome(package, release, os.path.abspath(options.folder))
            compared = [one for one in found if one[2] != "skipped"]
            expected = [one for one in compared if one[2] == "expected"]
            different = [one for one in compared if one[2] not in ("equal", "expected")]
            bad += len(different) + (not compared)
            line = "{}, {}: {} comparisons, {} differ as expected, {} differ"
            counts = len(compared), len(expected), len(different)
            print(line.format(package, release, *counts), flush=True)
            for check, case, status, text in expected + different:
                print("    {} {} {}: {}".format(status, check, case, text))
    return 1 if bad else 0


if __name__ == "__main__":
    if sys.argv[1:2] in (["record"], ["compare"]):
        globals()[sys.argv[1]](*sys.argv[2:])
    else:
        sys.exit(main())
