"""Models of standalone Keras 2.2 and 2.3 train with ours as with that Keras's own optimizers.

Runs with the Keras that is installed: `tox -e keras225` and `tox -e keras231` bring one each.
"""

import importlib.util
import os
import sys

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import keras_optimizers
from keras_optimizers import checkpoint
from tests.training import CLASS_NAMES, CONFIGURATIONS, same_bits

# The scripts there run in environments that know no packages of ours.
sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "eras"))
from ordered import order_reads_before_writes

if not tf.__version__.startswith("1."):
    pytest.skip(
        "not on TensorFlow 2: standalone Keras 2.2 and 2.3 need TensorFlow 1.15",
        allow_module_level=True,
    )
if importlib.util.find_spec("keras") is None:
    pytest.skip(
        "standalone Keras is not installed: tox -e keras225,keras231", allow_module_level=True
    )
import keras

K = keras.backend
VERSION = tuple(int(part) for part in keras.__version__.split(".")[:2])
RATE = "learning_rate" if VERSION >= (2, 3) else "lr"

originals = {name: getattr(keras.optimizers, name) for name in [*CLASS_NAMES, "Optimizer"]}


@pytest.fixture(autouse=True)
def fresh_host():
    K.clear_session()
    K.set_floatx("float32")
    yield
    keras_optimizers.uninstall()
    K.set_floatx("float32")
    K.clear_session()


def small_model(lookups=True):
    """Two inputs, a constraint, batch normalization; the same values each time."""
    layers = keras.layers
    words, features = layers.Input((3,), dtype="int32"), layers.Input((4,))
    embedding = layers.Embedding(7, 2, trainable=lookups)
    looked_up = layers.Flatten()(embedding(words))
    hidden = layers.Dense(5, activation="relu", kernel_constraint=keras.constraints.MaxNorm(0.9))
    joined = layers.BatchNormalization()(hidden(layers.concatenate([looked_up, features])))
    model = keras.models.Model([words, features], layers.Dense(3, activation="softmax")(joined))
    random = np.random.RandomState(1)
    model.set_weights(
        [
            value if index in (3, 4, 5, 6) else random.uniform(-0.8, 0.8, value.shape)
            for index, value in enumerate(model.get_weights())
        ]
    )
    return model


def batches(count=12, seed=2):
    random = np.random.RandomState(seed)
    for _ in range(count):
        words = random.randint(6, size=(8, 3))
        yield [words, random.standard_normal((8, 4))], np.eye(3)[random.randint(3, size=8)]


def put_in_order(model):
    """Remove upstream's races: it reads what it also writes, in no order."""
    model._make_train_function()
    optimizer = model.optimizer
    variables = list(model.weights) + list(optimizer.weights) + [optimizer.iterations]
    variables += [getattr(optimizer, name) for name in ("m_schedule",) if hasattr(optimizer, name)]
    distinct = list({id(variable): variable for variable in variables}.values())
    values = K.get_session().run(distinct)
    order_reads_before_writes(distinct, model.train_function)
    # A session does not see what changes in ops that it has taken over: a new one does.
    K.get_session().close()
    K.set_session(tf.Session())
    tf.keras.backend.set_session(K.get_session())
    K.get_session().run(tf.global_variables_initializer())
    for variable in tf.global_variables():
        variable._keras_initialized = True
    for variable, value in zip(distinct, values):
        K.get_session().run(variable.initializer, {variable.initializer.inputs[1]: value})
    return model


def train(model, steps=None):
    """The trained parameters: Keras 2.2 keeps parts of its moving averages in no file."""
    for inputs, labels in steps or batches():
        model.train_on_batch(inputs, labels)
    return K.batch_get_value(model.trainable_weights)


def trained_by_its_own(class_name, arguments, lookups=True):
    """Parameters and state after training with the host's own class."""
    model = small_model(lookups)
    model.compile(originals[class_name](**arguments), "categorical_crossentropy")
    parameters = train(put_in_order(model))
    state = K.get_session().run(list(model.optimizer.weights))
    config = model.optimizer.get_config()
    K.clear_session()
    return parameters, state, config


@pytest.mark.parametrize("clipping", [{}, {"clipnorm": 0.3}, {"clipvalue": 0.02}])
@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_training_gives_the_bits_of_this_keras(class_name, clipping):
    arguments = dict(CONFIGURATIONS[class_name], **clipping)
    lookups = "clipnorm" not in clipping  # see the next test
    expected, state, config = trained_by_its_own(class_name, arguments, lookups)
    with keras_optimizers.use_host(keras):
        model = small_model(lookups)
        model.compile(
            getattr(keras_optimizers, class_name)(**arguments), "categorical_crossentropy"
        )
        same_bits(expected, train(model))
        own = model.optimizer.get_weights()
        if class_name == "Nadam" and VERSION < (2, 3):  # whose own weights lack the product
            del own[1]
        same_bits([np.asarray(value) for value in state], own)
        assert model.optimizer.get_config() == config


