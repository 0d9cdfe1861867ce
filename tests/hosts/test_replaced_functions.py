"""Libraries replace functions of the host while `get_updates` runs; ours must call them."""

import contextlib
import logging

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import keras_optimizers
from keras_optimizers.lowering import through_backend
from keras_optimizers.tensorflow_private import ASSIGNMENTS, KERAS_BACKEND
from tests.recorded.ordering import order_reads_before_writes
from tests.training import CLASS_NAMES, K, configured, same_bits, scalars_of, upstream


@contextlib.contextmanager
def replaced(module, name, function):
    """`module.name` is `function(original)` within the block."""
    original = getattr(module, name)
    setattr(module, name, function(original))
    try:
        yield
    finally:
        setattr(module, name, original)


def trained(optimizer, patch, steps=12):
    """Parameters and slots after training on fed gradients."""
    K.clear_session()
    tf.set_random_seed(0)
    random = np.random.RandomState(3)
    shapes = [(5, 3), (3,), (4, 9)]
    with tf.Graph().as_default(), tf.Session() as session:
        optimizer = optimizer()
        variables = [K.variable(random.standard_normal(s), name="kernel") for s in shapes]
        feeds = [tf.placeholder("float32", s) for s in shapes]
        loss = tf.add_n([tf.reduce_sum(v * f) for v, f in zip(variables, feeds)])
        with patch(variables):
            updates = optimizer.get_updates(loss, variables)
        # As Keras does with tuples.
        updates = [ASSIGNMENTS.assign(*u) if isinstance(u, tuple) else u for u in updates]
        if type(optimizer).__module__ == upstream.__name__:
            order_reads_before_writes(scalars_of(optimizer))
        session.run(tf.global_variables_initializer())
        for _ in range(steps):
            values = [random.standard_normal(s) for s in shapes]
            session.run(updates, dict(zip(feeds, values)))
        return session.run([*variables, *optimizer.weights])


def decaying(variables):
    """Weight decay, as libraries add it: what is assigned to a parameter shrinks it as well."""

    def function(original):
        def assign(ref, value, *rest, **named):
            if any(ref is variable for variable in variables):
                value = value - 0.01 * ref
            return original(ref, value, *rest, **named)

        return assign

    return replaced(ASSIGNMENTS, "assign", function)


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_a_replaced_assignment_takes_part_in_the_step_with_the_bits_of_upstream(class_name):
    expected = trained(lambda: configured(class_name, upstream), decaying)
    same_bits(expected, trained(lambda: configured(class_name), decaying))
    plain = trained(lambda: configured(class_name), lambda variables: contextlib.ExitStack())
    assert not np.array_equal(plain[0], expected[0])


def test_it_is_said_once_in_a_process(caplog, monkeypatch):
    monkeypatch.setattr(through_backend, "_announced", [])
    with caplog.at_level(logging.WARNING, "keras_optimizers"):
        for _ in range(2):
            trained(keras_optimizers.SGD, decaying, steps=1)
    said = [record.getMessage() for record in caplog.records if record.name == "keras_optimizers"]
    assert len(said) == 1 and ASSIGNMENTS.__name__ + ".assign" in said[0]


def test_without_a_replaced_function_nothing_is_built_that_way(monkeypatch):
    monkeypatch.setattr(through_backend, "updates", None)  # would fail if it were called
    trained(keras_optimizers.SGD, lambda variables: contextlib.ExitStack(), steps=1)


def test_replaced_gradients_are_the_ones_that_are_clipped_and_applied():
    def twice(variables):
        return replaced(
            KERAS_BACKEND, "gradients", lambda original: lambda *a: [2 * g for g in original(*a)]
        )

    def sgd(module):
        return lambda: module.SGD(0.1, momentum=0.5, clipvalue=1.5)

    expected = trained(sgd(upstream), twice)
    same_bits(expected, trained(sgd(keras_optimizers), twice))
    plain = trained(sgd(keras_optimizers), lambda variables: contextlib.ExitStack())
    assert not np.array_equal(plain[0], expected[0])
