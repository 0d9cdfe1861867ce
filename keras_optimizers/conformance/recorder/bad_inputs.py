"""Calls that must fail, and the public names whose signatures are recorded."""

from typing import Any, Callable, Dict

import numpy as np

Calls = Dict[str, Callable[[], Any]]

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


def bad_inputs(optimizers: Any, keras: Any, tf: Any, K: Any = None) -> Calls:
    """Calls that fail, by name.

    Arguments:
        optimizers: the module under test.
        keras, tf: the host.
        K: its backend, where that is not `keras.backend`.
    """
    K = K or keras.backend

    def trained(optimizer: Any) -> Any:
        variable = K.variable(np.ones((2, 3)), name="kernel")
        optimizer.get_updates(K.sum(variable), [variable])
        return optimizer

    def without_gradient() -> None:
        used = K.variable(1.0)
        unused = K.variable(1.0)
        optimizers.SGD().get_updates(used * 2.0, [used, unused])

    def tensor_as_parameter() -> None:
        tensor = tf.ones([2])
        optimizers.SGD().get_updates(K.sum(tensor * 2.0), [tensor])

    def variable_as_parameters() -> None:
        variable = K.variable(1.0)
        optimizers.SGD().get_updates(variable * 2.0, variable)

    return {
        "unknown keyword": lambda: optimizers.SGD(rate=1.0),
        "negative clipnorm": lambda: optimizers.SGD(clipnorm=-1.0),
        "negative clipvalue": lambda: optimizers.Adam(clipvalue=-0.5),
        "abstract get_updates": lambda: optimizers.Optimizer().get_updates(None, []),
        "no gradient": without_gradient,
        "parameter is a tensor": tensor_as_parameter,
        "parameter is an array": lambda: optimizers.SGD().get_updates(
            K.variable(1.0) * 2.0, [np.ones(2, "float32")]
        ),
        "parameter is None": lambda: optimizers.SGD().get_updates(K.variable(1.0) * 2.0, [None]),
        "too few weights": lambda: trained(optimizers.SGD(momentum=0.9)).set_weights([np.int64(1)]),
        "weights before updates": lambda: optimizers.SGD().set_weights([np.int64(1)]),
        "wrong shape": lambda: trained(optimizers.SGD()).set_weights(
            [np.int64(1), np.ones((3, 2))]
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
        "params is None": lambda: optimizers.SGD().get_updates(K.variable(1.0), None),
        "params is a variable": variable_as_parameters,
        "weights is a number": lambda: trained(optimizers.SGD()).set_weights(5),
        "weights is None": lambda: trained(optimizers.SGD()).set_weights(None),
    }


def bad_inputs_of_a_class(factory: Any, tf: Any, K: Any) -> Calls:
    """Calls that fail for an optimizer of any class, by name; `factory` makes one."""

    def trained(optimizer: Any) -> Any:
        kernel = K.variable(np.ones((2, 3)), name="kernel")
        optimizer.get_updates(K.sum(kernel), [kernel])
        return optimizer

    def without_gradient() -> None:
        used, unused = K.variable(1.0), K.variable(1.0)
        factory().get_updates(used * 2.0, [used, unused])

    def tensor_as_parameter() -> None:
        tensor = tf.ones([2])
        factory().get_updates(K.sum(tensor * 2.0), [tensor])

    return {
        "unknown keyword": lambda: factory(rate=1.0),
        "negative clipnorm": lambda: factory(clipnorm=-1.0),
        "negative clipvalue": lambda: factory(clipvalue=-0.5),
        "no gradient": without_gradient,
        "parameter is a tensor": tensor_as_parameter,
        "params is None": lambda: factory().get_updates(K.variable(1.0), None),
        "weights before updates": lambda: factory().set_weights([np.int64(1)]),
        "too few weights": lambda: trained(factory()).set_weights([]),
        "wrong shape": lambda: trained(factory()).set_weights([np.ones((3, 2))] * 40),
        "weights is None": lambda: trained(factory()).set_weights(None),
    }
