"""A model's architecture, as JSON, in the words of another era.

Three dialects: "keras-2" (standalone Keras 2.0 to 2.3 and tf.keras in TensorFlow 1.x; what is
written is in the words that all of them know, as far as there are any), "tf-keras-2" (tf.keras
in TensorFlow 2.0 to 2.15) and "keras-3". The calls of layers are translated in `calls`, their
arguments in `argument_translation`.
"""

from typing import Any, List, Optional, Tuple

from keras_optimizers.checkpoint.architecture.argument_translation import (
    is_without_effect,
    translate_arguments,
    unknown_argument,
)
from keras_optimizers.checkpoint.architecture.calls import (
    Numbering,
    parse_call,
    parse_ends,
    written_ends,
    written_node,
)
from keras_optimizers.checkpoint.architecture.layer_arguments import (
    ARGUMENTS,
    EVERYWHERE,
    KERAS_2,
    KERAS_3,
    LACKING,
    OF_ALL_LAYERS,
    ONLY_IN,
    REASONS,
    Extra,
)
from keras_optimizers.checkpoint.architecture.layers import (
    MODELS,
    Config,
    class_of,
    is_trainable,
    layer_configs,
    names_of,
    own_name,
    with_float_embeddings,
)
from keras_optimizers.checkpoint.architecture.translation import (
    WRAPPERS,
    Translation,
    UntranslatableModel,
    dtype_of,
    freeze,
    is_of_keras,
    plain_config,
    written_object,
)
from keras_optimizers.checkpoint.errors import CheckpointError


def translate(config: Config, to: str) -> Tuple[Config, List[str]]:
    """A model's config in the dialect `to`, and sentences about what was dropped.

    Arguments:
        config: a parsed `model_config`, {"class_name": ..., "config": ...}, of any era; it is
            not changed.
        to: KERAS_2, TF_KERAS_2 or KERAS_3.

    Raises:
        UntranslatableModel: If the target cannot compute the same; the text names the layer.
        ValueError: If there is no dialect `to`.
    """
    if to not in EVERYWHERE:
        raise ValueError(f"No dialect {to!r}; there are {', '.join(EVERYWHERE)}.")
    try:
        plain = with_float_embeddings(plain_config(config))
        translation = Translation(plain, to)
        return _model(translation, plain, own_name(plain)), translation.notes
    except CheckpointError:
        raise
    except (
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        ValueError,
        OverflowError,
        RecursionError,
    ) as error:
        raise UntranslatableModel(f"The model's config is of an unknown form ({error}).") from error


def _model(translation: Translation, config: Config, name: Optional[str]) -> Config:
    class_name = config.get("class_name")
    if class_name not in MODELS or not is_of_keras(config):
        raise UntranslatableModel(
            f"The model is of the class {class_name!r}; only Sequential and functional models "
            "describe themselves."
        )
    if not is_trainable(config["config"]):
        freeze(config)
    if class_name == "Sequential":
        return _sequential(translation, config, name)
    return _functional(translation, config, name)


def _sequential(translation: Translation, config: Config, name: Optional[str]) -> Config:
    shape, dtype, input_name = _input_of(config)
    if shape is None:
        raise UntranslatableModel("A Sequential model does not say what shape its input has.")
    layers = layer_configs(config)
    named = [
        (layer, layer_name)
        for layer, layer_name in zip(layers, names_of(layers))
        if layer["class_name"] != "InputLayer"
    ]
    if not named:
        raise UntranslatableModel("A Sequential model has no layers.")
    translated = [_layer(translation, layer, layer_name) for layer, layer_name in named]
    if translation.to == KERAS_2:
        # As a list, which the first of them know alone; the model's name is lost with that.
        _put_shape(translated[0], shape)
        return written_object("Sequential", translated, translation.to, "keras")
    key = "batch_shape" if translation.to == KERAS_3 else "batch_input_shape"
    if translation.to == KERAS_3:
        input_name = input_name.replace("/", "_")
    input_config = {key: shape, "dtype": dtype, "name": input_name}
    start = written_object("InputLayer", input_config, translation.to, "keras.layers")
    written = {"name": translation.name(name or "sequential"), "layers": [start, *translated]}
    return written_object("Sequential", written, translation.to, "keras")


