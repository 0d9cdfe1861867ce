"""The NumPy rules agree with the recorded TensorFlow 1.10 and with our TensorFlow optimizers.

Distances are in ulp of the largest value that the element has had: what is left of a difference
of large numbers has their error. Most results are equal to the bit. Where not, it is because

- TensorFlow's float32 root of eight numbers at once is an approximation, up to 4 ulp off;
- TensorFlow replaces Adadelta's division by a root by the multiplication by a reciprocal root,
  and the slots keep the square of the difference;
- the sum of squares behind a norm is not added up in the same order.

All else, `pow` of scalars included, comes from the same C library or is rounded by the standard.
"""

import inspect
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import keras_optimizers
from keras_optimizers import numpy_rules
from keras_optimizers.conformance.recorder import cases
from keras_optimizers.conformance.references import traces_of_other_processors
from tests.training import CLASS_NAMES, K, fed_gradients

# Those whose rule divides by a root.
WITH_ROOT = ["RMSprop", "Adagrad", "Adam", "Nadam"]
# Nadam's `m_schedule`, which r1.10 keeps out of its weights.
NADAM_SCHEDULE = 1


def trajectory(class_name, values, gradients_of_steps, **arguments):
    """Parameters and weights by NumPy, two lists of arrays with the step as first axis."""
    with np.errstate(all="ignore"):  # overflow is compared like any other result
        steps = list(numpy_rules.run(class_name, values, gradients_of_steps, **arguments))
    return by_array(steps)


def by_array(steps):
    """From (parameters, weights) a step to two lists of arrays with the step as first axis."""
    return [[np.stack(values) for values in zip(*part)] for part in zip(*steps)]


def tensorflow_trajectory(class_name, values, gradients_of_steps, **arguments):
    """The same by our TensorFlow optimizer, in a graph of its own."""
    K.clear_session()
    K.set_floatx(values[0].dtype.name)
    optimizer = getattr(keras_optimizers, class_name)(**arguments)
    variables, feeds, loss = fed_gradients(values)
    updates = optimizer.get_updates(loss, variables)
    session, steps = K.get_session(), []
    for gradients in gradients_of_steps:
        session.run(updates, dict(zip(feeds, gradients)))
        steps.append(session.run([variables, optimizer.weights]))
    return by_array(steps)


def ulps_apart(expected, actual, initial=None):
    """The largest distance of two lists of trajectories, see above.

    NaN on both sides is no distance, on one side an infinite one.
    """
    assert len(expected) == len(actual)
    worst = 0.0
    for index, (one, other) in enumerate(zip(expected, actual)):
        assert one.dtype == other.dtype and one.shape == other.shape, index
        differ = (one != other) & ~(np.isnan(one) & np.isnan(other))
        if not differ.any():
            continue
        assert one.dtype.kind == "f", f"array {index}: integers differ"
        so_far = np.abs(one if initial is None else np.concatenate([[initial[index]], one]))
        largest = np.maximum.accumulate(so_far, axis=0)[-len(one) :]
        distance = np.abs(one.astype("float64") - other.astype("float64"))
        with np.errstate(invalid="ignore"):
            ulps = distance / np.spacing(largest).astype("float64")
        ulps[np.isnan(ulps)] = np.inf
        worst = max(worst, float(ulps[differ].max()))
    return worst


@pytest.mark.parametrize(
    "one, other, distance",
    [
        ([1.0, np.nan], [1.0, np.nan], 0.0),
        ([1.0, 2.0], [1.0, np.nan], np.inf),
        ([1.0, np.nan], [1.0, 2.0], np.inf),
        ([1.0, np.inf], [1.0, 2.0], np.inf),
        ([8.0, 1.0], [8.0, 1.0 + 2.0**-50], 0.5),
    ],
)
def test_the_distance_counts_in_the_ulp_of_the_largest_value_so_far(one, other, distance):
    assert ulps_apart([np.array(one)], [np.array(other)]) == distance


REPLAYED = sorted(
    name
    for name, case in cases.CASES.items()
    if case.problem == "fed gradients" and not case.max_norm
)


