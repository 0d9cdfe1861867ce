"""A step by way of the host's own functions, where a library has replaced one of them.

Some libraries change an optimizer by replacing `K.update`, `K.update_add` or `K.update_sub` while
its `get_updates` runs: to add weight decay, to wait for several batches, to keep slow weights. The
kernels that ours write with would pass them by. So while one of these functions is replaced, the
step is built of plain formulas, and each variable is written by the host's function, as the host's
own optimizers do.
"""

import logging
from types import SimpleNamespace
from typing import Any, List, Sequence, Tuple

import tensorflow.compat.v1 as tf

from keras_optimizers.coefficients import StepCoefficients
from keras_optimizers.gradients import dense_gradient
from keras_optimizers.parameters import TrainedParameter
from keras_optimizers.placement import colocated_with
from keras_optimizers.scalars import ScalarReads
from keras_optimizers.tensorflow_types import Variable

_logger = logging.getLogger("keras_optimizers")
_announced: List[str] = []


def is_asked_for(host: Any) -> bool:
    """Whether a library has replaced a function by which the host's optimizers assign.

    The first time in a process, a line of the log says so.
    """
    replaced = host.replaced()
    if replaced and not _announced:
        _announced.extend(replaced)
        _logger.warning(
            "%s is not %s's own function, so the optimizer's step is built through it, as %s's "
            "own optimizers are: one plain formula a parameter, without the faster kernels.",
            " and ".join(replaced),
            host.name,
            host.name,
        )
    return bool(replaced)


def updates(
    optimizer: Any,
    parameters: Sequence[TrainedParameter],
    coefficients: StepCoefficients,
    reads: ScalarReads,
) -> List[Any]:
    """The updates in upstream's order: `iterations`, other scalars, slots and parameters.

    What the replaced functions return is handed on as it is, for the library that replaced them
    may look for it: tuples or None, too. As upstream, other scalars are (variable, value) tuples.
    """
    host = optimizer._host
    new_values = []
    for parameter in parameters:
        with colocated_with(parameter.variable):
            new_values += _new_values(optimizer, parameter, coefficients)
    scalars = optimizer.scalar_updates(coefficients.by_dtype[reads.dtype])
    computed = [value for _, value in new_values] + list(scalars.values()) + reads.all_computed
    # No variable is written before all formulas have read what they need.
    with tf.control_dependencies([tf.group(*computed)]):
        written = [host.update(variable, tf.identity(value)) for variable, value in new_values]
        pairs = [(getattr(optimizer, name), tf.identity(value)) for name, value in scalars.items()]
    # A replaced function may read `iterations`, so that is counted last.
    finished = [made for made in written if tf.is_tensor(made) or isinstance(made, tf.Operation)]
    with tf.control_dependencies(computed + finished):
        one = tf.identity(tf.ones([], optimizer.iterations.dtype.base_dtype))
        counted = host.update_add(optimizer.iterations, one)
    return [counted, *pairs, *written]


def _new_values(
    optimizer: Any, parameter: TrainedParameter, coefficients: StepCoefficients
) -> List[Tuple[Variable, Any]]:
    """(variable, new value) of the slots of one parameter, then of the parameter."""
    slots = {role: tf.convert_to_tensor(slot) for role, slot in parameter.slots.items()}
    new_value, new_slots = optimizer.update_rule(
        tf.convert_to_tensor(parameter.variable),
        dense_gradient(parameter.gradient, parameter.variable),
        SimpleNamespace(**slots),
        coefficients.by_dtype[parameter.dtype],
    )
    if parameter.constraint is not None:
        new_value = parameter.constraint(new_value)
    changes = [(parameter.slots[role], value) for role, value in new_slots.items()]
    return [*changes, (parameter.variable, new_value)]
