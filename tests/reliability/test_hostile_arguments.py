"""Whatever `deserialize`, `get`, `set_weights` and the constructors are given, they take it or
raise what they promise; what is refused changes nothing, and nothing is imported.

    RELIABILITY_EXAMPLES=2000 python -m pytest tests/reliability/test_hostile_arguments.py

(`ci/test-reliability` does that; the default is a few examples.)
"""

import json
import os
import sys

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import keras_optimizers
from keras_optimizers import reference
from tests.training import CLASS_NAMES, K, configured, make_trainable

EXAMPLES = int(os.environ.get("RELIABILITY_EXAMPLES", "30"))
few = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
# What `deserialize` says that it raises; `get` and the constructors raise some of these.
REFUSALS = (AttributeError, KeyError, TypeError, ValueError)

numbers = st.one_of(
    st.integers(-5, 5),
    st.integers(),
    st.just(10**400),
    st.floats(),
    st.sampled_from([0.9, 0.999, 1e-7, -0.0, float("nan"), float("inf"), 1e39, True]),
)
plain = st.one_of(st.none(), numbers, st.text(max_size=8), st.binary(max_size=3))
values = st.recursive(
    plain,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
# Some are modules that hardly anything imports, by the names that a loader might try.
NOT_IMPORTED = ("antigravity", "this", "keras_optimizers.bench.extras", "xmlrpc.server")
names = st.one_of(
    st.sampled_from([*CLASS_NAMES, "adam", "RMSPROP", "TFOptimizer", "Optimizer", "Lambda"]),
    st.sampled_from([*NOT_IMPORTED, "os.system", "__import__", "keras_optimizers.Adam", ""]),
    st.text(max_size=6),
)
ARGUMENTS = sorted(
    {name for one in reference.OPTIMIZERS.values() for name in one.defaults}
    | {"clipnorm", "clipvalue", "global_clipnorm", "fused", "name", "learning_rate", "self"}
)
arguments = st.dictionaries(
    st.one_of(st.sampled_from(ARGUMENTS), st.text(max_size=4)),
    st.one_of(numbers, values),
    max_size=4,
)


def with_its_arguments(class_name):
    """(class name, arguments that the class has), some of them of a wrong kind."""
    own = sorted(reference.OPTIMIZERS[class_name].defaults) + ["clipnorm", "clipvalue", "fused"]
    some = st.dictionaries(st.sampled_from(own), st.one_of(numbers, values), max_size=2)
    return st.tuples(st.just(class_name), some)


calls = st.one_of(
    st.sampled_from(CLASS_NAMES).flatmap(with_its_arguments),
    st.tuples(st.sampled_from(CLASS_NAMES), arguments),
)
configs = st.one_of(
    calls.map(lambda call: {"class_name": call[0], "config": call[1]}),
    values,
    st.fixed_dictionaries({"class_name": st.one_of(names, values), "config": arguments}),
    st.fixed_dictionaries({"class_name": names, "config": values}),
    st.fixed_dictionaries(
        {"class_name": names, "config": arguments, "module": names, "registered_name": names}
    ),
)


def imported():
    """Which of the modules in `NOT_IMPORTED` other tests of this process have imported."""
    return [name for name in NOT_IMPORTED if name in sys.modules]


def in_new_graph(work):
    """What `work` makes; None where it is refused, which must leave the graph as it was."""
    before = imported()
    with tf.Graph().as_default() as graph:
        try:
            return work()
        except REFUSALS as error:
            assert str(error) or error.args, repr(error)
            assert graph.get_operations() == [], "a refused call has added ops"
            return None
        finally:
            assert imported() == before


def check_made(optimizer):
    """An optimizer that was accepted says what it was made of, in JSON."""
    if optimizer is not None and type(optimizer).__name__ in CLASS_NAMES:
        json.dumps(optimizer.get_config())


@few
@given(configs)
def test_deserialize_takes_a_config_or_refuses_it(config):
    before = imported()
    with tf.Graph().as_default() as graph:
        try:
            made = keras_optimizers.deserialize(config)
        except REFUSALS:
            assert graph.get_operations() == [], "a refused call has added ops"
        else:
            check_made(made)
    assert imported() == before


@few
@given(st.one_of(names, configs))
def test_get_takes_an_identifier_or_refuses_it(identifier):
    in_new_graph(lambda: keras_optimizers.get(identifier))


@few
@given(calls)
def test_a_constructor_takes_its_arguments_or_refuses_them(call):
    in_new_graph(lambda: getattr(keras_optimizers, call[0])(**call[1]))


@few
@given(calls)
def test_from_config_takes_a_config_or_refuses_it(call):
    in_new_graph(lambda: getattr(keras_optimizers, call[0]).from_config(call[1]))


# set_weights

arrays = st.builds(
    lambda shape, dtype, fill: np.full(shape, fill).astype(dtype),
    st.sampled_from([(), (1,), (2, 3), (3, 2), (0,), (2, 3, 1)]),
    st.sampled_from(["float16", "float32", "float64", "int8", "int64", "uint64", "bool", "U3"]),
    st.sampled_from([0, 1, 1.5, -1, 1e30, float("nan"), float("inf"), 2.0**40, 2.0**63]),
)
anything = st.one_of(arrays, values, st.complex_numbers(), st.builds(object))


@pytest.fixture(params=CLASS_NAMES)
def trained(request):
    """An optimizer after a step."""
    optimizer = configured(request.param)
    _, updates = make_trainable(optimizer)
    K.get_session().run(updates)
    return optimizer


@few
@given(data=st.data())
def test_set_weights_writes_all_of_a_list_or_nothing(trained, data):
    before = trained.get_weights()
    offered = list(before)
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(offered)))
        change = data.draw(st.sampled_from(["replace", "insert", "remove"]))
        if change != "insert":
            del offered[place : place + 1]
        if change != "remove":
            offered.insert(place, data.draw(anything))
    if data.draw(st.integers(0, 9)) == 0:
        offered = data.draw(anything)
    graph = tf.get_default_graph()
    trained.set_weights(before)
    count = len(graph.get_operations())
    try:
        trained.set_weights(offered)
    except (TypeError, ValueError):
        for one, other in zip(before, trained.get_weights()):
            assert one.tobytes() == other.tobytes(), "a refused list has changed the state"
    assert len(graph.get_operations()) == count
