"""Small parameters of one shape are updated as one stack, to the bits of one by one."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import keras_optimizers
from keras_optimizers.lowering import stacked
from keras_optimizers.parameters import TrainedParameter
from tests.test_rules import RULES, WithRule
from tests.training import CLASS_NAMES, K, configured, fed_gradients, same_bits

pytestmark = pytest.mark.usefixtures("tensorflows_own_ops")

# Several stacks, one shape whose size has a remainder, and some left alone.
SHAPES = [(4, 8)] * 5 + [(8,)] * 3 + [(16,)] * 2 + [()] * 3 + [(3, 5)] * 4 + [(2, 3)]


def train(optimizer, dtype="float32", steps=6):
    """All values after each step on fed gradients, zeros and both signs among them."""
    random = np.random.RandomState(0)
    initial = [np.asarray(random.normal(size=shape)).astype(dtype) for shape in SHAPES]
    variables, feeds, loss = fed_gradients(initial)
    updates = optimizer.get_updates(loss, variables)
    session, values = K.get_session(), []
    for _ in range(steps):
        gradients = [random.normal(size=s) * random.randint(-1, 2, size=s) for s in SHAPES]
        session.run(updates, dict(zip(feeds, gradients)))
        values += session.run(variables) + optimizer.get_weights()
    return values


def kinds():
    return {op.type for op in tf.get_default_graph().get_operations()}


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64"])
@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_a_stack_gives_the_bits_of_one_by_one(class_name, dtype, monkeypatch):
    together = train(configured(class_name), dtype)
    one_kernel_is_faster = class_name == "Adagrad"
    assert ("Unpack" in kinds()) is not one_kernel_is_faster
    K.clear_session()
    monkeypatch.setattr(stacked, "_FEWEST", 1000)
    alone = train(configured(class_name), dtype)
    assert "Unpack" not in kinds()
    same_bits(alone, together)


@pytest.mark.parametrize("clipping", [{"clipnorm": 0.5}, {"global_clipnorm": 0.5}])
def test_clipped_gradients_too(clipping, monkeypatch):
    together = train(configured("Nadam", **clipping))
    K.clear_session()
    monkeypatch.setattr(stacked, "_FEWEST", 1000)
    same_bits(train(configured("Nadam", **clipping)), together)


def stacked_elements():
    """The number of elements of each stack that is taken apart."""
    unstacked = [op for op in tf.get_default_graph().get_operations() if op.type == "Unpack"]
    return {op.inputs[0].shape.num_elements() for op in unstacked}


def test_stacks_are_bounded(monkeypatch):
    train(configured("Adam"), steps=1)
    assert 5 * 32 in stacked_elements()
    K.clear_session()
    monkeypatch.setattr(stacked, "_LARGEST_STACK", 4 * 32)
    together = train(configured("Adam"))
    assert 4 * 32 in stacked_elements() and max(stacked_elements()) == 4 * 32
    K.clear_session()
    monkeypatch.setattr(stacked, "_FEWEST", 1000)
    same_bits(train(configured("Adam")), together)


class NormalizedGradient(keras_optimizers.Optimizer):
    """A rule that looks at a whole tensor at a time."""

    slot_roles = ("last",)

    def __init__(self, lr=0.1, **kwargs):
        super(NormalizedGradient, self).__init__(**kwargs)
        self._create_scalars(iterations=0, lr=lr)

    def step_coefficients(self, step):
        return {"learning_rate": step["lr"]}

    def update_rule(self, parameter, gradient, slots, coefficients):
        step = gradient / (tf.norm(gradient) + 1e-6) + 0.5 * slots.last
        return parameter - coefficients.learning_rate * step, {"last": step}


def test_a_rule_that_looks_at_whole_tensors_gets_them_one_by_one():
    variables, feeds, loss = fed_gradients([np.zeros(4, "float32") for _ in range(4)])
    updates = NormalizedGradient(lr=1.0).get_updates(loss, variables)
    scales = [1.0, 10.0, 100.0, 1000.0]
    session = K.get_session()
    session.run(updates, {feed: np.full(4, scale) for feed, scale in zip(feeds, scales)})
    for value in session.run(variables):
        np.testing.assert_allclose(value, np.full(4, -0.5), rtol=1e-5)


def test_constraints_and_ref_variables_are_left_alone():
    constraint = tf.keras.constraints.UnitNorm()
    variables, _, loss = fed_gradients([np.ones((4, 8), "float32")] * 4, constraint)
    configured("Adam").get_updates(loss, variables)
    refs = [tf.Variable(np.ones((4, 8), "float32"), use_resource=False) for _ in range(4)]
    configured("Adam").get_updates(tf.add_n([tf.reduce_sum(ref) for ref in refs]), refs)
    assert "Unpack" not in kinds()


def parameter_of(shape, constraint=None, use_resource=True, sparse=False):
    initial = np.zeros(shape, "float32")
    variable = tf.Variable(initial, use_resource=use_resource, constraint=constraint)
    gradient = tf.IndexedSlices(initial[:1], [0]) if sparse else tf.constant(initial)
    return TrainedParameter(variable, gradient)


def lengths(parameters):
    return [len(group) for group in stacked.stacks(parameters)]


def test_three_parameters_of_one_shape_are_a_stack():
    matrix, vector, number = (parameter_of(shape) for shape in ((4, 8), (8,), ()))
    assert lengths([matrix] * 2 + [vector] * 3 + [number] * 4) == [3, 4]


def test_a_stack_has_half_a_million_elements_at_most():
    assert lengths([parameter_of(1024)] * 600) == [512, 88]
    assert lengths([parameter_of(1024)] * 514) == [512]


@pytest.mark.parametrize(
    "more",
    [
        {"shape": (0, 8)},
        {"shape": (4, 8), "constraint": tf.keras.constraints.NonNeg()},
        {"shape": (4, 8), "use_resource": False},
        {"shape": (4, 8), "sparse": True},
    ],
    ids=["empty", "constraint", "ref variable", "lookup"],
)
def test_these_are_in_no_stack(more):
    assert lengths([parameter_of(**more)] * 4) == []


@pytest.mark.parametrize(
    "optimizer, shape, is_stacked",
    [
        (lambda: configured("Adam"), (4, 8), True),
        (lambda: configured("Adam"), (3, 5), False),
        (lambda: configured("Adamax"), (3, 5), True),
        (lambda: keras_optimizers.SGD(momentum=0.9), (4, 8), False),
        (lambda: of_rule("no slots"), (4, 8), False),
        (lambda: of_rule("a number is subtracted"), (4, 8), False),
        (lambda: of_rule("noise is added"), (4, 8), False),
    ],
    ids=["bits stay", "bits change", "no root", "one kernel", "no slots", "one number", "noise"],
)
def test_what_gains_nothing_or_loses_bits_is_updated_one_by_one(optimizer, shape, is_stacked):
    variables, _, loss = fed_gradients([np.ones(shape, "float32")] * 4)
    optimizer().get_updates(loss, variables)
    assert ("Unpack" in kinds()) is is_stacked


def of_rule(name):
    mine = {
        "a number is subtracted": lambda p, g, s, c: (p - c.lr, {"a": s.a + g}),
        # Each parameter must get noise of its own.
        "noise is added": lambda p, g, s, c: (p + c.lr * tf.random.normal([4, 8]), {"a": s.a + g}),
    }
    rule = mine.get(name) or RULES[name]
    return type("Mine", (WithRule,), {"update_rule": lambda self, *args: rule(*args)})()


def test_what_is_subtracted_from_a_stack_is_subtracted_in_place():
    variables, _, loss = fed_gradients([np.ones((4, 8), "float32")] * 4)
    configured("Adam").get_updates(loss, variables)
    for variable in variables:
        assert "AssignSubVariableOp" in [op.type for op in variable.handle.consumers()]


@pytest.mark.parametrize("elements, is_stacked", [(1024, True), (1032, False)])
def test_large_parameters_are_updated_one_by_one(elements, is_stacked):
    variables, _, loss = fed_gradients([np.ones(elements, "float32")] * 4)
    configured("Adam").get_updates(loss, variables)
    assert ("Unpack" in kinds()) is is_stacked
