"""Run the tests of the numbers with the native op in every optimizer: it is required, not tried.

    python tests/native_op/run.py [PYTEST'S ARGUMENTS]

Without a C++ compiler nothing is run, and a line says so.
"""

import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TESTS = [
    "tests/test_recorded_tf110.py",
    "tests/test_side_by_side_tf115.py",
    "tests/test_rules.py",
    "tests/test_sparse.py",
    "tests/conformance/test_ours.py",
]


def main(arguments):
    """The exit status: pytest's, or the build's where that fails."""
    from keras_optimizers.lowering.native import build

    try:
        build.find_compiler()
    except build.NoCompilerError as error:
        print(f"skipped: {error}. {build.INSTALL_A_COMPILER}")
        return 0
    os.chdir(ROOT)
    status = subprocess.call([sys.executable, "-m", "keras_optimizers", "build"])
    if status:
        return status
    environment = dict(os.environ, KERAS_OPTIMIZERS_NATIVE="require")
    command = [sys.executable, "-m", "pytest", "-n", "auto", "--maxprocesses", "8"]
    command += ["--dist", "loadgroup", *TESTS, *arguments]
    return subprocess.call(command, env=environment)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
