"""TensorFlow's own checkpoints, written by real TensorFlow 1.10, 1.15 and 2.15, and by us."""

import os

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

import keras_optimizers  # noqa: E402
from keras_optimizers.checkpoint import CheckpointError, migrate, read  # noqa: E402
from tests.checkpoint import files  # noqa: E402
from tests.checkpoint.files import problem  # noqa: E402

K = tf.compat.v1.keras.backend
SAVERS = ("saver-1.10", "saver-1.15-v1", "saver-ours")


def model_of(case):
    return files.source("optimizer-v2-1.15", case)


@pytest.mark.parametrize("era", SAVERS)
@pytest.mark.parametrize("case", sorted(problem.CASES))
def test_slots_of_a_saver_file_are_bit_for_bit_the_optimizer_s(era, case):
    state = read(files.source(era, case), model=model_of(case))
    assert (state.class_name, state.iterations) == (problem.CASES[case][0], problem.SAVE_AFTER)
    held = files.arrays(era, case, "state")
    kept = [array.read() for _, _, array in state.arrays()]
    by_size = [value for value in held if value.shape not in ((), (1,))]
    assert len(kept) == len(by_size)
    for ours, theirs in zip(kept, by_size):
        np.testing.assert_array_equal(ours, theirs)


def test_without_the_model_equal_shapes_leave_the_parameters_numbered():
    state = read(files.source("saver-1.10", "adam"))
    assert [parameter.name for parameter in state.parameters][:2] == ["parameter_0", "parameter_1"]
    assert any("--model" in note for note in state.notes)


def test_different_shapes_tell_the_parameters_apart(tmp_path):
    """Two parameters of different shapes, and Adam's slots for them, as a Saver names them."""
    K.clear_session()
    kernel = tf.compat.v1.get_variable("dense/kernel", (2, 3), use_resource=True)
    bias = tf.compat.v1.get_variable("dense/bias", (3,), use_resource=True)
    optimizer = keras_optimizers.Adam()
    updates = optimizer.get_updates(tf.reduce_sum(kernel) + tf.reduce_sum(bias), [bias, kernel])
    K.get_session().run(tf.compat.v1.global_variables_initializer())
    K.get_session().run(updates)
    path = tf.compat.v1.train.Saver().save(K.get_session(), str(tmp_path / "two"))
    state = read(path)
    assert [parameter.name for parameter in state.parameters] == ["dense/bias", "dense/kernel"]
    assert not any("--model" in note for note in state.notes)


def test_equal_shapes_do_not_tell_the_parameters_apart():
    state = read(files.source("saver-1.10", "functional_adam"))  # two layers have free's shape
    assert {parameter.name for parameter in state.parameters} == {
        f"parameter_{number}" for number in range(4)
    }
    assert any("--model" in note for note in state.notes)


@pytest.mark.parametrize("case", problem.cases_of("saver-tf-train"))
def test_tf_train_s_slots_are_found_by_name(case):
    class_name, arguments, _ = problem.CASES[case]
    values = {"lr": 0.05, "momentum": arguments.get("momentum", 0.0)}
    values = values if class_name == "SGD" else {}
    source = files.source("saver-tf-train", case)
    state = read(source, class_name=class_name, values=values, model=model_of(case))
    assert (state.class_name, state.iterations) == (class_name, problem.SAVE_AFTER)
    for role, name, array in state.arrays():
        assert array.shape == {p.name: p.shape for p in state.parameters}[name], role


def test_momentum_needs_the_learning_rate():
    with pytest.raises(CheckpointError, match="--set lr=VALUE"):
        read(files.source("saver-tf-train", "sgd_momentum"))


def test_tf_train_s_momentum_comes_back_with_its_bits(tmp_path):
    source, target = files.source("saver-tf-train", "sgd_momentum"), str(tmp_path / "t")
    values = {"lr": 0.05, "momentum": 0.9, "nesterov": False}
    migrate(source, target, "saver-tf-train", values=values)
    before, after = tf.train.load_checkpoint(source), tf.train.load_checkpoint(target)
    for name in before.get_variable_to_shape_map():
        np.testing.assert_array_equal(before.get_tensor(name), after.get_tensor(name))


