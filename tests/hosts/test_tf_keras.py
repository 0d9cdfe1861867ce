"""tf.keras in full: kinds of models, ways of training, sharing, freezing, callbacks."""

import contextlib
import functools
import os

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import keras_optimizers
from keras_optimizers import checkpoint
from tests.hosts.installed import needs_estimators
from tests.training import CLASS_NAMES, configured, in_order, same_bits, upstream

keras, K = tf.keras, tf.keras.backend
layers = keras.layers


def data(count=24):
    random = np.random.RandomState(4)
    features = random.standard_normal((count, 4)).astype("float32")
    return features, np.eye(3, dtype="float32")[random.randint(3, size=count)]


def with_fixed_values(model):
    random = np.random.RandomState(8)
    model.set_weights([0.5 * random.standard_normal(v.shape) for v in model.get_weights()])
    return model


def sequential():
    return with_fixed_values(
        keras.Sequential(
            [
                layers.Dense(5, activation="tanh", input_shape=(4,), name="hidden"),
                layers.Dense(3, activation="softmax", name="answer"),
            ]
        )
    )


class Subclassed(keras.Model):
    """The same model, written as a class."""

    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(5, activation="tanh")
        self.answer = layers.Dense(3, activation="softmax")

    def call(self, inputs):
        return self.answer(self.hidden(inputs))


def compiled(optimizer, model=None):
    model = sequential() if model is None else model
    model.compile(optimizer, "categorical_crossentropy")
    return model


def trained_on_batches(model, count=6):
    features, labels = data()
    for start in range(0, 4 * count, 4):
        model.train_on_batch(features[start : start + 4], labels[start : start + 4])
    return model.get_weights()


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_sequential_and_subclassed_models_fit_and_datasets_give_the_same_bits(class_name):
    expected = trained_on_batches(in_order(compiled(configured(class_name, upstream))))
    same_bits(expected, trained_on_batches(compiled(configured(class_name))))

    features, labels = data()
    fitted = compiled(configured(class_name))
    fitted.fit(features, labels, batch_size=4, shuffle=False, verbose=0)
    same_bits(expected, fitted.get_weights())

    of_dataset = compiled(configured(class_name))
    dataset = tf.data.Dataset.from_tensor_slices((features, labels)).batch(4)
    of_dataset.fit(dataset, steps_per_epoch=6, verbose=0)
    same_bits(expected, of_dataset.get_weights())

    subclassed = Subclassed()
    subclassed.compile(configured(class_name), "categorical_crossentropy")
    subclassed.predict(features[:4])  # makes its variables
    with_fixed_values(subclassed)
    same_bits(expected, trained_on_batches(subclassed))


def test_one_optimizer_of_two_models_keeps_their_slots_apart():
    # As with upstream, `weights` are those of the model that was built last.
    optimizer = keras_optimizers.SGD(lr=0.1, momentum=0.9)
    one, other = compiled(optimizer), compiled(optimizer)
    alone = compiled(keras_optimizers.SGD(lr=0.1, momentum=0.9))
    features, labels = data()
    for start in range(0, 24, 4):
        one.train_on_batch(features[start : start + 4], labels[start : start + 4])
        other.train_on_batch(features[:4], labels[:4])
    same_bits(trained_on_batches(alone), one.get_weights())
    assert K.get_value(optimizer.iterations) == 12


def test_layers_frozen_between_two_compiles_stay_and_the_optimizer_goes_on():
    optimizer = keras_optimizers.Adam(lr=0.01)
    model = compiled(optimizer)
    trained_on_batches(model)
    assert len(optimizer.weights) == 1 + 3 * 4
    model.get_layer("hidden").trainable = False
    frozen = model.get_layer("hidden").get_weights()
    answer = model.get_layer("answer").get_weights()
    compiled(optimizer, model)
    trained_on_batches(model)
    same_bits(frozen, model.get_layer("hidden").get_weights())
    assert not np.array_equal(answer[0], model.get_layer("answer").get_weights()[0])
    assert len(optimizer.weights) == 1 + 3 * 2
    assert K.get_value(optimizer.iterations) == 12


def test_a_model_compiled_twice_with_new_optimizers_trains_as_upstream_s():
    weights = []
    for module in (upstream, keras_optimizers):
        model = in_order(compiled(configured("Adam", module)))
        trained_on_batches(model)
        in_order(compiled(configured("SGD", module), model))
        weights.append(trained_on_batches(model))
    same_bits(*weights)


@pytest.mark.parametrize(
    "make",
    [
        lambda: tf.train.GradientDescentOptimizer(0.1),
        lambda: tf.train.AdamOptimizer(0.01),
        lambda: tf.train.RMSPropOptimizer(0.01, momentum=0.5),
    ],
)
def test_tf_train_optimizers_in_compile_train_as_upstream_s_wrapper(make):
    weights = []
    for install in (False, True):
        with keras_optimizers.install() if install else contextlib.ExitStack():
            model = compiled(make())
        assert isinstance(model.optimizer, keras_optimizers.TFOptimizer) == install
        weights.append(trained_on_batches(model))
        assert K.get_value(model.optimizer.iterations) == 6
    same_bits(*weights)


class Rates(keras.callbacks.Callback):
    """Reads and writes the rate as many scripts do."""

    def on_batch_end(self, batch, logs=None):
        rate = K.get_value(self.model.optimizer.lr)
        K.set_value(self.model.optimizer.lr, rate / 2)


