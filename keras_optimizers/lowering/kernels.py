"""TensorFlow's kernels that write resource variables in place, as plain functions.

On a CPU each gives, to the bit, what its formula gives as separate ops. All return ops without a
value. The fused kernels, which round differently, are in `fused`.
"""

from typing import List

import numpy as np
import tensorflow.compat.v1 as tf

from keras_optimizers.tensorflow_private import RELEASE
from keras_optimizers.tensorflow_types import Tensor, Variable

_raw = tf.raw_ops


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
    variable: Variable, scale: Tensor, numerator: Tensor, slot: Tensor, epsilon: Tensor
) -> tf.Operation:
    """`variable -= scale * numerator / (sqrt(slot) + epsilon)`; `slot` is a variable's handle."""
    return _raw.ResourceApplyAdagradV2(
        var=variable.handle,
        accum=slot,
        lr=scale,
        epsilon=epsilon,
        grad=numerator,
        update_slots=False,
    )


def add_square_and_subtract_over_root(
    variable: Variable, slot: Variable, scale: Tensor, epsilon: Tensor, numerator: Tensor
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


def set_rows(variable: Variable, rows: Tensor, values: Tensor) -> tf.Operation:
    """`variable[rows] = values`."""
    return _raw.ResourceScatterUpdate(resource=variable.handle, indices=rows, updates=values)


_ELEMENTS_AT_ONCE = 2**20


def add_momentum_untouched(
    variable: Variable, velocity: Variable, momentum: Tensor, scale: Tensor
) -> List[tf.Operation]:
    """`velocity = momentum * velocity - scale * 0`, then `variable += velocity`, in place.

    The kernel for rows does it, with one op for each part of the table, so that no gradient of
    the table's size is needed; where that is slow, the dense kernel and such a gradient of zeros.
    """
    shape = variable.shape.as_list()
    if not RELEASE.momentum_of_rows_is_fast:
        gradient = tf.zeros(shape, variable.dtype.base_dtype)
        return [add_momentum(variable, velocity, momentum, scale, gradient)]
    count = max(1, min(shape[0], _ELEMENTS_AT_ONCE // max(1, int(np.prod(shape[1:])))))
    zeros, rows = tf.zeros([count] + shape[1:], variable.dtype.base_dtype), tf.range(count)
    passes = []
    for first in range(0, shape[0], count):
        size = min(count, shape[0] - first)
        whole = size == count
        passes.append(
            _raw.ResourceSparseApplyKerasMomentum(
                var=variable.handle,
                accum=velocity.handle,
                lr=scale,
                grad=zeros if whole else zeros[:size],
                indices=(rows if whole else rows[:size]) + first,
                momentum=momentum,
            )
        )
    return passes