def test_clipping_by_the_global_norm_of_lookups_is_that_of_this_keras_within_rounding():
    # Its norm is a sum over all rows; ours is over those that were looked up.
    arguments = {"lr": 0.5, "clipnorm": 0.1}
    expected, _, _ = trained_by_its_own("SGD", arguments, lookups=True)
    with keras_optimizers.use_host(keras):
        model = small_model()
        model.compile(keras_optimizers.SGD(0.5, clipnorm=0.1), "categorical_crossentropy")
    for one, other in zip(expected, train(model)):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_install_gives_ours_and_uninstall_the_originals():
    before = {name: getattr(keras.optimizers, name) for name in dir(keras.optimizers)}
    with keras_optimizers.install(keras):
        assert keras.optimizers.Adam is keras_optimizers.Adam
        model = small_model()
        for identifier in ["adam", "Nadam", keras.optimizers.SGD(0.1)]:
            model.compile(identifier, "categorical_crossentropy")
            assert type(model.optimizer).__module__.startswith("keras_optimizers")
        model.compile(tf.train.AdamOptimizer(0.01), "categorical_crossentropy")
        assert type(model.optimizer) is keras_optimizers.TFOptimizer
        train(model)
    assert {name: getattr(keras.optimizers, name) for name in dir(keras.optimizers)} == before
    model.compile("adam", "categorical_crossentropy")
    assert type(model.optimizer) is originals["Adam"]


def test_tf_train_optimizers_count_each_step_once():
    with keras_optimizers.install(keras):
        model = small_model()
        model.compile(tf.train.MomentumOptimizer(0.05, 0.9), "categorical_crossentropy")
        train(model)
        assert K.get_value(model.optimizer.iterations) == 12


def test_the_variables_reach_a_wrapped_optimizer_by_name():
    class Descent(tf.train.GradientDescentOptimizer):
        def compute_gradients(self, loss, **options):
            return super().compute_gradients(loss, **options)

    with keras_optimizers.install(keras):
        model = small_model()
        model.compile(Descent(0.1), "categorical_crossentropy")
        train(model)
        assert K.get_value(model.optimizer.iterations) == 12


class Wrapper(keras_optimizers.SGD):
    """Holds another optimizer, as wrappers from PyPI do."""

    def __init__(self, optimizer=None, **kwargs):
        super().__init__(**kwargs)
        self.optimizer = optimizer

    @classmethod
    def from_config(cls, config):
        return cls(keras.optimizers.deserialize(config.pop("optimizer")), **config)


class Inner(keras_optimizers.Adam):
    """An optimizer that no Keras knows."""


def test_custom_objects_reach_an_optimizer_inside_another():
    described = {"class_name": "Inner", "config": {}}
    config = {"class_name": "Wrapper", "config": {"optimizer": described}}
    with keras_optimizers.install(keras):
        built = keras.optimizers.deserialize(config, {"Wrapper": Wrapper, "Inner": Inner})
    assert type(built) is Wrapper and type(built.optimizer) is Inner


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_a_saved_model_goes_on_exactly_in_ours_and_loads_into_the_original(class_name, tmp_path):
    path = str(tmp_path / "model.h5")
    steps = list(batches())
    arguments = dict(CONFIGURATIONS[class_name])
    if VERSION < (2, 3) and class_name in ("RMSprop", "Adagrad", "Adadelta"):
        del arguments["decay"]  # the layout of Keras 2.2 has no iterations for these
    with keras_optimizers.install(keras):
        model = small_model()
        model.compile(
            getattr(keras.optimizers, class_name)(**arguments), "categorical_crossentropy"
        )
        train(model, steps[:6])
        model.save(path)
        expected = train(model, steps[6:])
        K.clear_session()
        loaded = keras.models.load_model(path)
        assert type(loaded.optimizer) is getattr(keras_optimizers, class_name)
        weights = loaded.optimizer.get_weights()
        same_bits(expected, train(loaded, steps[6:]))
        state = checkpoint.read(path)
        assert state.class_name == class_name
        assert state.iterations in (6, None)
    K.clear_session()
    original = keras.models.load_model(path)
    assert type(original.optimizer) is originals[class_name]
    original._make_train_function()
    if class_name != "Nadam" or VERSION >= (2, 3):
        same_bits(weights, [np.asarray(v) for v in original.optimizer.get_weights()])