@pytest.mark.parametrize("name", REPLAYED)
def test_every_step_of_every_recorded_case_is_followed(name):
    case = cases.CASES[name]
    class_name, own, floatx = case.class_name, case.arguments, case.floatx
    values = cases.initial_values(case)
    parameters, weights = trajectory(class_name, values, cases.fed_values(case), **own)
    [recorded] = traces_of_other_processors("tf-1.10", name)  # the one of Intel
    count = len(parameters)
    if class_name == "Nadam":
        del weights[NADAM_SCHEDULE]
    # Measured. One side is a recording, the other NumPy: only another C library's `pow` could
    # change these numbers.
    if class_name == "Adadelta":
        allowed = (3, 12)
    elif "clipnorm" in own:
        allowed = (2, 4)
    elif class_name in WITH_ROOT and floatx == "float32":
        allowed = (4, 0)
    else:
        allowed = (0, 0)
    assert (
        ulps_apart(
            [recorded.arrays[f"parameter {index}"] for index in range(count)], parameters, values
        )
        <= allowed[0]
    )
    assert ulps_apart([recorded.arrays[one] for one in recorded.weights], weights) <= allowed[1]


rates = st.floats(1e-4, 1.0)
decays = st.one_of(st.just(0.0), st.floats(1e-3, 2.0))
epsilons = st.one_of(st.none(), st.floats(1e-6, 0.1))
betas = st.floats(0.01, 0.999)
HYPERPARAMETERS = {
    "SGD": {
        "lr": rates,
        "momentum": st.floats(0.0, 1.0),
        "decay": decays,
        "nesterov": st.booleans(),
    },
    "RMSprop": {"lr": rates, "rho": betas, "epsilon": epsilons, "decay": decays},
    "Adagrad": {"lr": rates, "epsilon": epsilons, "decay": decays},
    "Adadelta": {"lr": rates, "rho": betas, "epsilon": epsilons, "decay": decays},
    "Adam": {
        "lr": rates,
        "beta_1": betas,
        "beta_2": betas,
        "epsilon": epsilons,
        "decay": decays,
        "amsgrad": st.booleans(),
    },
    "Adamax": {"lr": rates, "beta_1": betas, "beta_2": betas, "epsilon": epsilons, "decay": decays},
    "Nadam": {
        "lr": rates,
        "beta_1": betas,
        "beta_2": betas,
        "epsilon": epsilons,
        "schedule_decay": st.floats(0.0, 0.5),
    },
}
bounds = st.one_of(st.just(0.0), st.floats(0.01, 5.0))
without_norm = st.one_of(st.just({}), st.fixed_dictionaries({"clipvalue": bounds}))
with_norm = st.one_of(
    st.fixed_dictionaries({"clipnorm": bounds}),
    st.fixed_dictionaries({"clipnorm": bounds, "clipvalue": bounds}),
    st.fixed_dictionaries({"global_clipnorm": bounds}),
)
any_clipping = st.one_of(without_norm, with_norm)
WIDE = st.one_of(
    st.tuples(st.just("float32"), any_clipping), st.tuples(st.just("float64"), any_clipping)
)
# The smallest float16 squares have so few bits that an ulp of them is many of their root: there
# only what is equal to the bit can be compared.
HALF = st.tuples(st.just("float16"), without_norm)


def random_values(seed, dtype, scale=1.0):
    random = np.random.RandomState(seed)
    return [np.asarray(scale * random.standard_normal(shape), dtype) for shape in cases.SHAPES]


