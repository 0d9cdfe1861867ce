"""install(): tf.keras uses our classes, and afterwards its own again."""

import importlib
from types import ModuleType

import numpy as np
import pytest
import tensorflow as tf

import keras_optimizers
from keras_optimizers import cli
from keras_optimizers.tensorflow_private import LOOKUP as private_module
from keras_optimizers.tensorflow_private import RELEASE
from tests.training import CLASS_NAMES, K

MODULES = [
    tf.keras.optimizers,
    tf.compat.v1.keras.optimizers,
    importlib.import_module("tensorflow.keras.optimizers"),
    private_module,
]
# In TensorFlow 2 this is the host itself.
ANOTHER_KERAS = tf.compat.v2.keras if tf.__version__.startswith("1.") else object()
FUNCTIONS = ["serialize", "deserialize", "get"]


def snapshot():
    """Every public name of every module that may be changed."""
    names = [(module, name) for module in MODULES for name in dir(module) if name[0].isalpha()]
    return [(module, name, getattr(module, name)) for module, name in names]


def changed(before):
    return [(m.__name__, name) for m, name, value in before if getattr(m, name) is not value]


def small_model():
    return tf.keras.Sequential(
        [tf.keras.layers.Dense(2, input_shape=(3,)), tf.keras.layers.Dense(1)]
    )


def data():
    random = np.random.RandomState(0)
    features = random.standard_normal((32, 3))
    return features, features.sum(axis=1, keepdims=True)


def test_all_names_are_ours_while_installed_and_the_originals_afterwards():
    before = snapshot()
    with keras_optimizers.install():
        for module in MODULES:
            for name in ["Optimizer"] + CLASS_NAMES + FUNCTIONS:
                assert getattr(module, name) is getattr(keras_optimizers, name), (module, name)
        assert private_module.TFOptimizer is keras_optimizers.TFOptimizer
        if not isinstance(private_module.sgd, ModuleType):  # in later Kerases it is a module
            assert private_module.sgd is keras_optimizers.SGD
    assert changed(before) == []


def test_imports_made_while_installed_get_ours():
    with keras_optimizers.install():
        from tensorflow.keras.optimizers import Adam
    assert Adam is keras_optimizers.Adam


def test_other_names_of_the_host_stay():
    with keras_optimizers.install():
        assert tf.keras.optimizers.Ftrl.__module__.startswith(RELEASE.source.split(".")[0])
        assert tf.keras.optimizers.schedules.ExponentialDecay
        if RELEASE.first == (1, 15):  # in TensorFlow 2 that module is the host
            assert tf.compat.v2.keras.optimizers.Adam is not keras_optimizers.Adam


def test_installing_twice_is_harmless_and_the_first_handle_uninstalls():
    before = snapshot()
    with keras_optimizers.install():
        with keras_optimizers.install(tf.keras):
            pass
        assert tf.keras.optimizers.Adam is keras_optimizers.Adam
    assert changed(before) == []


def test_a_handle_uninstalls_once_and_the_function_always():
    before = snapshot()
    first = keras_optimizers.install()
    first.uninstall()
    assert changed(before) == []
    second = keras_optimizers.install()
    first.uninstall()  # spent: must not end the second installation
    assert tf.keras.optimizers.Adam is keras_optimizers.Adam
    keras_optimizers.uninstall()
    second.uninstall()
    assert changed(before) == []


def test_an_error_inside_restores_too():
    before = snapshot()
    with pytest.raises(ZeroDivisionError), keras_optimizers.install():
        raise ZeroDivisionError
    assert changed(before) == []


@pytest.mark.parametrize("host", [np, "tf.keras", ANOTHER_KERAS, object()])
def test_another_host_is_refused(host):
    before = snapshot()
    with pytest.raises(ValueError, match="Cannot install into"):
        keras_optimizers.install(host)
    assert changed(before) == []


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_names_in_compile_give_our_classes_while_installed(class_name):
    with keras_optimizers.install():
        model = small_model()
        model.compile(class_name.lower(), "mse")
        assert type(model.optimizer) is getattr(keras_optimizers, class_name)
        model.compile(class_name, "mse")
        assert type(model.optimizer) is getattr(keras_optimizers, class_name)
    model.compile(class_name.lower(), "mse")
    assert not type(model.optimizer).__module__.startswith("keras_optimizers")


def test_our_instances_compile_without_installing():
    model = small_model()
    model.compile(keras_optimizers.Adam(lr=0.05), "mse")
    history = model.fit(*data(), epochs=5, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]


