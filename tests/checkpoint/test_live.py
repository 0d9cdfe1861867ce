"""Files of other eras, in live optimizers of ours: the state arrives and training goes on."""

import os

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

import keras_optimizers  # noqa: E402
from keras_optimizers.checkpoint import capture, migrate, read, restore, verification, write  # noqa: E402
from tests.checkpoint import files  # noqa: E402
from tests.checkpoint.files import problem  # noqa: E402
from tests.recorded import cases as recorded  # noqa: E402
from tests.training import CLASS_NAMES, K, configured, make_trainable, same_bits  # noqa: E402

RECORDED = np.load(os.path.join(os.path.dirname(files.TF110), "models.npz"))


def go_on(model):
    for features, labels in list(recorded.batches())[recorded.SAVE_AFTER :]:
        model.train_on_batch(features, labels)
    return model.get_weights()


def uninterrupted(case):
    names = [name for name in RECORDED.files if name.startswith("model/%s/final_" % case)]
    return [RECORDED["model/%s/final_%d" % (case, index)] for index in range(len(names))]


def steps(case):
    """What the user knows and the file does not say."""
    return recorded.SAVE_AFTER if case in ("rmsprop_decay", "adagrad", "adadelta") else None


@pytest.mark.parametrize("case", files.TF110_CASES)
def test_a_file_of_tensorflow_110_goes_on_after_a_migration(case, tmp_path):
    target = str(tmp_path / "ours.h5")
    source = os.path.join(files.TF110, case + ".h5")
    outcome = migrate(source, target, "keras-optimizers", iterations=steps(case))
    assert not outcome.report.inexact
    with keras_optimizers.install():
        model = tf.keras.models.load_model(target)
    assert K.get_value(model.optimizer.iterations) == recorded.SAVE_AFTER
    for expected, actual in zip(uninterrupted(case), go_on(model)):
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6)


def trained(class_name, arguments, count=3):
    K.clear_session()
    model = problem.build(tf.keras, "sequential")
    model.compile(getattr(keras_optimizers, class_name)(**arguments), "categorical_crossentropy")
    problem.train(model, "sequential", 0, count)
    model._make_train_function()
    return model


@pytest.mark.parametrize("case", files.TF110_CASES)
def test_a_state_that_was_read_is_restored_into_a_live_optimizer(case):
    class_name, arguments = recorded.MODELS[case]
    state = read(os.path.join(files.TF110, case + ".h5"))
    state.iterations = recorded.SAVE_AFTER
    K.clear_session()
    with keras_optimizers.install():
        model = tf.keras.models.load_model(os.path.join(files.TF110, case + ".h5"))
    fresh = tf.keras.models.clone_model(model)
    fresh.set_weights(model.get_weights())
    fresh.compile(getattr(keras_optimizers, class_name)(**arguments), "categorical_crossentropy")
    fresh._make_train_function()
    restore(fresh.optimizer, state, names=[parameter.name for parameter in state.parameters])
    for expected, actual in zip(uninterrupted(case), go_on(fresh)):
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("case", ["sgd_momentum", "rmsprop_decay", "adam", "nadam", "adadelta"])
def test_what_is_captured_is_restored_to_the_bit(case, fused):
    class_name, arguments, _ = problem.CASES[case]
    model = trained(class_name, dict(arguments, fused=fused))
    state = capture(model.optimizer)
    values = model.get_weights()
    assert state.iterations == 3
    assert state.parameters[0].name == "first/kernel"
    problem.train(model, "sequential", 3, 6)
    expected = model.get_weights()
    again = trained(class_name, dict(arguments, fused=fused), count=0)
    again.set_weights(values)
    report = restore(again.optimizer, state)
    assert not report.inexact
    assert verification.compare(state, capture(again.optimizer)).largest_in_ulp == 0
    problem.train(again, "sequential", 3, 6)
    for one, other in zip(expected, again.get_weights()):
        np.testing.assert_array_equal(one, other)


def test_restoring_adds_no_op_to_the_graph():
    model = trained("Adam", {})
    state = capture(model.optimizer)
    restore(model.optimizer, state)
    before = len(K.get_session().graph.get_operations())
    for _ in range(3):
        restore(model.optimizer, capture(model.optimizer))
    assert len(K.get_session().graph.get_operations()) == before


def test_hyperparameters_that_are_variables_are_restored():
    state = capture(trained("Adam", {"lr": 0.25}).optimizer)
    model = trained("Adam", {"lr": 0.5})
    restore(model.optimizer, state)
    assert K.get_value(model.optimizer.lr) == 0.25


@pytest.mark.parametrize(
    "class_name,arguments,words",
    [
        ("SGD", {}, "state of Adam into SGD"),
        ("Adam", {"epsilon": 1e-3}, "epsilon=0.001"),
        ("Adam", {"amsgrad": True}, "amsgrad=True"),
    ],
)
def test_what_cannot_be_restored_is_refused_before_anything_is_written(
    class_name, arguments, words
):
    state = capture(trained("Adam", {}).optimizer)
    model = trained(class_name, arguments)
    before = model.optimizer.get_weights()
    with pytest.raises(ValueError, match=words):
        restore(model.optimizer, state)
    for one, other in zip(before, model.optimizer.get_weights()):
        np.testing.assert_array_equal(one, other)


def test_a_decay_that_the_graph_was_built_without_is_refused():
    state = capture(trained("Adam", {"decay": 0.1}).optimizer)
    with pytest.raises(ValueError, match=r"decay"):
        restore(trained("Adam", {}).optimizer, state)


def test_another_model_s_state_is_refused():
    state = capture(trained("Adam", {}).optimizer)
    K.clear_session()
    model = problem.build(tf.keras, "functional")
    model.compile(keras_optimizers.Adam(), "categorical_crossentropy")
    model._make_train_function()
    with pytest.raises(ValueError, match="trains 4 parameters"):
        restore(model.optimizer, state)


def test_an_optimizer_without_state_says_what_to_do():
    with pytest.raises(ValueError, match="Call `get_updates` first"):
        capture(keras_optimizers.Adam())


def test_an_optimizer_of_others_is_refused():
    with pytest.raises(ValueError, match="Expected an optimizer of keras_optimizers"):
        capture(tf.keras.optimizers.Adam())


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_a_file_of_the_state_alone_is_read_as_it_was_written(class_name, tmp_path):
    # Without a model in the file, the step count looked like the slot of a scalar parameter.
    path = str(tmp_path / "state.h5")
    optimizer = configured(class_name)
    variable, updates = make_trainable(optimizer)
    K.get_session([variable]).run(updates)
    before = optimizer.get_weights()
    write(capture(optimizer), path, "keras-optimizers")
    state = read(path)
    assert state.iterations == 1
    assert [parameter.shape for parameter in state.parameters] == [(2, 3)]
    K.get_session().run(updates)
    restore(optimizer, state)
    same_bits(before, optimizer.get_weights())
    assert K.get_value(optimizer.iterations) == 1
