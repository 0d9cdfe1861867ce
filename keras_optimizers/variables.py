"""Variables: how the optimizer makes its own, and how it reads those of others."""

from typing import Any, List, Sequence

import tensorflow.compat.v1 as tf

from keras_optimizers.placement import colocated_with
from keras_optimizers.tensorflow_private import (
    PartitionedVariable,
    existing_read,
    new_ops_wait,
    track_variable,
)
from keras_optimizers.tensorflow_types import Tensor, Variable


def new_variable(value: Any, dtype: Any, name: Any = None) -> Variable:
    """A resource variable that the host initializes on first use.

    Unlike `tf.keras.backend.variable` it is not trainable: an optimizer's state must not turn
    up in `tf.trainable_variables()`.
    """
    created = tf.Variable(value, dtype=dtype, name=name, trainable=False, use_resource=True)
    track_variable(created)
    return created


def zeros_beside(beside: Variable, shape: Sequence[int], dtype: Any, name: Any = None) -> Variable:
    """A new variable of zeros on the device of the variable `beside`."""
    # `tf.device(None)`: where `beside` names no device, the device in force must not be taken.
    with tf.init_scope(), colocated_with(beside), tf.device(None):
        # The zeros get the name too: Keras 2.3 does so, and its variable is then named `name_1`.
        return new_variable(tf.zeros(shape, dtype, name), dtype, name)


def read_tensor(value: Any) -> Tensor:
    """`value` as a tensor; where possible, the read that a resource variable was made with.

    That read is too early inside a loop, or where a new op would wait for an assignment.
    """
    graph = tf.get_default_graph()
    existing = existing_read(value)
    # The body of a newer loop is a graph of its own, in which nothing waits.
    if new_ops_wait(graph) or existing is None or existing.graph is not graph:
        return tf.convert_to_tensor(value)
    return existing


def is_variable(value: Any) -> bool:
    """Whether `value` is a TensorFlow variable, that is, can be assigned to."""
    return hasattr(value, "assign") and hasattr(value, "initializer")


def parts_of(value: Any) -> List[Any]:
    """The variables that a partitioned variable consists of; of any other value, that value."""
    return list(value) if isinstance(value, PartitionedVariable) else [value]
