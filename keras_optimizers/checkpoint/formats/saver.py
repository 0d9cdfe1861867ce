"""`tf.train.Saver` checkpoints of graphs with ours, or with upstream's old classes.

The optimizer's scalars are `Adam/iterations`, `Adam/lr`, ...; its slots have no names of their own
but `training/Variable`, `training/Variable_1`, ... (1.15 and ours), `training/Adam/Variable` ...
(1.10), role by role in the order of training. What the graph holds as constants (epsilon,
nesterov, amsgrad, Adadelta's rho, clipping) is in no such file.
"""

import re
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from keras_optimizers import reference
from keras_optimizers.checkpoint.eras import layouts, weight_lists
from keras_optimizers.checkpoint.eras.weight_lists import Weight
from keras_optimizers.checkpoint.errors import CheckpointError
from keras_optimizers.checkpoint.formats.format import Format, WriteRequest
from keras_optimizers.checkpoint.matching import Candidate
from keras_optimizers.checkpoint.state import Array, OptimizerState, Provenance
from keras_optimizers.checkpoint.storage import bundles

LAYOUT = layouts.SAVER
_SLOT = re.compile(r"(?P<scope>(?:.*/)?)Variable(?:_(?P<number>\d+))?$")


def scope_of(tensors: Dict[str, Array]) -> Optional[Tuple[str, str]]:
    """(class name, scope) of the optimizer whose scalars are there; None where there is none."""
    for name in tensors:
        parts = name.split("/")
        if parts[-1] != "iterations" or len(parts) < 2:
            continue
        plain = re.sub(r"_\d+$", "", parts[-2])
        if plain in reference.OPTIMIZERS and "/".join(parts[:-1] + ["lr"]) in tensors:
            return plain, "/".join(parts[:-1])
    return None


def read(
    prefix: str,
    tensors: Dict[str, Array],
    candidates: Optional[Sequence[Candidate]],
    values: Dict[str, Any],
) -> OptimizerState:
    """The state in such a checkpoint.

    Arguments:
        tensors: all of them, by name.
        candidates: the model's variables in their order, from a file that holds the model.
        values: hyperparameters that are known otherwise.

    Raises:
        CheckpointError: If the slots fit the parameters in no one way.
    """
    found = scope_of(tensors)
    if found is None:
        raise CheckpointError(f"{prefix!r} holds no state of an optimizer of this kind.")
    class_name, scope = found
    names = [f"{scope}/{name}" for name in reference.OPTIMIZERS[class_name].variables]
    missing = [name for name in names if name not in tensors]
    if missing:
        raise CheckpointError(
            f"{prefix!r} is incomplete: {class_name} also has {', '.join(missing)}. Save all "
            "global variables."
        )
    scalars = {
        name: tensors[f"{scope}/{name}"] for name in reference.OPTIMIZERS[class_name].variables
    }
    hyperparameters = {
        name: float(array.read())
        for name, array in scalars.items()
        if name not in ("iterations", "m_schedule")
    }
    hyperparameters.update(values)
    others = {name: array for name, array in tensors.items() if not name.startswith(scope + "/")}
    slots = _slots(class_name, others, prefix)
    variables = {
        name: array
        for name, array in others.items()
        if array.dtype.kind == "f" and f"{name}" not in {weight.name for weight in slots}
    }
    notes = [
        "What the graph holds as constants (epsilon, nesterov, clipping ...) is in no Saver file; "
        "give what is not the default with --set NAME=VALUE."
    ]
    if candidates is None:
        candidates = _told_by_shapes(class_name, slots, variables)
        if candidates is None:
            notes.append(
                "Which parameter a slot belongs to is not told where shapes are equal: the "
                "parameters are numbered. Give the model with --model FILE."
            )
    else:
        candidates = _with_values(candidates, variables, prefix)
    layout = LAYOUT._replace(counted=(), momentum_product="")
    if class_name == "Adam" and slots:
        hyperparameters.setdefault("amsgrad", slots[-1].array.shape != (1,))
    content = weight_lists.parse(layout, class_name, hyperparameters, slots, candidates, prefix)
    product = {"m_schedule": scalars["m_schedule"].read()[()]} if "m_schedule" in scalars else {}
    state = OptimizerState(
        class_name,
        hyperparameters,
        int(scalars["iterations"].read()),
        content.parameters,
        content.slots,
        product,
        Provenance(prefix, LAYOUT.name, LAYOUT.title, "tf.train.Saver"),
        notes,
    )
    state.variables = variables
    return state


