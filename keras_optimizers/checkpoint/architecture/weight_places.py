"""Where Keras 3 keeps a model's variables, and which of an older file's they are."""

from typing import Dict, Iterator, List, NamedTuple, Sequence, Tuple

from keras_optimizers.checkpoint.architecture.layer_arguments import RECURRENT, VARIABLES
from keras_optimizers.checkpoint.architecture.layers import (
    DEEPEST,
    FUNCTIONAL,
    MODELS,
    Config,
    class_of,
    is_trainable,
    layer_configs,
    layer_order,
    names_of,
    snake_case,
)


class LayerVariables(NamedTuple):
    """Where Keras 3 keeps a layer's variables in `model.weights.h5`.

    `owner` is the layer of the outermost model that it belongs to (itself, where nothing is
    nested); `trained` and `fixed` are the paths of its datasets, each in the order of the layer:
    `fixed` has the statistics, and all of a layer that is not trainable.
    """

    owner: str
    name: str
    trained: Tuple[str, ...]
    fixed: Tuple[str, ...]


def variable_paths(config: Config) -> Dict[str, List[str]]:
    """Where Keras 3 keeps what an older HDF5 file has in `model_weights`, in that file's order.

    By the names of the outermost model's layers, in their order: the datasets of
    `model.weights.h5` that correspond one by one to the layer's `weight_names`, of which Keras 2
    writes those that are trained first. Layers without variables are left out.

    Arguments:
        config: a parsed `model_config` of any era.
    """
    trained: Dict[str, List[str]] = {}
    fixed: Dict[str, List[str]] = {}
    for layer in layer_variables(config):
        trained.setdefault(layer.owner, []).extend(layer.trained)
        fixed.setdefault(layer.owner, []).extend(layer.fixed)
    return {owner: trained[owner] + fixed[owner] for owner in trained}


def layer_variables(config: Config) -> List[LayerVariables]:
    """The layers that have variables, in the model's order, nested ones in their places."""
    layer_order(config)
    found = []
    for owner, name, base, layer, is_trained in _places(
        layer_configs(config), "", "layers/", True, 0
    ):
        trained: List[str] = []
        fixed: List[str] = []
        for inner_path, inner in zip(_inner_paths(layer), _inner_layers(layer)):
            own = inner["config"]
            count = _trained_count(inner)
            paths = [f"{base}{inner_path}/vars/{index}" for index in range(_count(inner))]
            cut = count if is_trained and is_trainable(own) else 0
            trained += paths[:cut]
            fixed += paths[cut:]
        if trained or fixed:
            plain = name.split("\0")[-1]
            found.append(LayerVariables(owner, plain, tuple(trained), tuple(fixed)))
    return found


# (layer of the outermost model, names down to this layer joined by NUL, group, config, trained)
_Place = Tuple[str, str, str, Config, bool]


def _places(
    layers: Sequence[Config], above: str, folder: str, trainable: bool, depth: int
) -> Iterator[_Place]:
    """Every layer that is no model, and its group."""
    if depth > DEEPEST:
        raise ValueError("The model is nested too deeply.")
    used: Dict[str, int] = {}
    for layer, name in zip(layers, names_of(layers)):
        plain = _group_name(layer)
        number = used[plain] = used.get(plain, -1) + 1
        base = folder + (plain if not number else f"{plain}_{number}")
        yield from _placed(layer, above + name, base, trainable, depth)


def _placed(layer: Config, name: str, base: str, trainable: bool, depth: int) -> Iterator[_Place]:
    is_trained = trainable and is_trainable(layer["config"])
    if layer["class_name"] in MODELS:
        inner = layer_configs(layer)
        yield from _places(inner, name + "\0", base + "/layers/", is_trained, depth + 1)
    elif layer["class_name"] == "TimeDistributed" and _wraps_model(layer):
        inside = layer["config"]["layer"]
        inner_name = f"{name}\0{names_of([inside])[0]}"
        yield from _placed(inside, inner_name, base + "/layer", is_trained, depth + 1)
    else:
        yield name.split("\0")[0], name, base, layer, is_trained


def _wraps_model(layer: Config) -> bool:
    inner = layer["config"]["layer"]
    return inner["class_name"] in (*MODELS, "TimeDistributed")


def _group_name(layer: Config) -> str:
    """After the class that the layer has in Keras 3."""
    class_name = class_of(layer)
    if class_name in FUNCTIONAL:
        class_name = "Functional"
    return snake_case({"ThresholdedReLU": "ReLU"}.get(class_name, class_name))


def _inner_paths(layer: Config) -> List[str]:
    """The groups with variables inside a layer's group."""
    class_name = class_of(layer)
    if class_name in RECURRENT:
        return ["/cell"]
    if class_name == "TimeDistributed":
        return ["/layer" + inner for inner in _inner_paths(layer["config"]["layer"])]
    if class_name == "Bidirectional":
        inner = _inner_paths(layer["config"]["layer"])
        return [side + one for side in ("/forward_layer", "/backward_layer") for one in inner]
    return [""]


def _inner_layers(layer: Config) -> List[Config]:
    """The layers that `_inner_paths` lead to."""
    class_name = class_of(layer)
    if class_name == "TimeDistributed":
        return _inner_layers(layer["config"]["layer"])
    if class_name == "Bidirectional":
        forward = layer["config"]["layer"]
        backward = layer["config"].get("backward_layer")
        return [*_inner_layers(forward), *_inner_layers(backward or forward)]
    return [layer]


def _trained_count(layer: Config) -> int:
    own = layer["config"]
    hangs_on = VARIABLES.get(class_of(layer), ())
    return sum(1 for one in hangs_on if one is None or own.get(one, True))


def _count(layer: Config) -> int:
    statistics = 2 if class_of(layer) == "BatchNormalization" else 0
    return _trained_count(layer) + statistics
