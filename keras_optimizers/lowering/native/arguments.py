"""The options of `keras-optimizers build`. Imports no TensorFlow: help must come at once."""

import argparse

DESCRIPTION = (
    "Compile the native op (native=True) for the TensorFlow that is installed, ahead of its first "
    "use, and compare its bits with those of TensorFlow's own ops. Prints where the library is. "
    "Exit status 0: it can be used; 1: its bits differ; 2: bad usage, no compiler, or the "
    "compiler failed."
)
EXAMPLES = """\
examples:
  keras-optimizers build                       into the cache, unless it is there already
  keras-optimizers build --again               compile in any case
  KERAS_OPTIMIZERS_CACHE=/opt/native keras-optimizers build
                                               into /opt/native; scripts need the same variable
  keras-optimizers build --wheel dist          a wheel with the library, for other machines
  keras-optimizers build --wheel dist --python /opt/tf215/bin/python
                                               with that of another TensorFlow, too
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument(
        "--again",
        action="store_true",
        help="compile even if the library is there, or an earlier attempt has failed",
    )
    parser.add_argument(
        "--wheel",
        metavar="FOLDER",
        help="write the wheel keras_optimizers_native, which holds the library, into FOLDER; on "
        "machines with that wheel nothing is compiled",
    )
    parser.add_argument(
        "--python",
        action="append",
        metavar="PROGRAM",
        help="with --wheel: a Python with another TensorFlow, whose library goes into the same "
        "wheel; may be given several times",
    )
    parser.add_argument("--json", action="store_true", help="print what was made as JSON")