@pytest.mark.parametrize("class_name", CLASS_NAMES)
# The fixture's fresh graph is made once a test, so every example makes its own.
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_random_hyperparameters_give_the_same_steps_in_tensorflow_and_numpy(class_name, data):
    arguments = data.draw(st.fixed_dictionaries(HYPERPARAMETERS[class_name]), "arguments")
    precisions = WIDE if class_name == "Adadelta" else st.one_of(HALF, WIDE)
    dtype, clipping = data.draw(precisions, "precision and clipping")
    scale = data.draw(st.floats(0.01, 10.0), "scale of the gradients")
    seed = data.draw(st.integers(0, 2**31), "seed")
    values = random_values(seed, dtype)
    gradients_of_steps = [random_values(seed + step, dtype, scale) for step in range(1, 7)]
    training = (class_name, values, gradients_of_steps)
    parameters, weights = trajectory(*training, **arguments, **clipping)
    expected, expected_weights = tensorflow_trajectory(*training, **arguments, **clipping)
    # About twice what thousands of examples measured: (7, 17), (10, 8), (6, 0) and (0, 0).
    if class_name == "Adadelta":
        allowed = (14, 34)
    elif "clipnorm" in clipping or "global_clipnorm" in clipping:
        allowed = (20, 16)
    elif class_name in WITH_ROOT and dtype == "float32":
        allowed = (12, 0)
    else:
        allowed = (0, 0)
    assert ulps_apart(expected, parameters, values) <= allowed[0]
    assert ulps_apart(expected_weights, weights) <= allowed[1]


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_arguments_and_defaults_are_those_of_the_tensorflow_class(class_name):
    rule = list(inspect.signature(numpy_rules.RULES[class_name]).parameters.values())[4:]
    public = inspect.signature(getattr(keras_optimizers, class_name)).parameters
    ours = {argument.name: argument.default for argument in rule}
    assert ours == {name: one.default for name, one in public.items() if name != "kwargs"}


def test_the_rules_need_no_tensorflow():
    code = (
        "import runpy, sys; runpy.run_path(sys.argv[1]); "
        "assert not {'tensorflow', 'keras_optimizers'} & set(sys.modules)"
    )
    path = os.path.abspath(numpy_rules.__file__)
    subprocess.run([sys.executable, "-c", code, path], check=True)


# Laws that hold for any correct implementation, whatever TensorFlow computes.


@pytest.mark.parametrize("class_name", CLASS_NAMES)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_step_keeps_dtypes_and_shapes_and_leaves_its_input_alone(class_name, dtype):
    values, gradients = random_values(1, dtype), random_values(2, dtype)
    copies = [value.copy() for value in values + gradients]
    optimizer = numpy_rules.NumpyOptimizer(class_name, values)
    before = [slot for slots in optimizer.slots for slot in slots]
    before_copies = [slot.copy() for slot in before]
    optimizer.step(gradients)
    for one, other in zip(values + gradients + before, copies + before_copies):
        np.testing.assert_array_equal(one, other)
    assert {value.dtype.name for value in optimizer.parameters} == {dtype}
    assert [value.shape for value in optimizer.parameters] == cases.SHAPES
    assert {slot.dtype.name for slots in optimizer.slots for slot in slots} == {dtype}
    assert any(np.any(one != other) for one, other in zip(optimizer.parameters, values))


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_zero_gradients_from_rest_move_nothing(class_name):
    values = random_values(1, "float32")
    nothing = [np.zeros_like(value) for value in values]
    parameters, _ = trajectory(class_name, values, [nothing] * 3)
    for value, steps in zip(values, parameters):
        np.testing.assert_array_equal(steps, np.stack([value] * 3))


def test_sgd_without_momentum_subtracts_the_scaled_gradient_nesterov_or_not():
    values, gradients = random_values(1, "float64"), random_values(2, "float64")
    for nesterov in (False, True):
        parameters, _ = trajectory("SGD", values, [gradients], lr=0.5, nesterov=nesterov)
        for value, gradient, steps in zip(values, gradients, parameters):
            np.testing.assert_array_equal(steps[0], value - 0.5 * gradient)


def test_decay_divides_the_rate_by_one_plus_decay_times_the_finished_steps():
    parameters, _ = trajectory("SGD", [np.zeros(1)], [[np.ones(1)]] * 3, lr=1.0, decay=0.5)
    np.testing.assert_allclose(np.diff(parameters[0][:, 0]), [-1 / 1.5, -1 / 2.0], rtol=1e-15)
    assert parameters[0][0, 0] == -1.0


