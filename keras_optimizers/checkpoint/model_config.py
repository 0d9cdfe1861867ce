"""A model's architecture, as JSON, in the words of another era.

Two dialects: "keras-2" (standalone Keras 2 and tf.keras before 3; what is written is in the
words that all of them know) and "keras-3".
"""

import copy
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from keras_optimizers.checkpoint.errors import CheckpointError
from keras_optimizers.checkpoint.layer_arguments import (
    ARGUMENTS,
    EARLY_DEFAULTS,
    WITHOUT_EFFECT,
)

KERAS_2, KERAS_3 = "keras-2", "keras-3"

_MODELS = ("Sequential", "Model", "Functional")
_ALIASES = {
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "LSTMV2": "LSTM",
    "GRUV2": "GRU",
}
_DEEPEST = 50

Config = Dict[str, Any]
# (layer name, index of its call, index of its output)
Source = Tuple[str, int, int]


class UntranslatableModel(CheckpointError):
    """The target's Keras cannot compute what this model computes, or not for sure."""


class LayerInfo(NamedTuple):
    """A layer: its name, its class, and whether it (and every model around it) is trained."""

    name: str
    class_name: str
    trainable: bool


def layer_order(config: Config, depth: int = 0) -> List[LayerInfo]:
    """The layers in the order of `model.layers`, those of nested models after the model itself.

    Arguments:
        config: a parsed `model_config` of any era.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: If it is no such config.
    """
    return list(_layers(config, True, depth))


def _layers(config: Config, trainable: bool, depth: int) -> Iterator[LayerInfo]:
    if depth > _DEEPEST:
        raise ValueError("The model is nested too deeply.")
    for layer in _layer_configs(config):
        own = layer["config"]
        is_trained = trainable and _is_trainable(own)
        name = _name_of(layer)
        yield LayerInfo(name, str(layer["class_name"]), is_trained)
        if layer["class_name"] in _MODELS:
            yield from _layers(layer, is_trained, depth + 1)
        for inner in ("layer", "backward_layer"):
            if isinstance(own, dict) and isinstance(own.get(inner), dict):
                nested = {"class_name": "Sequential", "config": [own[inner]]}
                yield from _layers(nested, is_trained, depth + 1)


def _is_trainable(own: Any) -> bool:
    return not isinstance(own, dict) or own.get("trainable", True) is not False


def _name_of(layer: Config) -> str:
    own = layer["config"]
    return str(layer.get("name") or (own.get("name") if isinstance(own, dict) else None))


def _layer_configs(config: Config) -> List[Config]:
    own = config["config"]
    return list(own) if isinstance(own, list) else list(own["layers"])


def dialect(config: Config) -> str:
    """KERAS_3 or KERAS_2."""
    if config.get("module") == "keras" or "registered_name" in config:
        first = [layer for layer in _layer_configs(config) if "config" in layer]
        return KERAS_3 if any("batch_shape" in layer["config"] for layer in first) else KERAS_2
    for layer in _layer_configs(config):
        own = layer["config"]
        if isinstance(own, dict) and ("batch_shape" in own or "quantization_config" in own):
            return KERAS_3
    return KERAS_2