def _put_shape(layer: Config, shape: List[Any]) -> None:
    """Write the shape of the input into the first layer; nested models have it already."""
    if layer["class_name"] not in MODELS:
        layer["config"]["batch_input_shape"] = shape


def _input_of(config: Config) -> Tuple[Optional[List[Any]], str, str]:
    """A model's input: its shape, with the batch (None if it is not told), its dtype and name."""
    layers = layer_configs(config)
    own = config["config"]
    first = layers[0]
    name = names_of(layers[:1])[0]
    if first["class_name"] in MODELS:
        shape, dtype, _ = _input_of(first)
    else:
        given = first["config"]
        shape = given.get("batch_shape", given.get("batch_input_shape"))
        dtype = dtype_of(given.get("dtype"), name) or "float32"
    if shape is None and isinstance(own, dict):
        shape = own.get("build_input_shape") or config.get("build_config", {}).get("input_shape")
    is_input = first["class_name"] == "InputLayer"
    if first["class_name"] == "Embedding":
        dtype = "int32"
    elif dtype.startswith("mixed"):
        dtype = "float32"
    return shape, dtype, name if is_input else f"{name}_input"


def _functional(translation: Translation, config: Config, name: Optional[str]) -> Config:
    graph = config["config"]
    layers = graph["layers"]
    names = names_of(layers)
    calls = {
        layer_name: [
            parse_call(node, layer_name, class_of(layer)) for node in layer["inbound_nodes"]
        ]
        for layer, layer_name in zip(layers, names)
    }
    inputs = parse_ends(translation, graph["input_layers"], "inputs")
    outputs = parse_ends(translation, graph["output_layers"], "outputs")
    numbering = Numbering(translation, layers, names, calls, outputs)
    written_layers = []
    for layer, layer_name in zip(layers, names):
        written = _layer(translation, layer, layer_name)
        written["name"] = translation.name(layer_name)
        written["inbound_nodes"] = [
            written_node(translation, call, layer, layer_name, numbering)
            for call in calls[layer_name]
        ]
        written_layers.append(written)
    written_graph = {
        "name": translation.name(graph.get("name") or name or "model"),
        "layers": written_layers,
        "input_layers": written_ends(translation, [numbering.written(source) for source in inputs]),
        "output_layers": written_ends(
            translation, [numbering.written(source, is_output=True) for source in outputs]
        ),
    }
    return written_object("Model", written_graph, translation.to, "keras")


def _layer(translation: Translation, layer: Config, name: str) -> Config:
    class_name = class_of(layer)
    if class_name in MODELS:
        written = _model(translation, layer, name)
        if isinstance(written["config"], dict):
            written["config"]["name"] = translation.name(name)
        return written
    _check_class(translation, layer, class_name, name)
    given = layer["config"]
    config: Config = {"name": translation.name(name)}
    dtype = dtype_of(given.get("dtype"), name)
    if dtype is not None and dtype.startswith("mixed") and translation.to == KERAS_2:
        raise UntranslatableModel(f"The layer {name!r} computes in {dtype}.")
    if class_name == "InputLayer":
        config.update(_input_layer(translation, given, name))
        return written_object(class_name, config, translation.to, "keras.layers")
    # Keras 3 does not let these say whether they train, and they have nothing to train.
    if not (translation.to == KERAS_3 and class_name.startswith("SpatialDropout")):
        config["trainable"] = is_trainable(given)
    if dtype is not None:
        config["dtype"] = dtype
    if class_name in WRAPPERS:
        config.update(_wrapper(translation, class_name, given, name))
    else:
        class_name, arguments = translate_arguments(translation, class_name, name, given)
        config.update(arguments)
    return written_object(class_name, config, translation.to, "keras.layers")


def _check_class(translation: Translation, layer: Config, class_name: str, name: str) -> None:
    """Refuse a layer that the target, or this converter, does not have."""
    known = class_name in ARGUMENTS or class_name in WRAPPERS or class_name == "InputLayer"
    if class_name in REASONS:
        raise UntranslatableModel(
            f"The layer {name!r} is of the class {class_name}, {REASONS[class_name]}."
        )
    if not known or not is_of_keras(layer):
        module = layer.get("module")
        source = f" from {module}" if module and not is_of_keras(layer) else ""
        raise UntranslatableModel(
            f"The layer {name!r} is of the class {class_name}{source}, "
            "which this converter does not know."
        )
    if translation.to not in ONLY_IN.get(class_name, EVERYWHERE):
        raise UntranslatableModel(
            f"The layer {name!r} is of the class {class_name}, "
            f"which {translation.to} does not have."
        )
    if translation.to == KERAS_2 and class_name in LACKING:
        translation.note(
            f"The layer {name!r} is a {class_name}: {LACKING[class_name]} cannot read it."
        )


