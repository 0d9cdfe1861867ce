"""Variables have upstream's names, so either's `tf.train.Saver` checkpoints fit the other."""

import os

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import keras_optimizers
from tests.training import CLASS_NAMES, K, configured, in_order, same_bits, upstream

layers = tf.keras.layers
MODULES = {"ours": keras_optimizers, "upstream": upstream}
# Every class as it comes; AMSGrad has other shapes.
OPTIMIZERS = [(class_name, {}) for class_name in CLASS_NAMES] + [("Adam", {"amsgrad": True})]
every_optimizer = pytest.mark.parametrize(
    "class_name, arguments", OPTIMIZERS, ids=CLASS_NAMES + ["Adam amsgrad"]
)


def dense_model():
    return tf.keras.Sequential(
        [layers.Dense(3, input_shape=(4,)), layers.BatchNormalization(), layers.Dense(2)]
    )


def functional_model():
    """A layer used twice, a model in a model, and variables that do not train."""
    inner = tf.keras.Sequential([layers.Conv2D(2, 2, input_shape=(4, 4, 1)), layers.Flatten()])
    frozen = layers.Dense(3, trainable=False)
    one, other = layers.Input((4, 4, 1)), layers.Input((4, 4, 1))
    joined = layers.add([inner(one), inner(other)])
    return tf.keras.Model([one, other], layers.Dense(2)(frozen(joined)))


def recurrent_model():
    return tf.keras.Sequential(
        [layers.Embedding(5, 2, input_length=3), layers.LSTM(2), layers.Dense(2)]
    )


def built(model, optimizer):
    """Compile, and build what trains: the slots come into being there."""
    model.compile(optimizer, "mean_squared_error")
    return in_order(model)


def described():
    """Name, shape and dtype of all variables that a Saver saves, in their order."""
    return [
        (variable.name, variable.shape.as_list(), variable.dtype.base_dtype.name)
        for variable in tf.global_variables()
    ]


def assert_same_variables(build):
    """`build(module)` makes the same variables, whichever the module of the optimizers."""
    found = []
    for module in (upstream, keras_optimizers):
        K.clear_session()
        build(module)
        found.append(described())
    assert found[0] == found[1]
    return found[0]


@every_optimizer
@pytest.mark.parametrize("make_model", [dense_model, functional_model, recurrent_model])
def test_a_compiled_model_has_upstreams_variables(make_model, class_name, arguments):
    variables = assert_same_variables(
        lambda module: built(make_model(), getattr(module, class_name)(**arguments))
    )
    assert any(name == f"{class_name}/iterations:0" for name, _, _ in variables)
    assert any(name == "training/Variable:0" for name, _, _ in variables)


@every_optimizer
def test_two_optimizers_in_one_graph_have_upstreams_variables(class_name, arguments):
    def build(module):
        built(dense_model(), getattr(module, class_name)(**arguments))
        built(dense_model(), module.Adam())
        built(recurrent_model(), getattr(module, class_name)(**arguments))

    assert_same_variables(build)


@every_optimizer
def test_a_model_compiled_twice_has_upstreams_variables(class_name, arguments):
    def build(module):
        model = built(dense_model(), getattr(module, class_name)(**arguments))
        built(model, getattr(module, class_name)(**arguments))

    assert_same_variables(build)


@every_optimizer
def test_a_model_compiled_again_before_it_trains_has_upstreams_variables(class_name, arguments):
    def build(module):
        model = dense_model()
        model.compile(getattr(module, class_name)(**arguments), "mean_squared_error")
        built(model, getattr(module, class_name)(**arguments))

    assert_same_variables(build)


@every_optimizer
def test_one_optimizer_that_trains_two_models_has_upstreams_variables(class_name, arguments):
    def build(module):
        optimizer = getattr(module, class_name)(**arguments)
        built(dense_model(), optimizer)
        built(functional_model(), optimizer)

    assert_same_variables(build)


@every_optimizer
@pytest.mark.parametrize("use_resource", [False, True], ids=["reference", "resource"])
@pytest.mark.parametrize("scope", [None, "outer", "outer/inner"])
def test_updates_of_plain_variables_have_upstreams_variables(
    scope, use_resource, class_name, arguments
):
    def build(module):
        if scope is None:
            update(module)
        else:
            with tf.name_scope(scope):
                update(module)

    def update(module):
        params = [
            tf.Variable(np.ones(shape, "float32"), name="kernel", use_resource=use_resource)
            for shape in [(2, 3), (3,), ()]
        ]
        loss = tf.add_n([tf.reduce_sum(tf.square(param)) for param in params])
        optimizer = getattr(module, class_name)(**arguments)
        optimizer.get_updates(loss, params)
        optimizer.get_updates(loss, params)  # a second set of slots

    assert_same_variables(build)