def test_tf_train_optimizers_in_compile_are_wrapped_by_ours():
    with keras_optimizers.install():
        model = small_model()
        model.compile(tf.compat.v1.train.AdamOptimizer(0.05), "mse")
        assert type(model.optimizer) is keras_optimizers.TFOptimizer
        history = model.fit(*data(), epochs=3, verbose=0)
        assert K.get_value(model.optimizer.iterations) == 3
    assert history.history["loss"][-1] < history.history["loss"][0]


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_a_model_saved_and_loaded_keeps_class_config_and_state(class_name, tmp_path):
    path = str(tmp_path / "model.h5")
    with keras_optimizers.install():
        model = small_model()
        model.compile(getattr(tf.keras.optimizers, class_name)(lr=0.02, clipnorm=1.0), "mse")
        model.fit(*data(), epochs=2, verbose=0)
        model.save(path)
        weights, config = model.optimizer.get_weights(), model.optimizer.get_config()
        expected = model.get_weights()
        tf.keras.backend.clear_session()
        loaded = tf.keras.models.load_model(path)
        assert type(loaded.optimizer) is getattr(keras_optimizers, class_name)
        assert loaded.optimizer.get_config() == config
        for one, other in zip(weights, loaded.optimizer.get_weights()):
            np.testing.assert_array_equal(one, other)
        for one, other in zip(expected, loaded.get_weights()):
            np.testing.assert_array_equal(one, other)


def test_callbacks_read_and_change_our_learning_rate(tmp_path):
    with keras_optimizers.install():
        model = small_model()
        model.compile(tf.keras.optimizers.SGD(lr=0.5), "mse")
        path = str(tmp_path / "best.h5")
        callbacks = [
            tf.keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1)),
            tf.keras.callbacks.ModelCheckpoint(path),
        ]
        history = model.fit(*data(), epochs=3, verbose=0, callbacks=callbacks)
        np.testing.assert_allclose(history.history["lr"], [0.1, 0.05, 0.1 / 3], rtol=1e-6)
        assert np.isclose(K.get_value(model.optimizer.lr), 0.1 / 3)
        loaded = tf.keras.models.load_model(path)
        assert type(loaded.optimizer) is keras_optimizers.SGD
        assert np.isclose(loaded.optimizer.get_config()["lr"], 0.1 / 3)
        plateau = tf.keras.callbacks.ReduceLROnPlateau(
            monitor="loss", factor=0.5, patience=1, min_delta=1e9
        )
        loaded.fit(*data(), epochs=3, verbose=0, callbacks=[plateau])
        assert np.isclose(K.get_value(loaded.optimizer.lr), 0.1 / 3 / 4)


def test_cloning_a_compiled_model_makes_our_class_with_the_same_config():
    models = importlib.import_module(RELEASE.source + ".models")  # estimators use it
    with keras_optimizers.install():
        model = small_model()
        model.compile(tf.keras.optimizers.Adam(lr=0.02, amsgrad=True, clipnorm=2.0), "mse")
        clone = models.clone_and_build_model(model, compile_clone=True)
    assert type(clone.optimizer) is keras_optimizers.Adam
    assert clone.optimizer is not model.optimizer
    assert clone.optimizer.get_config() == model.optimizer.get_config()


def test_the_clone_that_an_estimator_makes_counts_its_steps_in_the_global_step():
    models = importlib.import_module(RELEASE.source + ".models")
    global_step = tf.compat.v1.train.get_or_create_global_step()
    with keras_optimizers.install():
        model = small_model()
        model.compile(tf.keras.optimizers.Adam(lr=0.02), "mse")
        clone = models.clone_and_build_model(
            model, compile_clone=True, optimizer_iterations=global_step
        )
        K.get_session().run(global_step.initializer)
        clone.fit(*data(), epochs=2, batch_size=len(data()[0]), verbose=0)
    assert type(clone.optimizer) is keras_optimizers.Adam
    assert K.get_value(global_step) == 2


def test_a_model_saved_with_optimizer_v2_is_refused_with_the_command_that_converts_it(tmp_path):
    old, new = str(tmp_path / "old.h5"), str(tmp_path / "new.h5")
    model = small_model()
    module = getattr(tf.keras.optimizers, "legacy", tf.keras.optimizers)
    model.compile(module.Adam(0.01), "mse")
    model.fit(*data(), epochs=1, batch_size=32, verbose=0)
    model.save(old)
    with keras_optimizers.install():
        command = "keras-optimizers migrate FILE NEW_FILE --to keras-optimizers"
        with pytest.raises(TypeError, match=command):
            tf.keras.models.load_model(old)
        assert cli.main(["migrate", old, new, "--to", "keras-optimizers"]) == 0
        loaded = tf.keras.models.load_model(new)
        assert type(loaded.optimizer) is keras_optimizers.Adam
        assert loaded.optimizer.get_weights()[0] == 1