def callbacks_of(folder):
    return [
        Rates(),
        keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 3),
        keras.callbacks.ReduceLROnPlateau("loss", 0.5, patience=1, min_delta=1e9),
        keras.callbacks.ModelCheckpoint(os.path.join(folder, "whole.h5")),
        keras.callbacks.ModelCheckpoint(os.path.join(folder, "some"), save_weights_only=True),
        keras.callbacks.EarlyStopping("loss", patience=9, restore_best_weights=True),
        keras.callbacks.TensorBoard(folder, write_grads=True),
        keras.callbacks.CSVLogger(os.path.join(folder, "log.csv")),
    ]


def test_every_callback_that_touches_the_optimizer_does_what_it_does_upstream(tmp_path):
    features, labels = data()
    outcomes = []
    for module in (upstream, keras_optimizers):
        folder = str(tmp_path / module.__name__)
        os.mkdir(folder)
        model = in_order(compiled(module.SGD(lr=0.1, momentum=0.9)))
        history = model.fit(
            features,
            labels,
            batch_size=8,
            epochs=4,
            shuffle=False,
            verbose=0,
            validation_data=(features, labels),
            callbacks=callbacks_of(folder),
        )
        outcomes.append([np.asarray(history.history["lr"]), *model.get_weights()])
        assert os.path.exists(os.path.join(folder, "whole.h5"))
    same_bits(*outcomes)
    with keras_optimizers.install():
        loaded = keras.models.load_model(str(tmp_path / "keras_optimizers" / "whole.h5"))
    assert K.get_value(loaded.optimizer.iterations) == 12


@needs_estimators
def test_an_estimator_counts_iterations_as_its_global_step_and_its_hooks_see_it(tmp_path):
    with keras_optimizers.install():
        model = compiled(keras.optimizers.RMSprop(lr=0.01, decay=0.5))
        estimator = keras.estimator.model_to_estimator(model, model_dir=str(tmp_path))

    def feed():
        features, labels = data()
        return tf.data.Dataset.from_tensor_slices(({"hidden_input": features}, labels)).batch(4)

    seen = []

    class Hook(tf.train.SessionRunHook):
        def after_run(self, context, values):
            seen.append(context.session.run(tf.train.get_global_step()))

    with keras_optimizers.install():
        estimator.train(feed, hooks=[Hook()])
        estimator.train(feed, hooks=[Hook()])  # goes on from its checkpoint
        assert seen == list(range(1, 13))
        assert estimator.evaluate(feed)["global_step"] == 12
        names = estimator.get_variable_names()
    # The decay counts the global step: no second counter that a resume would lose.
    assert "global_step" in names


@needs_estimators
@pytest.mark.parametrize("class_name", ["Adam", "Nadam", "RMSprop"])
def test_an_estimator_with_object_checkpoints_goes_on_exactly(class_name, tmp_path):
    def feed(start=0, stop=24):
        features, labels = data()
        pairs = ({"hidden_input": features[start:stop]}, labels[start:stop])
        return tf.data.Dataset.from_tensor_slices(pairs).batch(4)

    def variables(folder, runs):
        with keras_optimizers.install():
            model = compiled(configured(class_name))
            estimator = keras.estimator.model_to_estimator(
                model, model_dir=str(tmp_path / folder), checkpoint_format="checkpoint"
            )
            for start, stop in runs:
                estimator.train(functools.partial(feed, start, stop))
            assert estimator.evaluate(feed)["global_step"] == 6
        reader = tf.train.load_checkpoint(str(tmp_path / folder))
        names = [n for n in sorted(reader.get_variable_to_shape_map()) if n.endswith("VALUE")]
        return names, [np.asarray(reader.get_tensor(name)) for name in names]

    names, at_once = variables("one", [(0, 24)])
    same_bits(at_once, variables("two", [(0, 12), (12, 24)])[1])
    slots = [name for name in names if "optimizer/" in name and "_moment_" in name]
    assert len(slots) == {"Adam": 12, "Nadam": 8, "RMSprop": 0}[class_name]
    state = checkpoint.read(str(tmp_path / "one" / "model.ckpt-6"))
    assert (state.class_name, state.iterations) == (class_name, 6)
    values = dict(zip(names, at_once))
    ending = "/.ATTRIBUTES/VARIABLE_VALUE"
    assert state.hyperparameters["lr"] == values["optimizer/lr" + ending]
    for role, of_parameters in state.slots.items():
        for number, parameter in enumerate(state.parameters):
            expected = values[f"optimizer/{role}_{number}{ending}"]
            np.testing.assert_array_equal(of_parameters[parameter.name].read(), expected)
            assert values[parameter.name + ending].shape == expected.shape
    assert len(state.parameters) == 4
    assert state.slots


def test_the_weights_alone_are_in_object_checkpoints_of_models(tmp_path):
    """As in the reference: loading them must not set the rate."""
    model = compiled(configured("Adam"))
    trained_on_batches(model)
    path = str(tmp_path / "weights")
    model.save_weights(path, save_format="tf")
    K.set_value(model.optimizer.lr, 0.125)
    model.load_weights(path)
    assert K.get_value(model.optimizer.lr) == 0.125
    assert not [name for name, _ in tf.train.list_variables(path) if "optimizer" in name]


def test_predicting_evaluating_and_saving_weights_need_no_training(tmp_path):
    model = compiled(keras_optimizers.Nadam())
    features, labels = data()
    model.evaluate(features, labels, verbose=0)
    model.predict(features)
    model.save_weights(str(tmp_path / "weights"))
    model.load_weights(str(tmp_path / "weights"))
    assert model.optimizer.weights == []


def test_gradients_of_a_single_variable_are_given_as_the_tensorboard_callback_asks_for_them():
    model = compiled(keras_optimizers.SGD(clipvalue=0.01))
    kernel = model.trainable_weights[0]
    found = model.optimizer.get_gradients(model.total_loss, kernel)
    assert len(found) == 1 and found[0].shape == kernel.shape
