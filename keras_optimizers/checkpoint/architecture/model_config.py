"""A model's architecture, as JSON, in the words of another era.

Three dialects: "keras-2" (standalone Keras 2.0 to 2.3 and tf.keras in TensorFlow 1.x; what is
written is in the words that all of them know, as far as there are any), "tf-keras-2" (tf.keras
in TensorFlow 2.0 to 2.15) and "keras-3". What a layer's arguments mean is in `layer_arguments`.

Where the eras differ without saying so, and this module does the sum:
- A nested model's calls are numbered from 1 in Keras 2, which counts its making as call 0, and
  from 0 in Keras 3; but there from 1 in `output_layers`, if the nested model is functional.
- A functional model of Keras 3 obeys `training=` of the whole call rather than that of a layer.
"""

import copy
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

from keras_optimizers.checkpoint.architecture.layer_arguments import (
    ACTIVATIONS,
    ARGUMENTS,
    CONSTRAINTS,
    EARLY_DEFAULTS,
    EVERYWHERE,
    EXTRAS,
    INITIALIZERS,
    KERAS_2,
    KERAS_3,
    LACKING,
    OF_ALL_LAYERS,
    ONLY_IN,
    REASONS,
    RECURRENT,
    SCALED_INITIALIZERS,
    TRAINING_ALONE,
    Extra,
)
from keras_optimizers.checkpoint.architecture.layers import (
    FUNCTIONAL,
    MODELS,
    Config,
    class_of,
    dialect,
    is_trainable,
    layer_configs,
    names_of,
    own_name,
    with_float_embeddings,
)
from keras_optimizers.checkpoint.errors import CheckpointError

_WRAPPERS = ("TimeDistributed", "Bidirectional")
# Where the classes of Keras itself say they are from.
_MODULES = ("keras", "tf_keras", "tensorflow.keras", "tensorflow.python.keras")
# (layer name, index of its call, index of its output); calls are counted from 0 for every layer
Source = Tuple[str, int, int]


class UntranslatableModel(CheckpointError):
    """The target's Keras cannot compute what this model computes, or not for sure."""


class _Call(NamedTuple):
    """One call of a layer: on what, with which initial states, and `training` if it was given."""

    sources: List[Source]
    states: List[Source]
    training: Optional[bool]


class _Job:
    """A translation: from which era to which, and what there is to say about it."""

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


def _plain(value: Any) -> Any:
    """A copy in which tuples are lists and arrays are numbers, however an era wrote them."""
    if isinstance(value, dict):
        if value.get("class_name") == "__tuple__":
            return [_plain(item) for item in value["items"]]
        if value.get("class_name") == "__numpy__":
            return _plain(value["config"]["value"])
        if set(value) == {"type", "value"}:  # an array in TensorFlow 1.10
            return _plain(value["value"])
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return copy.deepcopy(value)


# Translating models


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
        plain = with_float_embeddings(_plain(config))
        job = _Job(plain, to)
        return _model(job, plain, own_name(plain)), job.notes
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


def _model(job: _Job, config: Config, name: Optional[str]) -> Config:
    class_name = config.get("class_name")
    if class_name not in MODELS or not _is_of_keras(config):
        raise UntranslatableModel(
            f"The model is of the class {class_name!r}; only Sequential and functional models "
            "describe themselves."
        )
    if not is_trainable(config["config"]):
        _freeze(config)
    if class_name == "Sequential":
        return _sequential(job, config, name)
    return _functional(job, config, name)


def _is_of_keras(layer: Config) -> bool:
    """Whether a class is Keras's own, as far as the config tells."""
    module, registered = layer.get("module"), layer.get("registered_name")
    if module is not None and not str(module).startswith(_MODULES):
        return False
    if module is not None and ".ops." in str(module):
        return False
    return registered is None or registered == layer["class_name"]


