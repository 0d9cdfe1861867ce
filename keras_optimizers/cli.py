"""The `keras-optimizers` command."""

import argparse
import os
import runpy
import sys
from typing import List, Optional

import keras_optimizers
from keras_optimizers import backend
from keras_optimizers.bench.command import EXAMPLES as BENCH_EXAMPLES
from keras_optimizers.bench.command import add_arguments as add_bench_arguments
from keras_optimizers.bench.command import run as run_bench

_BAD_USAGE = 2

_EXAMPLES = """\
examples:
  keras-optimizers run train.py
  keras-optimizers run train.py --epochs 5     what follows SCRIPT goes to the script
  keras-optimizers run --quiet train.py        without the line that says what is used
  python -m keras_optimizers run train.py      the same
"""


def main(arguments: Optional[List[str]] = None) -> int:
    """Run the command line `arguments` (None: the process's); the exit status.

    Raises:
        SystemExit: With status 2 on bad usage, and with the script's own status where it exits.
    """
    options = _parser().parse_args(arguments)
    return options.command(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="keras-optimizers",
        description="The optimizers of Keras 2 as TensorFlow 1.10 had them, for TensorFlow 1.15.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=keras_optimizers.__version__)
    commands = parser.add_subparsers(metavar="COMMAND", dest="name")
    commands.required = True  # as an argument only from Python 3.7
    run = commands.add_parser(
        "run",
        help="run a script with the original optimizers in tf.keras",
        description=(
            "Run a TensorFlow 1.x script unchanged. tf.keras.optimizers.*, optimizer names in "
            "compile and configs in load_model give the original optimizers. The exit status is "
            "the script's."
        ),
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument("--quiet", action="store_true", help="do not say which optimizers are used")
    run.add_argument("script", metavar="SCRIPT", help="the Python file to run")
    run.add_argument(
        "arguments", metavar="ARGS", nargs=argparse.REMAINDER, help="arguments of the script"
    )
    run.set_defaults(command=_run)
    bench = commands.add_parser(
        "bench",
        help="measure the optimizers beside upstream's, OptimizerV2's and tf.train's",
        description=(
            "Measure a step of each optimizer, all peers in turn in one process: medians, half "
            "the distance of the quartiles, ratios, and the share of the memory's bandwidth. "
            "Prints tables in Markdown."
        ),
        epilog=BENCH_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_bench_arguments(bench)
    bench.set_defaults(command=_bench)
    return parser


def _bench(options: argparse.Namespace) -> int:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    backend.silence_deprecation_warnings()
    return run_bench(options)


def _run(options: argparse.Namespace) -> int:
    """Install ours, then run the script as `python SCRIPT ARGS` would."""
    script = options.script
    if not os.path.isfile(script):
        print(f"keras-optimizers: there is no script {script!r}", file=sys.stderr)
        return _BAD_USAGE
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    backend.silence_deprecation_warnings()
    if not options.quiet:
        version = keras_optimizers.__version__
        line = f"keras-optimizers {version}: {script} gets the original optimizers"
        print(line, file=sys.stderr, flush=True)  # before all that the script shows
    arguments, path = sys.argv, list(sys.path)
    sys.argv = [script] + options.arguments
    sys.path[0:1] = [os.path.dirname(os.path.abspath(script))]
    try:
        with keras_optimizers.install():
            runpy.run_path(script, run_name="__main__")
    finally:
        sys.argv, sys.path[:] = arguments, path
    return 0
