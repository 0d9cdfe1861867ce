"""The layers in a model's config of any era: which, in which order, and what is trained."""

import copy
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

from keras_optimizers.checkpoint.architecture.layer_arguments import KERAS_2, KERAS_3

FUNCTIONAL = ("Model", "Functional")
MODELS = ("Sequential", *FUNCTIONAL)
_ALIASES = {
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "Deconvolution2D": "Conv2DTranspose",
    "LSTMV2": "LSTM",
    "UnifiedLSTM": "LSTM",
    "GRUV2": "GRU",
    "UnifiedGRU": "GRU",
    "MaxPool1D": "MaxPooling1D",
    "MaxPool2D": "MaxPooling2D",
    "AvgPool1D": "AveragePooling1D",
    "AvgPool2D": "AveragePooling2D",
}
DEEPEST = 50

Config = Dict[str, Any]
Path = Tuple[Union[str, int], ...]


class LayerInfo(NamedTuple):
    """A layer: its name, its class, and whether it (and every model around it) is trained.

    `path` leads to it in the config it was found in: keys and indices, from the root.
    """

    name: str
    class_name: str
    trainable: bool
    path: Path = ()


def dialect(config: Config) -> str:
    """KERAS_3, or KERAS_2 for everything older (tf.keras 2 differs in what it knows alone)."""
    return KERAS_3 if _is_keras_3(config, 0) else KERAS_2


def _is_keras_3(value: Any, depth: int) -> bool:
    if isinstance(value, dict):
        if "batch_input_shape" in value:
            return False
        if value.get("class_name") in ("__keras_tensor__", "DTypePolicy") or "batch_shape" in value:
            return True
    children = value.values() if isinstance(value, dict) else value
    if depth > 4 * DEEPEST or not isinstance(value, (dict, list)):
        return False
    return any(_is_keras_3(child, depth + 1) for child in children)


def layer_order(config: Config, depth: int = 0) -> List[LayerInfo]:
    """The layers in the order of `model.layers`, those of nested models after the model itself.

    What a wrapper holds counts as nested in it. The first layer of a Sequential model may be an
    InputLayer, depending on the era.

    Arguments:
        config: a parsed `model_config` of any era.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: If it is no such config.
    """
    return list(_layers(config, True, depth, ()))


def _layers(config: Config, trainable: bool, depth: int, path: Path) -> Iterator[LayerInfo]:
    if depth > DEEPEST:
        raise ValueError("The model is nested too deeply.")
    layers = layer_configs(config)
    inside: Path = ("config",) if isinstance(config["config"], list) else ("config", "layers")
    for index, (layer, name) in enumerate(zip(layers, names_of(layers))):
        yield from _with_inner(layer, name, trainable, depth, (*path, *inside, index))


def _with_inner(
    layer: Config, name: str, trainable: bool, depth: int, path: Path
) -> Iterator[LayerInfo]:
    """A layer and what is nested in it."""
    own = layer["config"]
    is_trained = trainable and is_trainable(own)
    yield LayerInfo(name, str(layer["class_name"]), is_trained, path)
    if layer["class_name"] in MODELS:
        yield from _layers(layer, is_trained, depth + 1, path)
    for key in ("layer", "backward_layer"):
        if isinstance(own, dict) and isinstance(own.get(key), dict):
            inner = own[key]
            inner_name = names_of([inner])[0]
            inner_path = (*path, "config", key)
            if depth > DEEPEST:
                raise ValueError("The model is nested too deeply.")
            yield from _with_inner(inner, inner_name, is_trained, depth + 1, inner_path)


def with_float_embeddings(config: Config) -> Config:
    """The config, with Embedding layers whose weights are of floats.

    Keras 2.0 wrote the dtype of the layer's *input* there, "int32"; later releases make the
    weights of that dtype. The config is not changed; without such a layer it is what is returned.
    """

    def change(layer: Config) -> None:
        dtype = str(layer["config"].get("dtype", ""))
        if class_of(layer) == "Embedding" and dtype.startswith(("int", "uint")):
            layer["config"]["dtype"] = "float32"

    return _with_each_layer(config, change)


def with_reset_after(config: Config) -> Config:
    """The config, with `reset_after` in every GRU.

    Keras before 2.1.3 had no such argument and meant False; TensorFlow 2 takes its absence for
    True. The config is not changed; without such a layer it is what is returned.
    """

    def change(layer: Config) -> None:
        own = layer["config"]
        if class_of(layer) in ("GRU", "GRUCell"):
            own.setdefault("reset_after", False)
            return
        for cell in [own.get("cell"), *(own.get("cells") or [])]:
            if isinstance(cell, dict):
                change(cell)

    return _with_each_layer(config, change)