def _slots(class_name: str, tensors: Dict[str, Array], prefix: str) -> List[Weight]:
    """The slots in their order, from the scope that has most variables of such names."""
    series: Dict[str, List[Tuple[int, str]]] = {}
    for name in tensors:
        match = _SLOT.match(name)
        if match:
            number = int(match.group("number") or 0)
            series.setdefault(match.group("scope"), []).append((number, name))
    if not series:
        if class_name == "SGD":
            return []
        raise CheckpointError(f"{prefix!r} holds no slots of {class_name}.")
    scope = max(series, key=lambda one: len(series[one]))
    return [Weight(name, tensors[name]) for _, name in sorted(series[scope])]


def _told_by_shapes(
    class_name: str, slots: Sequence[Weight], variables: Dict[str, Array]
) -> Optional[List[Candidate]]:
    """The parameters in the slots' order, where every shape occurs once."""
    by_shape: Dict[Tuple[int, ...], List[str]] = {}
    for name, array in variables.items():
        by_shape.setdefault(array.shape, []).append(name)
    roles = len(reference.OPTIMIZERS[class_name].roles)
    own = [weight.array.shape for weight in slots[: max(1, len(slots) // roles)]]
    if not slots or any(len(by_shape.get(shape, [])) != 1 for shape in own):
        return None
    if len(set(own)) != len(own):
        return None
    return [Candidate(by_shape[shape][0], variables[by_shape[shape][0]], True) for shape in own]


def _with_values(
    candidates: Sequence[Candidate], variables: Dict[str, Array], prefix: str
) -> List[Candidate]:
    """The model's variables with the checkpoint's values.

    Raises:
        CheckpointError: If a trained one is not in the checkpoint.
    """
    result = []
    for candidate in candidates:
        value = variables.get(candidate.name)
        if value is None and candidate.trainable is not False:
            raise CheckpointError(
                f"{prefix!r} has no variable {candidate.name!r} of the model; it has "
                f"{sorted(variables)[:6]} ..."
            )
        if value is not None and value.shape != candidate.array.shape:
            raise CheckpointError(
                f"{candidate.name!r} has the shape {value.shape} in {prefix!r}, and "
                f"{candidate.array.shape} in the model."
            )
        result.append(candidate if value is None else candidate._replace(array=value))
    return result


def write(request: WriteRequest) -> None:
    """Write such a checkpoint: the model's variables, the optimizer's scalars and its slots.

    The option `scope` is the name scope of the slots: "training" is what `compile` opens, "" is
    a raw graph.
    """
    state = request.state
    scope = str(request.options.get("scope", "training")).strip("/")
    tensors = [(name, array) for name, array in state.variables.items()]
    known = {name for name, _ in tensors}
    for parameter in state.parameters:
        if parameter.name not in known and parameter.value is not None:
            tensors.append((parameter.name, parameter.value))
    for name in reference.OPTIMIZERS[state.class_name].variables:
        tensors.append((f"{state.class_name}/{name}", _scalar(state, name)))
    slots = LAYOUT._replace(counted=(), momentum_product="")
    prefix = scope + "/" if scope else ""
    for number, weight in enumerate(weight_lists.arrange(slots, state)):
        tensors.append((f"{prefix}Variable{f'_{number}' if number else ''}", weight.array))
    options = state.hyperparameters
    shown = ", ".join(
        f"{name}={options[name]!r}"
        for name in [*reference.OPTIMIZERS[state.class_name].defaults, *reference.CLIPPING]
        if options.get(name) is not None
    )
    request.report.note(
        "A Saver file holds no constants: make the optimizer with keras_optimizers."
        f"{state.class_name}({shown})."
    )
    bundles.write_bundle(request.path, tensors, request.progress, request.confirm)


def _scalar(state: OptimizerState, name: str) -> Array:
    if name == "iterations":
        return Array.of(np.asarray(state.iterations or 0, np.int64))
    value = state.scalars[name] if name == "m_schedule" else state.hyperparameters[name]
    return Array.of(np.asarray(value, np.float32))


FORMAT = Format(
    LAYOUT,
    write,
    remedy="It is several files: give their common prefix, without an ending.",
    options=("scope",),
    needs_tensorflow=True,
)