def _freeze(config: Config) -> None:
    """Say of every layer in a model what the model says of itself; not all eras let it say so."""
    for layer in layer_configs(config):
        own = layer["config"]
        if layer["class_name"] in MODELS:
            _freeze(layer)
        else:
            own["trainable"] = False


def _written(class_name: str, config: Any, to: str, module: str) -> Config:
    written: Config = {"class_name": class_name, "config": config}
    if to == KERAS_3:
        written.update(module=module, registered_name=None)
    return written


def _sequential(job: _Job, config: Config, name: Optional[str]) -> Config:
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
    translated = [_layer(job, layer, layer_name) for layer, layer_name in named]
    if job.to == KERAS_2:
        # As a list, which the first of them know alone; the model's name is lost with that.
        _put_shape(translated[0], shape)
        return _written("Sequential", translated, job.to, "keras")
    key = "batch_shape" if job.to == KERAS_3 else "batch_input_shape"
    if job.to == KERAS_3:
        input_name = input_name.replace("/", "_")
    input_config = {key: shape, "dtype": dtype, "name": input_name}
    start = _written("InputLayer", input_config, job.to, "keras.layers")
    written = {"name": job.name(name or "sequential"), "layers": [start, *translated]}
    return _written("Sequential", written, job.to, "keras")


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
        dtype = _dtype(given.get("dtype"), name) or "float32"
    if shape is None and isinstance(own, dict):
        shape = own.get("build_input_shape") or config.get("build_config", {}).get("input_shape")
    is_input = first["class_name"] == "InputLayer"
    if first["class_name"] == "Embedding":
        dtype = "int32"
    elif dtype.startswith("mixed"):
        dtype = "float32"
    return shape, dtype, name if is_input else f"{name}_input"


def _functional(job: _Job, config: Config, name: Optional[str]) -> Config:
    graph = config["config"]
    layers = graph["layers"]
    names = names_of(layers)
    calls = {
        layer_name: [_call(node, layer_name, class_of(layer)) for node in layer["inbound_nodes"]]
        for layer, layer_name in zip(layers, names)
    }
    inputs = _ends(job, graph["input_layers"], "inputs")
    outputs = _ends(job, graph["output_layers"], "outputs")
    numbering = _Numbering(job, layers, names, calls, outputs)
    written_layers = []
    for layer, layer_name in zip(layers, names):
        written = _layer(job, layer, layer_name)
        written["name"] = job.name(layer_name)
        written["inbound_nodes"] = [
            _node(job, call, layer, layer_name, numbering) for call in calls[layer_name]
        ]
        written_layers.append(written)
    written_graph = {
        "name": job.name(graph.get("name") or name or "model"),
        "layers": written_layers,
        "input_layers": _written_ends(job, [numbering.written(source) for source in inputs]),
        "output_layers": _written_ends(
            job, [numbering.written(source, is_output=True) for source in outputs]
        ),
    }
    return _written("Model", written_graph, job.to, "keras")


class _Numbering:
    """How the calls of nested models are counted, in the source and in the target."""

    def __init__(
        self,
        job: _Job,
        layers: Sequence[Config],
        names: Sequence[str],
        calls: Dict[str, List[_Call]],
        outputs: Sequence[Source],
    ) -> None:
        self._job = job
        self._classes = {name: layer["class_name"] for layer, name in zip(layers, names)}
        inner = [
            source
            for of_layer in calls.values()
            for call in of_layer
            for source in [*call.sources, *call.states]
        ]
        self._first: Dict[str, int] = {}
        for name, class_name in self._classes.items():
            if class_name in MODELS and job.own != KERAS_3:
                # Every call is used by something, so the lowest number is the first call's.
                numbers = [call for layer, call, _ in [*inner, *outputs] if layer == name]
                self._first[name] = min(numbers) if numbers else 0

    def written(self, source: Source, is_output: bool = False) -> List[Any]:
        """A source as the target counts."""
        name, call, output = source
        class_name = self._classes[name]
        first = self._first.get(name, 0)
        if self._job.own == KERAS_3 and is_output and class_name in FUNCTIONAL:
            first = 1
        call -= first
        if self._job.to != KERAS_3:
            call += class_name in MODELS
        elif is_output:
            call += class_name in FUNCTIONAL
        return [self._job.name(name), call, output]


