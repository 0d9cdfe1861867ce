"""The training that every era does: a model, batches, optimizers. Needs NumPy alone.

Runs inside environments from Python 3.6 with TensorFlow 1.4 to Python 3.11 with Keras 3.
"""

import os
import sys
from typing import NamedTuple, Tuple

import numpy as np

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(FOLDER), "recorded"))

import cases as recorded  # noqa: E402

SAVE_AFTER, TRAIN_UNTIL = recorded.SAVE_AFTER, recorded.TRAIN_UNTIL

# name: (class, r1.10's arguments, kind of model). These are recorded for the KERAS_ERAS.
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

_MOMENTUM = {"lr": 0.05, "momentum": 0.9}
_RMSPROP = {"lr": 0.005, "momentum": 0.8}
# These are recorded for the releases of RELEASE_ERAS. Beyond r1.10's arguments: `momentum` and
# `centered` of RMSprop, `weight_decay`, `use_ema`, ..., and what `optimizer` in eras.py takes out:
# `schedule` (class, arguments), `by_name` (compile("adam")), `loss_scale` (a wrapper), `untrained`
# (saved before the first step).
RELEASE_CASES = dict(
    # Others of the common cases say the same.
    {case: CASES[case] for case in CASES if case not in ("sgd_nesterov", "rmsprop", "adam_decay")},
    **{
        "sgd_clipvalue": ("SGD", dict(_MOMENTUM, clipvalue=0.02), "sequential"),
        "adam_global_clipnorm": ("Adam", {"global_clipnorm": 0.05}, "sequential"),
        "adam_by_name": ("Adam", {"by_name": True}, "sequential"),
        "adagrad_untrained": ("Adagrad", {"untrained": True}, "sequential"),
        # OptimizerV2 leaves a row's slots alone as long as no batch touches the row.
        "embedding_sgd": ("SGD", _MOMENTUM, "embedding"),
        "embedding_rmsprop": ("RMSprop", {"lr": 0.005}, "embedding"),
        "embedding_adagrad": ("Adagrad", {}, "embedding"),
        "embedding_adadelta": ("Adadelta", {}, "embedding"),
        "embedding_adam": ("Adam", {"lr": 0.005}, "embedding"),
        "embedding_adamax": ("Adamax", {"lr": 0.005}, "embedding"),
        "embedding_nadam": ("Nadam", {"lr": 0.005}, "embedding"),
        "nested_adam": ("Adam", {"lr": 0.005}, "nested"),
        "nested_frozen_adam": ("Adam", {"lr": 0.005}, "nested_frozen"),
        "nested_sequential_adam": ("Adam", {"lr": 0.005}, "nested_sequential"),
        # All kernels have one shape: only the order tells whose a slot is.
        "eleven_sgd": ("SGD", _MOMENTUM, "eleven"),
        "eleven_adam": ("Adam", {"lr": 0.005}, "eleven"),
        "eleven_rmsprop_momentum": ("RMSprop", dict(_RMSPROP, centered=True), "eleven"),
        "rmsprop_momentum": ("RMSprop", _RMSPROP, "sequential"),
        "rmsprop_centered": ("RMSprop", {"lr": 0.005, "centered": True}, "sequential"),
        "rmsprop_both": ("RMSprop", dict(_RMSPROP, centered=True), "sequential"),
        "adam_inverse_time": (
            "Adam",
            {"schedule": ("InverseTimeDecay", {"decay_steps": 5, "decay_rate": 0.5}), "lr": 0.01},
            "sequential",
        ),
        "sgd_exponential": (
            "SGD",
            {
                "schedule": ("ExponentialDecay", {"decay_steps": 4, "decay_rate": 0.8}),
                "lr": 0.1,
                "momentum": 0.5,
            },
            "sequential",
        ),
        "adam_piecewise": (
            "Adam",
            {
                "schedule": (
                    "PiecewiseConstantDecay",
                    {"boundaries": [10.0, 25.0], "values": [0.01, 0.005, 0.001]},
                )
            },
            "sequential",
        ),
        "adam_polynomial": (
            "Adam",
            {
                "schedule": ("PolynomialDecay", {"decay_steps": 40, "end_learning_rate": 0.0001}),
                "lr": 0.01,
            },
            "sequential",
        ),
        "adam_weight_decay": ("Adam", {"weight_decay": 0.05}, "sequential"),
        "adamw": ("AdamW", {"weight_decay": 0.05}, "sequential"),
        "adam_ema": ("Adam", {"use_ema": True, "ema_momentum": 0.9}, "sequential"),
        "adam_accumulation": ("Adam", {"gradient_accumulation_steps": 4}, "sequential"),
        "adam_loss_scale": ("Adam", {"loss_scale": True}, "sequential"),
        "adam_float64": ("Adam", {}, "mixed"),
    },
)
ALL_CASES = dict(CASES, **RELEASE_CASES)


