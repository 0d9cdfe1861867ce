"""Reading `tf.train.Checkpoint` and `save_weights` checkpoints with OptimizerV2.

Names are paths through Python objects: `layer_with_weights-0/kernel/.ATTRIBUTES/VARIABLE_VALUE`,
slots `layer_with_weights-0/kernel/.OPTIMIZER_SLOT/optimizer/m/.ATTRIBUTES/VARIABLE_VALUE`, the
optimizer's own `optimizer/iter/...`.
"""

import re
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from keras_optimizers.checkpoint.eras import layouts
from keras_optimizers.checkpoint.eras.layout import Layout
from keras_optimizers.checkpoint.errors import CheckpointError
from keras_optimizers.checkpoint.formats.optimizer_objects import (
    V2_ITERATIONS,
    VALUE,
    Objects,
    Place,
    ReadObjects,
)
from keras_optimizers.checkpoint.matching import Candidate
from keras_optimizers.checkpoint.state import Array, OptimizerState, Parameter, Provenance

LAYOUT = layouts.OBJECT_CHECKPOINT

HYPERPARAMETERS = {
    "learning_rate": "lr",
    "decay": "decay",
    "momentum": "momentum",
    "rho": "rho",
    "beta_1": "beta_1",
    "beta_2": "beta_2",
}
# Usual order of a layer's variables.
_ATTRIBUTES = (
    "kernel",
    "depthwise_kernel",
    "pointwise_kernel",
    "recurrent_kernel",
    "embeddings",
    "bias",
    "gamma",
    "beta",
    "moving_mean",
    "moving_variance",
)


def read(request: ReadObjects) -> OptimizerState:
    """The state of an optimizer in such a checkpoint.

    The class is needed where Adam and Adamax cannot be told apart.

    Raises:
        CheckpointError: If the class is needed, or the model is another one.
    """
    objects, optimizer, candidates, values, class_name = request
    prefix, nodes = objects.prefix, objects.nodes
    node = nodes[optimizer.number]
    own = {
        name: objects.value(number) for name, number in node.children.items() if nodes[number].key
    }
    slots: Dict[str, Dict[str, Array]] = {}
    for parameter, role, slot in node.slots:
        path = nodes[parameter].key[: -len(VALUE)]
        slots.setdefault(path, {})[role] = objects.value(slot)
    notes: List[str] = []
    class_name = class_name or _class_of(slots, own, prefix, notes)
    hyperparameters: Dict[str, Any] = {
        ours: float(own[theirs].read()) for theirs, ours in HYPERPARAMETERS.items() if theirs in own
    }
    if class_name == "Nadam" and "decay" in hyperparameters:
        hyperparameters["schedule_decay"] = hyperparameters.pop("decay")
    hyperparameters.update(values)
    if class_name == "Adam":
        hyperparameters.setdefault("amsgrad", any("vhat" in held for held in slots.values()))
    if class_name == "RMSprop":
        hyperparameters.setdefault("centered", any("mg" in held for held in slots.values()))
        if hyperparameters.get("momentum"):
            hyperparameters["epsilon_inside_root"] = True
    notes.append("epsilon, nesterov and clipping are in no such file; give them with --set.")
    variables = {path: objects.value(number) for path, number in objects.variables().items()}
    names = names_of(variables, candidates, prefix, objects.full_names())
    trained = [path for path in names if path in slots]
    if not slots:
        frozen = {one.name for one in candidates or [] if one.trainable is False}
        trained = [path for path, name in names.items() if name not in frozen]
        trained = [path for path in trained if not path.split("/")[-1].startswith("moving_")]
    roles = {}
    for role, theirs in LAYOUT.roles.items():
        held = {
            names[path]: slots[path][theirs] for path in trained if theirs in slots.get(path, {})
        }
        if held and role in _roles_of(class_name, hyperparameters):
            roles[role] = held
    product = own.get("momentum_cache")
    state = OptimizerState(
        class_name,
        hyperparameters,
        int(own[V2_ITERATIONS].read()),
        [_parameter(names[path], variables[path]) for path in trained],
        roles,
        {} if product is None else {"m_schedule": product.read()[()]},
        provenance(objects, optimizer, LAYOUT),
        notes,
    )
    state.variables = {names[path]: variables[path] for path in names}
    state.object_paths = {name: path for path, name in names.items()}
    return state


