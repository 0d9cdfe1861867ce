"""Rules of one's own: whatever they look at, they see the values from before the step."""

import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import keras_optimizers
from keras_optimizers.expressions import maximum, sqrt
from tests.pages import ROOT
from tests.training import CLASS_NAMES, K, configured


class WithRule(keras_optimizers.Optimizer):
    """An optimizer with two slots, whose rule the tests fill in."""

    slot_roles = ("a", "b")

    def __init__(self, lr=0.5, **kwargs):
        super(WithRule, self).__init__(**kwargs)
        self._create_scalars(iterations=0, lr=lr)

    def step_coefficients(self, step):
        return {"lr": step["lr"]}


def in_other_order(p, g, s, c):
    a = 0.5 * s.a + g
    b = s.b + a
    return p - b, {"b": b, "a": a}


def old_value_after_its_write(p, g, s, c):
    return p - c.lr * s.a, {"a": 0.5 * s.a + 0.25 * g, "b": s.a * s.a}


def tensorflows_own_ops(p, g, s, c):
    a = s.a + tf.where(g > 0.0, g, tf.zeros_like(g))
    return tf.identity(p) - c.lr * a, {"a": a, "b": tf.square(g)}


def the_slot_twice(p, g, s, c):
    a = 0.9 * s.a + 0.1 * s.a
    return p + a - c.lr * g * p, {"a": a + g}


def tensors_that_are_broadcast(p, g, s, c):
    of_columns, of_rows = tf.range(6.0), tf.range(4.0)[:, tf.newaxis]
    root = sqrt(s.b * s.b + of_columns) + 0.1
    return p - c.lr * g * of_columns, {"a": s.a + g * of_rows / root, "b": of_columns + g}


def numbers_beside_the_gradient(p, g, s, c):
    return p - c.lr * (g + 0.5), {"a": maximum(g, 0.25), "b": 1.0 - g}


def computed_already(p, g, s, c):
    step = c.lr * g
    return p - step, {"a": tf.identity(step)}


def over_a_root_that_is_not_written(p, g, s, c):
    return p - c.lr * g / (sqrt(s.b) + 0.1), {"a": s.a + g}


def added_over_a_root(p, g, s, c):
    b = s.b + g * g
    return p + c.lr * g / (sqrt(b) + 0.1), {"b": b}


def a_number_over_a_root(p, g, s, c):
    b = s.b + g * g
    return p - c.lr * 2.0 / (sqrt(b) + 0.1), {"b": b}


RULES = {
    "tensors that are broadcast": tensors_that_are_broadcast,
    "numbers beside the gradient": numbers_beside_the_gradient,
    "the gradient as a slot": lambda p, g, s, c: (p - c.lr * g, {"a": g, "b": s.a}),
    "an unchanged slot": lambda p, g, s, c: (p - c.lr * g, {"a": s.a, "b": s.b + 1.0}),
    "swapped slots": lambda p, g, s, c: (p - c.lr * s.a, {"b": s.a + g, "a": s.b + 2.0 * g}),
    "the parameter in slots": lambda p, g, s, c: (p - c.lr * (g + 0.1 * p), {"a": s.a + p, "b": p}),
    "no slots": lambda p, g, s, c: (p * 0.5, {}),
    "other operators": lambda p, g, s, c: (1.0 - p, {"a": 2.0 / (s.a + 3.0), "b": abs(g) ** 2.0}),
    "the variable last": lambda p, g, s, c: (g + p, {"a": g + 0.5 * s.a, "b": g - s.b}),
    "a product is added": lambda p, g, s, c: (p + c.lr * g, {}),
    "a sum of three": lambda p, g, s, c: (p + g - s.a, {"a": g}),
    "the variable twice": lambda p, g, s, c: (p - g * p, {}),
    "a number is added": lambda p, g, s, c: (p + 0.5, {}),
    "tensors are added": lambda p, g, s, c: (
        p - c.lr * g,
        {"a": s.a + tf.square(g), "b": s.b + tf.range(6.0)},
    ),
    "a product that is computed already": computed_already,
    "over a root that is not written": over_a_root_that_is_not_written,
    "added over a root": added_over_a_root,
    "a number over a root": a_number_over_a_root,
    "in other order": in_other_order,
    "old value after its write": old_value_after_its_write,
    "TensorFlow's own ops": tensorflows_own_ops,
    "the slot twice": the_slot_twice,
    "rows of an old value": lambda p, g, s, c: (p - c.lr * g * s.a, {"a": 0.5 * s.a + 1.0}),
}


def expected_step(rule, parameter, gradient, slots):
    """The rule itself, on plain tensors."""
    constants = [tf.constant(value) for value in (parameter, gradient, slots["a"], slots["b"])]
    new_parameter, new_slots = rule(
        constants[0],
        constants[1],
        SimpleNamespace(a=constants[2], b=constants[3]),
        SimpleNamespace(lr=tf.constant(0.5)),
    )
    session = K.get_session()
    changed = {role: session.run(tf.convert_to_tensor(v)) for role, v in new_slots.items()}
    return session.run(tf.convert_to_tensor(new_parameter)), dict(slots, **changed)


