"""The options of `keras-optimizers bench`. Imports no TensorFlow: help must come at once."""

import argparse

# The keys of `cases.CASES` and `peers.OPTIMIZERS`.
CASES = ("small", "large", "resnet50", "lstm", "embedding")
OPTIMIZERS = (
    "SGD",
    "SGD momentum",
    "SGD Nesterov",
    "RMSprop",
    "Adagrad",
    "Adadelta",
    "Adam",
    "AMSGrad",
    "Adamax",
    "Nadam",
)
EXTRAS = ("start", "state", "memory", "vocabulary", "fit")
EXAMPLES = """\
examples:
  keras-optimizers bench                                 steps of every case, all but XLA: minutes
  keras-optimizers bench --case large --optimizer Adam
  keras-optimizers bench --case small --extra start --json bench.json --plot bench.png
  keras-optimizers bench --case large --threads 1 --torch /opt/torch/bin/python
                                                         beside PyTorch, with one thread
  keras-optimizers bench --all --xla                     all that there is: half an hour
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument(
        "--case", action="append", choices=CASES, help="a shape of work (default: all)"
    )
    parser.add_argument(
        "--optimizer",
        action="append",
        choices=OPTIMIZERS,
        help="an optimizer (default: all)",
    )
    parser.add_argument(
        "--extra",
        action="append",
        choices=EXTRAS,
        help="measure something else, too: start-up, reading and writing state, temporary memory, "
        "lookups by vocabulary, model.fit; without --case only that",
    )
    parser.add_argument("--all", action="store_true", help="every case and every extra")
    parser.add_argument(
        "--xla", action="store_true", help="upstream under XLA, too (slow to build)"
    )
    parser.add_argument(
        "--torch",
        metavar="PROGRAM",
        help="PyTorch's optimizers, too: PROGRAM is a Python that has it",
    )
    parser.add_argument(
        "--threads", type=_positive, help="threads of a session (default: one for each core)"
    )
    parser.add_argument(
        "--cpu",
        action="store_true",
        help="show the CPU time of all threads in place of the time on the clock: other programs "
        "on the machine hardly change it",
    )
    parser.add_argument("--rounds", type=_positive, help="timed rounds (default: by case)")
    parser.add_argument("--json", metavar="FILE", help="write the results to FILE as JSON")
    parser.add_argument("--plot", metavar="FILE", help="draw the ratios into FILE (png, svg, pdf)")


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 on, not {text!r}")
    return int(text)