@pytest.mark.parametrize("case", problem.cases_of("saver-tf-train") + ["sgd_nesterov_decay"])
def test_a_model_s_file_becomes_one_that_tf_train_restores(case, tmp_path):
    """The order of the parameters is not that of their names; the file has no order."""
    target = str(tmp_path / "target")
    source = files.source("tf-keras-1.10", case)
    assert migrate(source, target, "saver-tf-train", iterations=problem.SAVE_AFTER).written
    state, written = read(source), tf.train.load_checkpoint(target)
    assert [one.name for one in state.parameters] != sorted(one.name for one in state.parameters)
    endings = {"second_moment": "Adam_1", "first_moment": "Adam", "mean_square": "RMSProp"}
    for role, name, array in state.arrays():
        if role in endings:
            np.testing.assert_array_equal(
                written.get_tensor(f"{name}/{endings[role]}"), array.read()
            )
        if role == "velocity" and state.hyperparameters["momentum"]:
            rate = 0.05 / (1 + state.hyperparameters["decay"] * state.iterations)
            found = written.get_tensor(f"{name}/Momentum") * -rate
            np.testing.assert_allclose(found, array.read(), rtol=1e-6)


def test_adam_s_steps_follow_from_its_powers(tmp_path):
    tf.compat.v1.reset_default_graph()
    kernel = tf.compat.v1.get_variable("kernel", (2,))
    train = tf.compat.v1.train.AdamOptimizer().minimize(tf.reduce_sum(kernel**2))
    with tf.compat.v1.Session() as session:
        session.run(tf.compat.v1.global_variables_initializer())
        for _ in range(37):
            session.run(train)
        path = tf.compat.v1.train.Saver().save(session, str(tmp_path / "adam"))
    state = read(path)
    assert state.iterations == 37
    assert any("inferred" in note for note in state.notes)


@pytest.mark.parametrize("era", ["object-1.15", "object-2.15"])
@pytest.mark.parametrize("case", problem.cases_of("object-1.15"))
def test_object_checkpoints_hold_what_the_optimizer_held(era, case):
    class_name = problem.CASES[case][0]
    known = class_name if class_name in ("Adam", "Adamax") else None
    state = read(files.source(era, case), class_name=known, model=model_of(case))
    assert (state.class_name, state.iterations) == (class_name, problem.SAVE_AFTER)
    held = files.arrays(era, case, "state")
    kept = [array.read() for _, _, array in state.arrays()]
    slots = [value for value in held if value.shape != ()]
    assert len(kept) == len(slots)
    for ours, theirs in zip(kept, slots):
        np.testing.assert_array_equal(ours, theirs)


def test_adam_and_adamax_are_not_guessed():
    with pytest.raises(CheckpointError, match="--class Adam or --class Adamax"):
        read(files.source("object-1.15", "adamax"))


def test_a_saver_file_restores_into_a_graph_of_ours(tmp_path):
    target = str(tmp_path / "ours")
    migrate(files.source("keras-2.3", "adam_decay"), target, "saver")
    K.clear_session()
    model = problem.build(tf.keras, "sequential")
    model.compile(keras_optimizers.Adam(decay=0.02), "categorical_crossentropy")
    model._make_train_function()
    tf.compat.v1.train.Saver().restore(K.get_session(), target)
    assert K.get_value(model.optimizer.iterations) == problem.SAVE_AFTER
    problem.train(model, "sequential", problem.SAVE_AFTER, problem.TRAIN_UNTIL)
    final = files.arrays("keras-2.3", "adam_decay", "final")
    for index, (ours, theirs) in enumerate(zip(problem.layer_weights(model), final)):
        if index not in (4, 5):  # Keras 2.3 keeps other moving averages
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


def test_a_checkpoint_is_never_half_replaced(tmp_path):
    target = str(tmp_path / "ours")
    migrate(files.source("keras-2.3", "adam"), target, "saver")
    with pytest.raises(CheckpointError, match="another prefix"):
        migrate(files.source("keras-2.3", "adam"), target, "saver", overwrite=True)
    assert sorted(os.listdir(str(tmp_path))) == ["ours.data-00000-of-00001", "ours.index"]


@pytest.mark.parametrize("damage", ["index", "data"])
def test_a_damaged_checkpoint_is_one_clear_error(damage, tmp_path):
    import shutil

    source, target = files.source("saver-ours", "adam"), str(tmp_path / "t")
    for name in os.listdir(os.path.dirname(source)):
        if name.startswith("adam."):
            path = os.path.join(os.path.dirname(source), name)
            shutil.copyfile(path, target + name[len("adam") :])
            if damage in name:
                with open(target + name[len("adam") :], "r+b") as opened:
                    opened.truncate(40)
    with pytest.raises(CheckpointError, match="Cannot read"):
        state = read(target)
        [array.read() for _, _, array in state.arrays()]


def test_an_object_checkpoint_needs_a_model(tmp_path):
    with pytest.raises(CheckpointError, match="--model FILE"):
        migrate(files.source("saver-1.10", "sgd"), str(tmp_path / "t"), "checkpoint")