class Era(NamedTuple):
    """A real package, and how it saves.

    Attributes:
        environment: a name in environments.py.
        ending: of its files' names; "" for what is not one file.
        generation: which optimizers, see GENERATIONS.
        package: "keras" or "tf.keras".
        saves: "model" (the whole of it), "saver", "object", "saved_model" or "tf.train".
        lacks: what this release cannot yet do, though others of its generation can.
        cases: names of cases.
        archived: whether the files are committed as one sources/ERA.tar.xz.
        format: what `read` calls its files; None where it does not read them.
    """

    environment: str
    ending: str
    generation: str
    package: str = "tf.keras"
    saves: str = "model"
    lacks: Tuple[str, ...] = ()
    cases: Tuple[str, ...] = tuple(CASES)
    archived: bool = False
    format: str = ""


_SCHEDULES = ("schedule",)
_RMSPROP_OPTIONS = ("momentum of RMSprop", "centered")
_NEW_OPTIONS = (
    "global_clipnorm",
    "weight_decay",
    "use_ema",
    "gradient_accumulation_steps",
    "loss_scale",
    "AdamW",
    "mixed",
)
# What the optimizers of a generation lack: arguments, classes, kinds of models.
GENERATIONS = {
    "r1.10": _SCHEDULES + _RMSPROP_OPTIONS + _NEW_OPTIONS,
    "1.15-v1": _SCHEDULES + _RMSPROP_OPTIONS + _NEW_OPTIONS,
    "ours": _SCHEDULES + _RMSPROP_OPTIONS + _NEW_OPTIONS[1:],
    "keras-2.3": _SCHEDULES + _RMSPROP_OPTIONS + _NEW_OPTIONS,
    "optimizer-v2": ("weight_decay", "use_ema", "gradient_accumulation_steps", "AdamW"),
    "tf-2.11": ("schedule_decay", "gradient_accumulation_steps"),
    "keras-3": ("schedule_decay",),
    "tf.train": _SCHEDULES
    + _RMSPROP_OPTIONS
    + _NEW_OPTIONS
    + ("Adamax", "Nadam", "decay", "amsgrad", "clipnorm", "clipvalue"),
}

KERAS_ERAS = {
    "tf-keras-1.10": Era("tf110", ".h5", "r1.10"),
    "keras-2.2": Era("keras224", ".h5", "r1.10", "keras"),
    "keras-2.3": Era("keras231", ".h5", "keras-2.3", "keras"),
    "tf-keras-1.15-v1": Era("tf115", ".h5", "1.15-v1"),
    "ours": Era("tf115", ".h5", "ours"),
    "optimizer-v2-1.15": Era("tf115", ".h5", "optimizer-v2"),
    "optimizer-v2-2.15": Era("tf215", ".h5", "optimizer-v2"),
    "tf-keras-2.15": Era("tf215", ".h5", "tf-2.11"),
    "keras-3": Era("keras3", ".keras", "keras-3", "keras"),
    "keras-3-h5": Era("keras3", ".h5", "keras-3", "keras"),
    "saver-1.10": Era("tf110", "", "r1.10", saves="saver"),
    "saver-1.15-v1": Era("tf115", "", "1.15-v1", saves="saver"),
    "saver-ours": Era("tf115", "", "ours", saves="saver"),
    "saver-tf-train": Era("tf115", "", "tf.train", saves="tf.train"),
    "object-1.15": Era("tf115", "", "optimizer-v2", saves="object"),
    "object-2.15": Era("tf215", "", "optimizer-v2", saves="object"),
}

