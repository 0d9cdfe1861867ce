"""One model of digits, one seed, the same batches: the same bits in every host.

Standalone Keras is compared with its own optimizers in test_standalone_keras.py.
"""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from sklearn.datasets import load_digits

import keras_optimizers
from tests.hosts.installed import needs_estimators
from tests.training import CLASS_NAMES, configured, in_order, same_bits, upstream

BATCH, STEPS = 64, 20
keras = tf.keras


def batches():
    digits = load_digits()
    order = np.random.RandomState(5).permutation(len(digits.data))[: BATCH * STEPS]
    features = (digits.data[order] / 16).astype("float32").reshape(STEPS, BATCH, 64)
    labels = np.eye(10, dtype="float32")[digits.target[order]].reshape(STEPS, BATCH, 10)
    return features, labels


def small_model():
    model = keras.Sequential(
        [
            keras.layers.Dense(20, activation="relu", input_shape=(64,), name="hidden"),
            keras.layers.Dense(10, activation="softmax", name="digit"),
        ]
    )
    random = np.random.RandomState(6)
    model.set_weights([0.2 * random.standard_normal(v.shape) for v in model.get_weights()])
    return model


def in_tf_keras(optimizer):
    model = small_model()
    model.compile(optimizer, "categorical_crossentropy")
    in_order(model)
    for features, labels in zip(*batches()):
        model.train_on_batch(features, labels)
    return model.get_weights()


def in_a_raw_session(optimizer):
    inputs, labels = tf.placeholder(tf.float32, (None, 64)), tf.placeholder(tf.float32, (None, 10))
    random = np.random.RandomState(6)
    variables = [
        tf.Variable((0.2 * random.standard_normal(shape)).astype("float32"), use_resource=resource)
        for shape, resource in [((64, 20), True), ((20,), False), ((20, 10), False), ((10,), True)]
    ]
    # The ops of a Dense layer: TensorFlow 2 joins a product and its bias into one kernel.
    hidden = tf.nn.relu(tf.nn.bias_add(tf.matmul(inputs, variables[0]), variables[1]))
    outputs = tf.nn.softmax(tf.nn.bias_add(tf.matmul(hidden, variables[2]), variables[3]))
    loss = keras.losses.CategoricalCrossentropy()(labels, outputs)
    step = tf.group(*optimizer.get_updates(loss, variables))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for features, targets in zip(*batches()):
            session.run(step, {inputs: features, labels: targets})
        return session.run(variables)


def in_an_estimator(optimizer, folder):
    model = small_model()
    model.compile(optimizer, "categorical_crossentropy")
    config = tf.estimator.RunConfig(tf_random_seed=1, save_checkpoints_steps=7)
    estimator = keras.estimator.model_to_estimator(model, model_dir=folder, config=config)

    def feed():
        features, labels = batches()
        return tf.data.Dataset.from_tensor_slices(({"hidden_input": features}, labels))

    estimator.train(feed, steps=STEPS // 2)
    # Resumed from its checkpoint, in another graph and session.
    estimator.train(lambda: feed().skip(STEPS // 2))
    assert estimator.get_variable_value("global_step") == STEPS
    names = [f"{layer}/{kind}" for layer in ("hidden", "digit") for kind in ("kernel", "bias")]
    return [estimator.get_variable_value(name) for name in names]


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_tf_keras_and_raw_sessions_give_upstream_s_bits(class_name):
    expected = in_tf_keras(configured(class_name, upstream))
    keras.backend.clear_session()
    same_bits(expected, in_tf_keras(configured(class_name)))
    keras.backend.clear_session()
    same_bits(expected, in_a_raw_session(configured(class_name)))


@needs_estimators
@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_estimators_give_upstream_s_bits(class_name, tmp_path):
    expected = in_tf_keras(configured(class_name, upstream))
    keras.backend.clear_session()
    with keras_optimizers.install():
        same_bits(expected, in_an_estimator(configured(class_name), str(tmp_path)))