def translate(config: Config, to: str) -> Tuple[Config, List[str]]:
    """A model's config in the dialect `to`, and sentences about what was dropped.

    Arguments:
        config: a parsed `model_config`, {"class_name": ..., "config": ...}, of any era.
        to: KERAS_2 or KERAS_3.

    Raises:
        UntranslatableModel: If the target cannot compute the same; the text names the layer.
    """
    notes: List[str] = []
    try:
        return _model(copy.deepcopy(config), dialect(config), to, notes, top=True), notes
    except (KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise UntranslatableModel(f"The model's config is of an unknown form ({error}).") from error


def _model(config: Config, own: str, to: str, notes: List[str], top: bool = False) -> Config:
    class_name = config.get("class_name")
    if class_name == "Sequential":
        return _sequential(config, own, to, notes)
    if class_name in ("Model", "Functional"):
        return _functional(config, own, to, notes)
    raise UntranslatableModel(
        f"The model is of the class {class_name!r}; only Sequential and functional models "
        "describe themselves."
    )


def _written(class_name: str, config: Any, to: str, module: str) -> Config:
    written: Config = {"class_name": class_name, "config": config}
    if to == KERAS_3:
        written.update(module=module, registered_name=None)
    return written


def _sequential(config: Config, own: str, to: str, notes: List[str]) -> Config:
    layers = _layer_configs(config)
    batch_shape: Optional[List[Any]] = None
    if not isinstance(config["config"], list):
        batch_shape = config["config"].get("build_input_shape")
    translated: List[Config] = []
    for layer in layers:
        shape = layer["config"].get("batch_input_shape", layer["config"].get("batch_shape"))
        if shape is not None and not translated:
            batch_shape = shape
        if layer["class_name"] != "InputLayer":
            translated.append(_layer(layer, own, to, notes))
    if not translated:
        raise UntranslatableModel("The model has no layers.")
    if batch_shape is None:
        raise UntranslatableModel("The model does not say what shape its input has.")
    name = "sequential"
    if not isinstance(config["config"], list):
        name = config["config"].get("name", name)
    if to == KERAS_2:
        translated[0]["config"]["batch_input_shape"] = batch_shape
        return _written("Sequential", translated, to, "keras")
    first_dtype = translated[0]["config"].get("dtype", "float32")
    dtype = "int32" if translated[0]["class_name"] == "Embedding" else first_dtype
    input_config = {"batch_shape": batch_shape, "dtype": dtype, "name": f"{name}_input"}
    start = _written("InputLayer", input_config, to, "keras.layers")
    return _written("Sequential", {"name": name, "layers": [start, *translated]}, to, "keras")


def _functional(config: Config, own: str, to: str, notes: List[str]) -> Config:
    graph = config["config"]
    layers = []
    for layer in graph["layers"]:
        name = _name_of(layer)
        written = _layer(layer, own, to, notes)
        written["name"] = name
        # Keras 3 reads the old form, too; its own holds the shapes of all tensors.
        written["inbound_nodes"] = [
            [[source, call, output, {}] for source, call, output in _calls(node, name)]
            for node in layer.get("inbound_nodes", [])
        ]
        layers.append(written)
    written_graph = {
        "name": graph.get("name", "model"),
        "layers": layers,
        "input_layers": _ends(graph["input_layers"]),
        "output_layers": _ends(graph["output_layers"]),
    }
    return _written("Model", written_graph, to, "keras")


def _ends(ends: Sequence[Any]) -> List[List[Any]]:
    """Inputs or outputs; a single one may stand without its list."""
    if ends and isinstance(ends[0], str):
        ends = [ends]
    return [[str(name), int(call), int(output)] for name, call, output in ends]


def _calls(node: Any, name: str) -> List[Source]:
    """What a layer was called on, from either dialect."""
    if isinstance(node, dict):
        _check_keywords(node.get("kwargs", {}), name)
        arguments = node["args"]
        if len(arguments) != 1:
            raise UntranslatableModel(f"The layer {name!r} is called with several arguments.")
        tensors = arguments[0] if isinstance(arguments[0], list) else [arguments[0]]
        return [_history(tensor, name) for tensor in tensors]
    if node and isinstance(node[0], str):  # TF 2.x, a layer of one input
        node = [node]
    found = []
    for tensor in node:
        _check_keywords(tensor[3] if len(tensor) > 3 else {}, name)
        found.append((str(tensor[0]), int(tensor[1]), int(tensor[2])))
    return found


def _history(tensor: Any, name: str) -> Source:
    if not isinstance(tensor, dict) or tensor.get("class_name") != "__keras_tensor__":
        raise UntranslatableModel(f"The layer {name!r} is called on something that is no tensor.")
    layer, call, output = tensor["config"]["keras_history"]
    return str(layer), int(call), int(output)


def _check_keywords(keywords: Config, name: str) -> None:
    given = {key: value for key, value in (keywords or {}).items() if value is not None}
    if given:
        raise UntranslatableModel(f"The layer {name!r} is called with {', '.join(sorted(given))}.")


def _layer(layer: Config, own: str, to: str, notes: List[str]) -> Config:
    class_name = _ALIASES.get(layer["class_name"], layer["class_name"])
    name = _name_of(layer)
    if class_name in _MODELS:
        written = _model(layer, own, to, notes)
        if isinstance(written["config"], dict):
            written["config"]["name"] = name
        return written
    given = layer["config"]
    config: Config = {"name": name}
    if "trainable" in given:
        config["trainable"] = bool(given["trainable"])
    dtype = _dtype(given.get("dtype"), name)
    if class_name == "InputLayer":
        key = "batch_shape" if to == KERAS_3 else "batch_input_shape"
        config[key] = given.get("batch_shape", given.get("batch_input_shape"))
        config["dtype"] = dtype or "float32"
        config.pop("trainable", None)
        return _written(class_name, config, to, "keras.layers")
    if dtype is not None:
        config["dtype"] = dtype
    if class_name in ("TimeDistributed", "Bidirectional"):
        config.update(_wrapper(class_name, given, own, to, notes))
    elif class_name in ARGUMENTS:
        config.update(_arguments(class_name, name, given, to))
    else:
        raise UntranslatableModel(
            f"The layer {name!r} is of the class {class_name}, which this converter does not know."
        )
    return _written(class_name, config, to, "keras.layers")


def _dtype(value: Any, name: str) -> Optional[str]:
    if isinstance(value, dict):
        value = value.get("config", {}).get("name")
    if value is not None and str(value).startswith("mixed"):
        raise UntranslatableModel(f"The layer {name!r} computes in {value}.")
    return None if value is None else str(value)


def _wrapper(class_name: str, given: Config, own: str, to: str, notes: List[str]) -> Config:
    config: Config = {"layer": _layer(given["layer"], own, to, notes)}
    if class_name == "Bidirectional":
        config["merge_mode"] = given.get("merge_mode", "concat")
        backward = given.get("backward_layer")
        if to == KERAS_3 and isinstance(backward, dict):
            config["backward_layer"] = _layer(backward, own, to, notes)
    return config


def _arguments(class_name: str, name: str, given: Config, to: str) -> Config:
    given = dict(EARLY_DEFAULTS.get(class_name, {}), **given)
    if class_name == "LeakyReLU" and "negative_slope" in given:
        given["alpha"] = given.pop("negative_slope")
    known = ARGUMENTS[class_name]
    config: Config = {}
    for argument, value in given.items():
        if argument in ("name", "trainable", "dtype", "batch_input_shape", "batch_shape"):
            continue
        if argument in known:
            config[argument] = _value(argument, value, name, to)
        elif not _is_without_effect(argument, value):
            raise UntranslatableModel(
                f"The layer {name!r} has {argument}={value!r}, which other eras do not know."
            )
    if class_name in ("LSTM", "GRU") and config["recurrent_activation"] == "hard_sigmoid":
        _refuse_hard_sigmoid(name, to)
    if config.get("activation") == "hard_sigmoid":
        _refuse_hard_sigmoid(name, to)
    if class_name == "GRU" and to == KERAS_2 and not config["reset_after"]:
        del config["reset_after"]  # Keras before 2.1.3 has no such argument
    if class_name == "ReLU" and to == KERAS_2:
        config = {key: value for key, value in config.items() if value not in (0, 0.0)}
    if class_name == "LeakyReLU" and to == KERAS_3:
        config["negative_slope"] = config.pop("alpha")
    if class_name == "UpSampling2D" and to == KERAS_2 and config.get("interpolation") == "nearest":
        del config["interpolation"]
    if config.get("activity_regularizer") is None:  # no argument of some layers in Keras 3
        config.pop("activity_regularizer", None)
    return config


def _refuse_hard_sigmoid(name: str, to: str) -> None:
    if to == KERAS_3:
        raise UntranslatableModel(
            f"The layer {name!r} uses hard_sigmoid: 0.2 x + 0.5 in Keras 2, x / 6 + 0.5 in Keras 3."
        )


def _is_without_effect(argument: str, value: Any) -> bool:
    if value is None:
        return True
    without = WITHOUT_EFFECT.get(argument, ())
    plain = list(value) if isinstance(value, tuple) else value
    return ... in without or plain in without


def _value(argument: str, value: Any, name: str, to: str) -> Any:
    if argument.endswith("initializer"):
        return _initializer(value, to)
    if argument.endswith("regularizer"):
        return _regularizer(value, name, to)
    if argument.endswith("constraint"):
        return _constraint(value, name, to)
    if argument.endswith("activation"):
        return _activation(value, name)
    if argument == "axis" and isinstance(value, (list, tuple)) and len(value) == 1:
        return value[0]
    return value


def _activation(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        value = value.get("config")
    if value is not None and not isinstance(value, str):
        raise UntranslatableModel(f"The layer {name!r} has an activation of its own.")
    return value


_SCALED = {
    "GlorotUniform": (1.0, "fan_avg", "uniform"),
    "GlorotNormal": (1.0, "fan_avg", "truncated_normal"),
    "HeUniform": (2.0, "fan_in", "uniform"),
    "HeNormal": (2.0, "fan_in", "truncated_normal"),
    "LecunUniform": (1.0, "fan_in", "uniform"),
    "LecunNormal": (1.0, "fan_in", "truncated_normal"),
}
_INITIALIZERS: Dict[str, Tuple[str, ...]] = {
    "Zeros": (),
    "Ones": (),
    "Constant": ("value",),
    "RandomNormal": ("mean", "stddev", "seed"),
    "RandomUniform": ("minval", "maxval", "seed"),
    "TruncatedNormal": ("mean", "stddev", "seed"),
    "Orthogonal": ("gain", "seed"),
    "Identity": ("gain",),
    "VarianceScaling": ("scale", "mode", "distribution", "seed"),
}


def _initializer(value: Any, to: str) -> Any:
    """An initializer; what other eras do not know becomes zeros, for the values follow anyway."""
    if not isinstance(value, dict):
        return value
    class_name, config = value.get("class_name"), dict(value.get("config") or {})
    if class_name in _SCALED:
        scale, mode, distribution = _SCALED[class_name]
        config.update(scale=scale, mode=mode, distribution=distribution)
        class_name = "VarianceScaling"
    if class_name not in _INITIALIZERS:
        class_name, config = "Zeros", {}
    kept = {key: config[key] for key in _INITIALIZERS[class_name] if key in config}
    if "distribution" in kept:
        uniform = kept["distribution"] == "uniform"
        normal = "truncated_normal" if to == KERAS_3 else "normal"
        kept["distribution"] = "uniform" if uniform else normal
    return _written(class_name, kept, to, "keras.initializers")


def _regularizer(value: Any, name: str, to: str) -> Any:
    if value is None:
        return None
    class_name = value.get("class_name") if isinstance(value, dict) else None
    if class_name not in ("L1L2", "L1", "L2"):
        raise UntranslatableModel(f"The layer {name!r} has a regularizer of its own.")
    config = value["config"]
    both = {"l1": config.get("l1", 0.0), "l2": config.get("l2", 0.0)}
    return _written("L1L2", both, to, "keras.regularizers")


def _constraint(value: Any, name: str, to: str) -> Any:
    if value is None:
        return None
    class_name = value.get("class_name") if isinstance(value, dict) else None
    if class_name not in ("MaxNorm", "NonNeg", "UnitNorm", "MinMaxNorm"):
        raise UntranslatableModel(f"The layer {name!r} has a constraint of its own.")
    return _written(class_name, dict(value["config"]), to, "keras.constraints")


def weight_paths(config: Config) -> Dict[str, List[str]]:
    """Where `model.weights.h5` of Keras 3 keeps each layer's variables, by the layer's name.

    Arguments:
        config: of a model without nested models, of any era.

    Raises:
        UntranslatableModel: If a model is nested in it.
    """
    used: Dict[str, int] = {}
    paths = {}
    for layer in _layer_configs(config):
        class_name = _ALIASES.get(layer["class_name"], layer["class_name"])
        if class_name in _MODELS:
            raise UntranslatableModel(
                f"The model {_name_of(layer)!r} is nested in another; Keras 3 keeps its weights "
                "apart by layer, older files together."
            )
        plain = _snake_case(class_name)
        number = used[plain] = used.get(plain, -1) + 1
        base = "layers/" + (plain if not number else f"{plain}_{number}")
        paths[_name_of(layer)] = [base + inner for inner in _inner_paths(layer)]
    return paths


def _inner_paths(layer: Config) -> List[str]:
    """The groups with variables inside a layer's group."""
    class_name = layer["class_name"]
    if class_name in ("LSTM", "GRU", "SimpleRNN"):
        return ["/cell"]
    if class_name == "TimeDistributed":
        return ["/layer" + inner for inner in _inner_paths(layer["config"]["layer"])]
    if class_name == "Bidirectional":
        inner = _inner_paths(layer["config"]["layer"])
        return [side + one for side in ("/forward_layer", "/backward_layer") for one in inner]
    return [""]


def _snake_case(name: str) -> str:
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