def test_files_of_the_original_load_into_ours_with_their_state(tmp_path):
    path = str(tmp_path / "model.h5")
    steps = list(batches())
    model = small_model()
    model.compile(originals["Adam"](clipnorm=0.3), "categorical_crossentropy")
    train(put_in_order(model), steps[:6])
    model.save(path)
    expected = train(model, steps[6:])
    K.clear_session()
    with keras_optimizers.install(keras):
        loaded = keras.models.load_model(path)
        assert type(loaded.optimizer) is keras_optimizers.Adam
        same_bits(expected, train(loaded, steps[6:]))


def test_callbacks_and_fit_generator_work(tmp_path):
    with keras_optimizers.install(keras):
        model = small_model()
        model.compile(keras.optimizers.SGD(0.5), "categorical_crossentropy")
        callbacks = [
            keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1)),
            keras.callbacks.ModelCheckpoint(str(tmp_path / "best.h5")),
        ]
        model.fit_generator(
            batches(12), steps_per_epoch=4, epochs=3, verbose=0, callbacks=callbacks
        )
        assert np.isclose(K.get_value(model.optimizer.lr), 0.1 / 3)
        assert K.get_value(model.optimizer.learning_rate) == K.get_value(model.optimizer.lr)
        assert K.get_value(model.optimizer.iterations) == 12
        loaded = keras.models.load_model(str(tmp_path / "best.h5"))
        assert np.isclose(loaded.optimizer.get_config()[RATE], 0.1 / 3)
        plateau = keras.callbacks.ReduceLROnPlateau("loss", 0.5, patience=1, min_delta=1e9)
        inputs, labels = next(batches())
        loaded.fit(inputs, labels, epochs=3, verbose=0, callbacks=[plateau])
        assert np.isclose(K.get_value(loaded.optimizer.lr), 0.1 / 3 / 4)


def test_names_of_variables_are_those_of_this_keras():
    names = []
    for adam in (originals["Adam"], keras_optimizers.Adam):
        K.clear_session()
        with keras_optimizers.use_host(keras):
            model = small_model()
            model.compile(adam(amsgrad=True), "categorical_crossentropy")
            model._make_train_function()
            names.append(sorted(variable.name for variable in tf.global_variables()))
    assert names[0] == names[1]


def test_learning_rate_is_the_argument_in_keras_2_3_alone():
    with keras_optimizers.use_host(keras):
        if VERSION >= (2, 3):
            optimizer = keras_optimizers.Adam(learning_rate=0.25)
            assert optimizer.get_config()["learning_rate"] == 0.25
            again = keras_optimizers.get(keras_optimizers.serialize(optimizer))
            assert K.get_value(again.lr) == 0.25
        else:
            with pytest.raises(TypeError, match="learning_rate"):
                keras_optimizers.Adam(learning_rate=0.25)


@pytest.mark.skipif(VERSION < (2, 3), reason="Keras 2.2 has the reference's positions")
@pytest.mark.parametrize(
    "make", [lambda m: m.SGD(0.1, 0.9, True), lambda m: m.Adam(0.1, 0.9, 0.99, True)]
)
def test_a_flag_in_the_place_that_keras_2_3_gives_it_is_not_taken_for_a_number(make):
    make(keras.optimizers)
    with keras_optimizers.install(keras), pytest.raises(TypeError, match="pass them by name"):
        make(keras.optimizers)


def test_an_optimizer_of_another_host_is_refused_with_the_remedy():
    K.clear_session()
    for_tf_keras = keras_optimizers.Adam()
    with keras_optimizers.use_host(keras):
        for_keras = keras_optimizers.Adam()
    model = small_model()
    model.compile(for_tf_keras, "categorical_crossentropy")  # another Keras may not even take it
    with pytest.raises(ValueError, match=r"made for tf\.keras.*use_host\(keras\)"):
        model._make_train_function()
    other = tf.keras.Sequential([tf.keras.layers.Dense(2, input_shape=(3,))])
    other.compile(for_keras, "mse")
    with pytest.raises(ValueError, match=r"made for Keras 2.*use_host\(tf\.keras\)"):
        other._make_train_function()


def test_an_optimizer_of_another_graph_than_the_session_s_is_refused_with_the_remedy():
    with keras_optimizers.use_host(keras):
        optimizer = keras_optimizers.Adam()
    refused = pytest.raises(ValueError, match=r"another graph.*[ `]keras\.backend\.set_session")
    with tf.Graph().as_default(), tf.Session().as_default(), refused:
        optimizer.get_config()
    assert optimizer.get_config()["beta_1"] == np.float32(0.9)


