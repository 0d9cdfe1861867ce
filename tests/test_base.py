"""What all optimizers share: the host's class in name alone, graph mode, subclasses, failures."""

import inspect
import subprocess
import sys

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import keras_optimizers
from keras_optimizers import hosts
from keras_optimizers.tensorflow_private import HOST_OPTIMIZERS as upstream
from keras_optimizers.variables import is_variable
from tests.training import CLASS_NAMES, K, configured, make_trainable

ALL_CLASSES = ["Optimizer", "TFOptimizer"] + CLASS_NAMES


@pytest.mark.parametrize("class_name", ALL_CLASSES)
def test_no_public_method_is_upstreams(class_name):
    ours = getattr(keras_optimizers, class_name)
    assert issubclass(ours, upstream.Optimizer)
    for name, method in inspect.getmembers(ours):
        if not name.startswith("_") and callable(method):
            assert method.__module__.startswith("keras_optimizers"), name
    assert ours.__init__.__module__.startswith("keras_optimizers")


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_attributes_that_callers_touch_are_those_of_upstream(class_name):
    ours, theirs = configured(class_name), configured(class_name, upstream)
    make_trainable(ours), make_trainable(theirs)
    assert set(vars(theirs)) <= set(vars(ours))
    for name, value in vars(theirs).items():
        if is_variable(value):
            assert getattr(ours, name).dtype == value.dtype
            assert K.get_value(getattr(ours, name)) == K.get_value(value)
        elif not isinstance(value, list):
            assert getattr(ours, name) == value


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_one_step_counts_one_iteration(class_name):
    optimizer = configured(class_name)
    variable, updates = make_trainable(optimizer)
    before = K.get_value(variable)
    assert K.get_value(optimizer.iterations) == 0
    K.get_session().run(updates)
    assert K.get_value(optimizer.iterations) == 1
    assert np.all(K.get_value(variable) != before)


def test_without_parameters_a_step_only_counts():
    optimizer = configured("Nadam")
    updates = optimizer.get_updates(tf.constant(1.0), [])
    K.get_session().run(updates)
    assert K.get_value(optimizer.weights[0]) == 1


@pytest.mark.parametrize("name", ["minimize", "apply_gradients"])
def test_methods_of_other_optimizers_are_not_there_and_the_error_says_what_to_call(name):
    optimizer = configured("Adam")
    assert not hasattr(optimizer, name)
    with pytest.raises(AttributeError, match=f"no attribute '{name}': .*`get_updates"):
        getattr(optimizer, name)
    with pytest.raises(AttributeError, match=r"^'Adam' object has no attribute 'minimise'$"):
        _ = optimizer.minimise


def test_an_error_inside_a_property_of_a_subclass_is_shown_as_it_is():
    class Mine(keras_optimizers.SGD):
        @property
        def doubled(self):
            return self.rate * 2

    with pytest.raises(AttributeError, match="no attribute 'rate'"):
        _ = Mine().doubled


def test_a_loss_of_none_is_named():
    optimizer = configured("SGD")
    for params in ([], [K.variable(1.0)]):
        with pytest.raises(AttributeError, match="no attribute 'op': `loss` is None"):
            optimizer.get_updates(None, params)


def test_parameters_of_none_are_named_where_a_subclass_asks_for_gradients():
    with pytest.raises(AttributeError, match="no attribute 'op': `params` is None"):
        configured("SGD").get_gradients(tf.constant(1.0), None)


def test_iterations_may_be_replaced_before_the_updates_are_built():
    optimizer = configured("Adam")
    optimizer.iterations = tf.train.get_or_create_global_step()
    _, updates = make_trainable(optimizer)
    session = K.get_session()
    session.run(tf.global_variables_initializer())
    session.run(updates)
    assert session.run(tf.train.get_global_step()) == 1
    assert optimizer.weights[0] is tf.train.get_global_step()


def test_a_second_get_updates_makes_new_slots():
    optimizer = configured("SGD")
    make_trainable(optimizer)
    first = optimizer.weights
    make_trainable(optimizer)
    assert optimizer.weights[0] is first[0] and optimizer.weights[1] is not first[1]


def test_the_list_given_to_a_caller_is_not_the_optimizers_own():
    optimizer = configured("SGD")
    _, updates = make_trainable(optimizer)
    own = list(optimizer.updates)
    updates.append("Keras appends the updates of its layers here")
    assert optimizer.updates == own


