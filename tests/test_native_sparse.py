"""The native op on the rows of a lookup: the bits of TensorFlow's ops, in one pass."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import keras_optimizers
from tests.test_sparse import CASES, SHAPES, lookup_of, train_table
from tests.training import CLASS_NAMES, CONFIGURATIONS, K, configured, same_bits

# Without the op these tests would compare TensorFlow's ops with themselves.
pytestmark = pytest.mark.usefixtures("native_op", "tensorflows_own_ops")


def native_ops():
    operations = tf.get_default_graph().get_operations()
    return [op for op in operations if op.type == "KerasOptimizersStep"]


def table_of(shape, dtype="float32"):
    return np.random.RandomState(0).normal(size=shape).astype(dtype)


def compare(name, options, initial):
    cls = getattr(keras_optimizers, name)
    expected = train_table(cls(**options), initial)
    assert native_ops() == []
    K.clear_session()
    same_bits(expected, train_table(cls(native=True, **options), initial))
    (step,) = native_ops()
    assert len(step.get_attr("row_types")) == 1


# Rows that fill whole packets and rows that do not, groups of rows, tables with elements left over.
@pytest.mark.parametrize("shape", [*SHAPES, (700, 24), (3, 1000)], ids=str)
@pytest.mark.parametrize("case", CASES)
def test_the_bits_are_those_of_tensorflows_ops(case, shape):
    compare(*CASES[case], table_of(shape))


@pytest.mark.parametrize("dtype", ["float16", "float64"])
@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_in_other_dtypes_too(class_name, dtype):
    compare(class_name, CONFIGURATIONS[class_name], table_of((11, 3), dtype))


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_without_epsilon_untouched_rows_are_left_alone_where_tensorflows_ops_do_so(class_name):
    """Zero over zero would make NaN of them."""
    options = dict(CONFIGURATIONS[class_name])
    if class_name != "SGD":
        options["epsilon"] = 0.0
    compare(class_name, options, table_of((12, 6)))


@pytest.mark.parametrize("class_name,passes", [("SGD", True), ("Adagrad", False), ("Adam", True)])
def test_untouched_rows_are_passed_over_where_the_rule_leaves_them(class_name, passes):
    train_table(configured(class_name, native=True), table_of((12, 6)))
    (step,) = native_ops()
    assert bool(step.get_attr("untouched_program")) is passes


def built(indices_dtype=tf.int32, rows=5):
    table = tf.Variable(np.ones((rows, 2), "float32"), use_resource=True)
    ids = tf.placeholder(indices_dtype, [None])
    optimizer = configured("Adam", native=True)
    updates = optimizer.get_updates(lookup_of(table, ids, tf.ones([2])), [table])
    return table, ids, updates


def test_int64_rows():
    table, ids, updates = built(tf.int64)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(updates, {ids: [3, 1, 3]})
        changed = np.any(session.run(table) != 1, axis=1)
    assert changed.tolist() == [False, True, False, True, False]


def test_nothing_is_written_when_a_row_is_not_there(native_op):
    table = tf.Variable(np.ones((5, 2), "float32"), use_resource=True)
    ids = tf.placeholder(tf.int32, [None])
    optimizer = configured("Adam", native=True)
    gradient = tf.IndexedSlices(tf.ones([2, 2]), ids, tf.constant([5, 2]))
    optimizer.get_gradients = lambda loss, params: [gradient]
    updates = optimizer.get_updates(tf.constant(0.0), [table])
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for wrong in (5, -1):
            with pytest.raises(tf.errors.InvalidArgumentError, match=r"is not in \[0, 5\)"):
                session.run(updates, {ids: [1, wrong]})
        assert np.all(session.run(table) == 1)


def test_a_value_that_was_read_before_stays_as_it_was():
    table = tf.Variable(np.ones((5, 2), "float32"), use_resource=True)
    ids = tf.placeholder(tf.int32, [None])
    gradient = tf.IndexedSlices(tf.ones([2, 2]), ids, tf.constant([5, 2]))
    before = table.read_value()  # no lookup: the variable has not been told to copy for readers
    with tf.control_dependencies([before]):
        optimizer = configured("Adam", native=True)
        optimizer.get_gradients = lambda loss, params: [gradient]
        updates = optimizer.get_updates(tf.constant(0.0), [table])
    with tf.control_dependencies(updates):
        after = table.read_value()
    with tf.control_dependencies([after]):
        still = tf.identity(before)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        still, after = session.run([still, after], {ids: [0, 2]})
    assert np.all(still == 1)
    assert np.any(after != 1, axis=1).tolist() == [True, False, True, False, False]


def test_dense_and_looked_up_parameters_in_one_model():
    def trained(**more):
        table = tf.Variable(table_of((50, 8)), use_resource=True)
        kernel = tf.Variable(table_of((8, 3)), use_resource=True)
        ids = tf.placeholder(tf.int32, [None])
        loss = tf.reduce_sum(tf.square(tf.matmul(tf.gather(table, ids), kernel)))
        optimizer = configured("Nadam", **more)
        updates = optimizer.get_updates(loss, [table, kernel])
        session = K.get_session()
        session.run(tf.global_variables_initializer())
        for batch in ([1, 2, 2], [49], [3, 1, 0]):
            session.run(updates, {ids: batch})
        return session.run([table, kernel]) + optimizer.get_weights()

    expected = trained()
    K.clear_session()
    same_bits(expected, trained(native=True))
    assert len(native_ops()) == 2
