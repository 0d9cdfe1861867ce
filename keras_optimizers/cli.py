"""The `keras-optimizers` command: one parser, to which each part of the package adds its own.

Only the part of the command that is run is imported: `run` needs no checkpoint code, and help
needs nothing.
"""

import argparse
import contextlib
import importlib
import os
import re
import runpy
import sys
from typing import Any, Callable, Dict, List, NamedTuple, NoReturn, Optional, Sequence

import keras_optimizers
from keras_optimizers import output
from keras_optimizers.catalog import ALIASES
from keras_optimizers.reference import OPTIMIZERS
from keras_optimizers.suggestions import did_you_mean

_BAD_USAGE = 2
_INTERRUPTED = 130  # as a shell has it: 128, and the signal's number

_EXAMPLES = """\
examples:
  keras-optimizers run train.py
  keras-optimizers run train.py --epochs 5     what follows SCRIPT goes to the script
  keras-optimizers run --host keras train.py   for scripts that `import keras`, 2.2 or 2.3
  keras-optimizers run --native train.py       the same bits, faster (see docs/native.md)
  keras-optimizers run --quiet train.py        without the line that says what is used
  python -m keras_optimizers run train.py      the same
"""
_ALL_EXAMPLES = """\
examples:
  keras-optimizers run train.py                            old script, original optimizers
  keras-optimizers inspect model.h5                        what a checkpoint holds
  keras-optimizers migrate old.h5 new.keras --to keras-3   convert it
  keras-optimizers verify old.h5 new.keras                 prove the conversion
  keras-optimizers conformance --reference tf-1.10         equal to upstream, to the bit?
  keras-optimizers bench --case small                      measure
  keras-optimizers build                                   compile the native op ahead
"""


class Command(NamedTuple):
    """One command.

    Attributes:
        help: its line in the list of commands.
        complete: adds description, examples, arguments and the function `command`, which is given
            the parsed options and returns the exit status.
    """

    help: str
    complete: Callable[[argparse.ArgumentParser], None]


class _Parser(argparse.ArgumentParser):
    """Says what a mistyped command or choice was probably meant to be; so do its subparsers."""

    def error(self, message: str) -> NoReturn:
        """End with the usage and `message`."""
        wrong = re.search(r"invalid choice: '(.*)' \(choose from (.*)\)", message)
        if wrong:
            choices = [choice.strip(" '") for choice in wrong.group(2).split(",")]
            message += "." + did_you_mean(wrong.group(1), choices)
        if message.endswith("required: COMMAND"):
            message += (
                f", one of {', '.join(COMMANDS)}. keras-optimizers --help says what each does"
            )
        super().error(message)