def _input_layer(translation: Translation, given: Config, name: str) -> Config:
    for argument in ("sparse", "ragged", "optional", "type_spec"):
        if given.get(argument):
            raise UntranslatableModel(f"The input {name!r} is {argument}.")
    key = "batch_shape" if translation.to == KERAS_3 else "batch_input_shape"
    shape = given.get("batch_shape", given.get("batch_input_shape"))
    if shape is None:
        raise UntranslatableModel(f"The input {name!r} does not say what shape it has.")
    return {key: shape, "dtype": dtype_of(given.get("dtype"), name) or "float32"}


def _wrapper(translation: Translation, class_name: str, given: Config, name: str) -> Config:
    for argument, value in given.items():
        if argument in ("name", "trainable", "dtype", "layer", "merge_mode", "backward_layer"):
            continue
        if not is_without_effect(OF_ALL_LAYERS.get(argument, Extra((None,))), value):
            raise UntranslatableModel(unknown_argument(name, argument, value))
    if class_name == "Bidirectional":
        _check_masks(translation, given, name)
    is_trained = is_trainable(given) and is_trainable(given["layer"]["config"])
    inner = _inner(translation, given["layer"], is_trained)
    # In the first eras a wrapper is trained as what it wraps is.
    config: Config = {"layer": inner, "trainable": is_trained}
    if class_name != "Bidirectional":
        return config
    if translation.own == KERAS_3 and translation.to != KERAS_3:
        _strip_prefix(inner["config"], "forward_")
    config["merge_mode"] = given.get("merge_mode", "concat")
    backward = given.get("backward_layer")
    if isinstance(backward, dict):
        other = _inner(translation, backward, is_trained)
        if _is_mirrored(inner, other):
            return config
        if translation.to == KERAS_2:
            raise UntranslatableModel(
                f"The layer {name!r} goes backward with another layer than forward."
            )
        config["backward_layer"] = other
    return config


def _check_masks(translation: Translation, given: Config, name: str) -> None:
    """Bidirectional sets what its layers give for masked steps; once it did not."""
    sides = [given[key]["config"] for key in ("layer", "backward_layer") if given.get(key)]
    # tf.keras writes time_major since it gives zeros.
    is_zero = any("time_major" in side or "zero_output_for_mask" in side for side in sides)
    for side in sides:
        side.pop("zero_output_for_mask", None)
    if not (translation.is_masked and sides[0].get("return_sequences")):
        return
    if translation.to != KERAS_2 and not is_zero:
        raise UntranslatableModel(
            f"The layer {name!r} repeats its last result in masked steps, as Keras 2.3 and "
            "TensorFlow 1.10 do; later ones give zeros there."
        )
    if translation.to == KERAS_2:
        translation.note(
            f"In masked steps the layer {name!r} gives zeros in tf.keras of TensorFlow 1.15 and "
            "later, and repeats its last result in TensorFlow 1.10 and Keras 2.3."
        )


def _inner(translation: Translation, layer: Config, is_trained: bool) -> Config:
    """What a wrapper wraps."""
    if not is_trained:
        if layer["class_name"] in MODELS:
            freeze(layer)
        else:
            layer["config"]["trainable"] = False
    return _layer(translation, layer, names_of([layer])[0])


def _strip_prefix(config: Config, prefix: str) -> None:
    if isinstance(config["name"], str) and config["name"].startswith(prefix):
        config["name"] = config["name"][len(prefix) :]


def _is_mirrored(forward: Config, backward: Config) -> bool:
    """Whether the backward layer is the one that Keras makes if it is given none."""

    def compared(layer: Config) -> Config:
        return {
            key: value
            for key, value in layer["config"].items()
            if key not in ("name", "go_backwards") and not key.endswith("initializer")
        }

    return (
        forward["class_name"] == backward["class_name"]
        and compared(forward) == compared(backward)
        and forward["config"].get("go_backwards") != backward["config"].get("go_backwards")
    )
