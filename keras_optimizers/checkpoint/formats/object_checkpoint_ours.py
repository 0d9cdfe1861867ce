"""Reading what estimators with this package save with `checkpoint_format="checkpoint"`.

The optimizer lists its variables there (see `object_checkpoints` beside the optimizers): its
scalars by name, and its slots by role and number, `first_moment_0`, in the order of training.
"""

from typing import Any, Dict, List

from keras_optimizers.checkpoint.eras import configs, layouts, weight_lists
from keras_optimizers.checkpoint.eras.weight_lists import Weight
from keras_optimizers.checkpoint.formats import object_checkpoint
from keras_optimizers.checkpoint.formats.optimizer_objects import REPLACED_ITERATIONS, ReadObjects
from keras_optimizers.checkpoint.matching import Candidate
from keras_optimizers.checkpoint.state import OptimizerState
from keras_optimizers.reference import OPTIMIZERS

LAYOUT = layouts.OBJECT_CHECKPOINT_OURS
_PRODUCT = "m_schedule"


def read(request: ReadObjects) -> OptimizerState:
    """The state of an optimizer in such a checkpoint.

    The class is needed where the optimizer's variables have another name.

    Raises:
        CheckpointError: If the class is needed, or the slots fit the model in no one way.
    """
    objects, optimizer, candidates, values, class_name = request
    prefix, nodes = objects.prefix, objects.nodes
    children = nodes[optimizer.number].children
    # Its variables begin with the class: Adam/iterations, Adam_1/iterations.
    written = nodes[children[REPLACED_ITERATIONS]].full_name.split("/")[0]
    class_name = configs.class_name_of(class_name or written.rstrip("_0123456789"), prefix)
    options: Dict[str, Any] = {
        name: float(objects.value(children[name]).read())
        for name in OPTIMIZERS[class_name].defaults
        if name in children
    }
    variables = {path: objects.value(number) for path, number in objects.variables().items()}
    names = object_checkpoint.names_of(variables, candidates, prefix, objects.full_names())
    trainable = {one.name: one.trainable for one in candidates or []}
    model = [
        Candidate(name, variables[path], False if _is_statistic(path) else trainable.get(name))
        for path, name in names.items()
    ]
    numbers = [children["iterations"]]
    numbers += [children[_PRODUCT]] if _PRODUCT in children else []
    for role in OPTIMIZERS[class_name].roles:
        numbers += _slots(children, role)
    weights = [Weight(nodes[number].full_name, objects.value(number)) for number in numbers]
    options.update(values)
    content = weight_lists.parse(LAYOUT, class_name, options, weights, model, prefix)
    if class_name == "Adam":
        options.setdefault("amsgrad", "largest_second_moment" in content.slots)
    state = OptimizerState(
        class_name,
        options,
        content.iterations,
        content.parameters,
        content.slots,
        content.scalars,
        object_checkpoint.provenance(objects, optimizer, LAYOUT),
        ["epsilon, nesterov and clipping are in no such file; give them with --set."],
    )
    state.variables = {names[path]: variables[path] for path in names}
    state.object_paths = {name: path for path, name in names.items()}
    return state


def _is_statistic(path: str) -> bool:
    """Whether it is an average that no optimizer trains."""
    return path[path.rfind("/") + 1 :].startswith("moving_")


def _slots(children: Dict[str, int], role: str) -> List[int]:
    """The numbers of a role's slots, in their order."""
    found: List[int] = []
    while f"{role}_{len(found)}" in children:
        found.append(children[f"{role}_{len(found)}"])
    return found
