"""`fused=True`: the same steps within rounding, the same convergence, exchangeable models."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import keras_optimizers
from keras_optimizers.lowering import fused
from keras_optimizers.variables import is_variable
from tests.training import CLASS_NAMES, CONFIGURATIONS, K, configured, fed_gradients, same_bits

SCRATCH_FROM = fused._SCRATCH_FROM
CASES = {name: (name, options) for name, options in CONFIGURATIONS.items()}
CASES.update(
    {
        "SGD plain": ("SGD", {"lr": 0.05, "decay": 0.1}),
        "SGD momentum": ("SGD", {"lr": 0.05, "momentum": 0.9}),
        "Adam no amsgrad": ("Adam", {"lr": 0.01}),
        "Adam clipped": ("Adam", {"lr": 0.01, "clipnorm": 0.5, "clipvalue": 0.3}),
        "RMSprop clipped": ("RMSprop", {"lr": 0.01, "clipnorm": 0.5}),
    }
)
SHAPES = [(3, 5), (16,), (7, 2), (7, 2), (7, 2), ()]


@pytest.fixture(autouse=True)
def small_tensors_use_large_ones_kernels(monkeypatch):
    monkeypatch.setattr(fused, "_SCRATCH_FROM", 16)


def make(name, fused, **more):
    class_name, options = CASES[name]
    more = dict(more, fused=True) if fused else more
    return getattr(keras_optimizers, class_name)(**dict(options, **more))


def build(name, fused, dtype="float32", constraint=None):
    """An optimizer and what a step of it needs: (optimizer, variables, feeds, updates)."""
    random = np.random.RandomState(0)
    initial = [np.asarray(random.normal(size=shape)).astype(dtype) for shape in SHAPES]
    variables, feeds, loss = fed_gradients(initial, constraint)
    optimizer = make(name, fused)
    return optimizer, variables, feeds, optimizer.get_updates(loss, variables)


def largest_step_difference(name, dtype="float32", constraint=None, steps=15):
    """In units in the last place of the parameter, or of the largest step where that is more."""
    random = np.random.RandomState(1)
    exact, exact_variables, feeds, updates = build(name, False, dtype, constraint)
    fused, fused_variables, fused_feeds, fused_updates = build(name, True, dtype, constraint)
    session, worst = K.get_session(), 0.0
    for _ in range(steps):
        before = session.run(exact_variables)
        gradients = [random.normal(size=shape).astype(dtype) for shape in SHAPES]
        fused.set_weights(exact.get_weights())
        K.batch_set_value(list(zip(fused_variables, before)))
        session.run(updates, dict(zip(feeds, gradients)))
        session.run(fused_updates, dict(zip(fused_feeds, gradients)))
        K.set_value(fused.iterations, K.get_value(exact.iterations))
        after, other = session.run([exact_variables, fused_variables])
        for start, one, two in zip(before, after, other):
            scale = np.maximum(np.maximum(np.abs(start), np.abs(one)), np.abs(one - start).max())
            unit = np.spacing(scale.astype(dtype))
            worst = max(worst, float(np.max(np.abs(one - two) / unit)))
    return worst


@pytest.mark.parametrize("name", CASES)
def test_a_step_is_within_a_few_units_in_the_last_place(name):
    assert largest_step_difference(name) <= 4


KERNELS = {
    "SGD": "ResourceApplyKerasMomentum",
    "RMSprop": "ResourceApplyAdam",
    "Adadelta": "ResourceApplyAdadelta",
    "Adam": "ResourceApplyAdamWithAmsgrad",
    "Adam no amsgrad": "ResourceApplyAdam",
    "Adamax": "ResourceApplyAdaMax",
    "Nadam": "ResourceApplyAdam",
}


@pytest.mark.parametrize("dtype, has_kernels", [("float16", True), ("bfloat16", False)])
def test_dtypes_without_kernels_are_not_fused(dtype, has_kernels):
    variable = tf.Variable(tf.zeros([2], dtype), use_resource=True)
    assert fused.can_be_fused(variable) is has_kernels


@pytest.mark.parametrize("elements, has_kernel", [(65535, False), (65536, True)])
def test_rmsprop_has_a_kernel_from_65536_elements_on(elements, has_kernel, monkeypatch):
    monkeypatch.setattr(fused, "_SCRATCH_FROM", SCRATCH_FROM)
    variables, _, loss = fed_gradients([np.zeros(elements, "float32")])
    kinds = kinds_of_ops(make("RMSprop", True).get_updates(loss, variables))
    assert (KERNELS["RMSprop"] in kinds) is has_kernel


@pytest.mark.parametrize("name", KERNELS)
def test_the_kernel_makes_the_step_and_then_the_constraint_sees_it(name):
    kinds = kinds_of_ops(build(name, True, constraint=tf.keras.constraints.NonNeg())[-1])
    assert {KERNELS[name], "GreaterEqual"} <= kinds


@pytest.mark.parametrize("name", KERNELS)
def test_the_kernel_of_the_class_makes_the_step_and_only_with_fused(name):
    assert KERNELS[name] not in kinds_of_ops(build(name, False)[-1])
    K.clear_session()
    assert KERNELS[name] in kinds_of_ops(build(name, True)[-1])


@pytest.mark.parametrize("name", CLASS_NAMES)
def test_a_lookup_is_updated_by_adagrads_kernel_for_rows_and_by_no_kernel_of_the_others(name):
    table = tf.Variable(np.ones((9, 4), "float32"), use_resource=True)
    loss = tf.reduce_sum(tf.gather(table, [2, 5, 5]))
    kinds = kinds_of_ops(make(name, True).get_updates(loss, [table]))
    kernels = {kind for kind in kinds if "SparseApply" in kind or kind in KERNELS.values()}
    assert kernels == ({"ResourceSparseApplyAdagradV2"} if name == "Adagrad" else set())


def kinds_of_ops(updates):
    """The types of the ops that run with `updates`."""
    waiting, seen = list(updates), set()
    while waiting:
        op = waiting.pop()
        if op not in seen:
            seen.add(op)
            waiting += [tensor.op for tensor in op.inputs] + op.control_inputs
    return {op.type for op in seen}


@pytest.mark.parametrize("name", CLASS_NAMES)
def test_with_a_constraint_too(name):
    # Steps from zero, where the constraint leaves parameters, show the rounding of the step alone.
    assert largest_step_difference(name, constraint=tf.keras.constraints.NonNeg()) <= 12


@pytest.mark.parametrize("name", CLASS_NAMES)
def test_in_float64_too(name):
    # Scalars are computed in float64 by both, Nadam's in another order.
    assert largest_step_difference(name, "float64") <= 8


@pytest.mark.parametrize("name", CLASS_NAMES)
def test_float16_trains(name):
    _, variables, feeds, updates = build(name, True, "float16")
    session = K.get_session()
    before = session.run(variables)
    for _ in range(3):
        session.run(updates, {feed: np.ones(feed.shape.as_list(), "float16") for feed in feeds})
    for start, now in zip(before, session.run(variables)):
        assert np.all(np.isfinite(now)) and np.all(now < start)


@pytest.mark.parametrize("name", CLASS_NAMES)
def test_ref_variables_are_updated_by_the_rule_itself(name):
    def train(fused):
        variable = tf.Variable(np.ones((4, 8), "float32"), use_resource=False)
        loss = tf.reduce_sum(variable * np.arange(32, dtype="float32").reshape(4, 8))
        updates = configured(name, **({"fused": True} if fused else {})).get_updates(
            loss, [variable]
        )
        session = K.get_session()
        session.run(tf.global_variables_initializer())
        for _ in range(5):
            session.run(updates)
        return session.run([variable])

    expected = train(False)
    np.testing.assert_allclose(train(True), expected, rtol=1e-5)


def digits():
    from sklearn.datasets import load_digits

    data = load_digits()
    return (data.data / 16.0).astype("float32"), tf.keras.utils.to_categorical(data.target)


def model_of(optimizer):
    tf.set_random_seed(7)
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [layers.Dense(32, activation="relu", input_shape=(64,)), layers.Dense(10, "softmax")]
    )
    initial = np.random.RandomState(2)
    model.set_weights([initial.normal(scale=0.1, size=w.shape) for w in model.get_weights()])
    model.compile(optimizer, "categorical_crossentropy")
    return model


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_training_converges_alike(name):
    features, targets = digits()
    losses = [
        model_of(make(name, fused))
        .fit(features, targets, epochs=4, batch_size=64, shuffle=False, verbose=0)
        .history["loss"]
        for fused in (False, True)
    ]
    np.testing.assert_allclose(losses[1], losses[0], rtol=2e-3)
    assert losses[1][-1] < losses[1][0]


@pytest.mark.parametrize("saved_fused", [False, True], ids=["from exact", "from fused"])
@pytest.mark.parametrize("name", ["SGD plain", "SGD momentum", "Adam no amsgrad", *CLASS_NAMES])
def test_a_model_saved_from_one_path_loads_into_the_other(name, saved_fused, tmp_path):
    features, targets = np.ones((8, 64), "float32"), np.eye(10)[np.arange(8)]
    model = model_of(make(name, saved_fused))
    model.fit(features, targets, epochs=2, verbose=0)
    path = str(tmp_path / "model.h5")
    model.save(path)
    with keras_optimizers.install():
        same = tf.keras.models.load_model(path)
    assert same.optimizer.fused is saved_fused
    other = model_of(make(name, not saved_fused))
    other._make_train_function()
    other.set_weights(model.get_weights())
    other.optimizer.set_weights(same.optimizer.get_weights())
    for loaded in (same, other):
        K.set_value(loaded.optimizer.iterations, 2 * 1)  # RMSprop's and others' files lack it
        loaded.fit(features, targets, epochs=2, verbose=0)
    for one, two in zip(same.get_weights(), other.get_weights()):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)


def test_a_step_without_a_finite_gradient_leaves_nothing_behind():
    """After a restore, fused RMSprop goes on as if that step had not been."""
    optimizer, variables, feeds, updates = build("RMSprop", True)
    session = K.get_session()
    good = {feed: np.ones(feed.shape.as_list()) for feed in feeds}
    session.run(updates, good)
    saved = session.run(variables), optimizer.get_weights()
    session.run(updates, good)
    expected = session.run(variables)
    for bad in (np.nan, np.inf):
        session.run(updates, {feed: np.full(feed.shape.as_list(), bad) for feed in feeds})
        K.batch_set_value(list(zip(variables, saved[0])))
        optimizer.set_weights(saved[1])
        K.set_value(optimizer.iterations, 1)
        session.run(updates, good)
        same_bits(expected, session.run(variables))


def test_scratch_memory_is_in_no_collection_so_nobody_initializes_or_saves_it():
    optimizer, variables, _, _ = build("RMSprop", True)
    graph = tf.get_default_graph()
    scratch = [
        op
        for op in graph.get_operations()
        if op.type == "VarHandleOp" and b"scratch" in op.get_attr("shared_name")
    ]
    assert scratch
    hyperparameters = [v for v in vars(optimizer).values() if is_variable(v)]
    known = {v.op for v in [*variables, *optimizer.weights, *hyperparameters]}
    collected = [v for name in graph.collections for v in graph.get_collection(name)]
    assert {v.op for v in collected if is_variable(v)} == known


def test_fused_is_written_to_the_config_only_when_set():
    for name in CLASS_NAMES:
        assert "fused" not in configured(name).get_config()
        config = configured(name, fused=True).get_config()
        assert config["fused"] is True
        assert getattr(keras_optimizers, name).from_config(config).fused


@pytest.mark.parametrize("wrong", [1, "yes", None])
def test_fused_must_be_a_bool(wrong):
    with pytest.raises(TypeError, match="Expected fused to be True or False, received"):
        keras_optimizers.SGD(fused=wrong)


def test_fused_sgd_without_momentum_refuses_one_that_is_set_later():
    optimizer, _, feeds, updates = build("SGD plain", True)
    session = K.get_session()
    gradients = {feed: np.ones(feed.shape.as_list()) for feed in feeds}
    session.run(updates, gradients)
    K.set_value(optimizer.momentum, 0.9)
    with pytest.raises(tf.errors.InvalidArgumentError, match="was made with momentum=0"):
        session.run(updates, gradients)


def test_fused_lookups_move_the_touched_rows():
    for name in CASES:
        K.clear_session()
        table = tf.Variable(np.ones((9, 4), "float32"), use_resource=True)
        ids = tf.placeholder(tf.int32, [None])
        updates = make(name, True).get_updates(tf.reduce_sum(tf.gather(table, ids)), [table])
        session = K.get_session()
        session.run(tf.global_variables_initializer())
        session.run(updates, {ids: [2, 5, 5]})
        moved = np.any(session.run(table) != 1, axis=1)
        np.testing.assert_array_equal(np.flatnonzero(moved), [2, 5])
