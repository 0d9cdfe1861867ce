"""Train, save, load and go on with one package's optimizer, on ours or on the host's own classes.

    python one_run.py PACKAGE keras|tf.keras ours|its-own FILE

Writes what each stage gave to FILE (pickle): a list of arrays, or the error's type and text. The
package and Keras must be on PYTHONPATH.
"""

import importlib
import os
import pickle
import sys
import tempfile
import warnings

warnings.filterwarnings("ignore")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np  # noqa: E402
import tensorflow.compat.v1 as tf  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "eras")]

from ordered import order_reads_before_writes  # noqa: E402
from packages import PACKAGES  # noqa: E402

STEPS, MORE = 30, 5


def host_with(classes, name):
    """The host, with our classes or its own."""
    host = importlib.import_module("keras") if name == "keras" else tf.keras
    if classes == "ours":
        import keras_optimizers

        keras_optimizers.install(host)
    elif name == "tf.keras":  # whose names lead to OptimizerV2
        from tensorflow.python.keras import optimizers as old

        for name in ("Optimizer", "SGD", "RMSprop", "Adagrad", "Adam", "Nadam", "get"):
            setattr(tf.keras.optimizers, name, getattr(old, name))
        known = {
            name: getattr(old, name) for name in ("SGD", "RMSprop", "Adagrad", "Adam", "Nadam")
        }
        tf.keras.optimizers.deserialize = lambda config, custom_objects=None: (
            tf.keras.utils.deserialize_keras_object(config, known, custom_objects)
        )
    return host


def model_of(keras):
    layers = keras.layers
    model = keras.models.Sequential(
        [
            layers.Dense(5, activation="tanh", input_shape=(4,), name="hidden"),
            layers.Dense(3, activation="softmax", name="answer"),
        ]
    )
    set_first_values(model)
    return model


def set_first_values(model):
    random = np.random.RandomState(1)
    model.set_weights([0.5 * random.standard_normal(v.shape) for v in model.get_weights()])


def put_in_order(keras, model, function=None):
    """Build the training function, and remove the races of all who read and write in it.

    Arguments:
        function: what takes a step, where that is not the model's own function.
    """
    K = keras.backend
    np.random.seed(0)  # Keras draws the seeds of random ops from it
    if function is None:
        model._make_train_function()
        function = model.train_function
    variables = tf.global_variables()
    session = K.get_session()
    session.run(
        [v.initializer for v in variables if not session.run(tf.is_variable_initialized(v))]
    )
    values = session.run(variables)
    order_reads_before_writes(variables, function)
    # A session does not see changes to ops that it has taken over.
    session = tf.Session()
    K.set_session(session)
    tf.keras.backend.set_session(session)
    session.run(tf.global_variables_initializer())
    for variable, value in zip(variables, values):
        variable._keras_initialized = True
        session.run(variable.initializer, {variable.initializer.inputs[1]: value})


def train(keras, model, first, last, step_of_batch=None):
    step_of_batch = step_of_batch or model.train_on_batch
    random = np.random.RandomState(2)
    for step in range(last):
        features = random.standard_normal((8, 4))
        labels = np.eye(3)[random.randint(3, size=8)]
        if step >= first:
            step_of_batch(features, labels)
    return [np.asarray(v) for v in keras.backend.batch_get_value(model.trainable_weights)]


def stages(keras, package):
    """(name, function without arguments) of what is tried, in order."""
    state = {}

    def trained():
        optimizer, state["objects"] = package.make(keras)
        state["model"] = model = model_of(keras)
        model.compile(optimizer, "categorical_crossentropy")
        function, step = package.wrap(model) if package.wrap else (None, None)
        put_in_order(keras, model, function)
        return train(keras, model, 0, STEPS, step)

    def weights_read():
        state["weights"] = state["model"].optimizer.get_weights()
        return [np.asarray(value) for value in state["weights"]]

    def weights_written():
        model, weights = state["model"], state["weights"]
        model.optimizer.set_weights([value + 1 for value in weights])
        changed = model.optimizer.get_weights()
        model.optimizer.set_weights(weights)
        return [np.asarray(value) for value in changed + model.optimizer.get_weights()]

    def saved():
        state["path"] = os.path.join(tempfile.mkdtemp(), "model.h5")
        state["model"].save(state["path"])
        return []

    def loaded():
        keras.backend.clear_session()
        state["model"] = model = keras.models.load_model(state["path"], state["objects"])
        put_in_order(keras, model)
        return [np.asarray(value) for value in model.optimizer.get_weights()]

    def went_on():
        return train(keras, state["model"], STEPS, STEPS + MORE)

    return [
        ("train", trained),
        ("get_weights", weights_read),
        ("set_weights", weights_written),
        ("save", saved),
        ("load", loaded),
        ("go on", went_on),
    ]


def main(name, host, classes, target):
    keras = host_with(classes, host)
    outcome = {}
    for stage, function in stages(keras, PACKAGES[name]):
        try:
            outcome[stage] = function()
        except Exception as error:
            first_line = (str(error).strip() or "no text").splitlines()[0]
            outcome[stage] = (type(error).__name__, first_line)
            break
    with open(target, "wb") as opened:
        pickle.dump(outcome, opened)


if __name__ == "__main__":
    main(*sys.argv[1:])