@pytest.mark.parametrize("kind", ["alone", "stacked", "sparse"])
@pytest.mark.parametrize("name", RULES)
def test_a_rule_sees_the_values_from_before_the_step(name, kind):
    rule, random = RULES[name], np.random.RandomState(0)
    optimizer = type("Mine", (WithRule,), {"update_rule": lambda self, *args: rule(*args)})()
    values = [random.normal(size=(4, 6)).astype("f") for _ in range(4 if kind == "stacked" else 1)]
    variables = [tf.Variable(value, use_resource=True) for value in values]
    feeds = [tf.placeholder(tf.float32, (4, 6)) for _ in values]
    rows = [0, 1, 1] if kind == "sparse" else list(range(4))
    looked_up = [tf.gather(v, rows) if kind == "sparse" else v + 0.0 for v in variables]
    losses = [tf.reduce_sum(v * tf.gather(feed, rows)) for v, feed in zip(looked_up, feeds)]
    updates = optimizer.get_updates(tf.add_n(losses), variables)
    session = K.get_session()
    session.run(tf.global_variables_initializer())
    slots = [{role: np.zeros((4, 6), "f") for role in "ab"} for _ in values]
    for _ in range(3):
        fed = [random.normal(size=(4, 6)).astype("f") for _ in values]
        session.run(updates, dict(zip(feeds, fed)))
        for index, gradient in enumerate(fed):
            whole = np.zeros((4, 6), "f")
            np.add.at(whole, rows, gradient[rows])
            values[index], slots[index] = expected_step(rule, values[index], whole, slots[index])
        expected = values + [one["a"] for one in slots] + [one["b"] for one in slots]
        for one, two in zip(expected, session.run(variables) + optimizer.get_weights()[1:]):
            np.testing.assert_allclose(two, one, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("fused", [False, True], ids=["exact", "fused"])
@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_updates_inside_a_condition_run_only_when_it_holds(class_name, fused):
    variables = [tf.Variable(np.ones((4, 8), "f"), use_resource=True) for _ in range(4)]
    variables.append(tf.Variable(np.ones((9, 3), "f"), use_resource=True))
    dense = [tf.reduce_sum(tf.square(variable)) for variable in variables[:4]]
    loss = tf.add_n(dense) + tf.reduce_sum(tf.gather(variables[4], [1, 1, 2]))
    optimizer = configured(class_name, **({"fused": True} if fused else {}))
    wanted = tf.placeholder(tf.bool, [])

    def step():
        with tf.control_dependencies(optimizer.get_updates(loss, variables)):
            return tf.constant(1)

    step_or_not = tf.cond(wanted, step, lambda: tf.constant(0))
    session = K.get_session()
    session.run(tf.global_variables_initializer())
    session.run(step_or_not, {wanted: False})
    assert all(np.all(value == 1) for value in session.run(variables))
    session.run(step_or_not, {wanted: True})
    assert all(np.any(value != 1) for value in session.run(variables))
    assert session.run(optimizer.iterations) == 1


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_for_a_gpu_no_kernel_is_used_that_may_round_otherwise(class_name):
    with tf.device("/gpu:0"):
        shapes = [(4, 8)] * 4 + [(300, 301)]
        variables = [tf.Variable(np.ones(shape, "f"), use_resource=True) for shape in shapes]
        loss = tf.add_n([tf.reduce_sum(tf.square(variable)) for variable in variables])
        updates = configured(class_name).get_updates(loss, variables)
    session = tf.Session(config=tf.ConfigProto(allow_soft_placement=True))
    session.run(tf.global_variables_initializer())
    session.run(updates)
    kinds = {op.type for op in tf.get_default_graph().get_operations()}
    assert not [kind for kind in kinds if kind.startswith("ResourceApply")]


NUMBER_IN_A_RULE = """
import tensorflow.compat.v1 as tf
import keras_optimizers

class Half(keras_optimizers.SGD):
    def update_rule(self, parameter, gradient, slots, coefficients):
        return super().update_rule(parameter, gradient * 0.5, slots, coefficients)

with tf.Graph().as_default(), tf.Session() as session:
    weights = [tf.get_variable("v%d" % n, (300, 8), use_resource=True) for n in range(3)]
    loss = sum(tf.reduce_sum(tf.square(weight)) for weight in weights)
    train = tf.group(*Half().get_updates(loss, weights))
    session.run(tf.global_variables_initializer())
    session.run(train)
    print("trained")
"""


def test_a_number_in_a_rule_closes_no_circle_in_the_optimized_graph():
    """The graph optimizer would fail, and say so: "couldn't be sorted in topological order"."""
    surroundings = dict(os.environ, PYTHONPATH=ROOT, TF_CPP_MIN_LOG_LEVEL="0")
    done = subprocess.run(
        [sys.executable, "-c", NUMBER_IN_A_RULE],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=surroundings,
    )
    assert done.stdout.decode() == "trained\n"
    assert "topological" not in done.stderr.decode()
