"""What is recorded: configurations, parameters and gradients, the same for every package.

Runs under TensorFlow 1.10 (Python 3.6) and 1.15 alike, and needs neither.
"""

import zlib

import numpy as np

STEPS = 30

# A matrix, a vector longer than any SIMD register (with a remainder), a scalar.
SHAPES = [(3, 5), (17,), ()]

# name: (class name, arguments); `floatx` and `max_norm` are the case's own.
TRAJECTORIES = {
    "sgd": ("SGD", {}),
    "sgd_lr": ("SGD", {"lr": 0.3}),
    "sgd_momentum": ("SGD", {"lr": 0.05, "momentum": 0.9}),
    "sgd_nesterov": ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    "sgd_decay": ("SGD", {"lr": 0.1, "decay": 0.1}),
    "sgd_nesterov_decay": (
        "SGD",
        {"lr": 0.05, "momentum": 0.8, "nesterov": True, "decay": 0.01},
    ),
    "sgd_clipnorm": ("SGD", {"lr": 0.1, "momentum": 0.5, "clipnorm": 1.0}),
    "sgd_clipvalue": ("SGD", {"lr": 0.1, "clipvalue": 0.25}),
    "sgd_clip_both": ("SGD", {"lr": 0.1, "clipnorm": 1.5, "clipvalue": 0.5}),
    "sgd_float16": ("SGD", {"lr": 0.05, "momentum": 0.9, "floatx": "float16"}),
    "sgd_max_norm": ("SGD", {"lr": 0.5, "momentum": 0.9, "max_norm": 1.0}),
    "rmsprop": ("RMSprop", {}),
    "rmsprop_rho_epsilon": ("RMSprop", {"lr": 0.01, "rho": 0.7, "epsilon": 1e-3}),
    "rmsprop_decay": ("RMSprop", {"lr": 0.01, "decay": 0.1}),
    "rmsprop_clipnorm": ("RMSprop", {"clipnorm": 0.5}),
    "rmsprop_float64": ("RMSprop", {"decay": 0.02, "floatx": "float64"}),
    "adagrad": ("Adagrad", {}),
    "adagrad_epsilon": ("Adagrad", {"lr": 0.1, "epsilon": 0.1}),
    "adagrad_decay": ("Adagrad", {"lr": 0.1, "decay": 0.05}),
    "adagrad_clipvalue": ("Adagrad", {"clipvalue": 0.1}),
    "adagrad_float64": ("Adagrad", {"floatx": "float64"}),
    "adadelta": ("Adadelta", {}),
    "adadelta_rho_epsilon": ("Adadelta", {"lr": 0.7, "rho": 0.9, "epsilon": 1e-4}),
    "adadelta_decay": ("Adadelta", {"decay": 0.05}),
    "adadelta_clipnorm": ("Adadelta", {"clipnorm": 1.0}),
    "adadelta_float64": ("Adadelta", {"floatx": "float64"}),
    "adam": ("Adam", {}),
    "adam_betas_epsilon": ("Adam", {"beta_1": 0.7, "beta_2": 0.95, "epsilon": 1e-2}),
    "adam_decay": ("Adam", {"lr": 0.01, "decay": 0.1}),
    "adam_amsgrad": ("Adam", {"lr": 0.01, "amsgrad": True}),
    "adam_amsgrad_decay": ("Adam", {"lr": 0.01, "amsgrad": True, "decay": 0.05}),
    "adam_clipnorm": ("Adam", {"clipnorm": 0.5}),
    "adam_clipvalue": ("Adam", {"clipvalue": 0.5, "decay": 0.01}),
    "adam_float64": ("Adam", {"decay": 0.01, "floatx": "float64"}),
    "adam_max_norm": ("Adam", {"lr": 0.2, "max_norm": 0.5}),
    "adamax": ("Adamax", {}),
    "adamax_betas_epsilon": ("Adamax", {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3}),
    "adamax_decay": ("Adamax", {"decay": 0.1}),
    "adamax_clipvalue": ("Adamax", {"clipvalue": 0.2}),
    "nadam": ("Nadam", {}),
    "nadam_betas_epsilon": ("Nadam", {"beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3}),
    "nadam_schedule": ("Nadam", {"schedule_decay": 0.1}),
    "nadam_clipnorm": ("Nadam", {"clipnorm": 1.0}),
    "nadam_float64": ("Nadam", {"floatx": "float64"}),
}

# Models saved by `model.save` after SAVE_AFTER steps and trained to TRAIN_UNTIL.
SAVE_AFTER, TRAIN_UNTIL = 20, 30
MODELS = {
    "sgd": ("SGD", {"lr": 0.05}),
    "sgd_nesterov_decay": ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True, "decay": 0.02}),
    "rmsprop_decay": ("RMSprop", {"decay": 0.05}),
    "adagrad": ("Adagrad", {}),
    "adadelta": ("Adadelta", {}),
    "adam": ("Adam", {}),
    "adam_amsgrad_decay": ("Adam", {"amsgrad": True, "decay": 0.02}),
    "adamax": ("Adamax", {}),
    "nadam": ("Nadam", {}),
}

PUBLIC_NAMES = [
    "Optimizer",
    "SGD",
    "RMSprop",
    "Adagrad",
    "Adadelta",
    "Adam",
    "Adamax",
    "Nadam",
    "TFOptimizer",
    "sgd",
    "rmsprop",
    "adagrad",
    "adadelta",
    "adam",
    "adamax",
    "nadam",
    "serialize",
    "deserialize",
    "get",
]
PUBLIC_METHODS = [
    "get_gradients",
    "get_updates",
    "get_weights",
    "set_weights",
    "get_config",
    "from_config",
]