def _ends(job: _Job, ends: Any, what: str) -> List[Source]:
    """Inputs or outputs; a single one may stand without its list."""
    if isinstance(ends, dict):
        job.note(f"The model's {what} are a list now, in the order of their names, and no dict.")
        ends = [ends[key] for key in sorted(ends)]
    if ends and isinstance(ends[0], str):
        ends = [ends]
    found = []
    for end in ends:
        if not isinstance(end, list) or len(end) != 3 or not isinstance(end[0], str):
            raise UntranslatableModel(f"The model's {what} are nested in one another.")
        found.append((end[0], int(end[1]), int(end[2])))
    return found


def _written_ends(job: _Job, ends: List[List[Any]]) -> List[Any]:
    """Inputs or outputs; in Keras 3 a model of a list of one output gives a list."""
    return ends[0] if job.to == KERAS_3 and len(ends) == 1 else ends


# Calls of layers


def _call(node: Any, name: str, class_name: str) -> _Call:
    """What a layer was called on, from any dialect."""
    if isinstance(node, dict):
        keywords = dict(node.get("kwargs") or {})
        arguments = [one for one in node["args"] if not _is_empty(one)]
        if "initial_state" in keywords:
            arguments.append(keywords.pop("initial_state"))
        tensors = [_histories(argument, name) for argument in arguments]
        # In a functional model, Keras 3 lets `training` of the whole call take its place.
        keywords.pop("training", None)
    else:
        if node and isinstance(node[0], str):  # tf.keras 2, a layer of one input
            node = [node]
        keywords = {}
        for tensor in node:
            keywords.update(tensor[3] if len(tensor) > 3 and tensor[3] else {})
        states = keywords.pop("initial_state", None) or []
        tensors = [[_source(tensor, name) for tensor in node]]
        if not _is_empty(states):
            states = [states] if isinstance(states[0], str) else states
            tensors.append([_source(tensor, name) for tensor in states])
    training = keywords.pop("training", None)
    given = sorted(key for key, value in keywords.items() if not _is_empty(value))
    if given or not isinstance(training, (bool, int, type(None))):
        raise UntranslatableModel(
            f"The layer {name!r} is called with {', '.join(given) or 'training'}."
        )
    sources = tensors[0]
    states = [state for more in tensors[1:] for state in more]
    if class_name in RECURRENT or class_name == "Bidirectional":
        sources, states = sources[:1], [*sources[1:], *states]
    if states and class_name not in RECURRENT and class_name != "Bidirectional":
        raise UntranslatableModel(f"The layer {name!r} is called with several arguments.")
    return _Call(sources, states, None if training is None else bool(training))


def _is_empty(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_empty(item) for item in value)
    return value is None


def _histories(argument: Any, name: str) -> List[Source]:
    tensors = argument if isinstance(argument, list) else [argument]
    found = []
    for tensor in tensors:
        if not isinstance(tensor, dict) or tensor.get("class_name") != "__keras_tensor__":
            raise UntranslatableModel(
                f"The layer {name!r} is called on something that is no tensor."
            )
        found.append(_source(tensor["config"]["keras_history"], name))
    return found


def _source(tensor: Any, name: str) -> Source:
    if not isinstance(tensor, list) or not isinstance(tensor[0], str) or tensor[1] == -1:
        raise UntranslatableModel(f"The layer {name!r} is called on something that is no tensor.")
    return tensor[0], int(tensor[1]), int(tensor[2])