_IN_GRAPHS = ("mixed", "global_clipnorm", "loss_scale")  # 1.14: layers do not cast
_BEFORE_2_4 = ("global_clipnorm", "loss_scale")
_RELEASE = tuple(RELEASE_CASES)
_FEW = ("adam", "sgd_momentum", "eleven_adam", "rmsprop_both", "nadam", "adagrad", "nested_adam")
_DIRECTORY = ("adam", "sgd_momentum", "rmsprop_both", "nested_adam")


def _old(environment, package, *lacks, format):
    return Era(environment, ".h5", "r1.10", package, "model", lacks, _RELEASE, True, format)


def _v2(environment, lacks=(), package="tf.keras"):
    return Era(
        environment,
        ".h5",
        "optimizer-v2",
        package,
        "model",
        tuple(lacks),
        _RELEASE,
        True,
        "optimizer-v2",
    )


def _new(environment, generation, ending, lacks=(), cases=_RELEASE):
    package = "keras" if generation == "keras-3" else "tf.keras"
    format = {"tf-2.11": "tf-keras-2.11"}.get(generation, generation)
    return Era(environment, ending, generation, package, "model", tuple(lacks), cases, True, format)


def _other(environment, generation, saves, cases):
    return Era(environment, "", generation, "tf.keras", saves, (), cases, True)


RELEASE_ERAS = {
    "keras-2.0.5": _old("tf14", "keras", "amsgrad", format="keras-2.2"),
    "keras-2.0.9": _old("tf18", "keras", "amsgrad", format="keras-2.2"),
    "keras-2.1.6": _old("tf19", "keras", format="keras-2.2"),
    "tf-1.4": _old("tf14", "tf.keras", "amsgrad", format="tf-keras-1.10"),
    "tf-1.8": _old("tf18", "tf.keras", format="tf-keras-1.10"),
    "tf-1.9": _old("tf19", "tf.keras", format="tf-keras-1.10"),
    "tf-1.12": _old("tf112", "tf.keras", format="tf-keras-1.10"),
    "tf-1.13": _old("tf113", "tf.keras", format="tf-keras-1.10"),
    "tf-1.14": _v2("tf114", _IN_GRAPHS),
    "tf-2.0": _v2("tf20", _BEFORE_2_4),
    "tf-2.4": _v2("tf24"),
    "keras-2.4.3": _v2("tf24", package="keras")._replace(cases=_FEW),
    "tf-2.8": _v2("tf28"),
    "tf-2.10": _v2("tf210"),
    "tf-2.11": _new("tf211", "tf-2.11", ".h5", ["loss_scale"]),  # `save` fails there
    "tf-2.12": _new("tf212", "tf-2.11", ".h5"),
    "tf-2.13": _new("tf213", "tf-2.11", ".h5"),
    "tf-2.14": _new("tf214", "tf-2.11", ".h5"),
    "tf-2.13-archive": _new("tf213", "tf-2.11", ".keras"),
    "tf-2.14-archive": _new("tf214", "tf-2.11", ".keras", cases=(*_FEW, "adam_by_name")),
    "tf-2.15-archive": _new("tf215", "tf-2.11", ".keras", cases=(*_FEW, "adam_by_name")),
    "tf-2.13-archive-legacy": _new("tf213", "optimizer-v2", ".keras", cases=_FEW),
    "tf-2.15-archive-legacy": _new("tf215", "optimizer-v2", ".keras", cases=_FEW),
    "keras-3.0": _new("keras30", "keras-3", ".keras", ["gradient_accumulation_steps"]),
    "keras-3.4": _new("keras34", "keras-3", ".keras"),
    "keras-3.8": _new("keras38", "keras-3", ".keras"),
    # `save` of what these lack fails there.
    "keras-3.0-h5": _new("keras30", "keras-3", ".h5", ["Adagrad", "nested"], _FEW),
    "keras-3.4-h5": _new("keras34", "keras-3", ".h5", ["Adagrad"], _FEW),
    # The environments of the eras above, for the cases that those have not.
    "tf-1.15": _v2("tf115", _IN_GRAPHS),
    "tf-2.15": _new("tf215", "tf-2.11", ".h5"),
    "keras-3.15": _new("keras3", "keras-3", ".keras"),
    "object-2.11": _other("tf211", "tf-2.11", "object", _FEW),
    "object-2.14": _other("tf214", "tf-2.11", "object", _FEW),
    "object-2.4": _other("tf24", "optimizer-v2", "object", _FEW),
    "saved-model-2.0": _other("tf20", "optimizer-v2", "saved_model", _DIRECTORY),
    "saved-model-2.4": _other("tf24", "optimizer-v2", "saved_model", _DIRECTORY),
    "saved-model-2.10": _other("tf210", "optimizer-v2", "saved_model", _DIRECTORY),
    "saved-model-2.11": _other("tf211", "tf-2.11", "saved_model", _DIRECTORY),
}
# Ours on TensorFlow 2: tests/tensorflow_2/test_saver_files.py restores them in TensorFlow 1.15.
TENSORFLOW_2_ERAS = {"saver-ours-2.15": Era("tf215", "", "ours", saves="saver", archived=True)}
ERAS = dict(KERAS_ERAS, **RELEASE_ERAS, **TENSORFLOW_2_ERAS)


