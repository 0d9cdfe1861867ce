"""`native=True`: the bits of TensorFlow's own ops from one op, or those ops where it cannot be."""

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import keras_optimizers
from keras_optimizers.expressions import maximum, sqrt, square
from keras_optimizers.lowering.native import program, self_test
from keras_optimizers.lowering.values import Leaves
from keras_optimizers.parameters import TrainedParameter
from tests.training import CLASS_NAMES, CONFIGURATIONS, K, configured, fed_gradients, same_bits

# Without the op these tests would compare TensorFlow's ops with themselves.
pytestmark = pytest.mark.usefixtures("native_op", "tensorflows_own_ops")

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Several blocks with elements left over, whole packets, less than a packet, none, no dimension.
SHAPES = [(100, 37), (1003,), (16, 16), (3, 5), (0, 4), ()]
CASES = {name: (name, options) for name, options in CONFIGURATIONS.items()}
CASES.update(
    {
        "SGD plain": ("SGD", {"lr": 0.05}),
        "SGD momentum": ("SGD", {"lr": 0.05, "momentum": 0.9}),
        "Adam plain": ("Adam", {"lr": 0.01}),
        "Adam clipped by norm": ("Adam", {"lr": 0.01, "clipnorm": 0.5}),
        "Adam clipped by value": ("Adam", {"lr": 0.01, "clipvalue": 0.3}),
        "Adam without epsilon": ("Adam", {"lr": 0.01, "epsilon": 0.0}),
        "Adadelta without epsilon": ("Adadelta", {"epsilon": 0.0}),
        "Nadam clipped": ("Nadam", {"global_clipnorm": 0.5}),
    }
)


def kinds():
    return [op.type for op in tf.get_default_graph().get_operations()]


def native_ops():
    return kinds().count("KerasOptimizersStep")


def train(optimizer, dtype="float32", steps=6, shapes=SHAPES, constraint=None, session=None):
    """All values after steps on fed gradients, zeros, tiny and large ones among them."""
    random = np.random.RandomState(0)
    initial = [np.asarray(random.normal(size=shape)).astype(dtype) for shape in shapes]
    variables, feeds, loss = fed_gradients(initial, constraint)
    updates = optimizer.get_updates(loss, variables)
    session = session or K.get_session()
    session.run(tf.global_variables_initializer())
    smallest = -4 if dtype == "float16" else -20
    for _ in range(steps):
        gradients = [
            random.normal(size=s)
            * random.randint(-1, 2, size=s)
            * 10 ** random.uniform(smallest, 1)
            for s in shapes
        ]
        session.run(updates, dict(zip(feeds, gradients)))
    return session.run(variables + list(optimizer.weights))


def make(name, **more):
    class_name, options = CASES[name]
    return getattr(keras_optimizers, class_name)(**dict(options, **more))


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64"])
@pytest.mark.parametrize("name", CASES)
def test_the_bits_are_those_of_tensorflows_ops(name, dtype):
    expected = train(make(name), dtype)
    assert native_ops() == 0
    K.clear_session()
    same_bits(expected, train(make(name, native=True), dtype))
    assert native_ops() == 1