class HeavyBall(keras_optimizers.Optimizer):
    """A user's subclass in the style of 2018: all is done in `get_updates`, by `K`'s functions."""

    def __init__(self, lr=0.1, **kwargs):
        super(HeavyBall, self).__init__(**kwargs)
        self.lr = K.variable(lr, name="ball/lr")
        self.iterations = K.variable(0, "int64", name="ball/iterations")

    def get_updates(self, loss, params):
        speeds = [K.zeros(K.int_shape(param)) for param in params]
        self.weights, self.updates = [self.iterations, *speeds], []
        for param, gradient, speed in zip(params, self.get_gradients(loss, params), speeds):
            faster = K.update(speed, 0.9 * speed + gradient)
            self.updates += [faster, K.update_sub(param, self.lr * faster)]
        self.updates += [K.update_add(self.iterations, 1)]
        return self.updates

    def get_config(self):
        return dict(super(HeavyBall, self).get_config(), lr=float(K.get_value(self.lr)))


def test_a_subclass_written_for_the_original_works():
    model = tf.keras.Sequential([tf.keras.layers.Dense(1, input_shape=(2,))])
    model.compile(HeavyBall(clipnorm=0.5), "mse")
    features, targets = np.ones((4, 2)), np.ones((4, 1))
    losses = [model.train_on_batch(features, targets) for _ in range(20)]
    assert losses[-1] < losses[0]
    weights = model.optimizer.get_weights()
    model.optimizer.set_weights(weights)
    assert weights[0] == 20
    assert model.optimizer.get_config() == {"lr": float(np.float32(0.1)), "clipnorm": 0.5}
    assert type(HeavyBall.from_config(model.optimizer.get_config())) is HeavyBall


class Sign(keras_optimizers.Optimizer):
    """A subclass in the style of this package: the mathematics and nothing else."""

    slot_roles = ("sum",)

    def __init__(self, lr=0.1, **kwargs):
        super(Sign, self).__init__(**kwargs)
        self._create_scalars(iterations=0, lr=lr)

    def step_coefficients(self, step):
        return {"learning_rate": step["lr"]}

    def update_rule(self, parameter, gradient, slots, coefficients):
        return parameter - coefficients.learning_rate * tf.sign(gradient), {
            "sum": slots.sum + gradient
        }


def test_a_new_optimizer_is_its_mathematics():
    optimizer = Sign(lr=0.5)
    variable, updates = make_trainable(optimizer)
    K.get_session().run(updates)
    np.testing.assert_array_equal(K.get_value(variable), np.full((2, 3), 0.5))
    np.testing.assert_array_equal(optimizer.get_weights()[1], np.full((2, 3), 2.0))


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_a_refused_argument_leaves_no_variable_behind(class_name):
    before = len(tf.get_default_graph().get_operations())
    for wrong in ({"lr": "fast"}, {"lr": None}, {"lr": [1.0, 2.0]}, {"clipnorm": -1.0}):
        with pytest.raises((TypeError, ValueError)):
            getattr(keras_optimizers, class_name)(**wrong)
    assert len(tf.get_default_graph().get_operations()) == before


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_failed_updates_leave_the_optimizer_as_it_was(class_name):
    optimizer = configured(class_name)
    used, _ = make_trainable(optimizer)
    unused = K.variable(1.0, name="unused")
    weights, updates = list(optimizer.weights), list(optimizer.updates)
    names = [variable.name for variable in tf.global_variables()]
    with pytest.raises(ValueError, match=r"An operation has `None` for gradient.*unused:0"):
        optimizer.get_updates(tf.reduce_sum(used), [used, unused])
    with pytest.raises(AttributeError, match=r"params\[1\]"):
        optimizer.get_updates(tf.reduce_sum(used), [used, used * 2.0])
    with pytest.raises(ValueError, match=r"params\[1\].*params\[0\]"):
        optimizer.get_updates(tf.reduce_sum(used), [used, used])
    assert optimizer.weights == weights and optimizer.updates == updates
    assert [variable.name for variable in tf.global_variables()] == names