def with_plain_numbers(config: Config) -> Config:
    """The config, with numbers where Keras 2.0 wrote arrays of one number (LeakyReLU's `alpha`).

    The config is not changed; without such a number it is what is returned.
    """

    def change(layer: Config) -> None:
        for name, value in layer["config"].items():
            if isinstance(value, dict) and value.get("type") == "ndarray":
                number = value.get("value")
                if isinstance(number, (int, float)):
                    layer["config"][name] = number

    return _with_each_layer(config, change)


def _with_each_layer(config: Config, change: Callable[[Config], None]) -> Config:
    """A changed copy of the config, or itself where nothing changes or it is not understood."""
    try:
        changed = copy.deepcopy(config)
        for layer in layer_order(config):
            place: Any = changed
            for step in layer.path:
                place = place[step]
            if isinstance(place["config"], dict):
                change(place)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return config
    return config if changed == config else changed


def has_embeddings(config: Optional[Config]) -> Optional[bool]:
    """Whether a layer looks up rows of its parameter; None where the model is not understood."""
    if config is None:
        return None
    try:
        return any(layer.class_name == "Embedding" for layer in layer_order(config))
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def has_frozen_normalization(config: Optional[Config]) -> Optional[bool]:
    """Whether a BatchNormalization is held fixed; None where the model is not understood."""
    if config is None:
        return None
    try:
        return any(
            layer.class_name.startswith("BatchNormalization") and not layer.trainable
            for layer in layer_order(config)
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def is_trainable(own: Any) -> bool:
    """Whether a layer's own config leaves it trainable, as it does if it says nothing."""
    return not isinstance(own, dict) or own.get("trainable", True) is not False


def layer_configs(config: Config) -> List[Config]:
    """The layers of a model's config: TensorFlow 1.10 lists those of a Sequential bare."""
    own = config["config"]
    return list(own) if isinstance(own, list) else list(own["layers"])


def names_of(layers: Sequence[Config]) -> List[str]:
    """The layers' names; some that TensorFlow 1.10 nests have none, and get one here."""
    names = [own_name(layer) for layer in layers]
    taken = {name for name in names if name is not None}
    for index, layer in enumerate(layers):
        if names[index] is None:
            base, number = snake_case(str(layer["class_name"])), 1
            while f"{base}_{number}" in taken:
                number += 1
            names[index] = f"{base}_{number}"
            taken.add(f"{base}_{number}")
    return [str(name) for name in names]


def with_names(config: Config, names: Sequence[str]) -> Config:
    """The config with the names that it leaves out of its outermost layers.

    TensorFlow before 1.12 and Keras before 2.2.3 write a Sequential model as a bare list, also
    where it is a layer of another, and so without its name.

    Arguments:
        names: of the outermost layers, as the file around the config lists them.
    """
    layers = layer_configs(config)
    if len(layers) != len(names) or all(own_name(layer) is not None for layer in layers):
        return config
    if any(own_name(layer) not in (None, name) for layer, name in zip(layers, names)):
        return config
    named = [dict(layer, name=name) for layer, name in zip(layers, names)]
    own = config["config"]
    return dict(config, config=named if isinstance(own, list) else dict(own, layers=named))


def own_name(layer: Config) -> Optional[str]:
    """The name of a layer, which eras write beside its own config or inside; None without one."""
    own = layer["config"]
    name = layer.get("name") or (own.get("name") if isinstance(own, dict) else None)
    return None if name is None else str(name)


def class_of(layer: Config) -> str:
    """The class of a layer, by one name for what eras call differently."""
    class_name = str(layer["class_name"])
    return _ALIASES.get(class_name, class_name)


def snake_case(name: str) -> str:
    """BatchNormalization: batch_normalization; Conv2D: conv2d; LSTM: lstm; ReLU: re_lu."""
    result = ""
    for index, letter in enumerate(name):
        before = name[index - 1] if index else ""
        after = name[index + 1] if index + 1 < len(name) else ""
        starts = (
            letter.isupper()
            and index
            and (before.islower() or (after.islower() and not before.isdigit()))
        )
        result += ("_" if starts else "") + letter.lower()
    return result
