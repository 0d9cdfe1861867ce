"""Ops that assign values to variables of both kinds. All return ops without a value."""

from typing import Any, List, NamedTuple, Sequence

import tensorflow.compat.v1 as tf

from keras_optimizers.placement import colocated_with
from keras_optimizers.tensorflow_types import Variable


class Assignment(NamedTuple):
    """A value that a variable is to get: a tensor or, for some rows of it, `IndexedSlices`."""

    variable: Variable
    value: Any


def is_ref(variable: Variable) -> bool:
    """Whether reading `variable` gives a view of its memory (TensorFlow 1's first kind)."""
    return variable.dtype != variable.dtype.base_dtype


def assign(variable: Variable, value: Any) -> tf.Operation:
    """`variable = value`; of `IndexedSlices`, the rows that they list."""
    with colocated_with(variable):
        if isinstance(value, tf.IndexedSlices):
            written = variable.scatter_update(value)
        else:
            written = variable.assign(value, read_value=False)
    return getattr(written, "op", written)


def assign_all(assignments: Sequence[Assignment]) -> List[tf.Operation]:
    """Write each value to its variable.

    A tensor read from a ref variable is a view of its memory, and a gradient may be such a view
    of another parameter. If there is a ref variable, all values are therefore computed before any
    is written. Resource variables need no such wait: they are never overwritten under a reader.
    """
    values = [part for _, value in assignments for part in tf.nest.flatten(value, True)]
    any_ref = any(is_ref(variable) for variable, _ in assignments)
    with tf.control_dependencies(values if any_ref else []):
        return [assign(variable, value) for variable, value in assignments]


def count(variable: Variable) -> tf.Operation:
    """`variable += 1`, such that no count is lost where several workers count at once."""
    with colocated_with(variable):
        one = tf.ones([], variable.dtype.base_dtype)
        written = variable.assign_add(one, use_locking=True, read_value=False)
    return getattr(written, "op", written)
