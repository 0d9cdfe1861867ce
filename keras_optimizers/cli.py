"""The `keras-optimizers` command."""

import argparse
import contextlib
import importlib
import os
import runpy
import sys
from typing import Any, List, Optional

import keras_optimizers
from keras_optimizers.bench import arguments as bench_arguments
from keras_optimizers.checkpoint import command as checkpoint_command
from keras_optimizers.scripts import tensorflow_1
from keras_optimizers.scripts.removed import RemovedError, place

_BAD_USAGE = 2

_EXAMPLES = """\
examples:
  keras-optimizers run train.py
  keras-optimizers run train.py --epochs 5     what follows SCRIPT goes to the script
  keras-optimizers run --host keras train.py   for scripts that `import keras`, 2.2 or 2.3
  keras-optimizers run --quiet train.py        without the line that says what is used
  python -m keras_optimizers run train.py      the same
"""
_ALL_EXAMPLES = """\
examples:
  keras-optimizers run train.py                            old script, original optimizers
  keras-optimizers inspect model.h5                        what a checkpoint holds
  keras-optimizers migrate old.h5 new.keras --to keras-3   convert it
  keras-optimizers verify old.h5 new.keras                 prove the conversion
  keras-optimizers bench --case small                      measure
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
        epilog=_ALL_EXAMPLES,
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
    run.add_argument(
        "--host",
        choices=("tf.keras", "keras"),
        default="tf.keras",
        help="the Keras that the script uses: tf.keras (the default), or standalone Keras",
    )
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
        epilog=bench_arguments.EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    bench_arguments.add_arguments(bench)
    bench.set_defaults(command=_bench)
    _add_checkpoint_commands(commands)
    return parser


def _add_checkpoint_commands(commands: Any) -> None:
    inspect = commands.add_parser(
        "inspect",
        help="show the optimizer's state in a checkpoint",
        description=(
            "Show the optimizer's state in a checkpoint of any era: class, hyperparameters, steps, "
            "slots with shapes and norms, and what is missing."
        ),
        epilog=checkpoint_command.INSPECT_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    checkpoint_command.add_inspect_arguments(inspect)
    migrate = commands.add_parser(
        "migrate",
        help="convert a checkpoint with optimizer state from one era to another",
        description=(
            "Convert a checkpoint with optimizer state. Prints what became of every field. Exit "
            "status 0: done; 1: refused as --strict asks; 2: impossible, nothing was written."
        ),
        epilog=checkpoint_command.migrate_examples(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    checkpoint_command.add_migrate_arguments(migrate)
    verify = commands.add_parser(
        "verify",
        help="would two checkpoints take the same next step?",
        description=(
            "Take the next step of both checkpoints in NumPy, on seeded gradients, and compare. "
            "Exit status 0: the same; 1: different; 2: unreadable."
        ),
        epilog=checkpoint_command.VERIFY_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    checkpoint_command.add_verify_arguments(verify)


def _bench(options: argparse.Namespace) -> int:
    _quiet_tensorflow()
    from keras_optimizers.bench import command

    return command.run(options)


def _quiet_tensorflow() -> None:
    """Import TensorFlow without its log lines, or say what is missing."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        keras_optimizers.Optimizer  # noqa: B018 (it is imported when it is used)
    except ImportError as error:
        print(f"keras-optimizers: {error}", file=sys.stderr)
        raise SystemExit(_BAD_USAGE) from None
    from keras_optimizers.tensorflow_private import silence_deprecation_warnings

    silence_deprecation_warnings()


def _run(options: argparse.Namespace) -> int:
    """Install ours, then run the script as `python SCRIPT ARGS` would."""
    script = options.script
    if not os.path.isfile(script):
        print(f"keras-optimizers: there is no script {script!r}", file=sys.stderr)
        return _BAD_USAGE
    tensorflow_1.prepare()
    _quiet_tensorflow()
    surroundings: Any = contextlib.ExitStack()
    on = ""
    try:
        if tensorflow_1.is_installed():
            host = importlib.import_module("keras") if options.host == "keras" else None
        else:
            host, version = None, sys.modules["tensorflow"].__version__
            on = f", on TensorFlow {version} in graph mode"
            surroundings = tensorflow_1.in_place_of_tensorflow(options.host == "keras")
        installation = keras_optimizers.install(host)
    except (ImportError, ValueError) as error:
        print(f"keras-optimizers: {error}", file=sys.stderr)
        if isinstance(error, ImportError):
            print("Standalone Keras: python -m pip install 'keras==2.3.1'", file=sys.stderr)
        return _BAD_USAGE
    if not options.quiet:
        version = keras_optimizers.__version__
        line = f"keras-optimizers {version}: {script} gets the original optimizers{on}"
        print(line, file=sys.stderr, flush=True)  # before all that the script shows
    arguments, path = sys.argv, list(sys.path)
    sys.argv = [script] + options.arguments
    sys.path[0:1] = [os.path.dirname(os.path.abspath(script))]
    try:
        with installation, surroundings:
            runpy.run_path(script, run_name="__main__")
    except RemovedError as error:
        own = (sys.prefix, os.path.dirname(runpy.__file__), os.path.dirname(__file__))
        where = place(sys.exc_info()[2], own)
        print(f"keras-optimizers: {where}\n{error}", file=sys.stderr)
        return 1
    finally:
        sys.argv, sys.path[:] = arguments, path
    return 0
