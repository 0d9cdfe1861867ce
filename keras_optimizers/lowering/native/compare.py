"""Loads a library and compares its bits: a program, which `verdict` starts.

    python -m keras_optimizers.lowering.native.compare LIBRARY.so

Its last line is the answer as JSON: null, or why the library must not be used.
"""

import json
import sys
from typing import Optional

import tensorflow.compat.v1 as tf

from keras_optimizers.lowering.native import self_test


def compare(path: str) -> Optional[str]:
    """Why the library at `path` must not be used, as a sentence; None where nothing was found."""
    tf.disable_eager_execution()
    return self_test.check(tf.load_op_library(path))


if __name__ == "__main__":
    print(f"\nverdict: {json.dumps(compare(sys.argv[1]))}", flush=True)
