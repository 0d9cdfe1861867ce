"""The ops that write: TensorFlow's training kernels, and assignments.

The only file that knows TensorFlow's raw training ops. All return ops without a value.
"""

from typing import Any, List, Sequence, Tuple

import tensorflow.compat.v1 as tf

from keras_optimizers.backend import Tensor, Variable, colocated_with, may_be_on_gpu

_raw = tf.raw_ops


def is_ref(variable: Variable) -> bool:
    """Whether reading `variable` gives a view of its memory (TensorFlow 1's first kind)."""
    return variable.dtype != variable.dtype.base_dtype


def keep_the_bits(parameter: Variable) -> bool:
    """Whether the kernels below give `parameter` the bits that separate ops would give it.

    On a GPU the compiler may contract a product and a sum to one rounding.
    """
    dtype = parameter.dtype.base_dtype
    return dtype in (tf.float16, tf.float32, tf.float64) and not may_be_on_gpu(parameter)


def dense(gradient: Any, parameter: Variable) -> Tensor:
    """`gradient` as a tensor of the shape of `parameter`; duplicate rows are summed in order."""
    if isinstance(gradient, tf.IndexedSlices):
        # The op that TensorFlow's own conversion uses, without its warning about memory.
        rows = parameter.shape.as_list()[0]
        return tf.math.unsorted_segment_sum(gradient.values, gradient.indices, rows)
    return tf.convert_to_tensor(gradient)


def assign(variable: Variable, value: Any) -> tf.Operation:
    """`variable = value`; of `IndexedSlices`, the rows that they list."""
    with colocated_with(variable):
        if isinstance(value, tf.IndexedSlices):
            written = variable.scatter_update(value)
        else:
            written = variable.assign(value, read_value=False)
    return getattr(written, "op", written)


def assign_all(new_values: Sequence[Tuple[Variable, Any]]) -> List[tf.Operation]:
    """Write each value to its variable.

    A tensor read from a ref variable is a view of its memory, and a gradient may be such a view
    of another parameter. Among ref variables therefore all values are computed before any is
    written. Resource variables need no such wait: they are never overwritten under a reader.
    """
    values = [part for _, value in new_values for part in tf.nest.flatten(value, True)]
    with tf.control_dependencies(values if any(is_ref(v) for v, _ in new_values) else []):
        return [assign(variable, value) for variable, value in new_values]


# In place, on resource variables, to the bit what the formula gives as separate ops on a CPU.


def add(variable: Variable, value: Tensor) -> tf.Operation:
    """`variable += value`."""
    return _raw.AssignAddVariableOp(resource=variable.handle, value=value)


def subtract(variable: Variable, value: Tensor) -> tf.Operation:
    """`variable -= value`."""
    return _raw.AssignSubVariableOp(resource=variable.handle, value=value)


def subtract_scaled(variable: Variable, scale: Tensor, value: Tensor) -> tf.Operation:
    """`variable -= scale * value`."""
    return _raw.ResourceApplyGradientDescent(var=variable.handle, alpha=scale, delta=value)


def subtract_over_root(
    variable: Variable, scale: Tensor, numerator: Tensor, slot: Variable, epsilon: Tensor
) -> tf.Operation:
    """`variable -= scale * numerator / (sqrt(slot) + epsilon)`."""
    return _raw.ResourceApplyAdagradV2(
        var=variable.handle,
        accum=slot.handle,
        lr=scale,
        epsilon=epsilon,
        grad=numerator,
        update_slots=False,
    )


def add_square_and_subtract_over_root(
    variable: Variable, scale: Tensor, numerator: Tensor, slot: Variable, epsilon: Tensor
) -> tf.Operation:
    """`slot += numerator ** 2`, then `variable -= scale * numerator / (sqrt(slot) + epsilon)`."""
    return _raw.ResourceApplyAdagradV2(
        var=variable.handle, accum=slot.handle, lr=scale, epsilon=epsilon, grad=numerator
    )


def add_momentum(
    variable: Variable, velocity: Variable, momentum: Tensor, scale: Tensor, gradient: Tensor
) -> tf.Operation:
    """`velocity = momentum * velocity - scale * gradient`, then `variable += velocity`."""
    return _raw.ResourceApplyKerasMomentum(
        var=variable.handle, accum=velocity.handle, lr=scale, grad=gradient, momentum=momentum
    )


# Rows of resource variables, each listed once.


def add_rows(variable: Variable, rows: Tensor, values: Tensor) -> tf.Operation:
    """`variable[rows] += values`."""
    return _raw.ResourceScatterAdd(resource=variable.handle, indices=rows, updates=values)


def subtract_rows(variable: Variable, rows: Tensor, values: Tensor) -> tf.Operation:
    """`variable[rows] -= values`."""
    return _raw.ResourceScatterSub(resource=variable.handle, indices=rows, updates=values)
