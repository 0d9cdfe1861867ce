"""A graph that nobody uses any more is freed, with all that an optimizer made in it."""

import gc
import weakref

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import keras_optimizers
from tests.training import CLASS_NAMES, configured


def graph_after_steps(class_name, **more):
    """A weak reference to a graph in which dense and looked-up parameters were trained."""
    with tf.Graph().as_default() as graph, tf.Session() as session:
        parameters = [
            tf.get_variable("p%d" % index, initializer=np.ones((4, 4), "f"), use_resource=True)
            for index in range(4)
        ]
        rows = tf.nn.embedding_lookup(parameters[0], [1, 3])
        loss = tf.reduce_sum(tf.square(rows)) + sum(
            tf.reduce_sum(tf.square(parameter)) for parameter in parameters[1:]
        )
        optimizer = configured(class_name, **more)
        updates = optimizer.get_updates(loss, parameters)
        session.run(tf.global_variables_initializer())
        session.run(updates)
        optimizer.set_weights(optimizer.get_weights())
    return weakref.ref(graph)


@pytest.mark.parametrize("more", [{}, {"fused": True}, {"clipnorm": 1.0}])
@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_the_graph_of_a_discarded_optimizer_is_freed(class_name, more):
    graph = graph_after_steps(class_name, **more)
    gc.collect()
    assert graph() is None


def test_the_graph_of_a_discarded_model_is_freed_after_clear_session():
    def trained():
        layers = tf.keras.layers
        model = tf.keras.Sequential([layers.Embedding(5, 3, input_length=2), layers.LSTM(2)])
        model.compile(keras_optimizers.Adam(), "mse")
        model.fit(np.zeros((4, 2)), np.zeros((4, 2)), verbose=0)
        return weakref.ref(model.outputs[0].graph)

    graph = trained()
    tf.keras.backend.clear_session()
    gc.collect()
    assert graph() is None
