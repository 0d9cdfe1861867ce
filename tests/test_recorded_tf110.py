"""What the real TensorFlow 1.10.0 did, ours does: numbers, configs, signatures, errors."""

import inspect
import json
import os

import numpy as np
import pytest
import tensorflow as tf

import keras_optimizers
from tests.recorded import cases, processors
from tests.training import K, same_bits

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "recorded")
PROCESSOR, ARRAYS = processors.of_this_processor(tf.compat.v1)
with open(os.path.join(FOLDER, "tf110.json")) as opened:
    FACTS = json.load(opened)
# State that r1.10 loses and ours keeps as 1.15 does: Nadam's second weight.
NADAM_SCHEDULE = 1


def recorded(prefix):
    """The recorded arrays `prefix`_0, `prefix`_1 and so on."""
    found = []
    while f"{prefix}_{len(found)}" in ARRAYS:
        found.append(ARRAYS[f"{prefix}_{len(found)}"])
    return found


@pytest.mark.parametrize("name", sorted(cases.TRAJECTORIES))
def test_every_step_of_every_recorded_case_is_equal_to_the_bit(name):
    class_name, arguments = cases.TRAJECTORIES[name]
    own, floatx, max_norm = cases.split(arguments)
    K.set_floatx(floatx)
    constraint = tf.keras.constraints.MaxNorm(max_norm) if max_norm else None
    params = [
        K.variable(value, constraint=constraint if value.ndim == 2 else None)
        for value in cases.initial_values(name, floatx)
    ]
    feeds = [K.placeholder(value.shape) for value in params]
    loss = sum(K.sum(p * feed) for p, feed in zip(params, feeds))
    optimizer = getattr(keras_optimizers, class_name)(**own)
    updates = optimizer.get_updates(loss, params)
    session = K.get_session()
    expected_parameters = recorded(f"{name}/parameter")
    expected_weights = recorded(f"{name}/weight")
    for step, gradients in enumerate(cases.gradients(name, floatx)):
        session.run(updates, dict(zip(feeds, gradients)))
        weights = optimizer.get_weights()
        if class_name == "Nadam":
            del weights[NADAM_SCHEDULE]
        same([values[step] for values in expected_parameters], K.batch_get_value(params))
        same([values[step] for values in expected_weights], [np.asarray(w) for w in weights])
    if PROCESSOR is None:
        pytest.skip("equal within a tolerance; no recording has the square roots of this processor")


def same(expected, actual):
    """To the bit, where a recording has this processor's square roots; else nearly."""
    if PROCESSOR is not None:
        same_bits(expected, actual)
    else:
        assert not [1 for one, other in zip(expected, actual) if processors.far_apart(one, other)]


def test_recordings_differ_between_processors_in_square_roots_alone():
    """Plain gradient descent and double precision have no approximate root."""
    first = processors.recordings()[processors.FIRST]
    exact = [key for key in first if key.startswith("sgd") or "float64" in key]
    assert exact
    for arrays in processors.recordings().values():
        same_bits([first[key] for key in exact], [arrays[key] for key in exact])


@pytest.mark.parametrize("name", sorted(cases.TRAJECTORIES))
def test_configs_have_the_recorded_keys_and_values(name):
    class_name, arguments = cases.TRAJECTORIES[name]
    own, floatx, _ = cases.split(arguments)
    K.set_floatx(floatx)
    assert getattr(keras_optimizers, class_name)(**own).get_config() == FACTS["configs"][name]


@pytest.mark.parametrize("name", sorted(FACTS["signatures"]))
def test_signatures_equal_the_recorded_ones(name):
    public = keras_optimizers
    for part in name.split("."):
        public = getattr(public, part)
    expected = FACTS["signatures"][name]
    if name == "TFOptimizer":  # TensorFlow 1.15 added an argument
        expected = "(optimizer, iterations=None)"
    assert str(inspect.signature(public)) == expected


BAD_INPUTS = cases.bad_inputs(keras_optimizers, tf.keras, tf.compat.v1)


@pytest.mark.parametrize("name", sorted(FACTS["errors"]))
def test_errors_have_the_recorded_type_and_begin_with_the_recorded_words(name):
    type_name, arguments = FACTS["errors"][name]
    with pytest.raises(Exception) as caught:
        BAD_INPUTS[name]()
    assert type(caught.value).__name__ == type_name
    if name == "schedule_decay is a word":  # upstream runs into an accident of its formula
        arguments = ["Expected float32, got 'slow' of type 'str' instead."]
    if arguments:
        assert str(caught.value.args[0]).startswith(arguments[0])


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
    for expected, actual in zip(recorded(f"model/{name}/final"), model.get_weights()):
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6)


def stored_optimizer_weights(path):
    import h5py

    with h5py.File(path, "r") as opened:
        group = opened["optimizer_weights"]
        return [group[name][()] for name in group.attrs["weight_names"]]
