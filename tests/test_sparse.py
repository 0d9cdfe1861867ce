"""Gradients of lookups stay sparse, and the bits are those of the dense gradient."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import keras_optimizers
from keras_optimizers.expressions import maximum
from keras_optimizers.lowering import kernels, sparse
from keras_optimizers.tensorflow_private import HOST_OPTIMIZERS as upstream
from keras_optimizers.tensorflow_private import RELEASE
from tests import test_rules as rules
from tests.recorded.ordering import order_reads_before_writes
from tests.test_rules import WithRule
from tests.training import CLASS_NAMES, CONFIGURATIONS, K, configured, same_bits, scalars_of

CASES = {name: (name, options) for name, options in CONFIGURATIONS.items()}
CASES.update(
    {
        "SGD plain": ("SGD", {"lr": 0.05}),
        "SGD momentum": ("SGD", {"lr": 0.05, "momentum": 0.9, "decay": 0.01}),
        "Adam no amsgrad": ("Adam", {"lr": 0.01}),
        "RMSprop clipped": ("RMSprop", {"lr": 0.01, "clipnorm": 0.5}),
        "Adam clipped": ("Adam", {"lr": 0.01, "clipvalue": 0.3}),
    }
)
# The float32 square root of a row depends on where in the table it is: sizes of every remainder.
SHAPES = [(10, 8), (11, 3), (7, 1), (13, 5), (5, 2, 3), (6, 7), (40, 33)]
# The op that passes over a large table in place.
PASS_OVER_TABLE = (
    "ResourceSparseApplyKerasMomentum"
    if RELEASE.momentum_of_rows_is_fast
    else "ResourceApplyKerasMomentum"
)


def with_dense_gradients(cls):
    """The class, with its lookups' gradients summed into dense ones first."""

    class Dense(cls):
        def get_gradients(self, loss, params):
            found = super(Dense, self).get_gradients(loss, params)
            return [
                tf.math.unsorted_segment_sum(g.values, g.indices, p.shape.as_list()[0])
                for g, p in zip(found, params)
            ]

    return Dense


def lookup_of(table, ids, weights):
    """A loss whose gradient at the rows `ids` is `weights`."""
    looked_up = tf.gather(table, ids)
    return tf.cast(tf.reduce_sum(looked_up * weights), tf.float32)


def batches_of(shape, dtype="float32", count=12):
    """Batches with repeated rows, none, all, and some that no batch touches."""
    random = np.random.RandomState(sum(shape))
    rows = shape[0]
    for index in range(count):
        size = [3, 2 * rows, 1, 0, rows][index % 5]
        ids = random.randint(0, rows - 2 + 2 * (index % 2), size=size)
        if index % 5 == 4:
            ids = random.permutation(rows)
        yield ids.astype("int32"), random.normal(size=(size,) + shape[1:]).astype(dtype)


def train_table(optimizer, initial, use_resource=True, start=None):
    """All values after each of a dozen batches."""
    tf.set_random_seed(1)
    table = tf.Variable(initial, use_resource=use_resource, name="table")
    ids = tf.placeholder(tf.int32, [None])
    weights = tf.placeholder(table.dtype.base_dtype, [None] + list(initial.shape[1:]))
    updates = optimizer.get_updates(lookup_of(table, ids, weights), [table])
    session = K.get_session()
    session.run(tf.global_variables_initializer())
    if start is not None:
        optimizer.set_weights(start(optimizer.get_weights()))
    values = []
    for batch_ids, batch_weights in batches_of(initial.shape, initial.dtype.name):
        session.run(updates, {ids: batch_ids, weights: batch_weights})
        values += [session.run(table)] + optimizer.get_weights()
    return values


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("case", CASES)
def test_a_sparse_gradient_gives_the_bits_of_the_dense_one(case, shape):
    name, options = CASES[case]
    initial = np.random.RandomState(0).normal(size=shape).astype("float32")
    cls = getattr(keras_optimizers, name)
    expected = train_table(with_dense_gradients(cls)(**options), initial)
    K.clear_session()
    same_bits(expected, train_table(cls(**options), initial))


@pytest.mark.usefixtures("tensorflows_own_ops")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("case", ["SGD plain", "SGD momentum"])
def test_a_large_table_is_updated_in_place_to_the_same_bits(case, shape, monkeypatch):
    monkeypatch.setattr(sparse, "IN_PLACE_FROM", 0)
    monkeypatch.setattr(kernels, "_ELEMENTS_AT_ONCE", 20)
    name, options = CASES[case]
    initial = np.random.RandomState(0).normal(size=shape).astype("float32")
    cls = getattr(keras_optimizers, name)
    expected = train_table(with_dense_gradients(cls)(**options), initial)
    K.clear_session()
    same_bits(expected, train_table(cls(**options), initial))
    kinds = {op.type for op in tf.get_default_graph().get_operations()}
    assert PASS_OVER_TABLE in kinds