def main(arguments: Optional[List[str]] = None) -> int:
    """Run the command line `arguments` (None: the process's); the exit status.

    Raises:
        SystemExit: With status 2 on bad usage, and with the script's own status where it exits.
    """
    given = sys.argv[1:] if arguments is None else arguments

    def work() -> int:
        options = _parsed(given)
        return options.command(options)

    return output.guarded(work)


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """The options; `migrate`'s DST may also stand after them, which argparse does not take."""
    parser = _parser(arguments)
    options, rest = parser.parse_known_args(arguments)
    if len(rest) == 1 and not rest[0].startswith("-") and getattr(options, "target", "") is None:
        options.target = rest.pop()
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    return options


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser for `arguments`: complete for their command, which is the first of them."""
    parser = _Parser(
        prog="keras-optimizers",
        description="The optimizers of Keras 2 as TensorFlow 1.10 had them, in graph mode.",
        epilog=_ALL_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=keras_optimizers.__version__)
    commands = parser.add_subparsers(metavar="COMMAND", dest="name")
    commands.required = True  # as an argument only from Python 3.7
    chosen = next((one for one in arguments if not one.startswith("-")), None)
    for name, command in COMMANDS.items():
        added = commands.add_parser(
            name, help=command.help, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        if name == chosen:
            command.complete(added)
    return parser


def _complete_run(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Run a TensorFlow 1.x script unchanged. tf.keras.optimizers.*, optimizer names in "
        "compile and configs in load_model give the original optimizers. The exit status is "
        "the script's."
    )
    parser.epilog = _EXAMPLES
    parser.add_argument("--quiet", action="store_true", help="do not say which optimizers are used")
    parser.add_argument(
        "--host",
        choices=("tf.keras", "keras"),
        default="tf.keras",
        help="the Keras that the script uses: tf.keras (the default), or standalone Keras; on "
        "TensorFlow 1 the other one keeps its own optimizers",
    )
    parser.add_argument(
        "--native",
        action="store_true",
        help="make steps with the native op where it can be had, which compiles it the first "
        "time; the same as KERAS_OPTIMIZERS_NATIVE=1",
    )
    parser.add_argument("script", metavar="SCRIPT", help="the Python file to run")
    parser.add_argument(
        "arguments", metavar="ARGS", nargs=argparse.REMAINDER, help="arguments of the script"
    )
    parser.set_defaults(command=_run)


def _complete_bench(parser: argparse.ArgumentParser) -> None:
    from keras_optimizers.bench import arguments

    parser.description = (
        "Measure a step of each optimizer, all peers in turn in one process: medians, half "
        "the distance of the quartiles, ratios, and the share of the memory's bandwidth. "
        "Prints tables in Markdown."
    )
    parser.epilog = arguments.EXAMPLES
    arguments.add_arguments(parser)
    parser.set_defaults(command=_bench)


def _complete_build(parser: argparse.ArgumentParser) -> None:
    from keras_optimizers.lowering.native import arguments

    parser.description, parser.epilog = arguments.DESCRIPTION, arguments.EXAMPLES
    arguments.add_arguments(parser)
    parser.set_defaults(command=_build)


def _complete_inspect(parser: argparse.ArgumentParser) -> None:
    from keras_optimizers.checkpoint import command

    command.add_inspect_arguments(parser)


def _complete_migrate(parser: argparse.ArgumentParser) -> None:
    from keras_optimizers.checkpoint import command

    command.add_migrate_arguments(parser)


def _complete_verify(parser: argparse.ArgumentParser) -> None:
    from keras_optimizers.checkpoint import command

    command.add_verify_arguments(parser)


def _complete_conformance(parser: argparse.ArgumentParser) -> None:
    from keras_optimizers.conformance import arguments

    parser.description, parser.epilog = arguments.DESCRIPTION, arguments.EXAMPLES
    arguments.add_arguments(parser)
    parser.set_defaults(command=_conformance)


COMMANDS: Dict[str, Command] = {
    "run": Command("run a script with the original optimizers in tf.keras", _complete_run),
    "bench": Command(
        "measure the optimizers beside upstream's, OptimizerV2's and tf.train's", _complete_bench
    ),
    "build": Command("compile the native op for this TensorFlow ahead of its use", _complete_build),
    "inspect": Command("show the optimizer's state in a checkpoint", _complete_inspect),
    "migrate": Command(
        "convert a checkpoint with optimizer state from one era to another", _complete_migrate
    ),
    "verify": Command("would two checkpoints take the same next step?", _complete_verify),
    "conformance": Command(
        "compare optimizers with recordings of the real upstream versions", _complete_conformance
    ),
}


def _bench(options: argparse.Namespace) -> int:
    from keras_optimizers.scripts import tensorflow_1

    tensorflow_1.prepare()
    _import_tensorflow()
    tensorflow_1.graph_mode()
    from keras_optimizers.tensorflow_private import silence_deprecation_warnings

    silence_deprecation_warnings()
    from keras_optimizers.bench import command

    return command.run(options)


def _build(options: argparse.Namespace) -> int:
    from keras_optimizers.scripts import tensorflow_1

    tensorflow_1.prepare()
    _import_tensorflow()
    from keras_optimizers.lowering.native import command

    return command.run(options)


def _conformance(options: argparse.Namespace) -> int:
    from keras_optimizers.scripts import tensorflow_1

    if not options.list:
        tensorflow_1.prepare()
        tensorflow_1.graph_mode()
    from keras_optimizers.conformance import command

    return command.run(options)


def _import_tensorflow() -> None:
    """Import TensorFlow without the log lines of its start, or say what is missing."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        keras_optimizers.Optimizer  # noqa: B018 (it is imported when it is used)
    except ImportError as error:
        print(f"keras-optimizers: {error}", file=sys.stderr)
        raise SystemExit(_BAD_USAGE) from None


