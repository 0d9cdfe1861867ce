"""tf.keras models train with ours as with TensorFlow 1.15's own old classes, bit for bit.

Upstream's side has its races removed (see `tests.training.in_order`): what is compared is what it
computes when it reads its scalars before it writes them, as it intends.
"""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import keras_optimizers
from tests.recorded.ordering import order_reads_before_writes
from tests.training import (
    CLASS_NAMES,
    K,
    configured,
    fed_gradients,
    in_order,
    same_bits,
    scalars_of,
    upstream,
)

STEPS = 5
BATCH = 6
layers, constraints, regularizers = tf.keras.layers, tf.keras.constraints, tf.keras.regularizers


def floats(random, *shape):
    return random.uniform(-1, 1, (BATCH,) + shape).astype("float32")


def dense_model():
    model = tf.keras.Sequential(
        [
            layers.Dense(5, activation="relu", input_shape=(4,)),
            layers.BatchNormalization(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    return model, lambda random: (floats(random, 4), np.eye(3)[random.randint(3, size=BATCH)])


def convolution_model():
    model = tf.keras.Sequential(
        [
            layers.Conv2D(3, 2, activation="tanh", input_shape=(5, 4, 2)),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    return model, lambda random: (floats(random, 5, 4, 2), floats(random, 2))


def recurrent_model():
    model = tf.keras.Sequential([layers.LSTM(3, input_shape=(4, 2)), layers.Dense(2)])
    return model, lambda random: (floats(random, 4, 2), floats(random, 2))


def embedding_model():
    """Thirty lookups in five rows: indices repeat; a sixth row is never looked up."""
    model = tf.keras.Sequential(
        [layers.Embedding(6, 3, input_length=5), layers.Flatten(), layers.Dense(2)]
    )
    return model, lambda random: (random.randint(5, size=(BATCH, 5)), floats(random, 2))


def shared_layer_model():
    shared = layers.Dense(3, activation="tanh")
    one, other = layers.Input((4,)), layers.Input((4,))
    joined = layers.concatenate([shared(one), shared(other)])
    model = tf.keras.Model([one, other], layers.Dense(2)(joined))
    return model, lambda random: ([floats(random, 4), floats(random, 4)], floats(random, 2))


def bounded_model():
    """Constraints that bite (the first values are up to 0.7) and both kinds of regularizers."""
    model = tf.keras.Sequential(
        [
            layers.Dense(
                5,
                activation="tanh",
                input_shape=(4,),
                kernel_constraint=constraints.MaxNorm(0.5),
                kernel_regularizer=regularizers.l2(0.01),
                bias_regularizer=regularizers.l1(0.01),
            ),
            layers.Dense(
                4,
                kernel_constraint=constraints.NonNeg(),
                kernel_regularizer=regularizers.l1_l2(0.01, 0.02),
            ),
            layers.Dense(2, kernel_constraint=constraints.UnitNorm()),
        ]
    )
    return model, lambda random: (floats(random, 4), floats(random, 2))


MODELS = {
    "dense": dense_model,
    "convolution": convolution_model,
    "recurrent": recurrent_model,
    "embedding": embedding_model,
    "shared layer": shared_layer_model,
    "bounded": bounded_model,
}


def without_rewritten_arithmetic():
    """A session in which TensorFlow multiplies in the order in which the graph says so."""
    config = tf.ConfigProto()
    options = config.graph_options.rewrite_options
    options.arithmetic_optimization = type(options).OFF
    return tf.Session(config=config)


def trained(model_name, optimizer_of, module, session_of=tf.Session):
    """Losses, parameters and optimizer weights after some steps in a graph of their own."""
    K.clear_session()
    K.set_session(session_of())
    tf.set_random_seed(3)
    model, batch = MODELS[model_name]()
    model.compile(optimizer_of(module), "mean_squared_error")
    in_order(model)
    random = np.random.RandomState(7)
    first_values = [
        random.uniform(-0.7, 0.7, variable.shape.as_list()) for variable in model.trainable_weights
    ]
    K.batch_set_value(list(zip(model.trainable_weights, first_values)))
    losses = [np.asarray(model.train_on_batch(*batch(random))) for _ in range(STEPS)]
    moved = K.batch_get_value(model.trainable_weights)
    assert all(np.any(value != first) for value, first in zip(moved, first_values))
    return losses, model.get_weights(), model.optimizer.get_weights()


def assert_same_training(model_name, optimizer_of, session_of=tf.Session):
    expected = trained(model_name, optimizer_of, upstream, session_of)
    actual = trained(model_name, optimizer_of, keras_optimizers, session_of)
    for one, other in zip(expected, actual):
        same_bits(one, other)


@pytest.mark.parametrize("model_name", list(MODELS))
@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_a_model_trains_to_the_same_bits(class_name, model_name):
    # See test_where_tensorflow_reorders_upstreams_products for the one exception.
    reordered = (class_name, model_name) == ("SGD", "dense")
    session_of = without_rewritten_arithmetic if reordered else tf.Session
    assert_same_training(model_name, lambda module: configured(class_name, module), session_of)


def test_where_tensorflow_reorders_upstreams_products_ours_multiplies_as_written():
    """BatchNormalization's gradient of gamma is a product `a * b`. TensorFlow's graph rewriter
    turns upstream's `lr * (a * b)` into `b * (a * lr)`, in SGD, where nothing else uses the
    gradient. Ours is left alone: it always has the bits that upstream's code asks for.
    """

    def optimizer_of(module):
        return module.SGD(lr=0.05, momentum=0.9)

    as_written, rewritten, *ours = [
        trained("dense", optimizer_of, module, session_of)[2]
        for module in (upstream, keras_optimizers)
        for session_of in (without_rewritten_arithmetic, tf.Session)
    ]
    for weights in ours:
        same_bits(as_written, weights)
        for one, other in zip(rewritten, weights):  # an ulp or so, here and there
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("model_name", ["dense", "embedding", "bounded"])
@pytest.mark.parametrize("class_name", ["SGD", "Adam", "Nadam"])
@pytest.mark.parametrize(
    "clipping",
    [{"clipnorm": 0.02}, {"clipvalue": 0.004}, {"clipnorm": 0.02, "clipvalue": 0.004}],
    ids=lambda clipping: "+".join(sorted(clipping)),
)
def test_a_model_trains_to_the_same_bits_with_clipped_gradients(clipping, class_name, model_name):
    assert_same_training(model_name, lambda module: configured(class_name, module, **clipping))


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_a_model_trains_to_the_same_bits_with_the_default_arguments(class_name):
    assert_same_training("shared layer", lambda module: getattr(module, class_name)())


@pytest.mark.parametrize("model_name", ["recurrent", "embedding"])
@pytest.mark.parametrize("amsgrad", [False, True])
def test_adam_trains_to_the_same_bits_with_and_without_amsgrad(amsgrad, model_name):
    assert_same_training(
        model_name, lambda module: module.Adam(lr=0.02, beta_2=0.9, amsgrad=amsgrad)
    )


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_sgd_trains_to_the_same_bits_with_and_without_momentum(momentum, nesterov):
    assert_same_training(
        "convolution", lambda module: module.SGD(lr=0.1, momentum=momentum, nesterov=nesterov)
    )


def stepped(class_name, module, use_resource=True, **more):
    """Parameters and weights after many runs of the updates of plain tf.Variables."""
    K.clear_session()
    random = np.random.RandomState(11)
    params = [
        tf.Variable(random.uniform(-1, 1, shape).astype("float32"), use_resource=use_resource)
        for shape in [(3, 4), (4,), ()]
    ]
    feeds = [tf.placeholder(tf.float32, param.shape) for param in params]
    loss = tf.add_n([tf.reduce_sum(param * feed) for param, feed in zip(params, feeds)])
    optimizer = configured(class_name, module, **more)
    # Upstream's Nadam lists a pair where others have an op; Keras makes an assignment of it.
    updates = [
        tf.assign(*update) if isinstance(update, tuple) else update
        for update in optimizer.get_updates(loss, params)
    ]
    if module is upstream:
        order_reads_before_writes(scalars_of(optimizer))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for _ in range(10 * STEPS):
            session.run(updates, {feed: random.uniform(-1, 1, feed.shape) for feed in feeds})
        return session.run(params), session.run(optimizer.weights)


@pytest.mark.parametrize("use_resource", [False, True], ids=["reference", "resource"])
@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_plain_variables_are_updated_to_the_same_bits(class_name, use_resource):
    expected = stepped(class_name, upstream, use_resource)
    actual = stepped(class_name, keras_optimizers, use_resource)
    for one, other in zip(expected, actual):
        same_bits(one, other)


def test_nadam_rounds_its_products_of_momenta_alike():
    """With a momentum near one, the products stay where their last bit shows in the update."""
    arguments = {"beta_1": 0.9999, "schedule_decay": 100.0}
    expected = stepped("Nadam", upstream, **arguments)
    actual = stepped("Nadam", keras_optimizers, **arguments)
    for one, other in zip(expected, actual):
        same_bits(one, other)


def test_the_comparison_tells_neighbouring_learning_rates_apart():
    """One unit in the last place of one hyperparameter shows in the bits."""
    rate = np.float32(0.05)
    neighbour = np.nextafter(rate, np.float32(1))
    values = []
    for lr in (rate, neighbour):
        trained_state = trained("dense", lambda module, lr=lr: module.SGD(lr=lr), keras_optimizers)
        values.append(trained_state[1])
    with pytest.raises(AssertionError, match="elements differ"):
        same_bits(*values)


def test_upstream_is_the_other_implementation():
    """Nothing of ours is under upstream's names: the two sides are two programs."""
    for class_name in CLASS_NAMES:
        ours, theirs = getattr(keras_optimizers, class_name), getattr(upstream, class_name)
        assert ours.__module__.startswith("keras_optimizers.")
        assert not theirs.__module__.startswith("keras_optimizers")
        assert not issubclass(ours, theirs)


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_gradients_far_from_one_give_the_same_bits(class_name):
    """Tiny, huge, denormal and zero gradients of both signs, through the squares and roots."""
    gradients = np.array([1e-30, 1e15, -0.0, 0.0, -1e-12, 3.0, -1e-42], "float32")
    results = []
    for module in (upstream, keras_optimizers):
        K.clear_session()
        params, feeds, loss = fed_gradients([np.linspace(-1, 1, 7).astype("float32")])
        optimizer = configured(class_name, module)
        step = K.function(feeds, [loss], updates=optimizer.get_updates(loss, params))
        if module is upstream:
            order_reads_before_writes(scalars_of(optimizer))
        for _ in range(STEPS):
            step([gradients])
        results.append(K.batch_get_value(params) + optimizer.get_weights())
    same_bits(*results)


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_large_parameters_get_the_same_bits(class_name):
    """Larger than what any kernel takes small ones for; sizes with and without a remainder."""

    def train(optimizer):
        random = np.random.RandomState(0)
        shapes = [(300, 301), (256, 257)]
        initial = [random.normal(size=shape).astype("float32") for shape in shapes]
        variables, feeds, loss = fed_gradients(initial)
        updates = optimizer.get_updates(loss, variables)
        updates = [tf.assign(*u) if isinstance(u, tuple) else u for u in updates]
        if type(optimizer).__module__ == upstream.__name__:
            order_reads_before_writes(scalars_of(optimizer))
        for _ in range(4):
            gradients = [random.normal(size=shape) for shape in shapes]
            K.get_session().run(updates, dict(zip(feeds, gradients)))
        return K.get_session().run(variables) + optimizer.get_weights()

    expected = train(configured(class_name, upstream))
    K.clear_session()
    same_bits(expected, train(configured(class_name)))


def odd_gradients(shape, step):
    """Infinities, NaN, numbers near the largest and smallest, and zeros of both signs."""
    gradient = np.asarray(np.random.RandomState(step).normal(size=shape))
    flat = gradient.reshape(-1)
    flat[0] = [np.inf, -np.inf, np.nan, 1e30, -1e-38, 1e-45][step % 6]
    flat[-1] = -0.0
    return gradient


@pytest.mark.parametrize("options", [{}, {"epsilon": 0.0}], ids=["", "epsilon 0"])
@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_odd_gradients_and_parameters_get_the_same_bits(class_name, options):
    """Shapes with and without a remainder of eight, alone and in stacks; parameters of -0.0."""
    shapes = [(), (1,), (9,), (3, 5), (3, 5), (3, 5), (16,), (16,), (16,), (), ()]
    options = {} if class_name == "SGD" else options

    def train(optimizer):
        initial = [np.full(shape, -0.0, "float32") for shape in shapes]
        variables, feeds, loss = fed_gradients(initial)
        updates = optimizer.get_updates(loss, variables)
        updates = [tf.assign(*u) if isinstance(u, tuple) else u for u in updates]
        if type(optimizer).__module__ == upstream.__name__:
            order_reads_before_writes(scalars_of(optimizer))
        values = []
        for step in range(6):
            gradients = [odd_gradients(shape, step) for shape in shapes]
            K.get_session().run(updates, dict(zip(feeds, gradients)))
            values += K.get_session().run(variables) + optimizer.get_weights()
        return values

    expected = train(configured(class_name, upstream, **options))
    K.clear_session()
    actual = train(configured(class_name, **options))
    for one, two in zip(expected, actual):  # a NaN is a NaN, whatever its sign
        np.testing.assert_array_equal(np.isnan(one), np.isnan(two))
    same_bits([np.nan_to_num(one) for one in expected], [np.nan_to_num(two) for two in actual])
