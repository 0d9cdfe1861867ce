"""The ops that compute and write: dense gradients, assignments."""

from typing import Any, List, Sequence, Tuple

import tensorflow.compat.v1 as tf

from keras_optimizers.backend import Tensor, Variable, colocated_with


def dense(gradient: Any, parameter: Variable) -> Tensor:
    """`gradient` as a tensor of the shape of `parameter`; duplicate rows are summed in order."""
    if isinstance(gradient, tf.IndexedSlices):
        # The op that TensorFlow's own conversion uses, without its warning about memory.
        rows = parameter.shape.as_list()[0]
        return tf.math.unsorted_segment_sum(gradient.values, gradient.indices, rows)
    return tf.convert_to_tensor(gradient)


def assign_all(new_values: Sequence[Tuple[Variable, Tensor]]) -> List[tf.Operation]:
    """Write each value to its variable; the ops return nothing, so nothing half-written is seen.

    A tensor read from a ref variable is a view of its memory, and a gradient may be such a view
    of another parameter. Among ref variables therefore all values are computed before any is
    written. Resource variables need no such wait: they are never overwritten under a reader.
    """
    values = [value for _, value in new_values]
    with tf.control_dependencies(values if any(_is_ref(v) for v, _ in new_values) else []):
        return [_assign(variable, value) for variable, value in new_values]


def _is_ref(variable: Variable) -> bool:
    return variable.dtype != variable.dtype.base_dtype


def _assign(variable: Variable, value: Tensor) -> tf.Operation:
    with colocated_with(variable):
        written = variable.assign(value, read_value=False)
    return getattr(written, "op", written)
