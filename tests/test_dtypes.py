"""float16, float32 and float64 parameters, also mixed in one model."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from keras_optimizers.tensorflow_private import HOST_OPTIMIZERS as upstream
from tests.recorded.ordering import order_reads_before_writes
from tests.training import CLASS_NAMES, K, configured, fed_gradients, same_bits, scalars_of

SHAPES = [(3, 5), (17,), ()]
STEPS = 10


def values_of(dtype, seed=0):
    random = np.random.RandomState(seed)
    return [np.asarray(random.standard_normal(shape), dtype) for shape in SHAPES]


def trained(optimizer, values, order=False):
    """Parameters and weights after STEPS steps on fed gradients."""
    variables, feeds, loss = fed_gradients(values)
    updates = optimizer.get_updates(loss, variables)
    updates = [tf.assign(*one) if isinstance(one, tuple) else one for one in updates]
    if order:
        order_reads_before_writes(scalars_of(optimizer))
    session = K.get_session()
    for step in range(STEPS):
        gradients = [
            np.asarray(np.random.RandomState(100 + step).standard_normal(value.shape), value.dtype)
            for value in values
        ]
        session.run(updates, dict(zip(feeds, gradients)))
    return session.run(variables), [np.asarray(weight) for weight in optimizer.get_weights()]


@pytest.mark.parametrize("class_name", CLASS_NAMES)
@pytest.mark.parametrize("floatx", ["float16", "float32", "float64"])
def test_every_floatx_gives_upstreams_bits(class_name, floatx):
    K.set_floatx(floatx)
    theirs = trained(configured(class_name, upstream), values_of(floatx), order=True)
    tf.keras.backend.clear_session()
    ours = trained(configured(class_name), values_of(floatx))
    same_bits(theirs[0], ours[0])
    same_bits(theirs[1], ours[1])


@pytest.mark.parametrize("class_name", CLASS_NAMES)
@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_parameters_of_another_dtype_than_floatx_are_trained_in_their_own(class_name, dtype):
    """Upstream fails here: it multiplies tensors of different dtypes."""
    optimizer = configured(class_name)
    parameters, weights = trained(optimizer, values_of(dtype))
    assert {value.dtype for value in parameters} == {np.dtype(dtype)}
    slots = weights[len(optimizer.weight_scalars) :]
    assert slots and {slot.dtype for slot in slots} == {np.dtype(dtype)}
    tf.keras.backend.clear_session()
    reference, _ = trained(configured(class_name), values_of("float32"))
    for value, expected in zip(parameters, reference):
        assert np.all(np.isfinite(value))
        tolerance = 0.03 if dtype == "float16" else 1e-4
        np.testing.assert_allclose(value, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_dtypes_mixed_in_one_model_do_not_influence_each_other(class_name):
    mixed = [
        values_of(dtype)[index] for index, dtype in enumerate(["float64", "float32", "float16"])
    ]
    together, _ = trained(configured(class_name), mixed)
    for index, dtype in enumerate(["float64", "float32", "float16"]):
        tf.keras.backend.clear_session()
        alone, _ = trained(configured(class_name), values_of(dtype))
        same_bits([alone[index]], [together[index]])


@pytest.mark.parametrize("class_name", CLASS_NAMES)
@pytest.mark.parametrize(
    "clipping", [{"clipnorm": 0.5}, {"clipvalue": 0.1}, {"global_clipnorm": 0.5}]
)
def test_clipping_works_on_mixed_dtypes(class_name, clipping):
    mixed = [
        values_of(dtype)[index] for index, dtype in enumerate(["float64", "float32", "float16"])
    ]
    parameters, _ = trained(configured(class_name, **clipping), mixed)
    assert all(np.all(np.isfinite(value)) for value in parameters)