def test_two_installations_at_once_are_refused():
    with keras_optimizers.install(keras):
        with pytest.raises(ValueError, match=r"uninstall\(\)"):
            keras_optimizers.install(tf.keras)
        with keras_optimizers.install(keras):
            pass
        assert keras.optimizers.Adam is keras_optimizers.Adam


def test_other_versions_and_engines_are_refused_with_the_remedy(monkeypatch):
    with monkeypatch.context() as changed:
        changed.setattr(keras, "__version__", "2.1.6")
        with pytest.raises(ValueError, match=r"Keras 2\.1\.6.*keras==2\.3\.1"):
            keras_optimizers.install(keras)
    with monkeypatch.context() as changed:
        changed.setattr(K, "backend", lambda: "theano")
        with pytest.raises(ValueError, match=r"theano.*KERAS_BACKEND=tensorflow"):
            keras_optimizers.use_host(keras)


def test_state_is_captured_with_the_clipping_that_this_keras_means():
    with keras_optimizers.use_host(keras):
        model = small_model()
        model.compile(keras_optimizers.RMSprop(clipnorm=0.5), "categorical_crossentropy")
        train(model)
        state = checkpoint.capture(model.optimizer)
    assert state.hyperparameters["global_clipnorm"] == 0.5
    assert state.hyperparameters["lr"] == pytest.approx(0.001)
    assert state.iterations == 12


def test_fused_trains_alike():
    with keras_optimizers.use_host(keras):
        trained = []
        for fused in (False, True):
            model = small_model()
            model.compile(keras_optimizers.Adam(fused=fused), "categorical_crossentropy")
            trained.append(train(model))
            K.clear_session()
    for one, other in zip(*trained):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_the_learning_phase_and_a_finalized_graph_leave_weights_readable():
    with keras_optimizers.use_host(keras):
        model = small_model()
        model.compile(keras_optimizers.SGD(momentum=0.9), "categorical_crossentropy")
        train(model)
        before = model.optimizer.get_weights()
        tf.get_default_graph().finalize()
        model.optimizer.set_weights(before)
        same_bits(before, model.optimizer.get_weights())


def decaying(optimizer_class):
    """A subclass that adds weight decay, as libraries do: it replaces `K.update` for a while."""

    class Decaying(optimizer_class):
        def get_updates(self, loss, params):
            original = K.update

            def update(variable, value):
                if any(variable is parameter for parameter in params):
                    value = value - 0.01 * variable
                return original(variable, value)

            K.update = update
            try:
                return super().get_updates(loss, params)
            finally:
                K.update = original

    return Decaying


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_a_replaced_update_takes_part_in_the_step_with_the_bits_of_this_keras(class_name):
    arguments = CONFIGURATIONS[class_name]
    trained = []
    for optimizer_class in (originals[class_name], getattr(keras_optimizers, class_name)):
        with keras_optimizers.use_host(keras):
            model = small_model(lookups=True)
            model.compile(decaying(optimizer_class)(**arguments), "categorical_crossentropy")
            if optimizer_class is originals[class_name]:
                put_in_order(model)
            trained.append(train(model))
            K.clear_session()
    same_bits(*trained)
    assert not np.array_equal(trained[0][-1], trained_by_its_own(class_name, arguments)[0][-1])


def test_replaced_updates_may_return_tuples_or_nothing():
    """As keras-lookahead and keras-gradient-accumulation, which build the ops themselves."""
    with keras_optimizers.use_host(keras):
        optimizer = keras_optimizers.Adam()
        variable = K.variable([1.0, 2.0])
        loss = K.sum(K.square(variable))
        update, update_add = K.update, K.update_add
        K.update, K.update_add = lambda x, new_x: ("update", x, new_x), lambda x, increment: None
        try:
            updates = optimizer.get_updates(loss, [variable])
        finally:
            K.update, K.update_add = update, update_add
    assert updates[0] is None
    assert [one[0] for one in updates[1:]] == ["update"] * 3
    assert updates[-1][1] is variable


def test_iterations_may_be_a_tensor_where_a_library_counts_by_itself():
    with keras_optimizers.use_host(keras):
        optimizer = keras_optimizers.Adam(lr=0.5)
        variable = K.variable([1.0, 2.0])
        optimizer.iterations = K.constant(4, "int64") + 1
        update_add = K.update_add
        K.update_add = lambda x, increment: None
        try:
            updates = optimizer.get_updates(K.sum(variable), [variable])
        finally:
            K.update_add = update_add
        K.get_session().run([one for one in updates if one is not None])
        rate = 0.5 * np.sqrt(1 - 0.999**6) / (1 - 0.9**6)
        step = rate * 0.1 / np.sqrt(0.001)
        np.testing.assert_allclose(K.get_value(variable), [1 - step, 2 - step], rtol=1e-3)