# The first session of a process decides how many threads all later ones have.
_COMPARE = """
import sys
import tensorflow.compat.v1 as tf
from tests import test_native
config = tf.ConfigProto(intra_op_parallelism_threads=int(sys.argv[1]))
results = []
for native in (False, True):
    for name in test_native.CASES:
        with tf.Graph().as_default(), tf.Session(config=config) as session:
            tf.keras.backend.set_session(session)
            shapes = [(513, 1021), *test_native.SHAPES]
            trained = test_native.train(
                test_native.make(name, native=native), steps=30, shapes=shapes, session=session
            )
            results.append(trained)
half = len(results) // 2
for expected, actual in zip(results[:half], results[half:]):
    test_native.same_bits(expected, actual)
print("compared", half)
"""


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2, 8])
def test_at_any_number_of_threads(threads):
    command = [sys.executable, "-W", "ignore", "-c", _COMPARE, str(threads)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert done.returncode == 0
    assert done.stdout.decode().split() == ["compared", str(len(CASES))]


def test_several_dtypes_in_one_model():
    def trained(**more):
        optimizer = configured("Adam", **more)
        values = [np.ones(9, dtype) for dtype in ("float32", "float64", "float16", "float32")]
        variables, feeds, loss = fed_gradients(values)
        updates = optimizer.get_updates(loss, variables)
        session = K.get_session()
        session.run(tf.global_variables_initializer())
        for scale in (1.0, -0.3):
            session.run(updates, {feed: np.arange(9) * scale for feed in feeds})
        return session.run(variables + optimizer.weights)

    expected = trained()
    K.clear_session()
    same_bits(expected, trained(native=True))
    assert native_ops() == 3  # one a dtype


def test_the_graph_optimizers_rewriting_is_followed_also_where_it_is_off():
    """It makes `x * rsqrt(y)` of Adadelta's `x / sqrt(y)`, which rounds otherwise."""
    results = []
    off = tf.GraphOptions()
    off.rewrite_options.disable_meta_optimizer = True
    for native in (False, True):
        for options in (None, off):
            K.clear_session()
            with tf.Session(config=tf.ConfigProto(graph_options=options)) as session:
                K.set_session(session)
                optimizer = configured("Adadelta", native=native)
                results.append(train(optimizer, shapes=[(1003,)], session=session))
    same_bits(results[0], results[2])
    same_bits(results[1], results[3])
    pairs = zip(results[0], results[1])
    assert any(one.tobytes() != other.tobytes() for one, other in pairs)


# The argument.


def test_native_is_in_the_config_only_when_set():
    assert "native" not in keras_optimizers.Adam().get_config()
    optimizer = keras_optimizers.Adam(native=True)
    assert optimizer.get_config()["native"] is True
    assert keras_optimizers.Adam.from_config(optimizer.get_config()).native is True


def test_native_must_be_a_bool():
    with pytest.raises(TypeError, match="Expected native to be True or False, received: 1"):
        keras_optimizers.SGD(native=1)


def test_native_and_fused_exclude_each_other():
    with pytest.raises(ValueError, match="at most one of fused and native"):
        keras_optimizers.SGD(fused=True, native=True)


def test_fused_optimizers_stay_fused_where_the_environment_asks_for_native(monkeypatch):
    monkeypatch.setenv("KERAS_OPTIMIZERS_NATIVE", "require")
    variables, _, loss = fed_gradients([np.ones(4, "float32")])
    keras_optimizers.Adam(fused=True).get_updates(loss, variables)
    assert "ResourceApplyAdam" in kinds() and native_ops() == 0
    keras_optimizers.Adam().get_updates(loss, variables)
    assert native_ops() == 1


# What is left to TensorFlow's ops.


def test_constraints_and_ref_variables_are_left_to_tensorflows_ops():
    unit = tf.keras.constraints.UnitNorm()
    constrained, _, first = fed_gradients([np.ones((4, 2), "float32")], unit)
    free, _, second = fed_gradients([np.ones((4, 2), "float32")])
    ref = tf.Variable(np.ones(3, "float32"), use_resource=False)
    loss = first + second + tf.reduce_sum(ref)
    optimizer = configured("Adam", native=True)
    updates = optimizer.get_updates(loss, [*constrained, *free, ref])
    (step,) = [op for op in loss.graph.get_operations() if op.type == "KerasOptimizersStep"]
    assert step.get_attr("parameter_count") == 1
    session = K.get_session()
    session.run(tf.global_variables_initializer())
    session.run(updates, {p: np.ones((4, 2)) for p in _placeholders(loss.graph)})
    assert not np.any(session.run(ref) == 1)


def _placeholders(graph):
    return [op.outputs[0] for op in graph.get_operations() if op.type == "Placeholder"]


def test_a_parameter_on_a_gpu_or_a_named_task_is_left_to_tensorflows_ops():
    variables = []
    for device in ("/device:CPU:0", "/device:GPU:0", "/job:worker/task:0"):
        with tf.device(device):
            variables.append(tf.Variable(np.ones(3, "float32"), use_resource=True))
    loss = tf.add_n([tf.reduce_sum(variable) for variable in variables])
    configured("Adam", native=True).get_updates(loss, variables)
    assert step_operation().get_attr("parameter_count") == 1
    assert step_operation().get_attr("names")[0].decode() == variables[0].op.name


class Own(keras_optimizers.Optimizer):
    """A rule of a user."""

    slot_roles = ("last", "sum")

    def __init__(self, rule, lr=0.1, **kwargs):
        super(Own, self).__init__(**kwargs)
        self._create_scalars(iterations=0, lr=lr)
        self.rule = rule

    def step_coefficients(self, scalars):
        return {"lr": scalars["lr"], "half": 0.5}

    def update_rule(self, parameter, gradient, slots, coefficients):
        return self.rule(parameter, gradient, slots, coefficients)


def own_step(rule, steps=4, **more):
    return train(Own(rule, **more), steps=steps, shapes=[(1003,), (7,)])


@pytest.mark.parametrize(
    "rule",
    [
        lambda p, g, s, c: (p - c.lr * s.last, {"last": s.sum + g, "sum": s.last * g}),
        lambda p, g, s, c: (s.last - c.lr * g, {"last": p, "sum": g}),
        lambda p, g, s, c: (p, {"last": maximum(s.last, p), "sum": s.sum}),
        lambda p, g, s, c: (p - c.lr * p, {"last": p - c.lr * p}),
        lambda p, g, s, c: (p - (c.lr * c.half) * g / (sqrt(square(g) + 2.0) + s.sum), {"sum": g}),
    ],
)
def test_a_users_rule_of_formulas(rule):
    expected = own_step(rule)
    K.clear_session()
    same_bits(expected, own_step(rule, native=True))
    assert native_ops() == 1


@pytest.mark.parametrize(
    "rule",
    [
        lambda p, g, s, c: (p - c.lr * tf.sign(g), {}),
        lambda p, g, s, c: (p - c.lr * (g / tf.norm(g)), {"last": g}),
        lambda p, g, s, c: (p - c.lr * (c.half * g), {}),
        lambda p, g, s, c: (p + (g + (s.last + s.sum)), {"last": g}),
        lambda p, g, s, c: (p - (c.lr * g + c.lr * s.last), {"last": g}),
        lambda p, g, s, c: (p - c.lr * (g / 3.0), {}),
        lambda p, g, s, c: (p - c.lr * (1.0 / (square(g) + 1.0)), {}),
        lambda p, g, s, c: (p - sqrt(square(g)), {}),
    ],
)
def test_a_rule_that_is_not_elementwise_or_that_the_graph_optimizer_may_reorder(rule):
    """It is left to TensorFlow's ops."""
    expected = own_step(rule)
    K.clear_session()
    same_bits(expected, own_step(rule, native=True))
    assert native_ops() == 0


# Safety.


def step_of(native_op, variables, gradients):
    """The op that subtracts each gradient."""
    parameter = TrainedParameter(variables[0], gradients[0])
    leaves = Leaves(parameter, tf.convert_to_tensor)
    change = program.Change(leaves.parameter, leaves.parameter - leaves.gradient)
    return native_op.keras_optimizers_step(
        variables=[variable.handle for variable in variables],
        gradients=gradients,
        rows=[],
        scalars=[],
        is_rewritten=False,
        program=program.compile_program(leaves.parameter, [change]).code,
        untouched_program=[],
    )


def test_nothing_is_written_when_a_variable_is_not_initialized_or_a_shape_differs(native_op):
    good, other = (tf.Variable(np.ones(3, "float32"), use_resource=True) for _ in range(2))
    fed = tf.placeholder(tf.float32, None)
    step = step_of(native_op, [good, other], [tf.ones(3), fed])
    with tf.Session() as session:
        session.run(good.initializer)
        with pytest.raises(tf.errors.FailedPreconditionError, match="has not been initialized"):
            session.run(step, {fed: np.ones(3)})
        session.run(other.initializer)
        with pytest.raises(tf.errors.InvalidArgumentError, match="its parameter"):
            session.run(step, {fed: np.ones(4)})
        assert session.run([good, other])[0].tolist() == [1, 1, 1]
        session.run(step, {fed: np.ones(3)})
        assert session.run(other).tolist() == [0, 0, 0]


def step_operation():
    operations = tf.get_default_graph().get_operations()
    (step,) = [op for op in operations if op.type == "KerasOptimizersStep"]
    return step


def test_variables_are_found_by_name_and_not_through_an_op_for_each():
    train(make("Adam plain", native=True), steps=1)
    step = step_operation()
    assert len(step.get_attr("names")) == 3 * len(SHAPES)
    assert tf.resource not in [tensor.dtype for tensor in step.inputs]


def test_variables_in_a_container_of_their_own():
    trained = []
    for native in (False, True):
        graph = tf.Graph()
        with graph.as_default(), graph.container("elsewhere"), tf.Session() as session:
            trained.append(train(make("Adam plain", native=native), session=session))
            assert not native or step_operation().get_attr("container") == b"elsewhere"
    same_bits(*trained)


def test_variables_in_different_containers_are_given_by_their_handles():
    graph = tf.get_default_graph()
    with graph.container("elsewhere"):
        variables = [tf.Variable(np.ones(3, "float32"), use_resource=True)]
    variables.append(tf.Variable(np.ones(3, "float32"), use_resource=True))
    optimizer = configured("SGD", native=True)
    optimizer.get_gradients = lambda loss, params: [tf.ones(3)] * 2
    updates = optimizer.get_updates(tf.constant(0.0), variables)
    handles = [t for t in step_operation().inputs if t.dtype == tf.resource]
    assert len(handles) == 4 and not step_operation().get_attr("names")
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(updates)
        one, other = session.run(variables)
        assert one.tolist() == other.tolist() != [1, 1, 1]


def test_a_graph_imported_under_another_name_trains_on():
    initial = [np.ones(3, "float32")]
    variables, feeds, loss = fed_gradients(initial)
    updates = configured("Adam", native=True).get_updates(loss, variables)
    tf.add_to_collection("train", tf.group(*updates))
    meta = tf.train.export_meta_graph()
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(updates, {feeds[0]: np.ones(3)})
        expected = session.run(variables)
    with tf.Graph().as_default() as graph:
        tf.train.import_meta_graph(meta, import_scope="imported")
        (step,) = tf.get_collection("train", scope="imported")
        fed = graph.get_tensor_by_name("imported/" + feeds[0].name)
        parameter = tf.trainable_variables()[0]
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            session.run(step, {fed: np.ones(3)})
            same_bits(expected, [session.run(parameter)])


def test_a_variable_that_was_destroyed_is_not_initialized():
    variables, feeds, loss = fed_gradients([np.ones(3, "float32")])
    optimizer = configured("SGD", native=True)
    updates = optimizer.get_updates(loss, variables)
    (velocity,) = [weight for weight in optimizer.weights if weight.shape.rank]
    destroy = tf.raw_ops.DestroyResourceOp(resource=velocity.handle)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(updates, {feeds[0]: np.ones(3)})
        session.run(destroy)
        with pytest.raises(tf.errors.FailedPreconditionError, match="has not been initialized"):
            session.run(updates, {feeds[0]: np.ones(3)})
        session.run(velocity.initializer)
        session.run(updates, {feeds[0]: np.ones(3)})


def test_one_variable_twice_is_refused(native_op):
    variable = tf.Variable(np.ones(3, "float32"), use_resource=True)
    step = step_of(native_op, [variable, variable], [tf.ones(3), tf.ones(3)])
    with tf.Session() as session:
        session.run(variable.initializer)
        with pytest.raises(tf.errors.InvalidArgumentError, match="one variable twice"):
            session.run(step)


def test_a_wrong_program_is_refused(native_op):
    variable = tf.Variable(np.ones(3, "float32"), use_resource=True)
    no_such_register = [1, 1, 0, 10**6, 0, 0, 0, 0]
    no_such_function = [99, 1, 0, 0, 0, 0, 0, 0]
    to_an_old_value, from_a_value_not_made = [1, 0] + [0] * 6, [1, 1, 1] + [0] * 5
    too_short = [1, 1]
    for code in (
        no_such_register,
        no_such_function,
        to_an_old_value,
        from_a_value_not_made,
        too_short,
    ):
        step = native_op.keras_optimizers_step(
            variables=[variable.handle],
            gradients=[tf.ones(3)],
            rows=[],
            scalars=[],
            is_rewritten=False,
            program=code,
            untouched_program=[],
        )
        with tf.Session() as session:
            session.run(variable.initializer)
            with pytest.raises(tf.errors.InvalidArgumentError, match="is not a program"):
                session.run(step)


def test_a_value_that_was_read_before_stays_as_it_was():
    variables, feeds, loss = fed_gradients([np.ones(1000, "float32")])
    before = variables[0].read_value()
    with tf.control_dependencies([before]):
        updates = configured("SGD", native=True).get_updates(loss, variables)
    with tf.control_dependencies(updates):
        after = variables[0].read_value()
    with tf.control_dependencies([after]):
        still = tf.identity(before)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        still, after = session.run([still, after], {feeds[0]: np.ones(1000)})
    assert np.all(still == 1) and np.all(after < 1)


class GradientIsTheOther(keras_optimizers.SGD):
    """The gradient of each of two parameters is the other's own buffer."""

    def get_gradients(self, loss, params):
        return [params[1].read_value(), params[0].read_value()]


def test_a_gradient_may_be_a_parameters_own_buffer():
    values = [np.full(1000, 1.0, "float32"), np.full(1000, 2.0, "float32")]
    variables, _, loss = fed_gradients(values)
    updates = GradientIsTheOther(lr=0.5, native=True).get_updates(loss, variables)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(updates, {p: np.ones(1000) for p in _placeholders(loss.graph)})
        first, second = session.run(variables)
    assert np.all(first == 0.0) and np.all(second == 1.5)


def test_readers_never_see_half_a_step():
    count = 2**18
    variables, feeds, loss = fed_gradients([np.zeros(count, "float32")])
    updates = keras_optimizers.SGD(lr=1.0, native=True).get_updates(loss, variables)
    read = variables[0].read_value()
    lowest, highest = tf.reduce_min(read), tf.reduce_max(read)
    seen = set()
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        feed = {feeds[0]: np.ones(count)}
        for _ in range(50):  # no order between the step and the reads
            low, high, _ = session.run([lowest, highest, updates], feed)
            assert low == high
            seen.add(low)
    assert len(seen) > 20


# Programs.


def leaves_of_five_variables():
    variables = [tf.Variable(np.ones(3, "float32"), use_resource=True) for _ in range(5)]
    parameter = TrainedParameter(variables[0], tf.ones(3))
    parameter.slots = dict(zip("abcd", variables[1:]))
    leaves = Leaves(parameter, tf.convert_to_tensor)
    return [leaves.parameter, *leaves.slots.values(), leaves.gradient]


@pytest.mark.parametrize("number", range(len(program.FUNCTIONS)))
def test_the_self_test_reaches_every_function(number):
    operands = leaves_of_five_variables()
    formula = self_test.formula_of(program.FUNCTIONS[number], operands)
    change = program.Change(operands[0], formula)
    code = program.compile_program(operands[0], [change]).code
    assert len(code) == 8 and code[0] == number


def test_the_self_test_notices_other_bits(native_op, monkeypatch):
    assert self_test.check(native_op) is None
    exchanged = list(program.FUNCTIONS)
    exchanged[1], exchanged[2] = exchanged[2], exchanged[1]
    monkeypatch.setattr(program, "FUNCTIONS", exchanged)
    assert "add" in self_test.check(native_op)


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_the_step_is_a_few_ops_whatever_the_number_of_parameters(class_name):
    def count(parameters):
        with tf.Graph().as_default() as graph:
            variables = [tf.Variable(tf.zeros([4]), use_resource=True) for _ in range(parameters)]
            optimizer = configured(class_name, native=True)
            optimizer.get_gradients = lambda loss, params: [tf.zeros([4])] * len(params)
            before = len(graph.get_operations())
            optimizer.get_updates(tf.constant(0.0), variables)
            slots = [v for v in optimizer.weights if v.shape.rank]
            return len(graph.get_operations()) - before - 5 * len(slots)

    assert count(3) == count(30)
