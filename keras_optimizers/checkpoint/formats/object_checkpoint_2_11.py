"""Reading object checkpoints with the optimizers of tf.keras 2.11 to 2.15.

Those keep all their variables in one list, `optimizer/_variables/1`, ..., in the order in which an
HDF5 file has them. Only the names that TensorFlow's graph gave them, `Adam/m/dense/kernel`, tell
whose they are.
"""

from typing import Any, Dict, List, Optional, Sequence

from keras_optimizers.checkpoint.eras import configs, layouts, weight_lists
from keras_optimizers.checkpoint.eras.weight_lists import Weight
from keras_optimizers.checkpoint.errors import CheckpointError
from keras_optimizers.checkpoint.formats import object_checkpoint
from keras_optimizers.checkpoint.formats.optimizer_objects import LIST, Objects, ReadObjects
from keras_optimizers.checkpoint.matching import Candidate, unique_names
from keras_optimizers.checkpoint.state import Array, OptimizerState
from keras_optimizers.checkpoint.storage.object_graphs import list_items

LAYOUT = layouts.OBJECT_CHECKPOINT_2_11
_RATE, _PRODUCT = "_learning_rate", "_u_product"
_AVERAGES = "_model_variables_moving_average"


def read(request: ReadObjects) -> OptimizerState:
    """The state of an optimizer in such a checkpoint.

    The class is needed where the optimizer has a name of its own.

    Raises:
        CheckpointError: If it is one of Keras 3, or the class is needed.
    """
    objects, optimizer, candidates, values, class_name = request
    prefix, nodes = objects.prefix, objects.nodes
    children = nodes[optimizer.number].children
    listed = list_items(nodes[children[LIST]].children)
    if children.get(_RATE) in listed:
        raise CheckpointError(
            f"{prefix!r} holds an optimizer of Keras 3, which is read from .keras and .weights.h5 "
            "alone: save the model so."
        )
    weights = [_weight(objects, number) for number in listed]
    # `Adam/m/dense/kernel`: the optimizer's name, the role, the parameter.
    parts = [weight.name.split("/", 2) for weight in weights]
    named = [one for one in parts if len(one) == 3]
    class_name = _class_of(class_name, named, prefix)
    roles = {one[1] for one in named}
    config: Dict[str, Any] = {
        "amsgrad": "vhat" in roles,
        "centered": LAYOUT.roles["mean_gradient"] in roles,
        "use_ema": bool(_AVERAGES in children and nodes[children[_AVERAGES]].children),
    }
    kept = {"Adam": ("amsgrad",), "RMSprop": ("centered",)}.get(class_name, ())
    config = {key: config[key] for key in ("use_ema", *kept)}
    if _RATE in children:
        config["learning_rate"] = float(objects.value(children[_RATE]).read())
    options, notes = configs.parse(LAYOUT, class_name, config, prefix)
    options.update(values)
    notes.append(
        "No such file holds a hyperparameter but the learning rate; give the others with --set."
    )
    variables = {path: objects.value(number) for path, number in objects.variables().items()}
    full_names = objects.full_names()
    names = object_checkpoint.names_of(variables, candidates, prefix, full_names)
    trained = _trained(named, variables, full_names, names)
    if trained is None and candidates is not None:
        frozen = {one.name for one in candidates if one.trainable is False}
        trained = [
            Candidate(name, variables[path], name not in frozen) for path, name in names.items()
        ]
    if trained is None:
        notes.append("The slots are not named after the parameters: give the model with --model.")
    held = dict(options)
    if class_name == "RMSprop" and LAYOUT.roles["momentum"] in roles:
        held.setdefault("momentum", 1.0)
    content = weight_lists.parse(LAYOUT, class_name, held, weights, trained, prefix)
    state = OptimizerState(
        class_name,
        options,
        content.iterations,
        content.parameters,
        content.slots,
        _scalars(objects, class_name, children),
        object_checkpoint.provenance(objects, optimizer, LAYOUT),
        notes,
    )
    if held != options:
        state.doubts["momentum"] = (
            "the file has slots for it and does not hold it. Give it with --set momentum=VALUE; "
            "without it these slots are left out"
        )
    if named and named[0][0].lower().startswith("adamw") and "weight_decay" not in options:
        state.doubts["weight_decay"] = (
            "AdamW has one, which the file does not hold; give it with --set weight_decay=VALUE"
        )
    state.variables = {names[path]: variables[path] for path in names}
    state.object_paths = {name: path for path, name in names.items()}
    return state


def _weight(objects: Objects, number: int) -> Weight:
    return Weight(objects.nodes[number].full_name, objects.value(number))


def _scalars(objects: Objects, class_name: str, children: Dict[str, int]) -> Dict[str, Any]:
    """Nadam's product, which the optimizer's list leaves out and its attribute has."""
    if class_name != "Nadam" or _PRODUCT not in children:
        return {}
    return {"m_schedule": objects.value(children[_PRODUCT]).read()[()]}


def _class_of(known: Optional[str], named: Sequence[Sequence[str]], prefix: str) -> str:
    """The class, from the optimizer's name, which is the class's unless it was given another."""
    if known is None and not named:
        raise CheckpointError(f"{prefix!r} does not tell which optimizer it holds; give --class.")
    try:
        return configs.class_name_of(known or named[0][0].rstrip("_0123456789"), prefix)
    except CheckpointError as error:
        if known is not None:
            raise
        raise CheckpointError(
            f"{prefix!r} does not tell which optimizer it holds (its name is {named[0][0]!r}); "
            "give --class."
        ) from error


def _trained(
    named: Sequence[Sequence[str]],
    variables: Dict[str, Array],
    full_names: Dict[str, str],
    names: Dict[str, str],
) -> Optional[List[Candidate]]:
    """The parameters in the slots' order, by the slots' names; None where those do not tell."""
    paths: Dict[str, List[str]] = {}
    for path in variables:
        paths.setdefault(full_names.get(path, ""), []).append(path)
    owners = list(dict.fromkeys(parameter for _, _, parameter in named))
    if not owners or any(len(paths.get(owner, [])) != 1 for owner in owners):
        return None
    found = [
        Candidate(names[paths[owner][0]], variables[paths[owner][0]], True) for owner in owners
    ]
    return found if unique_names(found) == [one.name for one in found] else None
