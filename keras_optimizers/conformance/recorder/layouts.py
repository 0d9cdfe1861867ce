"""Names for the arrays of `get_weights`, by which layouts of different versions are compared."""

from typing import Any, List, Sequence

import numpy as np

# The state of a parameter, group by group. A class that is not here gets "slot 0", "slot 1" ...
ROLES = {
    "SGD": ("velocity",),
    "RMSprop": ("mean square",),
    "Adagrad": ("sum of squares",),
    "Adadelta": ("mean square of gradient", "mean square of step"),
    "Adam": ("first moment", "second moment", "largest second moment"),
    "Adamax": ("first moment", "infinity norm"),
    "Nadam": ("first moment", "second moment"),
}


def name_weights(
    class_name: str, weights: Sequence[Any], parameters: int, steps: int, grouped: bool = True
) -> List[str]:
    """A name for each of `weights`: "iterations", "m_schedule", "velocity of parameter 0" ...

    Arguments:
        class_name: of the optimizer.
        weights: their values after `steps` steps.
        parameters: the number of trained parameters.
        grouped: slots stand role by role; otherwise parameter by parameter.
    """
    names: List[str] = []
    rest = [np.asarray(weight) for weight in weights]
    if rest and rest[0].shape == () and float(rest[0]) == steps:
        names.append("iterations")
        rest = rest[1:]
    if rest and class_name == "Nadam" and len(rest) % parameters and rest[0].shape == ():
        names.append("m_schedule")
        rest = rest[1:]
    roles = ROLES.get(class_name, ())
    if len(rest) % parameters:
        return names + ["weight %d" % (len(names) + index) for index in range(len(rest))]
    groups = len(rest) // parameters
    for index in range(len(rest)):
        group, parameter = divmod(index, parameters)
        if not grouped:
            parameter, group = divmod(index, groups)
        role = roles[group] if group < len(roles) else "slot %d" % group
        names.append("%s of parameter %d" % (role, parameter))
    return names