def _node(
    job: _Job, call: _Call, layer: Config, name: str, numbering: _Numbering
) -> Union[List[Any], Config]:
    training = _training(job, call.training, layer, name)
    keywords = {} if training is None else {"training": training}
    sources = [numbering.written(source) for source in call.sources]
    states = [numbering.written(source) for source in call.states]
    if job.to != KERAS_3 or not states:
        # Keras 3 reads the old form, too; its own holds the shapes of all tensors.
        return [[*source, dict(keywords)] for source in [*sources, *states]]
    initial = {"initial_state": [_tensor(state) for state in states]}
    return {"args": [_tensor(source) for source in sources], "kwargs": dict(keywords, **initial)}


def _tensor(source: List[Any]) -> Config:
    """A tensor as Keras 3 writes it; it asks for a shape, and then takes the source's."""
    placeholder = {"shape": [None], "dtype": "float32", "keras_history": source}
    return {"class_name": "__keras_tensor__", "config": placeholder}


def _training(job: _Job, training: Optional[bool], layer: Config, name: str) -> Optional[bool]:
    """The `training` that a layer was called with, where it has an effect."""
    if training is None or not _depends_on_training(layer):
        return None
    if job.to == KERAS_3:
        raise UntranslatableModel(
            f"The layer {name!r} is called with training={training}, which fit() and predict() "
            "of Keras 3 overrule in a functional model."
        )
    if job.to == KERAS_2 and layer["class_name"] in MODELS:
        raise UntranslatableModel(
            f"The model {name!r} is called with training={training}; Keras 2.2 cannot."
        )
    return training


def _depends_on_training(layer: Config) -> bool:
    class_name, own = class_of(layer), layer["config"]
    if class_name in MODELS:
        return any(_depends_on_training(inner) for inner in layer_configs(layer))
    if class_name in _WRAPPERS:
        return _depends_on_training(own["layer"])
    if class_name in RECURRENT:
        return bool(own.get("dropout") or own.get("recurrent_dropout"))
    return class_name in TRAINING_ALONE


# Translating layers


def _layer(job: _Job, layer: Config, name: str) -> Config:
    class_name = class_of(layer)
    if class_name in MODELS:
        written = _model(job, layer, name)
        if isinstance(written["config"], dict):
            written["config"]["name"] = job.name(name)
        return written
    _check_class(job, layer, class_name, name)
    given = layer["config"]
    config: Config = {"name": job.name(name)}
    dtype = _dtype(given.get("dtype"), name)
    if dtype is not None and dtype.startswith("mixed") and job.to == KERAS_2:
        raise UntranslatableModel(f"The layer {name!r} computes in {dtype}.")
    if class_name == "InputLayer":
        config.update(_input_layer(job, given, name))
        return _written(class_name, config, job.to, "keras.layers")
    # Keras 3 does not let these say whether they train, and they have nothing to train.
    if not (job.to == KERAS_3 and class_name.startswith("SpatialDropout")):
        config["trainable"] = is_trainable(given)
    if dtype is not None:
        config["dtype"] = dtype
    if class_name in _WRAPPERS:
        config.update(_wrapper(job, class_name, given, name))
    else:
        class_name, arguments = _arguments(job, class_name, name, given)
        config.update(arguments)
    return _written(class_name, config, job.to, "keras.layers")


def _check_class(job: _Job, layer: Config, class_name: str, name: str) -> None:
    """Refuse a layer that the target, or this converter, does not have."""
    known = class_name in ARGUMENTS or class_name in _WRAPPERS or class_name == "InputLayer"
    if class_name in REASONS:
        raise UntranslatableModel(
            f"The layer {name!r} is of the class {class_name}, {REASONS[class_name]}."
        )
    if not known or not _is_of_keras(layer):
        module = layer.get("module")
        source = f" from {module}" if module and not _is_of_keras(layer) else ""
        raise UntranslatableModel(
            f"The layer {name!r} is of the class {class_name}{source}, "
            "which this converter does not know."
        )
    if job.to not in ONLY_IN.get(class_name, EVERYWHERE):
        raise UntranslatableModel(
            f"The layer {name!r} is of the class {class_name}, which {job.to} does not have."
        )
    if job.to == KERAS_2 and class_name in LACKING:
        job.note(f"The layer {name!r} is a {class_name}: {LACKING[class_name]} cannot read it.")


