"""What the tests of TensorFlow's optimizers ask for, in our own words.

TensorFlow's packages do not hold its tests, so they cannot be run here; those of Keras are, by
`tox -e upstream-suites`.
"""

import gc
import weakref

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import keras_optimizers
from tests.training import CLASS_NAMES, K, configured

keras = tf.keras
STEPS = 63  # batches of an epoch: 1000 examples by 16


def examples():
    """Two classes of points, which a small model tells apart within two epochs."""
    random = np.random.RandomState(1337)
    labels = random.randint(2, size=1000)
    return random.standard_normal((1000, 10)) + 2.0 * labels[:, None], np.eye(2)[labels]


def compiled(optimizer, **constraints):
    # The seed of the graph would give other weights on another TensorFlow.
    first, second = [keras.initializers.glorot_uniform(seed) for seed in (3, 4)]
    hidden = {"input_shape": (10,), "kernel_initializer": first, **constraints}
    model = keras.Sequential(
        [
            keras.layers.Dense(20, activation="relu", **hidden),
            keras.layers.Dense(2, activation="softmax", kernel_initializer=second),
        ]
    )
    model.compile(optimizer, "categorical_crossentropy", metrics=["acc"])
    return model


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_an_optimizer_counts_learns_and_goes_on_counting_with_another_model(class_name):
    np.random.seed(0)  # for the order of the batches
    # Adadelta's steps shrink too soon with the usual decay.
    slower = {"decay": 0.01} if class_name == "Adadelta" else {}
    with keras_optimizers.install():
        optimizer = configured(class_name, **slower)
        model = compiled(optimizer)
        assert K.get_value(optimizer.iterations) == 0
        history = model.fit(*examples(), epochs=2, batch_size=16, verbose=0)
        assert K.get_value(optimizer.iterations) == 2 * STEPS
        assert history.history["acc"][-1] >= 0.75

        config = keras.optimizers.serialize(optimizer)
        again = keras.optimizers.serialize(keras.optimizers.deserialize(config))
        again["class_name"] = again["class_name"].lower()
        assert config == again

        constraints = {
            "kernel_constraint": lambda kernel: 0.0 * kernel + 1.0,
            "bias_constraint": lambda bias: 0.0 * bias + 2.0,
        }
        other = compiled(optimizer, **constraints)
        features, labels = examples()
        other.train_on_batch(features[:10], labels[:10])
        assert K.get_value(optimizer.iterations) == 2 * STEPS + 1
        kernel, bias = other.layers[0].get_weights()
        assert (kernel == 1.0).all() and (bias == 2.0).all()


@pytest.mark.parametrize("make", [*CLASS_NAMES, "TFOptimizer"])
def test_an_optimizer_and_its_graph_are_collected(make):
    graph = tf.Graph()
    with graph.as_default():
        if make == "TFOptimizer":
            optimizer = keras_optimizers.TFOptimizer(tf.train.AdamOptimizer(0.01))
        else:
            optimizer = configured(make)
    references = weakref.ref(graph), weakref.ref(optimizer)
    del graph, optimizer
    gc.collect()
    assert [reference() for reference in references] == [None, None]
