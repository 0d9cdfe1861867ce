"""From names and configs to optimizers, and back."""

import importlib
from typing import Any, Dict, Optional  # noqa: F401 (type comments)

import tensorflow.compat.v1 as tf

from keras_optimizers import catalog, hosts
from keras_optimizers.base import Optimizer
from keras_optimizers.tensorflow_private import OptimizerV2, serialize_keras_object
from keras_optimizers.tf_optimizer import TFOptimizer


def _optimizers() -> Dict[str, Any]:
    classes = [
        getattr(importlib.import_module(f"keras_optimizers.{module}"), name)
        for name, module in catalog.OPTIMIZERS.items()
    ]
    return {optimizer.__name__.lower(): optimizer for optimizer in [*classes, TFOptimizer]}


# By lower-case name, which is how configs name them in any letter case.
OPTIMIZERS = _optimizers()


def serialize(optimizer):
    # type: (Any) -> Dict[str, Any]
    """The class name and the config of an optimizer, as a dict of JSON values.

    Raises:
        NotImplementedError: For a `TFOptimizer`.
        ValueError: If `optimizer` is no optimizer.

    Examples:
        >>> from keras_optimizers import SGD, serialize
        >>> config = serialize(SGD(lr=0.5, momentum=0.25))
        >>> config["class_name"], config["config"]["momentum"]
        ('SGD', 0.25)
    """
    return serialize_keras_object(optimizer)


def deserialize(config, custom_objects=None):
    # type: (Dict[str, Any], Optional[Dict[str, Any]]) -> Any
    """The optimizer that a dict made by `serialize` describes.

    Names of the built-in optimizers count in any letter case. A custom object of exactly that
    name comes first, then one of its lower-case form, then the built-in.

    Arguments:
        config: dict with `class_name` and `config`. The name of a built-in optimizer is put into
            lower case in it, as upstream does; callers rely on that.
        custom_objects: optional dict from class names to classes or functions.

    Raises:
        ValueError: If the class is unknown or the dict incomplete.
        AttributeError, KeyError, TypeError: If `config` is not such a dict at all, or its
            arguments do not fit the class.

    Examples:
        >>> from keras_optimizers import deserialize
        >>> optimizer = deserialize({"class_name": "RMSprop", "config": {"lr": 0.5, "rho": 0.75}})
        >>> optimizer.get_config()["rho"]
        0.75
    """
    try:
        class_name = config["class_name"]
        lower_name = class_name.lower()
    except (AttributeError, KeyError, TypeError) as error:
        raise type(error)(
            f"{error.args[0]}: an optimizer config is a dict of `class_name` and `config`, such as "
            f"{{'class_name': 'SGD', 'config': {{'lr': 0.01}}}}; received: {config!r}"
        ) from None
    known = dict(hosts.current().custom_objects())
    known.update(custom_objects or {})
    if class_name not in known and lower_name in OPTIMIZERS:
        config["class_name"] = class_name = lower_name
    if class_name not in known and class_name not in OPTIMIZERS:
        raise ValueError(
            f"Unknown optimizer: {class_name}. Known are {', '.join(sorted(OPTIMIZERS))}, and "
            "classes given as `custom_objects`."
        )
    if class_name not in known and OPTIMIZERS[class_name] is TFOptimizer:
        raise TypeError(
            "from_config() missing 1 required positional argument: 'config': a TFOptimizer wraps "
            "a live tf.train optimizer, which no config describes. Make it anew in code."
        )
    if "config" not in config:
        raise ValueError(f"Improper config format: {config}")
    return hosts.current().deserialize_keras_object(
        config,
        module_objects=OPTIMIZERS,
        custom_objects=known,
        printable_module_name="optimizer",
    )


def get(identifier):
    # type: (Any) -> Any
    """An optimizer from whatever describes one.

    Arguments:
        identifier: a name in any letter case; a dict as of `serialize`; an optimizer of ours or of
            the host, which is returned as it is; or a `tf.train.Optimizer`, which is wrapped.

    Raises:
        ValueError: If `identifier` is none of these, or names no optimizer.

    Examples:
        >>> import keras_optimizers
        >>> optimizer = keras_optimizers.get("nadam")
        >>> type(optimizer).__name__
        'Nadam'
        >>> keras_optimizers.get(optimizer) is optimizer
        True
    """
    if isinstance(identifier, (hosts.current().optimizer_class, Optimizer, OptimizerV2)):
        return identifier
    config = {"class_name": identifier, "config": {}} if isinstance(identifier, str) else identifier
    if isinstance(config, dict):
        return deserialize(config)
    if isinstance(config, tf.train.Optimizer):
        return TFOptimizer(config)
    raise ValueError(
        f"Could not interpret optimizer identifier: {identifier!r}. Give a name such as 'sgd', a "
        "dict as of `serialize`, an optimizer, or a tf.train optimizer."
    )
