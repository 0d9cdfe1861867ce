"""Many steps, many optimizers, and numbers of steps where int32, float32 and float64 end."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import keras_optimizers
from tests.recorded.ordering import order_reads_before_writes
from tests.reliability import long_runs
from tests.training import (
    CLASS_NAMES,
    K,
    configured,
    fed_gradients,
    same_bits,
    scalars_of,
    upstream,
)

# Before the numbers at which int32, the integers of float32 and of float64, and int64 end; and
# where powers of beta_1 and beta_2 become 0 in float32.
EDGES = [980, 100000, 2**24 - 2, 2**31 - 2, 2**32 - 2, 2**53 - 2, 2**62]


def test_a_loop_in_the_graph_makes_the_steps_that_calls_make():
    training = long_runs.Training("Adam")
    training.in_loop(25)
    in_loop = K.get_value(training.parameter)
    K.clear_session()
    training = long_runs.Training("Adam")
    loss = tf.reduce_sum(tf.square(training.parameter))
    step = training.optimizer.get_updates(loss, [training.parameter])
    for _ in range(25):
        K.get_session().run(step)
    same_bits([in_loop], [K.get_value(training.parameter)])


@pytest.mark.parametrize("class_name", ["Nadam"])
def test_many_steps_do_not_grow_the_graph_or_the_memory(class_name):
    found, _ = long_runs.problems_of_many_steps(class_name, 15000, in_loop=500)
    assert found == []


def test_a_graph_that_grows_is_noticed(monkeypatch):
    monkeypatch.setattr(
        long_runs, "interleave", lambda optimizer, number: tf.identity(optimizer.lr)
    )
    found, _ = long_runs.problems_of_many_steps("SGD", 300, in_loop=50)
    assert "the graph has grown by" in found[0]


def test_discarded_optimizers_are_collected():
    found, _ = long_runs.problems_of_cycles(21)
    assert found == []


def test_an_optimizer_that_is_kept_is_noticed(monkeypatch):
    kept = []
    make = long_runs.configured

    def keeping(*arguments, **more):
        kept.append(make(*arguments, **more))
        return kept[-1]

    monkeypatch.setattr(long_runs, "configured", keeping)
    found, _ = long_runs.problems_of_cycles(2)
    assert "not collected" in found[0] and "SGD" in found[0]


def trained_from_edges(module, class_name):
    """Parameters and weights after three steps from each of EDGES."""
    value = np.linspace(-1, 1, 6).astype("float32")
    variables, feeds, loss = fed_gradients([value])
    optimizer = configured(class_name, module)
    updates = optimizer.get_updates(loss, variables)
    updates = [tf.assign(*one) if isinstance(one, tuple) else one for one in updates]
    if module is upstream:
        order_reads_before_writes(scalars_of(optimizer))
    found = []
    initializer = tf.global_variables_initializer()
    for edge in EDGES:
        K.get_session().run(initializer)
        K.set_value(optimizer.iterations, edge)
        for step in range(3):
            K.get_session().run(updates, {feeds[0]: np.roll(value, step)})
            found += K.get_session().run(variables) + optimizer.get_weights()
        found.append(np.asarray(K.get_value(optimizer.iterations)))
        assert found[-1] == edge + 3 and found[-1].dtype == np.int64
    return found


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_steps_beyond_the_ends_of_number_types_are_upstreams(class_name):
    theirs = trained_from_edges(upstream, class_name)
    K.clear_session()
    same_bits(theirs, trained_from_edges(keras_optimizers, class_name))
