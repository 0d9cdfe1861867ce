"""Gradients and clipping."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import keras_optimizers
from keras_optimizers.gradients import clip, dense_gradient, distinct_rows
from keras_optimizers.tensorflow_private import HOST_OPTIMIZERS as upstream
from tests.training import K, fed_gradients, same_bits

SHAPES = [(3, 5), (17,), ()]


def clipped(module, gradients, **clipping):
    """What `get_gradients` makes of `gradients`."""
    tf.keras.backend.clear_session()
    values = [np.zeros_like(gradient) for gradient in gradients]
    variables, feeds, loss = fed_gradients(values)
    found = module.SGD(**clipping).get_gradients(loss, variables)
    return K.get_session().run(found, dict(zip(feeds, gradients)))


def random_gradients(seed, scale=1.0):
    random = np.random.RandomState(seed)
    return [np.asarray(scale * random.standard_normal(shape), "float32") for shape in SHAPES]


def keras_2_clipping(gradients, bound):
    """The meaning of `clipnorm` in standalone Keras 2.x, in NumPy."""
    norm = np.sqrt(sum(np.sum(np.square(gradient, dtype="float64")) for gradient in gradients))
    return [gradient * (bound / norm) if norm >= bound else gradient for gradient in gradients]


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 1000),
    scale=st.floats(1e-3, 1e3),
    norm=st.one_of(st.none(), st.floats(0, 10)),
    value=st.one_of(st.none(), st.floats(0, 10)),
)
def test_clipping_by_norm_and_value_is_upstreams_to_the_bit(seed, scale, norm, value):
    clipping = {k: v for k, v in (("clipnorm", norm), ("clipvalue", value)) if v is not None}
    gradients = random_gradients(seed, scale)
    same_bits(
        clipped(upstream, gradients, **clipping), clipped(keras_optimizers, gradients, **clipping)
    )


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 1000), scale=st.floats(1e-3, 1e3), bound=st.floats(1e-3, 100))
def test_global_clipnorm_bounds_the_norm_of_all_gradients_together(seed, scale, bound):
    gradients = random_gradients(seed, scale)
    result = clipped(keras_optimizers, gradients, global_clipnorm=bound)
    for expected, actual in zip(keras_2_clipping(gradients, bound), result):
        np.testing.assert_allclose(actual, expected, rtol=2e-5)


def test_gradients_below_the_global_norm_keep_every_bit():
    gradients = random_gradients(1)
    same_bits(gradients, clipped(keras_optimizers, gradients, global_clipnorm=1e6))


def test_a_global_clipnorm_of_zero_is_no_clipping_as_in_keras_2():
    gradients = random_gradients(1)
    same_bits(gradients, clipped(keras_optimizers, gradients, global_clipnorm=0))


def test_lookups_have_sparse_gradients_clipped_as_in_tensorflow_115():
    def sparse(module):
        tf.keras.backend.clear_session()
        table = K.variable(np.arange(12.0).reshape(4, 3))
        loss = tf.reduce_sum(tf.gather(table, [1, 3, 1]) ** 2)
        (found,) = module.SGD(clipnorm=0.5, clipvalue=0.1).get_gradients(loss, [table])
        assert isinstance(found, tf.IndexedSlices)
        return K.get_session().run([found.values, found.indices])

    same_bits(sparse(upstream), sparse(keras_optimizers))


def test_global_clipnorm_takes_sparse_gradients_and_sums_repeated_rows_for_the_norm():
    table = K.variable(np.ones((4, 3)))
    loss = tf.reduce_sum(tf.gather(table, [1, 3, 1]))
    (found,) = keras_optimizers.SGD(global_clipnorm=1.0).get_gradients(loss, [table])
    dense = K.get_session().run(tf.convert_to_tensor(found))
    np.testing.assert_allclose(np.sqrt(np.sum(dense**2)), 1.0, rtol=1e-6)


def test_the_global_norm_of_lookups_is_taken_of_their_rows_never_of_a_dense_tensor():
    # It has no shape, as a custom gradient may have none, so TensorFlow cannot make it dense.
    gradient = tf.IndexedSlices(tf.constant([[3.0, 0.0], [0.0, 4.0]]), tf.constant([1, 3]))
    (found,) = clip([gradient], {"global_clipnorm": 1.0})
    values, rows = K.get_session().run([found.values, found.indices])
    np.testing.assert_allclose(values, [[0.6, 0.0], [0.0, 0.8]], rtol=1e-6)
    assert rows.tolist() == [1, 3]


def test_a_subclass_may_replace_get_gradients_as_horovod_does():
    class Halved(keras_optimizers.SGD):
        def get_gradients(self, loss, params):
            return [g / 2.0 for g in super(Halved, self).get_gradients(loss, params)]

    variable = K.variable([1.0])
    updates = Halved(lr=1.0).get_updates(tf.reduce_sum(variable), [variable])
    K.get_session().run(updates)
    assert K.get_value(variable)[0] == 0.5


def test_parameters_without_a_gradient_are_named():
    used, unused, forgotten = (K.variable(1.0, name=name) for name in ("used", "bias", "gamma"))
    names = ", ".join((unused.name, forgotten.name))
    with pytest.raises(ValueError, match="depend, in a differentiable way, on: %s. Leave" % names):
        keras_optimizers.SGD().get_updates(used * used, [used, unused, forgotten])


def repeated_rows():
    """Gradients of three lookups, two of them of row 3."""
    values = tf.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    return tf.IndexedSlices(values, tf.constant([0, 3, 3]), tf.constant([4, 2]))


def test_the_dense_gradient_of_lookups_has_a_row_for_each_of_the_parameter():
    dense = dense_gradient(repeated_rows(), K.variable(np.zeros((4, 2))))
    np.testing.assert_array_equal(K.get_value(dense), [[1, 2], [0, 0], [0, 0], [8, 10]])


def test_repeated_rows_are_added_up_where_the_indices_are_not_where_the_parameter_is():
    slices, variable = repeated_rows(), K.variable(np.zeros((4, 2)))
    with tf.colocate_with(variable.handle):
        rows, sums = distinct_rows(slices)
    np.testing.assert_array_equal(K.get_value(rows), [0, 3])
    np.testing.assert_array_equal(K.get_value(sums), [[1, 2], [8, 10]])
    assert rows.op.colocation_groups() == slices.indices.op.colocation_groups()


WRONG_CLIPPING = [
    ({"clipnorm": -1}, ValueError, "Expected clipnorm >= 0, received: -1"),
    ({"clipvalue": -0.5}, ValueError, "Expected clipvalue >= 0, received: -0.5"),
    ({"global_clipnorm": -2.0}, ValueError, "Expected global_clipnorm >= 0, received: -2.0"),
    ({"clipnorm": float("nan")}, ValueError, "Expected clipnorm >= 0, received: nan"),
    ({"clipnorm": "one"}, TypeError, "clipnorm.*'one'"),
    ({"clipvalue": [1.0]}, TypeError, r"clipvalue.*\[1.0\]"),
    ({"clipnorm": 1, "global_clipnorm": 1}, ValueError, "at most one of clipnorm and global"),
    ({"clip_norm": 1}, TypeError, "Unexpected keyword argument passed to optimizer: clip_norm"),
    ({"learning_rate": 1}, TypeError, "optimizer: learning_rate.*`lr`"),
    ({"name": "mine"}, TypeError, "optimizer: name.*leave `name` out"),
]


@pytest.mark.parametrize("arguments, error, words", WRONG_CLIPPING)
def test_wrong_clipping_is_refused_by_name(arguments, error, words):
    with pytest.raises(error, match=words):
        keras_optimizers.Adam(**arguments)


def test_clipping_is_an_attribute_and_in_the_config_only_when_set():
    plain = keras_optimizers.SGD(clipnorm=None)
    assert not hasattr(plain, "clipnorm") and "clipnorm" not in plain.get_config()
    assert keras_optimizers.SGD(clipnorm=None, clipvalue=0.5).clipvalue == 0.5
    for name in ("clipnorm", "clipvalue", "global_clipnorm"):
        optimizer = keras_optimizers.SGD(**{name: 0.5})
        assert getattr(optimizer, name) == 0.5 and optimizer.get_config()[name] == 0.5


def test_clipping_may_be_set_as_an_attribute_or_by_a_subclass():
    class Bounded(keras_optimizers.SGD):
        clipvalue = 0.25

    afterwards = keras_optimizers.SGD(lr=1.0)
    afterwards.clipvalue = 0.25
    for optimizer in (Bounded(lr=1.0), afterwards):
        variable = K.variable([1.0])
        updates = optimizer.get_updates(tf.reduce_sum(variable), [variable])
        K.get_session().run(updates)
        assert K.get_value(variable)[0] == 0.75
        assert optimizer.get_config()["clipvalue"] == 0.25