def _input_layer(job: _Job, given: Config, name: str) -> Config:
    for argument in ("sparse", "ragged", "optional", "type_spec"):
        if given.get(argument):
            raise UntranslatableModel(f"The input {name!r} is {argument}.")
    key = "batch_shape" if job.to == KERAS_3 else "batch_input_shape"
    shape = given.get("batch_shape", given.get("batch_input_shape"))
    if shape is None:
        raise UntranslatableModel(f"The input {name!r} does not say what shape it has.")
    return {key: shape, "dtype": _dtype(given.get("dtype"), name) or "float32"}


def _dtype(value: Any, name: str) -> Optional[str]:
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


def _wrapper(job: _Job, class_name: str, given: Config, name: str) -> Config:
    for argument, value in given.items():
        if argument in ("name", "trainable", "dtype", "layer", "merge_mode", "backward_layer"):
            continue
        if not _is_without_effect(OF_ALL_LAYERS.get(argument, Extra((None,))), value):
            raise UntranslatableModel(_unknown(name, argument, value))
    if class_name == "Bidirectional":
        _check_masks(job, given, name)
    is_trained = is_trainable(given) and is_trainable(given["layer"]["config"])
    inner = _inner(job, given["layer"], is_trained)
    # In the first eras a wrapper is trained as what it wraps is.
    config: Config = {"layer": inner, "trainable": is_trained}
    if class_name != "Bidirectional":
        return config
    if job.own == KERAS_3 and job.to != KERAS_3:
        _strip_prefix(inner["config"], "forward_")
    config["merge_mode"] = given.get("merge_mode", "concat")
    backward = given.get("backward_layer")
    if isinstance(backward, dict):
        other = _inner(job, backward, is_trained)
        if _is_mirrored(inner, other):
            return config
        if job.to == KERAS_2:
            raise UntranslatableModel(
                f"The layer {name!r} goes backward with another layer than forward."
            )
        config["backward_layer"] = other
    return config


def _check_masks(job: _Job, given: Config, name: str) -> None:
    """Bidirectional sets what its layers give for masked steps; once it did not."""
    sides = [given[key]["config"] for key in ("layer", "backward_layer") if given.get(key)]
    # tf.keras writes time_major since it gives zeros.
    is_zero = any("time_major" in side or "zero_output_for_mask" in side for side in sides)
    for side in sides:
        side.pop("zero_output_for_mask", None)
    if not (job.is_masked and sides[0].get("return_sequences")):
        return
    if job.to != KERAS_2 and not is_zero:
        raise UntranslatableModel(
            f"The layer {name!r} repeats its last result in masked steps, as Keras 2.3 and "
            "TensorFlow 1.10 do; later ones give zeros there."
        )
    if job.to == KERAS_2:
        job.note(
            f"In masked steps the layer {name!r} gives zeros in tf.keras of TensorFlow 1.15 and "
            "later, and repeats its last result in TensorFlow 1.10 and Keras 2.3."
        )


def _inner(job: _Job, layer: Config, is_trained: bool) -> Config:
    """What a wrapper wraps."""
    if not is_trained:
        if layer["class_name"] in MODELS:
            _freeze(layer)
        else:
            layer["config"]["trainable"] = False
    return _layer(job, layer, names_of([layer])[0])


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


def _arguments(job: _Job, class_name: str, name: str, given: Config) -> Tuple[str, Config]:
    """The class and the arguments of a layer in the target's words."""
    given = dict(EARLY_DEFAULTS.get(class_name, {}), **given)
    _to_keras_2(job, class_name, name, given)
    config: Config = {}
    for argument, value in given.items():
        if argument in ("name", "trainable", "dtype"):
            continue
        if argument in ARGUMENTS[class_name]:
            config[argument] = _value(job, argument, value, name)
        elif _is_written(job, class_name, name, argument, value):
            config[argument] = value
    if config.get("activity_regularizer") is None:
        config.pop("activity_regularizer", None)  # no argument of some layers in Keras 3
    if job.to == KERAS_3:
        return _to_keras_3(class_name, config)
    return class_name, config


