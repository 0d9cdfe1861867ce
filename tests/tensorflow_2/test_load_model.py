"""`load_model` of TensorFlow 2 makes an optimizer's slots before its updates are built."""

import os

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import keras_optimizers
from keras_optimizers.checkpoint import capture, read
from keras_optimizers.tensorflow_private import KERAS, RELEASE
from tests.training import CLASS_NAMES, K, configured, same_bits

pytestmark = pytest.mark.skipif(RELEASE.first == (1, 15), reason="TensorFlow 2 alone does so")


def trained_model(optimizer):
    model = KERAS.Sequential(
        [KERAS.layers.Dense(3, input_shape=(4,), name="a"), KERAS.layers.Dense(2, name="b")]
    )
    random = np.random.RandomState(0)
    model.set_weights([random.normal(size=value.shape) for value in model.get_weights()])
    model.compile(optimizer, "mse")
    train(model, 0, 3)
    return model


def train(model, first, last):
    random = np.random.RandomState(1)
    features, labels = random.normal(size=(last, 8, 4)), random.normal(size=(last, 8, 2))
    for step in range(first, last):
        model.train_on_batch(features[step], labels[step])


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_a_loaded_model_goes_on_to_the_bit_with_slots_of_the_same_names(class_name, tmp_path):
    path = str(tmp_path / "model.h5")
    with keras_optimizers.install():
        model = trained_model(configured(class_name, keras_optimizers))
        model.save(path)
        names = [variable.name for variable in model.optimizer.weights]
        train(model, 3, 6)
        expected = model.get_weights() + model.optimizer.get_weights()
        K.clear_session()
        loaded = KERAS.models.load_model(path)
        if "iterations" not in loaded.optimizer.weight_scalars:  # nor in TensorFlow 1.10's files
            K.set_value(loaded.optimizer.iterations, 3)
        assert [variable.name for variable in loaded.optimizer.weights] == names
        train(loaded, 3, 6)
        assert [variable.name for variable in loaded.optimizer.weights] == names
    same_bits(expected, loaded.get_weights() + loaded.optimizer.get_weights())


def test_the_state_of_a_live_optimizer_equals_that_of_its_file(tmp_path):
    path = str(tmp_path / "model.h5")
    with keras_optimizers.install():
        model = trained_model(keras_optimizers.Adam(lr=0.01, decay=0.1, clipnorm=1.0))
        model.save(path)
        live, stored = capture(model.optimizer), read(path)
    assert stored.hyperparameters["clipnorm"] == 1.0
    assert "global_clipnorm" not in stored.hyperparameters
    for role, slots in live.slots.items():
        for name, slot in slots.items():
            np.testing.assert_array_equal(slot.read(), stored.slots[role][name].read())
    assert live.iterations == stored.iterations == 3


def test_a_subclass_that_makes_its_slots_itself_is_left_to_the_host(tmp_path):
    class Own(keras_optimizers.SGD):
        def update_rule(self, parameter, gradient, slots, coefficients):
            return super().update_rule(parameter, gradient, slots, coefficients)

    class Older(keras_optimizers.Optimizer):
        pass

    variable = tf.get_variable("weight", initializer=[1.0], use_resource=True)
    optimizer = Own(momentum=0.5)
    optimizer._create_all_weights([variable])
    assert len(optimizer.weights) == 2
    with pytest.raises(NotImplementedError):
        Older()._create_all_weights([variable])


def test_objects_of_a_scope_are_found_by_name():
    class Slow(keras_optimizers.SGD):
        pass

    with KERAS.utils.custom_object_scope({"Slow": Slow}):
        found = keras_optimizers.deserialize({"class_name": "Slow", "config": {"lr": 0.5}})
    assert type(found) is Slow


def test_keras_3_is_refused_with_what_to_do():
    keras = pytest.importorskip("keras")
    if not keras.__version__.startswith("3."):
        pytest.skip("Keras 3 is not installed")
    with pytest.raises(ValueError, match=r"Keras 3 has no graph mode.*TF_USE_LEGACY_KERAS=1"):
        keras_optimizers.install(keras)
    assert os.environ.get("TF_USE_LEGACY_KERAS") == "1"
