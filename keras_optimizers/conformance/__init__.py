"""Prove that an optimizer behaves as an upstream version did, to the bit.

    from keras_optimizers.conformance import assert_conforms

    assert_conforms(MyAdam, "tf-1.10", class_name="Adam")

`docs/conformance.md` has the rest: pytest, the command, one's own recordings. Nothing here imports
TensorFlow until an optimizer is trained.
"""

from keras_optimizers.conformance.api import assert_conforms, record, record_all, run
from keras_optimizers.conformance.comparison import compare
from keras_optimizers.conformance.parametrize import parametrize_with_checks
from keras_optimizers.conformance.references import RecordingError, load_reference, names

__all__ = [
    "RecordingError",
    "assert_conforms",
    "compare",
    "load_reference",
    "names",
    "parametrize_with_checks",
    "record",
    "record_all",
    "run",
]