@pytest.mark.slow
def test_eager_execution_is_refused_with_what_to_call():
    program = """
import tensorflow as tf
tf.compat.v1.enable_eager_execution()
import keras_optimizers
from keras_optimizers import hosts
for make in (keras_optimizers.SGD, lambda: keras_optimizers.get("adam")):
    try:
        make()
    except RuntimeError as error:
        assert "eager execution" in str(error), error
        assert "tf.compat.v1.disable_eager_execution()" in str(error), error
    else:
        raise SystemExit("accepted")
with tf.Graph().as_default():
    optimizer = keras_optimizers.SGD()
try:
    optimizer.get_updates(None, [])
except RuntimeError:
    print("refused")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().strip() == "refused"


def test_a_gradient_that_is_a_view_of_another_ref_parameter_is_read_before_that_is_written():
    """The gradient of `first` is `second` itself: for ref variables the same memory."""
    size = 300 * 300
    first, second = (
        tf.Variable(np.full(size, value, "float32"), use_resource=False) for value in (1.0, 2.0)
    )

    @tf.custom_gradient
    def product(a, b):
        return tf.reduce_sum(a * b), lambda upstream_gradient: (b, a)

    updates = keras_optimizers.SGD(lr=1.0).get_updates(product(first, second), [first, second])
    session = K.get_session()
    for _ in range(20):
        session.run(tf.global_variables_initializer())
        session.run(updates)
        assert set(session.run(first)) == {-1.0} and set(session.run(second)) == {1.0}


def test_a_constraint_that_fails_leaves_the_optimizer_as_it_was():
    def broken(value):
        raise ZeroDivisionError

    optimizer = configured("Adam")
    make_trainable(optimizer)
    weights, updates = list(optimizer.weights), list(optimizer.updates)
    variable = K.variable(np.ones(3), constraint=broken)
    with pytest.raises(ZeroDivisionError):
        optimizer.get_updates(tf.reduce_sum(variable), [variable])
    assert optimizer.weights == weights and optimizer.updates == updates


@pytest.mark.parametrize(
    "call",
    [
        lambda optimizer, loss, params: optimizer.get_updates(params, [], loss),
        lambda optimizer, loss, params: optimizer.get_updates(params, {}, loss=loss),
    ],
)
@pytest.mark.parametrize("make", [keras_optimizers.SGD, lambda: wrapped_descent(0.01)])
def test_the_older_call_with_constraints_makes_the_same_step(call, make):
    results = []
    for ask in (call, lambda optimizer, loss, params: optimizer.get_updates(loss, params)):
        variable = K.variable([2.0, -3.0])
        updates = ask(make(), tf.reduce_sum(tf.square(variable)), [variable])
        K.get_session().run(updates)
        results.append(K.get_value(variable))
    assert results[0].tolist() == results[1].tolist() != [2.0, -3.0]


def wrapped_descent(rate):
    return keras_optimizers.TFOptimizer(tf.train.GradientDescentOptimizer(rate))


class KeepsLearningRate(keras_optimizers.Optimizer):
    """As many for Keras 2.3: the rate is `learning_rate`, and `lr` a property over it."""

    def __init__(self):
        super().__init__()
        self.learning_rate = K.variable(0.25)

    @property
    def lr(self):
        return self.learning_rate

    @lr.setter
    def lr(self, value):
        self.learning_rate = value


class WrapsAnother(keras_optimizers.Optimizer):
    """The rate is that of another optimizer, under the newer name alone."""

    def __init__(self, optimizer):
        super().__init__()
        self.optimizer = optimizer

    @property
    def learning_rate(self):
        return self.optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        self.optimizer.learning_rate = value


def test_a_subclass_may_make_either_name_of_the_rate_a_property_over_the_other():
    optimizer = KeepsLearningRate()
    assert K.get_value(optimizer.lr) == 0.25
    optimizer.lr = other = K.variable(0.5)
    assert optimizer.learning_rate is other and optimizer.lr is other


def test_a_wrapper_that_forwards_learning_rate_has_lr_too():
    inner = keras_optimizers.Adam()
    wrapper = WrapsAnother(inner)
    assert wrapper.lr is inner.lr
    wrapper.learning_rate = other = K.variable(0.5)
    assert inner.lr is other and wrapper.lr is other


def test_an_optimizer_without_a_rate_has_neither_name():
    optimizer = keras_optimizers.Optimizer()
    assert not hasattr(optimizer, "lr") and not hasattr(optimizer, "learning_rate")


class ForOptimizerV2(keras_optimizers.Adam):
    """Written for a base class that calls other methods."""

    def _resource_apply_dense(self, grad, var):
        raise AssertionError("nothing calls this")


def test_a_subclass_written_for_optimizer_v2_is_refused_with_the_remedy():
    with pytest.raises(TypeError, match=r"_resource_apply_dense.*tf\.compat\.v2\.keras"):
        ForOptimizerV2()


# Slots that are made before the updates, as `load_model` of TensorFlow 2 asks for.


def two_variables():
    return [K.variable(np.ones(shape), name=name) for name, shape in (("a", (2,)), ("b", (3,)))]


def updates_in_the_scope_of_the_host(optimizer, variables):
    loss = tf.add_n([tf.reduce_sum(tf.square(variable)) for variable in variables])
    with K.name_scope("training"), K.name_scope(type(optimizer).__name__):
        return optimizer.get_updates(loss, variables)


def test_slots_made_early_are_those_of_the_updates_and_have_their_names():
    variables = two_variables()
    optimizer = keras_optimizers.Adamax()
    with tf.name_scope("training"):
        pass  # so the host's scope is the next of that name
    optimizer._create_all_weights(variables)
    early = list(optimizer.weights)
    assert early[0] is optimizer.iterations
    assert [one.name for one in early[1:]] == [
        "training_1/Variable:0",
        "training_1/Variable_1:0",
        "training_1/Variable_2:0",
        "training_1/Variable_3:0",
    ]
    assert [one.shape.as_list() for one in early[1:]] == [[2], [3]] * 2
    # The scope's name is free for the host.
    assert tf.get_default_graph().unique_name("training", mark_as_used=False) == "training_1"
    updates_in_the_scope_of_the_host(optimizer, variables)
    assert all(one is other for one, other in zip(optimizer.weights, early))
    assert len(optimizer.weights) == len(early)
    updates_in_the_scope_of_the_host(optimizer, variables)
    assert not any(one is other for one, other in zip(optimizer.weights[1:], early[1:]))


def test_slots_are_not_made_early_for_a_class_that_makes_them_itself_or_of_no_variables():
    variables = two_variables()
    with pytest.raises(NotImplementedError):
        keras_optimizers.Optimizer()._create_all_weights(variables)
    with pytest.raises((AttributeError, ValueError, TypeError)):
        keras_optimizers.Adamax()._create_all_weights([1.0])


# A Keras that calls arguments otherwise (2.3), and one whose lists begin with the count.


def as_for(monkeypatch, **fields):
    """Optimizers are made for a Keras that differs in these fields."""
    made_for = type("OtherHost", (type(hosts.current()),), fields)()
    monkeypatch.setattr(hosts, "current", lambda: made_for)
    return made_for


def test_arguments_by_the_host_s_names_are_taken_and_shown(monkeypatch):
    as_for(monkeypatch, renamed={"lr": "learning_rate"})
    optimizer = keras_optimizers.Adagrad(learning_rate=0.25)
    assert optimizer.lr.name == "Adagrad/learning_rate:0" and K.get_value(optimizer.lr) == 0.25
    assert optimizer.get_config()["learning_rate"] == 0.25 and "lr" not in optimizer.get_config()


def test_an_error_names_the_argument_as_it_was_given(monkeypatch):
    as_for(monkeypatch, renamed={"lr": "learning_rate"})
    for name in ("learning_rate", "lr"):
        with pytest.raises((TypeError, ValueError), match=r"\b%s\b" % name):
            keras_optimizers.Adagrad(**{name: "fast"})


def test_lists_begin_with_the_count_where_the_host_s_do(monkeypatch):
    as_for(monkeypatch, counts_first=True)
    counted, uncounted = keras_optimizers.Adam(), keras_optimizers.Adagrad()
    assert counted.weight_scalars == uncounted.weight_scalars == ("iterations",)
    assert keras_optimizers.Nadam().weight_scalars == ("iterations", "m_schedule")
    monkeypatch.undo()
    assert keras_optimizers.Adagrad().weight_scalars == ()


def test_a_subclass_that_does_not_call_the_constructor_has_a_host():
    class WithoutConstructor(keras_optimizers.Optimizer):
        def __init__(self):
            self._created = {}
            self._create_scalars(iterations=0, lr=0.5)

    optimizer = WithoutConstructor()
    assert K.get_value(optimizer.lr) == 0.5
    assert repr(optimizer).startswith("<WithoutConstructor of keras_optimizers, made for tf.keras")


# What an estimator's checkpoints hold.


def test_variables_are_listed_only_where_an_estimator_has_replaced_the_count():
    optimizer = keras_optimizers.Nadam()
    variables = two_variables()
    own = optimizer.iterations
    updates_in_the_scope_of_the_host(optimizer, variables)
    assert optimizer.listed_variables() == {}
    optimizer.iterations = tf.train.get_or_create_global_step()
    updates_in_the_scope_of_the_host(optimizer, variables)
    listed = optimizer.listed_variables()
    assert listed.pop("iterations") is optimizer.iterations
    assert listed.pop("replaced_iterations") is own
    for name in ("m_schedule", "lr", "beta_1", "beta_2"):
        assert listed.pop(name) is getattr(optimizer, name)
    slots = ["first_moment_0", "first_moment_1", "second_moment_0", "second_moment_1"]
    assert [listed.pop(name) for name in slots] == optimizer.weights[2:]
    assert listed == {}


def test_a_new_optimizer_has_nothing_yet_and_says_so():
    optimizer = keras_optimizers.SGD()
    assert optimizer.weights == [] and optimizer.updates == [] and optimizer.trained == []
    assert optimizer.fused is False and optimizer.native is False
    updates_in_the_scope_of_the_host(optimizer, two_variables())
    assert [(name[0], shape, dtype) for name, shape, dtype in optimizer.trained] == [
        ("a", (2,), "float32"),
        ("b", (3,), "float32"),
    ]
    assert len(optimizer.weights) == 3 and len(optimizer.updates) > 0


def test_flags_are_in_the_config_only_when_set():
    for name in ("fused", "native"):
        assert name not in keras_optimizers.SGD().get_config()
        assert keras_optimizers.SGD(**{name: True}).get_config()[name] is True
        with pytest.raises((TypeError, ValueError), match=r"\b%s\b" % name):
            keras_optimizers.SGD(**{name: "yes"})


class PlainDescent(keras_optimizers.Optimizer):
    """An optimizer without slots, which says nothing about them."""

    def __init__(self, lr=0.25, **kwargs):
        super().__init__(**kwargs)
        self._create_scalars(iterations=0, lr=lr)

    def step_coefficients(self, scalars):
        return {"lr": scalars["lr"]}

    def update_rule(self, parameter, gradient, slots, coefficients):
        return parameter - coefficients.lr * gradient, {}


def test_a_subclass_needs_to_name_no_slots_and_no_weights():
    optimizer = PlainDescent()
    variable = K.variable([1.0, -2.0])
    updates = optimizer.get_updates(tf.reduce_sum(variable * variable), [variable])
    assert optimizer.weights == [optimizer.iterations]
    K.get_session().run(updates)
    assert K.get_value(variable).tolist() == [0.5, -1.0]
    assert K.get_value(optimizer.iterations) == 1


def test_gradients_may_be_asked_of_one_variable_as_the_callback_tensorboard_does():
    variable = K.variable([3.0, -1.0])
    (found,) = keras_optimizers.SGD().get_gradients(tf.reduce_sum(variable**2), variable)
    assert K.get_session().run(found).tolist() == [6.0, -2.0]


def test_an_epsilon_that_is_given_is_taken_and_one_of_none_is_the_host_s():
    assert keras_optimizers.Adam(epsilon=0.5).epsilon == 0.5
    assert keras_optimizers.Adam(epsilon=None).epsilon == K.epsilon()


# Parameter servers: no cluster is needed to see where ops are.


def counted_on(device):
    """An optimizer on one server whose count is on `device`, and the op that counts."""
    with tf.device("/job:ps/task:1"):
        optimizer = keras_optimizers.SGD(lr=0.1, momentum=0.9, decay=0.1)
        variable = tf.get_variable("weight", initializer=[1.0], use_resource=True)
    with tf.device(device):
        optimizer.iterations = tf.Variable(np.int64(0), use_resource=True, name="step")
    updates = optimizer.get_updates(tf.reduce_sum(variable), [variable])
    return optimizer, updates[0]


def test_a_count_on_another_server_waits_for_one_message():
    for server, grouped in (("/job:ps/task:0", True), ("/job:ps/task:1", False)):
        optimizer, counting = counted_on(server)
        assert optimizer._home() is optimizer.lr
        waits_for = counting.inputs[1].op.control_inputs
        from_the_rate_s = [one for one in waits_for if one.device == "/job:ps/task:1"]
        assert (len(from_the_rate_s) == 1) == grouped
        readers = from_the_rate_s[0].control_inputs if grouped else from_the_rate_s
        assert {one.type for one in readers} >= {"ReadVariableOp", "Mul"}
        tf.reset_default_graph()


def test_an_optimizer_without_a_server_is_where_its_count_is():
    optimizer = keras_optimizers.SGD(lr=0.1)
    assert optimizer._home() is optimizer.iterations
    with tf.device("/job:ps/task:1"):
        optimizer = keras_optimizers.SGD(lr=0.1)
    assert optimizer._home() is optimizer.lr


def test_nothing_is_written_before_the_rows_of_a_lookup_are_known():
    class GivenRows(keras_optimizers.SGD):
        def get_gradients(self, loss, params):
            return [tf.IndexedSlices(tf.ones([1, 2]), rows) for _ in params]

    rows = tf.placeholder(tf.int32, [1], name="rows")
    table = K.variable(np.ones((3, 2)))
    GivenRows().get_updates(tf.constant(0.0), [table])
    everything_read = tf.get_default_graph().get_operation_by_name("everything_read")
    assert rows.op in everything_read.control_inputs