def _to_keras_2(job: _Job, class_name: str, name: str, given: Config) -> None:
    """Give a layer's arguments the names and the forms of Keras 2, and check what is special."""
    if class_name == "LeakyReLU" and "negative_slope" in given:
        given["alpha"] = given.pop("negative_slope")
    if class_name in ("ReLU", "LeakyReLU", "ELU", "ThresholdedReLU"):
        # Keras 2.2 and TensorFlow 1.10 write some numbers as text.
        for argument in ("max_value", "negative_slope", "threshold", "alpha", "theta"):
            if isinstance(given.get(argument), str):
                given[argument] = None if given[argument] == "None" else float(given[argument])
    if class_name == "Dropout" and not isinstance(given.get("seed"), (int, type(None))):
        given["seed"] = None
    if class_name.startswith("SeparableConv") and "depth_multiplier" not in given:
        given["depth_multiplier"] = 1
        job.note(
            f"The layer {name!r} does not say what its depth_multiplier is (TensorFlow 1.10 "
            "leaves it out): 1 is taken."
        )
    if given.get("padding") == "causal" and job.to == KERAS_2:
        job.note(f"The layer {name!r} has padding='causal': TensorFlow 1.10 cannot read it.")
    interpolation = given.get("interpolation", "nearest")
    if interpolation != "nearest" and (job.to == KERAS_2 or not job.is_from_newest):
        raise UntranslatableModel(
            f"The layer {name!r} has interpolation={interpolation!r}, whose grid is not the same "
            "in Keras 2.3 and in tf.keras."
        )


def _to_keras_3(class_name: str, config: Config) -> Tuple[str, Config]:
    """What has another name there."""
    if class_name == "LeakyReLU" and "alpha" in config:
        config["negative_slope"] = config.pop("alpha")
    if class_name == "ThresholdedReLU":
        return "ReLU", {"threshold": config["theta"]}
    return class_name, config


def _is_written(job: _Job, class_name: str, name: str, argument: str, value: Any) -> bool:
    """Whether an argument of single eras goes into the target.

    Raises:
        UntranslatableModel: If it does not, and that is another layer then.
    """
    unknown = OF_ALL_LAYERS.get(argument, Extra((None,)))
    extra = EXTRAS.get(class_name, {}).get(argument, unknown)
    without_effect = _is_without_effect(extra, value)
    if job.to in extra.known:
        if job.to != KERAS_2 or ... in extra.without_effect:
            return True
        if without_effect:
            return False
        if argument in LACKING:
            job.note(
                f"The layer {name!r} has {argument}={value!r}: {LACKING[argument]} cannot read it."
            )
        return True
    if without_effect:
        return False
    if extra.is_said:
        job.note(f"The layer {name!r} had {argument}={value!r}, which {job.to} does not know.")
        return False
    raise UntranslatableModel(_unknown(name, argument, value))


def _unknown(name: str, argument: str, value: Any) -> str:
    return f"The layer {name!r} has {argument}={value!r}, which other eras do not know."


def _is_without_effect(extra: Extra, value: Any) -> bool:
    if ... in extra.without_effect:
        return True
    return any(value == one and (value is one or one is not None) for one in extra.without_effect)


def _value(job: _Job, argument: str, value: Any, name: str) -> Any:
    if argument.endswith("initializer"):
        return _initializer(job, value, name)
    if argument.endswith("regularizer"):
        return _regularizer(job, value, name)
    if argument.endswith("constraint"):
        return _constraint(job, value, name)
    if argument.endswith("activation"):
        return _activation(job, value, name)
    if argument == "axis" and isinstance(value, list) and len(value) == 1:
        return value[0]
    return value


# What arguments hold