def _demands(case):
    """What an era must have for a case."""
    class_name, arguments, kind = ALL_CASES[case]
    demands = [class_name, kind, *arguments]
    if class_name == "RMSprop" and "momentum" in arguments:
        demands.append("momentum of RMSprop")
    return demands


def unexpressible(era, case):
    """Why an era cannot train a case; None where it can."""
    lacking = GENERATIONS[ERAS[era].generation] + ERAS[era].lacks
    for demand in _demands(case):
        if demand in lacking:
            return "%s has no %s" % (era, demand)
    return None


def cases_of(era):
    """Names of the cases that an era can train."""
    cases = sorted(ERAS[era].cases)
    return [case for case in cases if unexpressible(era, case) is None]


_ROWS = 12  # of the embedding; the last two are in no batch


def _rows(step):
    """Rows of the embedding for a batch: five of the first ten, others in every batch."""
    random = np.random.RandomState(step)
    return ((3 * step + random.randint(0, 5, (32, 4))) % 10).astype("int32")


def batches(kind):
    """All batches: (inputs, labels), the inputs as the kind of model takes them."""
    for step, (features, labels) in enumerate(recorded.batches()):
        if kind == "functional":
            yield [features[:, :4], features[:, 2:]], labels
        elif kind == "embedding":
            yield _rows(step), labels
        else:
            yield features, labels


def build(keras, kind):
    """The model, of a Keras's own layers, with the same values everywhere."""
    model = _BUILDERS[kind](keras, keras.layers)
    random = np.random.RandomState(3)
    for layer in plain_layers(model):
        values = layer.get_weights()
        if values and layer.name != "normalization":
            # Eleven layers in a row must not make the gradient vanish.
            scale = 0.5 if kind != "eleven" else 0.6
            layer.set_weights([scale * random.standard_normal(value.shape) for value in values])
    return model


def _starts_with_input(keras):
    """Whether a Sequential model begins with an Input."""
    return hasattr(keras, "__version__") and keras.__version__.startswith("3")


def _sequence(keras, shape, layers, name=None, dtype=None):
    """A Sequential model; layers are (class, arguments)."""
    model = keras.models.Sequential(**({} if name is None else {"name": name}))
    for number, (make, positional, arguments) in enumerate(layers):
        if not number and _starts_with_input(keras):
            model.add(keras.layers.Input(shape, dtype=dtype))
        elif not number:
            arguments = dict(arguments)
            if dtype is None:
                arguments["input_shape"] = shape
            else:  # an Embedding
                arguments["input_length"] = shape[0]
        model.add(make(*positional, **arguments))
    return model


def _sequential(keras, layers):
    return _sequence(
        keras,
        (6,),
        [
            (layers.Dense, (8,), {"activation": "relu", "name": "first"}),
            (layers.BatchNormalization, (), {"name": "normalization"}),
            (layers.Dense, (3,), {"activation": "softmax", "name": "last"}),
        ],
    )


