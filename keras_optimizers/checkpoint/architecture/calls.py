"""The calls of a functional model's layers: read from any dialect, written in another.

Where the eras count differently without saying so, and this module does the sum:
- A nested model's calls are numbered from 1 in Keras 2, which counts its making as call 0, and
  from 0 in Keras 3; but there from 1 in `output_layers`, if the nested model is functional.
- A functional model of Keras 3 obeys `training=` of the whole call rather than that of a layer.
"""

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

from keras_optimizers.checkpoint.architecture.layer_arguments import (
    KERAS_2,
    KERAS_3,
    RECURRENT,
    TRAINING_ALONE,
)
from keras_optimizers.checkpoint.architecture.layers import (
    FUNCTIONAL,
    MODELS,
    Config,
    class_of,
    layer_configs,
)
from keras_optimizers.checkpoint.architecture.translation import (
    WRAPPERS,
    Translation,
    UntranslatableModel,
)

# (layer name, index of its call, index of its output); calls are counted from 0 for every layer
Source = Tuple[str, int, int]


class Call(NamedTuple):
    """One call of a layer: on what, with which initial states, and `training` if it was given."""

    sources: List[Source]
    states: List[Source]
    training: Optional[bool]


def parse_call(node: Any, name: str, class_name: str) -> Call:
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
    return Call(sources, states, None if training is None else bool(training))


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


def parse_ends(translation: Translation, ends: Any, what: str) -> List[Source]:
    """Inputs or outputs; a single one may stand without its list."""
    if isinstance(ends, dict):
        translation.note(
            f"The model's {what} are a list now, in the order of their names, and no dict."
        )
        ends = [ends[key] for key in sorted(ends)]
    if ends and isinstance(ends[0], str):
        ends = [ends]
    found = []
    for end in ends:
        if not isinstance(end, list) or len(end) != 3 or not isinstance(end[0], str):
            raise UntranslatableModel(f"The model's {what} are nested in one another.")
        found.append((end[0], int(end[1]), int(end[2])))
    return found


def written_ends(translation: Translation, ends: List[List[Any]]) -> List[Any]:
    """Inputs or outputs; in Keras 3 a model of a list of one output gives a list."""
    return ends[0] if translation.to == KERAS_3 and len(ends) == 1 else ends


class Numbering:
    """How the calls of nested models are counted, in the source and in the target."""

    def __init__(
        self,
        translation: Translation,
        layers: Sequence[Config],
        names: Sequence[str],
        calls: Dict[str, List[Call]],
        outputs: Sequence[Source],
    ) -> None:
        self._job = translation
        self._classes = {name: layer["class_name"] for layer, name in zip(layers, names)}
        inner = [
            source
            for of_layer in calls.values()
            for call in of_layer
            for source in [*call.sources, *call.states]
        ]
        self._first: Dict[str, int] = {}
        for name, class_name in self._classes.items():
            if class_name in MODELS and translation.own != KERAS_3:
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


def written_node(
    translation: Translation, call: Call, layer: Config, name: str, numbering: Numbering
) -> Union[List[Any], Config]:
    """A call in the target's words."""
    training = _training(translation, call.training, layer, name)
    keywords = {} if training is None else {"training": training}
    sources = [numbering.written(source) for source in call.sources]
    states = [numbering.written(source) for source in call.states]
    if translation.to != KERAS_3 or not states:
        # Keras 3 reads the old form, too; its own holds the shapes of all tensors.
        return [[*source, dict(keywords)] for source in [*sources, *states]]
    initial = {"initial_state": [_tensor(state) for state in states]}
    return {"args": [_tensor(source) for source in sources], "kwargs": dict(keywords, **initial)}


def _tensor(source: List[Any]) -> Config:
    """A tensor as Keras 3 writes it; it asks for a shape, and then takes the source's."""
    placeholder = {"shape": [None], "dtype": "float32", "keras_history": source}
    return {"class_name": "__keras_tensor__", "config": placeholder}


def _training(
    translation: Translation, training: Optional[bool], layer: Config, name: str
) -> Optional[bool]:
    """The `training` that a layer was called with, where it has an effect."""
    if training is None or not _depends_on_training(layer):
        return None
    if translation.to == KERAS_3:
        raise UntranslatableModel(
            f"The layer {name!r} is called with training={training}, which fit() and predict() "
            "of Keras 3 overrule in a functional model."
        )
    if translation.to == KERAS_2 and layer["class_name"] in MODELS:
        raise UntranslatableModel(
            f"The model {name!r} is called with training={training}; Keras 2.2 cannot."
        )
    return training


def _depends_on_training(layer: Config) -> bool:
    class_name, own = class_of(layer), layer["config"]
    if class_name in MODELS:
        return any(_depends_on_training(inner) for inner in layer_configs(layer))
    if class_name in WRAPPERS:
        return _depends_on_training(own["layer"])
    if class_name in RECURRENT:
        return bool(own.get("dropout") or own.get("recurrent_dropout"))
    return class_name in TRAINING_ALONE
