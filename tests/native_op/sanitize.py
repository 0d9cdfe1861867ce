"""Run the tests of the native op with GCC's sanitizers of addresses and of undefined behaviour.

    python tests/native_op/sanitize.py [PYTEST'S ARGUMENTS]

The op is compiled for them; TensorFlow is not, so only what the op itself does is looked at. The
first report ends the run. Without GCC nothing is run, and a line says so.
"""

import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TESTS = ["tests/test_native.py", "tests/test_native_sparse.py"]
# TensorFlow hides the tables that `vptr` looks at.
FLAGS = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
FLAGS += ["-fno-sanitize=vptr", "-fno-omit-frame-pointer"]
# Python and TensorFlow leave memory to the end of the process, and free what others have made.
OPTIONS = "detect_leaks=0:alloc_dealloc_mismatch=0:detect_odr_violation=0"


def compile_into(folder, compiler):
    """The path of the op's library with the sanitizers."""
    import tensorflow as tf

    from keras_optimizers.lowering.native import build

    library = os.path.join(folder, "library.so")
    flags = [flag for flag in build.compile_flags() if not flag.startswith("-O")]
    command = [compiler, "-shared", *flags, *FLAGS, *build.source_files(".cc"), "-o", library]
    folders = [flag for flag in tf.sysconfig.get_compile_flags() if flag.startswith("-I")]
    subprocess.check_call(command + folders + tf.sysconfig.get_link_flags())
    return library


def runtime(compiler, name):
    """The path of one of the compiler's libraries, which must be in the process from the start."""
    return subprocess.check_output([compiler, f"-print-file-name={name}"]).decode().strip()


def main(arguments):
    """The exit status: pytest's."""
    compiler = shutil.which(os.environ.get("CXX", "g++"))
    if compiler is None:
        print("skipped: no g++ was found (CXX names another).")
        return 0
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        environment = dict(
            os.environ,
            NATIVE_LIBRARY=compile_into(folder, compiler),
            LD_PRELOAD=" ".join(runtime(compiler, f"lib{name}.so") for name in ("asan", "ubsan")),
            ASAN_OPTIONS=OPTIONS,
            UBSAN_OPTIONS="print_stacktrace=1",
        )
        command = [sys.executable, "-m", "pytest", "-p", "tests.native_op.given_library"]
        command += ["-n", "0", "-m", "not slow", *TESTS, *arguments]
        return subprocess.call(command, env=environment)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
