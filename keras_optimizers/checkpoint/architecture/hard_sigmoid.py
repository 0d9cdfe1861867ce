"""Keras 2's hard_sigmoid, 0.2 x + 0.5 between 0 and 1, in Keras 3, which computes x / 6 + 0.5.

Keras 3 takes a model as an activation, so the function is a model of two of its own layers: no code
of the user's is needed to load it. Keras before 3.10 does not load activations that are models.
"""

from typing import Any, Optional

from keras_optimizers.checkpoint.architecture.layers import Config
from keras_optimizers.checkpoint.architecture.translation import KERAS_3, written_object

# The first release of Keras 3 that loads it.
LOADED_FROM = (3, 10)
_SLOPE, _OFFSET = 0.2, 0.5
_NAME = "hard_sigmoid_of_keras_2"


def in_keras_3(dtype: Optional[str]) -> Config:
    """The function as a layer's argument in Keras 3.

    Arguments:
        dtype: of the layer; None where it is the usual one.
    """
    own: Config = {} if dtype is None else {"dtype": dtype}
    scaled = dict(own, name="scaled", scale=_SLOPE, offset=_OFFSET)
    clipped = dict(own, name="clipped", max_value=1.0, negative_slope=0.0, threshold=0.0)
    layers = [
        written_object("Rescaling", scaled, KERAS_3, "keras.layers"),
        written_object("ReLU", clipped, KERAS_3, "keras.layers"),
    ]
    return written_object("Sequential", dict(own, name=_NAME, layers=layers), KERAS_3, "keras")


def is_it(value: Any) -> bool:
    """Whether a layer's argument is that function, as it is written here or by Keras 3 later."""
    config = value.get("config") if isinstance(value, dict) else None
    if not isinstance(config, dict) or value.get("class_name") != "Sequential":
        return False
    layers = config.get("layers")
    if not isinstance(layers, list) or not all(isinstance(one, dict) for one in layers):
        return False
    configs = [one.get("config") or {} for one in layers if one.get("class_name") != "InputLayer"]
    if len(configs) != 2:
        return False
    scaled, clipped = configs
    return (
        config.get("name") == _NAME
        and (scaled.get("scale"), scaled.get("offset")) == (_SLOPE, _OFFSET)
        and clipped.get("max_value") == 1.0
    )


def is_in(value: Any) -> bool:
    """Whether it is anywhere in a config."""
    if is_it(value):
        return True
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(is_in(one) for one in items)
