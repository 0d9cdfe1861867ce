"""The training that every era does: a model, batches, optimizers. Needs NumPy alone.

Runs inside environments from Python 3.6 with TensorFlow 1.10 to Python 3.11 with Keras 3.
"""

import os
import sys

import numpy as np

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(FOLDER), "recorded"))

import cases as recorded  # noqa: E402

SAVE_AFTER, TRAIN_UNTIL = recorded.SAVE_AFTER, recorded.TRAIN_UNTIL

# name: (class, r1.10's arguments, kind of model)
CASES = {
    name: (class_name, arguments, "sequential")
    for name, (class_name, arguments) in recorded.MODELS.items()
}
CASES.update(
    {
        "sgd_momentum": ("SGD", {"lr": 0.05, "momentum": 0.9}, "sequential"),
        "sgd_nesterov": ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True}, "sequential"),
        "rmsprop": ("RMSprop", {}, "sequential"),
        "adam_decay": ("Adam", {"decay": 0.02}, "sequential"),
        "adam_clipnorm": ("Adam", {"clipnorm": 0.05}, "sequential"),
        "nadam_schedule": ("Nadam", {"schedule_decay": 0.01}, "sequential"),
        "functional_adam": ("Adam", {}, "functional"),
    }
)

KERAS_ERAS = {
    # era: (environment, ending)
    "tf-keras-1.10": ("tf110", ".h5"),
    "keras-2.2": ("keras224", ".h5"),
    "keras-2.3": ("keras231", ".h5"),
    "tf-keras-1.15-v1": ("tf115", ".h5"),
    "ours": ("tf115", ".h5"),
    "optimizer-v2-1.15": ("tf115", ".h5"),
    "optimizer-v2-2.15": ("tf215", ".h5"),
    "tf-keras-2.15": ("tf215", ".h5"),
    "keras-3": ("keras3", ".keras"),
    "keras-3-h5": ("keras3", ".h5"),
    "saver-1.10": ("tf110", ""),
    "saver-1.15-v1": ("tf115", ""),
    "saver-ours": ("tf115", ""),
    "saver-tf-train": ("tf115", ""),
    "object-1.15": ("tf115", ""),
    "object-2.15": ("tf215", ""),
}
NEW_OPTIMIZERS = ("tf-keras-2.15", "keras-3", "keras-3-h5")
TF_TRAIN_CLASSES = ("SGD", "RMSprop", "Adagrad", "Adadelta", "Adam")


def unexpressible(era, case):
    """Why an era cannot train a case; None where it can."""
    class_name, arguments, _ = CASES[case]
    if era in NEW_OPTIMIZERS and "schedule_decay" in arguments:
        return "this Nadam has no schedule_decay"
    if era == "saver-tf-train":
        if class_name not in TF_TRAIN_CLASSES:
            return "tf.train has no such optimizer"
        for argument in ("decay", "amsgrad", "clipnorm"):
            if argument in arguments:
                return "tf.train has no " + argument
    return None


def cases_of(era):
    """Names of the cases that an era can train."""
    return [case for case in sorted(CASES) if unexpressible(era, case) is None]


def batches(kind):
    """All batches: (inputs, labels), the inputs as the kind of model takes them."""
    for features, labels in recorded.batches():
        if kind == "functional":
            yield [features[:, :4], features[:, 2:]], labels
        else:
            yield features, labels


def build(keras, kind):
    """The model, of a Keras's own layers, with the same values everywhere."""
    layers = keras.layers
    if kind == "functional":
        # Two inputs, two layers of one shape, one of them held fixed.
        left, right = layers.Input((4,), name="left"), layers.Input((4,), name="right")
        fixed = layers.Dense(5, activation="tanh", name="fixed", trainable=False)
        free = layers.Dense(5, activation="tanh", name="free")
        merge = layers.concatenate if hasattr(layers, "concatenate") else layers.Concatenate()
        merged = merge([fixed(left), free(right)])
        output = layers.Dense(3, activation="softmax", name="output")(merged)
        model = keras.models.Model([left, right], output)
    else:
        model = keras.models.Sequential()
        if hasattr(keras, "__version__") and keras.__version__.startswith("3"):
            model.add(layers.Input((6,)))
            model.add(layers.Dense(8, activation="relu", name="first"))
        else:
            model.add(layers.Dense(8, activation="relu", name="first", input_shape=(6,)))
        model.add(layers.BatchNormalization(name="normalization"))
        model.add(layers.Dense(3, activation="softmax", name="last"))
    random = np.random.RandomState(3)
    for layer in model.layers:
        values = layer.get_weights()
        if values and layer.name != "normalization":
            layer.set_weights([0.5 * random.standard_normal(value.shape) for value in values])
    return model


def layer_weights(model):
    """All values of the model, layer by layer: an order that no era changes."""
    return [value for layer in model.layers for value in layer.get_weights()]


def train(model, kind, first, last):
    """Train on the batches from `first` up to `last`."""
    for step, (inputs, labels) in enumerate(batches(kind)):
        if first <= step < last:
            model.train_on_batch(inputs, labels)