@pytest.mark.usefixtures("tensorflows_own_ops")
@pytest.mark.parametrize("rows, in_place", [(2**20, True), (2**20 - 1, False)])
def test_a_table_counts_as_large_from_four_million_elements(rows, in_place):
    table = tf.Variable(tf.zeros([rows, 4]), use_resource=True)
    loss = lookup_of(table, [0, 1], np.ones((1, 4), "float32"))
    keras_optimizers.SGD(momentum=0.9).get_updates(loss, [table])
    kinds = {op.type for op in tf.get_default_graph().get_operations()}
    assert (PASS_OVER_TABLE in kinds) is in_place


class ConstantPull(keras_optimizers.SGD):
    """Momentum whose gradient is not zero in the rows that no batch has touched."""

    def update_rule(self, parameter, gradient, slots, coefficients):
        return super(ConstantPull, self).update_rule(parameter, gradient + 0.5, slots, coefficients)


@pytest.mark.usefixtures("tensorflows_own_ops")
@pytest.mark.parametrize(
    "optimizer, use_resource",
    [
        (lambda: ConstantPull(momentum=0.9), True),
        (lambda: configured("Adam"), True),
        (lambda: keras_optimizers.SGD(momentum=0.9), False),
    ],
    ids=["other rows move too", "no momentum", "ref variable"],
)
def test_a_large_table_that_momentums_kernel_cannot_update_is_updated_as_a_small_one(
    optimizer, use_resource, monkeypatch
):
    initial = np.random.RandomState(0).normal(size=(7, 2)).astype("float32")
    expected = train_table(optimizer(), initial, use_resource)
    K.clear_session()
    monkeypatch.setattr(sparse, "IN_PLACE_FROM", 0)
    same_bits(expected, train_table(optimizer(), initial, use_resource))


@pytest.mark.parametrize("dtype", ["float16", "float64"])
@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_other_dtypes_give_the_bits_of_the_dense_gradient(class_name, dtype):
    initial = np.random.RandomState(0).normal(size=(11, 3)).astype(dtype)
    cls, options = getattr(keras_optimizers, class_name), CONFIGURATIONS[class_name]
    expected = train_table(with_dense_gradients(cls)(**options), initial)
    K.clear_session()
    same_bits(expected, train_table(cls(**options), initial))


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_ref_tables_give_the_bits_of_the_dense_gradient(class_name):
    initial = np.random.RandomState(0).normal(size=(11, 3)).astype("float32")
    cls, options = getattr(keras_optimizers, class_name), CONFIGURATIONS[class_name]
    expected = train_table(with_dense_gradients(cls)(**options), initial, use_resource=False)
    K.clear_session()
    same_bits(expected, train_table(cls(**options), initial, use_resource=False))


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_moments_that_fade_to_nothing_fade_alike(class_name):
    """Next to the smallest numbers a decayed negative value becomes -0.0 or 0.0."""
    initial = np.random.RandomState(0).normal(size=(11, 3)).astype("float32")
    cls, options = getattr(keras_optimizers, class_name), CONFIGURATIONS[class_name]
    sign = -1 if class_name in ("SGD", "Adam", "Adamax", "Nadam") else 1

    def tiny(weights):
        return [np.full(w.shape, sign * 2e-38, w.dtype) if w.shape else w for w in weights]

    expected = train_table(with_dense_gradients(cls)(**options), initial, start=tiny)
    K.clear_session()
    same_bits(expected, train_table(cls(**options), initial, start=tiny))


# Without those that only add to a slot: they leave an untouched row as it is, -0.0 too.
RULES = {
    "a sum": lambda p, g, s, c: (p - c.lr * g, {"a": 2.0 * s.a + 0.5 * g, "b": s.b - 0.5 * g}),
    "the gradient first": lambda p, g, s, c: (p, {"a": c.lr * g + 2.0 * s.a, "b": g - s.b}),
    "never negative": lambda p, g, s, c: (p, {"a": 0.5 * abs(s.a) + g * g, "b": s.b - abs(g)}),
    "the larger one": lambda p, g, s, c: (p, {"a": maximum(s.a, g), "b": maximum(g, 2.0 * s.b)}),
    "over the gradient": lambda p, g, s, c: (p, {"a": 2.0 / g, "b": s.b / (1.0 + g)}),
    "an op sees a slot": lambda p, g, s, c: (p - c.lr * g, {"a": tf.abs(s.a), "b": 2.0 * s.a + g}),
}