def _activation(job: _Job, value: Any, name: str) -> Any:
    if value is None:
        return None
    if isinstance(value, dict):
        value = value.get("config")
    plain = {"swish": "silu"}.get(value, value) if isinstance(value, str) else None
    if plain not in ACTIVATIONS:
        raise UntranslatableModel(
            f"The layer {name!r} has an activation of its own"
            + (f", {plain!r}." if plain is not None else ".")
        )
    if plain == "hard_sigmoid" and KERAS_3 in (job.own, job.to) and job.own != job.to:
        raise UntranslatableModel(
            f"The layer {name!r} uses hard_sigmoid: 0.2 x + 0.5 in Keras 2, x / 6 + 0.5 in Keras 3."
        )
    if job.to not in ACTIVATIONS[plain]:
        raise UntranslatableModel(
            f"The layer {name!r} has the activation {plain!r}, which {job.to} does not have."
        )
    if job.to == KERAS_2 and plain in LACKING:
        job.note(f"The layer {name!r} uses {plain!r}: {LACKING[plain]} cannot read it.")
    return "swish" if plain == "silu" and job.to != KERAS_3 else plain


def _initializer(job: _Job, value: Any, name: str) -> Any:
    """An initializer; what other eras do not know becomes zeros, for the values follow anyway."""
    if isinstance(value, str):
        value = {"class_name": _camel_case(value), "config": {}}
    class_name, config = value.get("class_name"), dict(value.get("config") or {})
    if class_name in SCALED_INITIALIZERS:
        scale, mode, distribution = SCALED_INITIALIZERS[class_name]
        config.update(scale=scale, mode=mode, distribution=distribution)
        class_name = "VarianceScaling"
    if class_name not in INITIALIZERS or isinstance(config.get("value"), dict):
        job.note(
            f"The layer {name!r} had an initializer {class_name!r}, now zeros; a checkpoint's "
            "values take their place."
        )
        class_name, config = "Zeros", {}
    kept = {key: config[key] for key in INITIALIZERS[class_name] if key in config}
    if not isinstance(kept.get("seed"), (int, type(None))):
        kept["seed"] = None
    if class_name == "RandomUniform" and kept.get("maxval", 0.0) is None:
        kept["maxval"] = 1.0  # what TensorFlow makes of it
    if "distribution" in kept:
        uniform = kept["distribution"] == "uniform"
        normal = "truncated_normal" if job.to == KERAS_3 else "normal"
        kept["distribution"] = "uniform" if uniform else normal
    return _written(class_name, kept, job.to, "keras.initializers")


def _camel_case(name: str) -> str:
    """glorot_uniform: GlorotUniform."""
    plain = "".join(part[:1].upper() + part[1:] for part in name.split("_"))
    return {"Normal": "RandomNormal", "Uniform": "RandomUniform", "Zero": "Zeros"}.get(plain, plain)


def _regularizer(job: _Job, value: Any, name: str) -> Any:
    if value is None:
        return None
    class_name = value.get("class_name") if isinstance(value, dict) else None
    if class_name == "OrthogonalRegularizer" and job.to != KERAS_2:
        kept = {key: value["config"][key] for key in ("factor", "mode")}
        return _written(class_name, kept, job.to, "keras.regularizers")
    if class_name not in ("L1L2", "L1", "L2"):
        raise UntranslatableModel(f"The layer {name!r} has a regularizer of its own.")
    config = value["config"]
    both = {"l1": config.get("l1", 0.0), "l2": config.get("l2", 0.0)}
    return _written("L1L2", both, job.to, "keras.regularizers")


def _constraint(job: _Job, value: Any, name: str) -> Any:
    if value is None:
        return None
    class_name = value.get("class_name") if isinstance(value, dict) else None
    if class_name not in CONSTRAINTS:
        raise UntranslatableModel(f"The layer {name!r} has a constraint of its own.")
    kept = {key: value["config"][key] for key in CONSTRAINTS[class_name] if key in value["config"]}
    return _written(class_name, kept, job.to, "keras.constraints")