def test_clipping_makes_no_variables():
    for clipping in ({"clipnorm": 1.0}, {"clipvalue": 1.0}):
        with_clipping = assert_same_variables(
            lambda module, clipping=clipping: built(dense_model(), module.Adam(**clipping))
        )
        assert with_clipping == assert_same_variables(
            lambda module: built(dense_model(), module.Adam())
        )


def partly_frozen_model():
    return tf.keras.Sequential(
        [
            layers.Dense(3, activation="tanh", input_shape=(4,)),
            layers.Dense(3, trainable=False),
            layers.Dense(2),
        ]
    )


def train(model, steps):
    """Train on the batches number `steps`, a range."""
    for step in steps:
        random = np.random.RandomState(step)
        model.train_on_batch(random.uniform(-1, 1, (6, 4)), random.uniform(-1, 1, (6, 2)))


def state():
    return K.get_session().run(tf.global_variables())


@pytest.mark.parametrize("class_name", CLASS_NAMES)
@pytest.mark.parametrize("writer, reader", [("upstream", "ours"), ("ours", "upstream")])
def test_a_checkpoint_of_the_one_restores_into_the_other_and_training_goes_on(
    writer, reader, class_name, tmp_path
):
    path = os.path.join(str(tmp_path), "state")
    model = built(partly_frozen_model(), configured(class_name, MODULES[writer]))
    K.set_value(model.optimizer.lr, 0.03)  # hyperparameters are part of a checkpoint
    train(model, range(3))
    tf.train.Saver().save(K.get_session(), path)
    saved = state()
    train(model, range(3, 6))
    trained_on = state()

    K.clear_session()
    tf.set_random_seed(99)  # other first values, all of which the checkpoint replaces
    model = built(partly_frozen_model(), configured(class_name, MODULES[reader]))
    untrained = state()
    tf.train.Saver().restore(K.get_session(), path)
    same_bits(saved, state())
    with pytest.raises(AssertionError, match="elements differ"):
        same_bits(saved, untrained)
    train(model, range(3, 6))
    same_bits(trained_on, state())


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_a_checkpoint_of_plain_variables_restores_into_the_other(class_name, tmp_path):
    """A reference variable, updates at top level, and from upstream to ours and back."""
    stored = {}
    for module_name in ("upstream", "ours", "upstream"):
        K.clear_session()
        param = tf.Variable(np.ones((2, 3), "float32"), name="kernel", use_resource=False)
        optimizer = configured(class_name, MODULES[module_name])
        updates = optimizer.get_updates(tf.reduce_sum(param * [1.0, 2.0, -3.0]), [param])
        updates = [tf.assign(*op) if isinstance(op, tuple) else op for op in updates]
        saver = tf.train.Saver()
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            if stored:
                saver.restore(session, stored["path"])
                same_bits(stored["values"], session.run(tf.global_variables()))
            session.run(updates)
            stored["path"] = saver.save(session, os.path.join(str(tmp_path), module_name))
            stored["values"] = session.run(tf.global_variables())


def own_variables(optimizer):
    """All variables of a built optimizer: hyperparameters, scalars and slots."""
    attributes = [value for value in vars(optimizer).values() if hasattr(value, "initializer")]
    return attributes + [w for w in optimizer.weights if not any(w is one for one in attributes)]


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_our_variables_are_in_the_global_variables_and_in_no_other_collection(class_name):
    model = built(dense_model(), configured(class_name))
    own = own_variables(model.optimizer)
    assert len(own) >= 2 + len(model.trainable_weights)
    graph = tf.get_default_graph()
    for variable in own:
        holders = [
            key
            for key in graph.get_all_collection_keys()
            if any(variable is member for member in graph.get_collection_ref(key))
        ]
        assert holders == [tf.GraphKeys.GLOBAL_VARIABLES], variable.name
        assert not variable.trainable


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_only_the_models_parameters_are_trainable_variables(class_name):
    """Here ours differs on purpose: upstream's state is trainable to `tf.train` and others."""
    counts = {}
    for name, module in MODULES.items():
        K.clear_session()
        model = built(dense_model(), configured(class_name, module))
        counts[name] = len(tf.trainable_variables())
    assert counts["ours"] == len(model.trainable_weights) < counts["upstream"]


@every_optimizer
def test_the_graph_holds_no_variable_beyond_the_global_ones(class_name, arguments):
    model = built(dense_model(), getattr(keras_optimizers, class_name)(**arguments))
    handles = [
        op.name
        for op in tf.get_default_graph().get_operations()
        if op.type in ("VarHandleOp", "VariableV2", "Variable", "TemporaryVariable")
    ]
    expected = [variable.op.name for variable in tf.global_variables()]
    assert sorted(handles) == sorted(expected)
    known = list(model.weights) + own_variables(model.optimizer)
    assert sorted(variable.name for variable in known) == sorted(name + ":0" for name in expected)