@pytest.mark.parametrize("fused", [False, True], ids=["exact", "fused"])
@pytest.mark.parametrize("start", [-0.0, -1.0])
@pytest.mark.parametrize("rule", RULES)
def test_a_rule_of_ones_own_gives_untouched_rows_the_bits_of_the_dense_gradient(rule, start, fused):
    cls = type("Mine", (WithRule,), {"update_rule": lambda self, *args: RULES[rule](*args)})
    initial = np.random.RandomState(0).normal(size=(11, 3)).astype("float32")

    def filled(weights):
        return [np.full(w.shape, start, w.dtype) if w.shape else w for w in weights]

    expected = train_table(with_dense_gradients(cls)(fused=fused), initial, start=filled)
    K.clear_session()
    values = train_table(cls(fused=fused), initial, start=filled)
    if fused:  # where zeros of either sign are allowed
        expected, values = ([value + 0.0 for value in many] for many in (expected, values))
    same_bits(expected, values)


@pytest.mark.usefixtures("tensorflows_own_ops")
@pytest.mark.parametrize(
    "class_name, dtype, pads",
    [
        ("RMSprop", "float32", True),
        ("RMSprop", "float64", False),
        ("Adamax", "float32", False),
        ("SGD", "float64", False),
    ],
)
def test_only_float32_roots_are_computed_where_they_are_in_the_table(class_name, dtype, pads):
    table = tf.Variable(np.zeros((11, 3), dtype), use_resource=True)
    before = set(tf.get_default_graph().get_operations())
    configured(class_name).get_updates(lookup_of(table, [2, 5], tf.ones([1, 3], dtype)), [table])
    kinds = {op.type for op in set(tf.get_default_graph().get_operations()) - before}
    assert (not kinds.isdisjoint(("Pad", "PadV2"))) is pads
    assert "BroadcastTo" not in kinds  # nothing is copied that has the table's shape


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_lookups_give_the_bits_of_upstream(class_name):
    """1.15's old class, which makes the gradient dense; one table shared by two lookups."""

    def train(optimizer):
        random = np.random.RandomState(3)
        table, other = (
            tf.Variable(random.normal(size=(19, 5)).astype("f"), use_resource=True)
            for _ in range(2)
        )
        ids = tf.placeholder(tf.int64, [None, 2])
        both = tf.concat(
            [
                tf.nn.embedding_lookup(table, ids[:, 0]),
                tf.nn.embedding_lookup(table, ids[:, 1]),
                tf.nn.embedding_lookup(other, ids[:, 1]),
            ],
            axis=1,
        )
        loss = tf.reduce_mean(tf.square(both - 0.5))
        updates = optimizer.get_updates(loss, [table, other])
        updates = [tf.assign(*u) if isinstance(u, tuple) else u for u in updates]
        if type(optimizer).__module__ == upstream.__name__:
            order_reads_before_writes(scalars_of(optimizer))
        session = K.get_session()
        session.run(tf.global_variables_initializer())
        for _ in range(15):
            session.run(updates, {ids: random.randint(0, 19, size=(6, 2))})
        return session.run([table, other]) + optimizer.get_weights()

    expected = train(configured(class_name, upstream))
    K.clear_session()
    same_bits(expected, train(configured(class_name)))


def tables_made_of_rows(optimizer, updates_of):
    """How many ops of a step make a whole table of nothing but rows, as a dense gradient is."""
    table = tf.Variable(np.zeros((1000, 4), "float32"), use_resource=True)
    ids = tf.placeholder(tf.int32, [None])
    before = set(tf.get_default_graph().get_operations())
    updates_of(optimizer, lookup_of(table, ids, tf.ones([1, 4])), table)
    made = set(tf.get_default_graph().get_operations()) - before
    made -= {slot.initializer.inputs[1].op for slot in optimizer.weights}
    kinds = ("UnsortedSegmentSum", "SegmentSum", "ScatterNd", "Fill", "ZerosLike", "SparseToDense")
    outputs = [op.outputs[0] for op in made if op.type in kinds]
    session = K.get_session()
    session.run(tf.global_variables_initializer())
    # At run time: the static shape of a converted gradient is unknown.
    return [value.shape[:1] for value in session.run(outputs, {ids: [2, 5, 5]})].count((1000,))


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_no_gradient_is_made_dense(class_name):
    def sparse_updates(optimizer, loss, table):
        optimizer.get_updates(loss, [table])

    def dense_updates(optimizer, loss, table):
        optimizer.get_gradients = lambda loss, params: list(
            map(tf.convert_to_tensor, tf.gradients(loss, params))
        )
        optimizer.get_updates(loss, [table])

    assert tables_made_of_rows(configured(class_name), sparse_updates) == 0
    K.clear_session()
    assert tables_made_of_rows(configured(class_name), dense_updates) > 0  # the check sees one


