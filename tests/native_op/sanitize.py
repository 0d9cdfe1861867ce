"""Run the tests of the native op with the op compiled for one of GCC's sanitizers.

    python tests/native_op/sanitize.py {address,thread} [PYTEST'S ARGUMENTS]

`address` looks for wrong use of memory and for undefined behaviour, `thread` for races. TensorFlow
is not compiled for them, so only what the op itself does is looked at. Any report is a failure.
Without GCC nothing is run, and a line says so.
"""

import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TESTS = ["tests/test_native.py", "tests/test_native_sparse.py"]
# A thread of TensorFlow's copies the closure that it is to run before the closure can say so.
SUPPRESSIONS = "race:_Base_manager<keras_optimizers\n"

# By sanitizer: the compiler's flags, the libraries to be loaded first, and environment variables.
SANITIZERS = {
    "address": (
        # TensorFlow hides the tables that `vptr` looks at.
        ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-sanitize=vptr"],
        ["libasan.so", "libubsan.so"],
        {
            # Python and TensorFlow leave memory to the end of the process, and free each other's.
            "ASAN_OPTIONS": "detect_leaks=0:alloc_dealloc_mismatch=0:detect_odr_violation=0",
            "UBSAN_OPTIONS": "print_stacktrace=1",
        },
    ),
    "thread": (
        ["-fsanitize=thread"],
        ["libtsan.so"],
        {"TSAN_OPTIONS": "ignore_noninstrumented_modules=1:suppressions={folder}/known"},
    ),
}


def compile_into(folder, compiler, sanitizer):
    """The path of the op's library with the sanitizers."""
    import tensorflow as tf

    from keras_optimizers.lowering.native import build

    library = os.path.join(folder, "library.so")
    flags = [flag for flag in build.compile_flags() if not flag.startswith("-O")]
    flags += ["-O1", "-g", "-fno-omit-frame-pointer", *sanitizer]
    command = [compiler, "-shared", *flags, *build.source_files(".cc"), "-o", library]
    folders = [flag for flag in tf.sysconfig.get_compile_flags() if flag.startswith("-I")]
    subprocess.check_call(command + folders + tf.sysconfig.get_link_flags())
    return library


def runtime(compiler, name):
    """The path of one of the compiler's libraries, which must be in the process from the start."""
    return subprocess.check_output([compiler, f"-print-file-name={name}"]).decode().strip()


def main(name, *arguments):
    """The exit status: pytest's, or the sanitizer's."""
    compiler = shutil.which(os.environ.get("CXX", "g++"))
    if compiler is None:
        print("skipped: no g++ was found (CXX names another).")
        return 0
    os.chdir(ROOT)
    flags, preloaded, options = SANITIZERS[name]
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "known"), "w") as known:
            known.write(SUPPRESSIONS)
        environment = dict(os.environ, NATIVE_LIBRARY=compile_into(folder, compiler, flags))
        environment["LD_PRELOAD"] = " ".join(runtime(compiler, library) for library in preloaded)
        environment.update((key, value.format(folder=folder)) for key, value in options.items())
        # -s: what a sanitizer says is to be seen.
        command = [sys.executable, "-m", "pytest", "-p", "tests.native_op.given_library"]
        command += ["-n", "0", "-s", "-m", "not slow", *TESTS, *arguments]
        return subprocess.call(command, env=environment)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
