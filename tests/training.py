"""Real graphs and sessions for the tests: fed gradients, small models, comparison to the bit."""

import numpy as np
import tensorflow.compat.v1 as tf

import keras_optimizers
from keras_optimizers.scripts import tensorflow_1
from keras_optimizers.tensorflow_private import HOST_OPTIMIZERS as upstream
from tests.recorded.ordering import order_reads_before_writes

tensorflow_1.graph_mode()  # for the programs of tests/reliability, which pytest does not start

K = tf.keras.backend

# One configuration a class, with decay where the class knows it.
CONFIGURATIONS = {
    "SGD": {"lr": 0.05, "momentum": 0.9, "nesterov": True, "decay": 0.1},
    "RMSprop": {"lr": 0.01, "decay": 0.1},
    "Adagrad": {"lr": 0.05, "decay": 0.1},
    "Adadelta": {"decay": 0.1},
    "Adam": {"lr": 0.01, "amsgrad": True, "decay": 0.1},
    "Adamax": {"lr": 0.01, "decay": 0.1},
    "Nadam": {"lr": 0.01},
}
CLASS_NAMES = list(CONFIGURATIONS)


def configured(class_name, module=keras_optimizers, **more):
    """An optimizer of `module` with the class's configuration."""
    return getattr(module, class_name)(**dict(CONFIGURATIONS[class_name], **more))


def fed_gradients(values, constraint=None):
    """Variables, and a loss whose gradients are what is fed: (variables, placeholders, loss)."""
    variables = [
        K.variable(value, dtype=value.dtype.name, constraint=constraint) for value in values
    ]
    feeds = [tf.placeholder(value.dtype, value.shape) for value in values]
    losses = [
        tf.cast(tf.reduce_sum(variable * feed), tf.float32)
        for variable, feed in zip(variables, feeds)
    ]
    return variables, feeds, tf.add_n(losses)


def make_trainable(optimizer, shape=(2, 3)):
    """Build the updates of one parameter under `optimizer`: (variable, updates)."""
    variable = K.variable(np.ones(shape, "float32"), name="kernel")
    return variable, optimizer.get_updates(tf.reduce_sum(tf.square(variable)), [variable])


def scalars_of(optimizer):
    """The scalars that a step both reads and writes."""
    return [optimizer.iterations] + [
        getattr(optimizer, name) for name in ("m_schedule",) if hasattr(optimizer, name)
    ]


def in_order(model):
    """Build the train function of a compiled model; an upstream optimizer loses its races."""
    model._make_train_function()
    if type(model.optimizer).__module__ == upstream.__name__:
        order_reads_before_writes(scalars_of(model.optimizer))
    return model


def same_bits(expected, actual):
    """Assert that two lists of arrays are equal to the bit."""
    assert len(expected) == len(actual)
    for index, (one, other) in enumerate(zip(expected, actual)):
        assert one.dtype == other.dtype and one.shape == other.shape, index
        if one.tobytes() != other.tobytes():
            differences = int(np.sum(one != other))
            raise AssertionError(f"array {index}: {differences} of {one.size} elements differ")