def provenance(objects: Objects, optimizer: Place, layout: Layout) -> Provenance:
    """Of a state in such a checkpoint."""
    several = len(objects.optimizers) > 1
    return Provenance(
        objects.prefix,
        layout.name,
        layout.title,
        "tf.train.Checkpoint",
        optimizer.path if several else "",
    )


def _roles_of(class_name: str, options: Dict[str, Any]) -> List[str]:
    return layouts.roles(LAYOUT, class_name, options)


def _parameter(name: str, array: Array) -> Parameter:
    return Parameter(name, array.shape, array.dtype.name, array)


def _class_of(
    slots: Dict[str, Dict[str, Array]], own: Dict[str, Array], prefix: str, notes: List[str]
) -> str:
    """The class, from the names of its slots and hyperparameters."""
    roles = {role for held in slots.values() for role in held}
    if "momentum_cache" in own:
        return "Nadam"
    if "vhat" in roles:
        return "Adam"
    if "accumulator" in roles:
        return "Adagrad"
    if "accum_grad" in roles:
        return "Adadelta"
    if "rms" in roles:
        return "RMSprop"
    if {"m", "v"} <= roles:
        # Adamax's v is at least |m|; Adam's, a mean of squares, is not where gradients are small.
        for held in slots.values():
            if np.any(np.abs(held["m"].read()) > 1.001 * held["v"].read()):
                notes.append("class: Adam, inferred from its slots; Adamax has the same names.")
                return "Adam"
        raise CheckpointError(
            f"{prefix!r} may hold Adam or Adamax, which use the same names. Say --class Adam or "
            "--class Adamax."
        )
    if "momentum" in own and "rho" not in own:
        return "SGD"
    raise CheckpointError(f"{prefix!r} does not tell which optimizer it holds; give --class.")


def names_of(
    variables: Dict[str, Array],
    candidates: Optional[Sequence[Candidate]],
    prefix: str,
    full_names: Dict[str, str],
) -> Dict[str, str]:
    """The variables' names by path, in the model's order.

    Without a model a variable is named by its path. With one, it is the model's variable of the
    same name in the graph, if each has one; otherwise the layers with weights are those of the
    model in their order, and the variable's attribute is the end of its name.

    Arguments:
        variables: by path, in the order in which the objects hold them.
        full_names: the names in the graph, by path.
    """
    paths = list(variables)
    if candidates is None:
        return {path: path for path in sorted(paths, key=_natural)}
    by_name = {full_names.get(path, ""): path for path in paths}
    if len(by_name) == len(paths) and all(
        one.name in by_name and variables[by_name[one.name]].shape == one.array.shape
        for one in candidates
    ):
        return {by_name[one.name]: one.name for one in candidates}
    layers: Dict[str, List[Candidate]] = {}
    for candidate in candidates:
        layers.setdefault(candidate.name.rpartition("/")[0], []).append(candidate)
    groups: Dict[str, List[str]] = {}
    for path in paths:
        groups.setdefault(path.rpartition("/")[0], []).append(path)
    if len(groups) != len(layers):
        raise CheckpointError(
            f"{prefix!r} holds {len(groups)} layers with weights, the model has {len(layers)}."
        )
    found = {}
    for own, group in zip(layers.values(), groups.values()):
        by_end = {candidate.name.rpartition("/")[2]: candidate for candidate in own}
        for path in group:
            match = by_end.get(path.rpartition("/")[2])
            if match is None or match.array.shape != variables[path].shape:
                raise CheckpointError(
                    f"{prefix!r}: {path!r} of shape {variables[path].shape} is not in the model's "
                    f"layer {own[0].name.rpartition('/')[0]!r}."
                )
            found[path] = match.name
    order = [candidate.name for candidate in candidates]
    return dict(sorted(found.items(), key=lambda item: order.index(item[1])))


def _natural(path: str) -> Tuple[Any, ...]:
    """layer_with_weights-10 after layer_with_weights-9; kernel before bias."""
    parts: List[Any] = []
    for part in path.split("/"):
        number = re.search(r"-(\d+)$", part)
        rank = _ATTRIBUTES.index(part) if part in _ATTRIBUTES else len(_ATTRIBUTES)
        parts.append((int(number.group(1)) if number else -1, rank, part))
    return tuple(parts)
