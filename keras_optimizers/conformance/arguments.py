"""The options of `keras-optimizers conformance`. Imports no TensorFlow: help must come at once."""

import argparse

CHECKS = (
    "trajectory",
    "decay",
    "clipping",
    "constraints",
    "sparse",
    "resume",
    "weights_layout",
    "config_round_trip",
    "errors",
    "determinism",
)
EXAMPLES = """\
examples:
  keras-optimizers conformance                                 all of ours against tf-1.15
  keras-optimizers conformance --reference tf-1.10 --html report.html
  keras-optimizers conformance mypackage:MyAdam --class Adam --reference keras-2.2.4
  keras-optimizers conformance keras_optimizers:Adam --check decay --case adam_decay
  keras-optimizers conformance mypackage:Mine --record recordings/mine.json
  keras-optimizers conformance mypackage:Mine --reference recordings/mine.json --level '4 ulp'
  keras-optimizers conformance --list                          references, checks and cases
"""
DESCRIPTION = (
    "Compare optimizers, step by step, with recordings of the real upstream versions. Without "
    "MODULE:FACTORY: the optimizers of this package. Exit status 0: they conform, or differ only "
    "as TensorFlow's own old classes do; 1: they differ; 2: bad usage, or an unreadable recording."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument(
        "factories",
        nargs="*",
        metavar="MODULE:FACTORY",
        help="a class or function that makes an optimizer of arguments with r1.10's names",
    )
    parser.add_argument(
        "--reference",
        action="append",
        metavar="NAME",
        help="an upstream version (tf-1.10, keras-2.2.4 ...), numpy, or the .json file of a "
        "recording; may be given several times (default: tf-1.15)",
    )
    parser.add_argument(
        "--class",
        dest="class_name",
        default="",
        metavar="NAME",
        help="the reference's class that FACTORY must equal (default: FACTORY's name)",
    )
    parser.add_argument(
        "--level",
        help="bits (the default), units in the last place such as '4 ulp', or a tolerance such as "
        "1e-6 (numpy: 1e-5)",
    )
    parser.add_argument("--check", action="append", choices=CHECKS, help="only this check")
    parser.add_argument("--case", action="append", metavar="NAME", help="only this case")
    parser.add_argument(
        "--expect",
        action="append",
        metavar="CHECK=REASON",
        help="this check (or CHECK[CASE]) is expected to fail; it is a failure if it does not",
    )
    parser.add_argument(
        "--strict", action="store_true", help="documented differences are failures, too"
    )
    parser.add_argument(
        "--host",
        choices=("tf.keras", "keras"),
        default="tf.keras",
        help="the Keras in which they train: tf.keras (the default), or standalone Keras",
    )
    parser.add_argument(
        "--record", metavar="FILE.json", help="compare nothing: record FACTORY into this file"
    )
    parser.add_argument("--html", metavar="FILE", help="write a report of one page to FILE")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.add_argument(
        "--list", action="store_true", help="show references, checks and cases, and stop"
    )
    parser.add_argument(
        "--history",
        metavar="FILE",
        help="write the page about what changed between the versions, and stop",
    )