def test_the_largest_second_moment_of_amsgrad_never_decreases():
    case = cases.CASES["adam_amsgrad"]
    values = cases.initial_values(case)
    _, weights = trajectory("Adam", values, cases.fed_values(case), amsgrad=True, beta_2=0.5)
    count = len(values)
    second, largest = weights[1 + count : 1 + 2 * count], weights[1 + 2 * count :]
    assert len(largest) == count
    for moment, maximum in zip(second, largest):
        assert np.all(np.diff(maximum, axis=0) >= 0)
        np.testing.assert_array_equal(maximum, np.maximum.accumulate(moment, axis=0))
        assert np.any(np.diff(moment, axis=0) < 0)  # else the law says nothing


@pytest.mark.parametrize("class_name", ["Adam", "Adamax"])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_the_first_step_has_the_size_of_the_rate_whatever_the_gradients_size(class_name, scale):
    gradient = scale * np.array([1.0, -2.0, 0.5])
    parameters, _ = trajectory(class_name, [np.zeros(3)], [[gradient]], lr=0.01, epsilon=1e-12)
    np.testing.assert_allclose(parameters[0][0], -0.01 * np.sign(gradient), rtol=1e-6)


def norm_of_all(gradients):
    return np.sqrt(sum(np.sum(np.square(gradient)) for gradient in gradients))


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**31), scale=st.floats(1e-3, 1e3), bound=st.floats(0.01, 100.0))
def test_clipping_by_global_norm_keeps_the_direction_and_bounds_the_norm(seed, scale, bound):
    gradients = random_values(seed, "float64", scale)
    clipped = numpy_rules.clip_global_norm(gradients, bound)
    length = norm_of_all(gradients)
    factor = min(1.0, bound / length)
    for gradient, result in zip(gradients, clipped):
        np.testing.assert_allclose(result, factor * gradient, rtol=1e-12)
    np.testing.assert_allclose(norm_of_all(clipped), min(length, bound), rtol=1e-12)


def test_clipping_each_norm_bounds_every_gradient_by_itself():
    large, small = np.array([30.0, 40.0]), np.array([0.3, 0.4])
    clipped = numpy_rules.clip_each_norm([large, small], 5.0)
    np.testing.assert_allclose(clipped[0], [3.0, 4.0], rtol=1e-15)
    np.testing.assert_allclose(clipped[1], small, rtol=1e-15)


def test_clipping_by_value_comes_after_clipping_by_norm():
    start, gradient = np.zeros(2), np.array([30.0, 40.0])
    clipping = {"clipnorm": 5.0, "clipvalue": 3.5}
    parameters, _ = trajectory("SGD", [start], [[gradient]], lr=1.0, **clipping)
    np.testing.assert_allclose(parameters[0][0], [-3.0, -3.5], rtol=1e-15)


def test_a_global_norm_of_zero_is_no_clipping():
    gradients = random_values(1, "float32")
    for gradient, result in zip(gradients, numpy_rules.clip_global_norm(gradients, 0)):
        np.testing.assert_array_equal(result, gradient)


WRONG = [
    (("Ftrl", [np.zeros(2)]), {}, ValueError, "Ftrl"),
    (("SGD", []), {}, ValueError, "one floating dtype"),
    (("SGD", [np.zeros(2), np.zeros(2, "float32")]), {}, ValueError, "float32.*float64"),
    (("SGD", [np.zeros(2, "int64")]), {}, ValueError, "int64"),
    (("SGD", [np.zeros(2)]), {"rho": 0.5}, TypeError, "rho"),
]


@pytest.mark.parametrize("positional, arguments, error, words", WRONG)
def test_wrong_arguments_are_refused_before_the_first_step(positional, arguments, error, words):
    with pytest.raises(error, match=words):
        numpy_rules.NumpyOptimizer(*positional, **arguments)


@pytest.mark.parametrize("gradients", [[], [np.zeros(1)], [np.zeros(2)] * 2])
def test_gradients_that_do_not_fit_are_refused_not_broadcast(gradients):
    with pytest.raises(ValueError, match="shapes"):
        numpy_rules.NumpyOptimizer("SGD", [np.zeros(2)]).step(gradients)