def split(arguments):
    """The optimizer's own arguments, and the case's: (arguments, floatx, max_norm)."""
    own = dict(arguments)
    return own, own.pop("floatx", "float32"), own.pop("max_norm", None)


def initial_values(name, floatx):
    """The parameters before the first step."""
    random = np.random.RandomState(zlib.crc32(name.encode()) % 2**31)
    return [np.asarray(random.standard_normal(shape), floatx) for shape in SHAPES]


def gradients(name, floatx):
    """For every step the gradients, a list. Their size varies, so that clipping comes and goes."""
    random = np.random.RandomState(zlib.crc32(name.encode()) % 2**31 + 1)
    steps = []
    for step in range(STEPS):
        scale = 10.0 ** ((step % 7 - 4) / 2.0)
        steps.append(
            [np.asarray(scale * random.standard_normal(shape), floatx) for shape in SHAPES]
        )
    return steps


def batches():
    """Batches for MODELS: three classes of points with six features."""
    random = np.random.RandomState(7)
    centres = random.standard_normal((3, 6))
    for _ in range(TRAIN_UNTIL):
        labels = random.randint(0, 3, 32)
        features = centres[labels] + 0.5 * random.standard_normal((32, 6))
        yield features.astype("float32"), np.eye(3, dtype="float32")[labels]


def bad_inputs(optimizers, keras, tf, numpy=np):
    """Calls that fail, by name; `optimizers` is the module under test."""

    def trained(optimizer):
        variable = keras.backend.variable(numpy.ones((2, 3)), name="kernel")
        optimizer.get_updates(keras.backend.sum(variable), [variable])
        return optimizer

    def without_gradient():
        used = keras.backend.variable(1.0)
        unused = keras.backend.variable(1.0)
        optimizers.SGD().get_updates(used * 2.0, [used, unused])

    def tensor_as_parameter():
        tensor = tf.ones([2])
        optimizers.SGD().get_updates(keras.backend.sum(tensor * 2.0), [tensor])

    def variable_as_parameters():
        variable = keras.backend.variable(1.0)
        optimizers.SGD().get_updates(variable * 2.0, variable)

    return {
        "unknown keyword": lambda: optimizers.SGD(rate=1.0),
        "negative clipnorm": lambda: optimizers.SGD(clipnorm=-1.0),
        "negative clipvalue": lambda: optimizers.Adam(clipvalue=-0.5),
        "abstract get_updates": lambda: optimizers.Optimizer().get_updates(None, []),
        "no gradient": without_gradient,
        "parameter is a tensor": tensor_as_parameter,
        "parameter is an array": lambda: optimizers.SGD().get_updates(
            keras.backend.variable(1.0) * 2.0, [numpy.ones(2, "float32")]
        ),
        "parameter is None": lambda: optimizers.SGD().get_updates(
            keras.backend.variable(1.0) * 2.0, [None]
        ),
        "too few weights": lambda: trained(optimizers.SGD(momentum=0.9)).set_weights(
            [numpy.int64(1)]
        ),
        "weights before updates": lambda: optimizers.SGD().set_weights([numpy.int64(1)]),
        "wrong shape": lambda: trained(optimizers.SGD()).set_weights(
            [numpy.int64(1), numpy.ones((3, 2))]
        ),
        "unknown name": lambda: optimizers.get("nonsense"),
        "unknown class": lambda: optimizers.deserialize({"class_name": "Nonsense", "config": {}}),
        "config without a config": lambda: optimizers.deserialize({"class_name": "SGD"}),
        "config without a class": lambda: optimizers.deserialize({}),
        "config is None": lambda: optimizers.deserialize(None),
        "class name is a number": lambda: optimizers.deserialize({"class_name": 5, "config": {}}),
        "config with a wrong keyword": lambda: optimizers.deserialize(
            {"class_name": "sgd", "config": {"rate": 1.0}}
        ),
        "identifier is a number": lambda: optimizers.get(5),
        "identifier is None": lambda: optimizers.get(None),
        "learning rate is None": lambda: optimizers.Adam(lr=None),
        "learning rate is a word": lambda: optimizers.Adam(lr="fast"),
        "decay is a word": lambda: trained(optimizers.Adagrad(decay="slow")),
        "decay is None": lambda: trained(optimizers.Adagrad(decay=None)),
        "epsilon is a word": lambda: trained(optimizers.RMSprop(epsilon="small")),
        "rho is a word": lambda: trained(optimizers.Adadelta(rho="large")),
        "schedule_decay is a word": lambda: trained(optimizers.Nadam(schedule_decay="slow")),
        "config of a wrapper": lambda: optimizers.TFOptimizer(
            tf.train.GradientDescentOptimizer(0.1)
        ).get_config(),
        "weights of a wrapper": lambda: optimizers.TFOptimizer(
            tf.train.GradientDescentOptimizer(0.1)
        ).get_weights(),
        "wrapper from a config": lambda: optimizers.deserialize(
            {"class_name": "TFOptimizer", "config": {}}
        ),
        "serialize a number": lambda: optimizers.serialize(5),
        "params is None": lambda: optimizers.SGD().get_updates(keras.backend.variable(1.0), None),
        "params is a variable": variable_as_parameters,
        "weights is a number": lambda: trained(optimizers.SGD()).set_weights(5),
        "weights is None": lambda: trained(optimizers.SGD()).set_weights(None),
    }
