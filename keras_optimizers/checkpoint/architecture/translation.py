"""One translation of an architecture: from which dialect to which, and what was said about it.

Also what all parts of a translation need: plain values, and the form of an object in a config.
"""

import copy
from typing import Any, List, Optional

from keras_optimizers.checkpoint.architecture.layer_arguments import KERAS_3
from keras_optimizers.checkpoint.architecture.layers import MODELS, Config, dialect, layer_configs
from keras_optimizers.checkpoint.errors import CheckpointError

WRAPPERS = ("TimeDistributed", "Bidirectional")
# Where the classes of Keras itself say they are from.
_MODULES = ("keras", "tf_keras", "tensorflow.keras", "tensorflow.python.keras")


class UntranslatableModel(CheckpointError):
    """The target's Keras cannot compute what this model computes, or not for sure."""


class Translation:
    """A translation: from which dialect to which, and what there is to say about it.

    Attributes:
        own: the dialect of the config that is translated.
        to: the dialect that is written.
        notes: sentences for the user, each once.
        is_from_newest: whether tf.keras 2.11 or later, or Keras 3, wrote the config.
        is_masked: whether a layer of the model masks steps.
    """

    def __init__(self, config: Config, to: str) -> None:
        self.own, self.to = dialect(config), to
        self.notes: List[str] = []
        # tf.keras 2.11 and later, and Keras 3
        self.is_from_newest = _holds(config, "registered_name")
        self.is_masked = _holds(config, "mask_zero", True) or _holds(
            config, "class_name", "Masking"
        )

    def note(self, sentence: str) -> None:
        """Say something, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def name(self, name: str) -> str:
        """A layer's name as the target allows it."""
        if self.to != KERAS_3 or "/" not in name:
            return name
        allowed = name.replace("/", "_")
        self.note(f"The layer {name!r} is called {allowed!r}: Keras 3 allows no slash.")
        return allowed


def _holds(value: Any, key: str, sought: Any = ...) -> bool:
    """Whether there is such a key, with this value if one is given, anywhere in a config."""
    if isinstance(value, dict):
        if key in value and sought in (..., value[key]):
            return True
        return any(_holds(item, key, sought) for item in value.values())
    return isinstance(value, list) and any(_holds(item, key, sought) for item in value)


def plain_config(value: Any) -> Any:
    """A copy in which tuples are lists and arrays are numbers, however an era wrote them."""
    if isinstance(value, dict):
        if value.get("class_name") == "__tuple__":
            return [plain_config(item) for item in value["items"]]
        if value.get("class_name") == "__numpy__":
            return plain_config(value["config"]["value"])
        if set(value) == {"type", "value"}:  # an array in TensorFlow 1.10
            return plain_config(value["value"])
        return {key: plain_config(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_config(item) for item in value]
    return copy.deepcopy(value)


def written_object(class_name: str, config: Any, to: str, module: str) -> Config:
    """A layer, a model, an initializer ... as a config holds it."""
    written: Config = {"class_name": class_name, "config": config}
    if to == KERAS_3:
        written.update(module=module, registered_name=None)
    return written


def is_of_keras(layer: Config) -> bool:
    """Whether a class is Keras's own, as far as the config tells."""
    module, registered = layer.get("module"), layer.get("registered_name")
    if module is not None and not str(module).startswith(_MODULES):
        return False
    if module is not None and ".ops." in str(module):
        return False
    return registered is None or registered == layer["class_name"]


def freeze(config: Config) -> None:
    """Say of every layer in a model what the model says of itself; not all eras let it say so."""
    for layer in layer_configs(config):
        own = layer["config"]
        if layer["class_name"] in MODELS:
            freeze(layer)
        else:
            own["trainable"] = False


def dtype_of(value: Any, name: str) -> Optional[str]:
    """The dtype or the name of the policy; None for what the layers' input has."""
    if isinstance(value, dict):
        value = value["config"]["name"]
    if value is None or value in ("infer", "_infer"):
        return None
    plain = str(value)
    if plain.rstrip("0123456789") not in ("float", "bfloat", "mixed_float", "mixed_bfloat") and (
        plain not in ("bool", "string", "uint8", "int8", "uint16", "int16", "int32", "int64")
    ):
        raise UntranslatableModel(f"The layer {name!r} computes in {plain}.")
    return plain