def _from_the_script_on(traceback: Any, script: str) -> Any:
    """The part of a traceback that `python SCRIPT` would show; None where the script did not begin.

    Arguments:
        script: the path by which it is run.
    """
    while traceback is not None and traceback.tb_frame.f_code.co_filename != script:
        traceback = traceback.tb_next
    return traceback


def _say(sentence: str) -> None:
    print(f"keras-optimizers: {sentence}", file=sys.stderr, flush=True)


def _run(options: argparse.Namespace) -> int:
    """Install ours, then run the script as `python SCRIPT ARGS` would."""
    script = options.script
    if not os.path.isfile(script):
        is_folder = os.path.isdir(script)
        wrong = f"{script!r} is a directory, no script" if is_folder else ""
        print(f"keras-optimizers: {wrong or f'there is no script {script!r}'}", file=sys.stderr)
        return _BAD_USAGE
    from keras_optimizers.scripts import other_keras, tensorflow_1
    from keras_optimizers.scripts.defaults import names_of_keras_2_3, noticed
    from keras_optimizers.scripts.removed import RemovedError, place

    if options.native and os.environ.get("KERAS_OPTIMIZERS_NATIVE", "") in ("", "0"):
        os.environ["KERAS_OPTIMIZERS_NATIVE"] = "1"
    tensorflow_1.prepare()
    _import_tensorflow()
    surroundings: Any = contextlib.ExitStack()
    spelling: Any = contextlib.ExitStack()
    notices: Any = contextlib.ExitStack()
    other: Any = contextlib.ExitStack()
    classes = [getattr(keras_optimizers, name) for name in OPTIMIZERS]
    on = ""
    try:
        if tensorflow_1.is_installed():
            host = importlib.import_module("keras") if options.host == "keras" else None
        else:
            host, version = None, sys.modules["tensorflow"].__version__
            on = f", on TensorFlow {version} in graph mode"
            aliases = {name: getattr(keras_optimizers, name) for name in ALIASES}
            surroundings = tensorflow_1.in_place_of_tensorflow(options.host == "keras", aliases)
            if options.host == "keras":
                spelling = names_of_keras_2_3(classes)
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
        if tensorflow_1.is_installed() and options.host != "keras":
            other = other_keras.noticed(script, _say)
        notices = noticed(classes, options.host, _say)
    arguments, path = sys.argv, list(sys.path)
    sys.argv = [script] + options.arguments
    sys.path[0:1] = [os.path.dirname(os.path.abspath(script))]
    try:
        with installation, surroundings, spelling, notices, other:
            runpy.run_path(script, run_name="__main__")
    except RemovedError as error:
        own = (sys.prefix, os.path.dirname(runpy.__file__), os.path.dirname(__file__))
        where = place(sys.exc_info()[2], own)
        print(f"keras-optimizers: {where}\n{error}", file=sys.stderr)
        return 1
    except (Exception, KeyboardInterrupt) as error:
        from_script = _from_the_script_on(error.__traceback__, script)
        if from_script is not None or isinstance(error, (SyntaxError, KeyboardInterrupt)):
            error.__traceback__ = from_script
        sys.excepthook(type(error), error, error.__traceback__)
        return _INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1
    finally:
        sys.argv, sys.path[:] = arguments, path
    return 0
