"""The ops that compute and write: dense gradients, assignments."""

from typing import Any

import tensorflow.compat.v1 as tf

from keras_optimizers.backend import Tensor, Variable


def dense(gradient: Any, parameter: Variable) -> Tensor:
    """`gradient` as a tensor of the shape of `parameter`; duplicate rows are summed in order."""
    if isinstance(gradient, tf.IndexedSlices):
        # The op that TensorFlow's own conversion uses, without its warning about memory.
        rows = parameter.shape.as_list()[0]
        return tf.math.unsorted_segment_sum(gradient.values, gradient.indices, rows)
    return tf.convert_to_tensor(gradient)


def assign(variable: Variable, value: Tensor) -> tf.Operation:
    """Write `value`; the op returns nothing, so no one can read a half-updated state from it."""
    written = variable.assign(value, read_value=False)
    return getattr(written, "op", written)