def _functional(keras, layers):
    """Two inputs, two layers of one shape, one of them held fixed."""
    left, right = layers.Input((4,), name="left"), layers.Input((4,), name="right")
    fixed = layers.Dense(5, activation="tanh", name="fixed", trainable=False)
    free = layers.Dense(5, activation="tanh", name="free")
    merge = layers.concatenate if hasattr(layers, "concatenate") else layers.Concatenate()
    merged = merge([fixed(left), free(right)])
    output = layers.Dense(3, activation="softmax", name="output")(merged)
    return keras.models.Model([left, right], output)


def _embedding(keras, layers):
    return _sequence(
        keras,
        (4,),
        [
            (layers.Embedding, (_ROWS, 4), {"name": "embedding"}),
            (layers.Flatten, (), {"name": "flatten"}),
            (layers.Dense, (3,), {"activation": "softmax", "name": "last"}),
        ],
        dtype="int32",
    )


def _nested(keras, layers, trainable=True):
    """A functional model in a functional model."""
    inside = layers.Input((6,), name="inside")
    inner = layers.Dense(8, activation="relu", name="inner_first")(inside)
    if trainable:  # a frozen BatchNormalization is a chapter of its own: it computes otherwise
        inner = layers.BatchNormalization(name="normalization")(inner)
    inner = layers.Dense(6, activation="tanh", name="inner_last")(inner)
    base = keras.models.Model(inside, inner, name="base")
    base.trainable = trainable
    outside = layers.Input((6,), name="outside")
    # Shaped as the base's last layer is.
    head = layers.Dense(8, activation="tanh", name="head")(base(outside))
    output = layers.Dense(3, activation="softmax", name="output")(head)
    return keras.models.Model(outside, output)


def _nested_frozen(keras, layers):
    return _nested(keras, layers, trainable=False)


def _nested_sequential(keras, layers):
    base = _sequence(
        keras,
        (6,),
        [
            (layers.Dense, (8,), {"activation": "relu", "name": "inner_first"}),
            (layers.Dense, (6,), {"activation": "tanh", "name": "inner_last"}),
        ],
        name="base",
    )
    model = keras.models.Sequential()
    model.add(base)
    model.add(layers.Dense(3, activation="softmax", name="last"))
    return model


def _eleven(keras, layers):
    """Eleven kernels of one shape: sorted as strings, dense_10 comes before dense_2."""
    names = ["dense_%d" % number for number in range(1, 12)]
    equal = [
        (layers.Dense, (6,), {"activation": "tanh", "use_bias": False, "name": name})
        for name in names
    ]
    last = (layers.Dense, (3,), {"activation": "softmax", "use_bias": False, "name": "last"})
    return _sequence(keras, (6,), equal + [last])


def _mixed(keras, layers):
    """A layer of doubles in a model of floats."""
    return _sequence(
        keras,
        (6,),
        [
            (layers.Dense, (8,), {"activation": "relu", "name": "first"}),
            (layers.Dense, (5,), {"activation": "tanh", "name": "double", "dtype": "float64"}),
            (layers.Dense, (3,), {"activation": "softmax", "name": "last"}),
        ],
    )


_BUILDERS = {
    "sequential": _sequential,
    "functional": _functional,
    "embedding": _embedding,
    "nested": _nested,
    "nested_frozen": _nested_frozen,
    "nested_sequential": _nested_sequential,
    "eleven": _eleven,
    "mixed": _mixed,
}


def plain_layers(model):
    """The layers, those of nested models in their places."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            for inner in plain_layers(layer):
                yield inner
        else:
            yield layer


def layer_weights(model):
    """All values of the model, layer by layer: an order that no era changes."""
    return [value for layer in plain_layers(model) for value in layer.get_weights()]


def layer_variables(model):
    """The variables of `layer_weights`."""
    return [variable for layer in plain_layers(model) for variable in layer.weights]


def train(model, kind, first, last):
    """Train on the batches from `first` up to `last`."""
    for step, (inputs, labels) in enumerate(batches(kind)):
        if first <= step < last:
            model.train_on_batch(inputs, labels)