def writes_of(variable):
    """The types of the ops that write it, without its initializer."""
    others = ("ReadVariableOp", "VarIsInitializedOp", "ResourceGather")
    made = [op for op in variable.handle.consumers() if op is not variable.initializer]
    return [op.type for op in made if op.type not in others]


@pytest.mark.usefixtures("tensorflows_own_ops")
@pytest.mark.parametrize(
    "class_name, write",
    [("Adagrad", "ResourceScatterSub"), ("Nadam", "AssignSubVariableOp")],
    ids=["touched rows alone", "all rows"],
)
def test_a_table_is_subtracted_from_in_place(class_name, write):
    table = tf.Variable(np.zeros((100, 4), "float32"), use_resource=True)
    configured(class_name).get_updates(lookup_of(table, [2, 5], tf.ones([1, 4])), [table])
    assert writes_of(table) == [write]


@pytest.mark.usefixtures("tensorflows_own_ops")
def test_rows_of_a_value_that_is_overwritten_before_are_those_that_were_read_ahead():
    rule = rules.RULES["rows of an old value"]
    optimizer = type("Mine", (WithRule,), {"update_rule": lambda self, *args: rule(*args)})()
    table = tf.Variable(np.zeros((10, 4), "float32"), use_resource=True)
    optimizer.get_updates(lookup_of(table, [2, 5], tf.ones([1, 4])), [table])
    for slot in optimizer.weights[1:]:
        assert "ResourceGather" not in [op.type for op in slot.handle.consumers()]


def test_the_global_norm_of_repeated_rows_is_that_of_their_sums():
    def train(cls):
        table = tf.Variable(np.zeros((6, 2), "float32"), use_resource=True)
        ids = tf.constant([1, 4, 4, 4])
        loss = lookup_of(table, ids, tf.constant([[3.0, 0.0], [0.0, 4.0], [0.0, 4.0], [0.0, -4.0]]))
        updates = cls(lr=1.0, global_clipnorm=2.5).get_updates(loss, [table])
        session = K.get_session()
        session.run(tf.global_variables_initializer())
        session.run(updates)
        return session.run(table)

    np.testing.assert_allclose(train(keras_optimizers.SGD)[[1, 4]], [[-1.5, 0.0], [0.0, -2.0]])
    kinds = [op.type for op in tf.get_default_graph().get_operations()]
    assert kinds.count("Unique") == 2  # in the clipping and, of what it gives, in the update


def test_a_constraint_sees_all_rows():
    initial = np.random.RandomState(0).normal(size=(6, 3)).astype("float32")
    constraint = tf.keras.constraints.NonNeg()
    table = tf.Variable(initial, use_resource=True, constraint=constraint)
    ids = tf.placeholder(tf.int32, [None])
    updates = keras_optimizers.SGD(lr=0.0).get_updates(
        lookup_of(table, ids, tf.ones([1, 3])), [table]
    )
    session = K.get_session()
    session.run(tf.global_variables_initializer())
    session.run(updates, {ids: [2]})
    np.testing.assert_array_equal(session.run(table), np.maximum(initial, 0))


def test_a_partitioned_table_trains_like_a_whole_one():
    initial = np.random.RandomState(0).normal(size=(9, 3)).astype("float32")

    def train(partitioner):
        with tf.variable_scope("", use_resource=True):
            table = tf.get_variable(
                "table",
                shape=(9, 3),
                partitioner=partitioner,
                initializer=lambda shape, dtype=None, partition_info=None: (
                    initial[
                        slice(partition_info.var_offset[0], partition_info.var_offset[0] + shape[0])
                    ]
                    if partition_info
                    else initial
                ),
            )
        parts = list(table) if partitioner else [table]
        ids = tf.placeholder(tf.int32, [None])
        looked_up = tf.nn.embedding_lookup(table, ids, partition_strategy="div")
        loss = tf.reduce_sum(tf.square(looked_up))
        updates = configured("Adagrad").get_updates(loss, parts)
        session = K.get_session()
        session.run(tf.global_variables_initializer())
        for batch in ([0, 8, 3, 3], [1], [5, 6, 7]):
            session.run(updates, {ids: batch})
        return np.concatenate(session.run(parts))

    expected = train(None)
    K.clear_session()
    np.testing.assert_allclose(train(tf.fixed_size_partitioner(3)), expected, rtol=1e-6)
