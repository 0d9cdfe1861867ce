"""Kernels that keep the bits write a dense gradient's update in place."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import keras_optimizers
from tests.test_rules import RULES, WithRule
from tests.training import K, configured, fed_gradients

pytestmark = pytest.mark.usefixtures("tensorflows_own_ops")

ASSIGN, ADD, SUBTRACT = "AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp"
SCALED, OVER_ROOT = "ResourceApplyGradientDescent", "ResourceApplyAdagradV2"
MOMENTUM = "ResourceApplyKerasMomentum"

# The ops that write the parameter, then those of each slot. An average of two terms is written
# twice: its share of the old value, then what is added. A slot's ops include a kernel that only
# reads it, for Adam's step.
WRITES = {
    "momentum": [[MOMENTUM], [MOMENTUM]],
    "SGD": [[SCALED, SCALED], [ASSIGN, SCALED]],
    "RMSprop": [[OVER_ROOT], [ASSIGN, SCALED, OVER_ROOT]],
    "Adagrad": [[OVER_ROOT], [OVER_ROOT]],
    "Adadelta": [[SCALED], [ASSIGN, SCALED], [ASSIGN]],
    "Adam": [[OVER_ROOT], [ASSIGN, SCALED], [ASSIGN, SCALED], [ASSIGN, OVER_ROOT]],
    "Adamax": [[SUBTRACT], [ASSIGN, SCALED], [ASSIGN]],
    "Nadam": [[SUBTRACT], [ASSIGN, SCALED], [ASSIGN, SCALED]],
}


def writes_of(variable):
    """The types of the ops that write a variable or take it for their kernel."""
    reads = ("ReadVariableOp", "VarIsInitializedOp")
    made = [op for op in variable.handle.consumers() if op is not variable.initializer]
    return [op.type for op in made if op.type not in reads]


def optimizer_of(name, **more):
    return keras_optimizers.SGD(momentum=0.9) if name == "momentum" else configured(name, **more)


def writes_by(optimizer, constraint=None):
    (parameter,), _, loss = fed_gradients([np.zeros((40, 6), "float32")], constraint)
    optimizer.get_updates(loss, [parameter])
    slots = [weight for weight in optimizer.weights if weight.shape.rank]
    return [writes_of(variable) for variable in [parameter, *slots]]


@pytest.mark.parametrize("name", WRITES)
def test_kernels_write_in_place(name):
    assert writes_by(optimizer_of(name)) == WRITES[name]


# Of each slot, where a constraint comes between the slots and the parameter.
SLOT_WRITES = {
    "momentum": [[ASSIGN, SCALED]],
    "RMSprop": [[ASSIGN, SCALED]],
    "Adagrad": [[ADD]],
    "Adam": [[ASSIGN, SCALED], [ASSIGN, SCALED], [ASSIGN]],
}


@pytest.mark.parametrize("name", SLOT_WRITES)
def test_under_a_constraint_the_parameter_is_assigned_and_the_slots_are_written_in_place(name):
    constraint = tf.keras.constraints.NonNeg()
    assert writes_by(optimizer_of(name), constraint) == [[ASSIGN], *SLOT_WRITES[name]]


@pytest.mark.parametrize("name", ["momentum", "RMSprop", "Adagrad", "Adam"])
def test_a_parameter_that_a_kernel_writes_is_not_read(name):
    variable = tf.Variable(np.zeros((40, 5), "float32"), use_resource=True)
    before = variable.handle.consumers()
    optimizer_of(name).get_updates(tf.reduce_sum(variable.read_value()), [variable])
    added = [op.type for op in variable.handle.consumers() if op not in before]
    assert added.count("ReadVariableOp") == 1  # the loss's


def test_a_ref_variable_is_assigned_its_next_value():
    variable = tf.Variable(np.ones((40, 5), "float32"), use_resource=False)
    optimizer = keras_optimizers.SGD(lr=0.5, momentum=0.9)
    updates = optimizer.get_updates(tf.reduce_sum(variable), [variable])
    session = K.get_session()
    session.run(tf.global_variables_initializer())
    session.run(updates)
    np.testing.assert_array_equal(session.run(variable), np.full((40, 5), 0.5))


def test_without_exactness_a_scaled_quotient_is_one_kernel_too():
    assert writes_by(keras_optimizers.SGD(fused=True)) == [[SCALED]]
    for fused, write in ((True, SCALED), (False, SUBTRACT)):
        table = tf.Variable(np.zeros((9, 4), "float32"), use_resource=True)
        loss = tf.reduce_sum(tf.gather(table, [2, 5, 5]))
        configured("Adamax", fused=fused).get_updates(loss, [table])
        assert writes_of(table)[-1:] == [write]


# The ops that write the parameter and the slots `a` and `b`, for rules of `tests.test_rules`.
RULE_WRITES = {
    "a product is added": [[SCALED], [], []],
    "the variable last": [[ADD], [ASSIGN, ADD], [ASSIGN]],
    "a sum of three": [[ADD, SUBTRACT], [ASSIGN], []],
    "the variable twice": [[ASSIGN], [], []],
    "a number is added": [[ASSIGN], [], []],
    "tensors are added": [[SCALED], [ADD], [ASSIGN]],
    "a product that is computed already": [[SUBTRACT], [ASSIGN], []],
    "over a root that is not written": [[SUBTRACT], [ADD], []],
    "added over a root": [[ADD], [], [ADD]],
    "a number over a root": [[SUBTRACT], [], [ADD]],
}


@pytest.mark.parametrize("name", RULE_WRITES)
def test_a_rule_of_ones_own_is_written_in_place_too(name):
    rule = RULES[name]
    optimizer = type("Mine", (WithRule,), {"update_rule": lambda self, *args: rule(*args)})()
    assert writes_by(optimizer) == RULE_WRITES[name]
