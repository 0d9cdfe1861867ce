"""What the real TensorFlow 1.10.0 did, ours does: signatures, errors, saved models.

`tests/conformance/test_ours.py` compares the numbers of every step and the configs.
"""

import inspect
import os

import numpy as np
import pytest
import tensorflow as tf

import keras_optimizers
from keras_optimizers.conformance import load_reference
from keras_optimizers.conformance.recorder.bad_inputs import bad_inputs
from tests.recorded import cases
from tests.training import K, same_bits

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "recorded")
ARRAYS = np.load(os.path.join(FOLDER, "models.npz"))
FACTS = load_reference("tf-1.10").facts
# State that r1.10 loses and ours keeps as 1.15 does: Nadam's second weight.
NADAM_SCHEDULE = 1


@pytest.mark.parametrize("name", sorted(FACTS["signatures"]))
def test_signatures_equal_the_recorded_ones(name):
    public = keras_optimizers
    for part in name.split("."):
        public = getattr(public, part)
    expected = FACTS["signatures"][name]
    if name == "TFOptimizer":  # TensorFlow 1.15 added an argument
        expected = "(optimizer, iterations=None)"
    assert str(inspect.signature(public)) == expected


BAD_INPUTS = bad_inputs(keras_optimizers, tf.keras, tf.compat.v1)


@pytest.mark.parametrize("name", sorted(FACTS["errors"]))
def test_errors_have_the_recorded_type_and_begin_with_the_recorded_words(name):
    type_name, words = FACTS["errors"][name]
    with pytest.raises(Exception) as caught:
        BAD_INPUTS[name]()
    assert type(caught.value).__name__ == type_name
    if name == "schedule_decay is a word":  # upstream runs into an accident of its formula
        words = "Expected float32, got 'slow' of type 'str' instead."
    if name == "parameter is a tensor":  # upstream names its class, which TensorFlow 2 has renamed
        words = words.replace("Tensor", type(tf.zeros(())).__name__)
    if words:
        assert str(caught.value.args[0]).startswith(words)


def test_the_recorder_and_this_test_know_the_same_bad_inputs():
    assert sorted(BAD_INPUTS) == sorted(FACTS["errors"])


@pytest.mark.parametrize("name", sorted(cases.MODELS))
def test_a_model_saved_by_tensorflow_110_loads_with_its_state_and_goes_on(name):
    class_name, _ = cases.MODELS[name]
    path = os.path.join(FOLDER, "models", name + ".h5")
    with keras_optimizers.install():
        model = tf.keras.models.load_model(path)
    assert type(model.optimizer) is getattr(keras_optimizers, class_name)
    stored = stored_optimizer_weights(path)
    weights = model.optimizer.get_weights()
    if class_name == "Nadam":
        assert weights.pop(NADAM_SCHEDULE) < 1  # computed from `iterations`
    same_bits(stored, [np.asarray(weight) for weight in weights])
    if name == "rmsprop_decay":  # the file lacks `iterations`; here the user knows them
        K.set_value(model.optimizer.iterations, cases.SAVE_AFTER)
    for features, labels in list(cases.batches())[cases.SAVE_AFTER :]:
        model.train_on_batch(features, labels)
    final = [ARRAYS[f"model/{name}/final_{i}"] for i in range(len(model.get_weights()))]
    for expected, actual in zip(final, model.get_weights()):
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6)


def stored_optimizer_weights(path):
    import h5py

    with h5py.File(path, "r") as opened:
        group = opened["optimizer_weights"]
        return [group[name][()] for name in group.attrs["weight_names"]]
