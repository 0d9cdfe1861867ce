"""Between a live optimizer of ours, in a graph, and `OptimizerState`."""

from typing import Any, Dict, List, Optional, Sequence

import numpy as np

from keras_optimizers import reference
from keras_optimizers.checkpoint import mathematics
from keras_optimizers.checkpoint.eras import layouts
from keras_optimizers.checkpoint.fitting import fit
from keras_optimizers.checkpoint.report import LOST, Report
from keras_optimizers.checkpoint.state import OptimizerState, Parameter, Provenance

# What a live optimizer of ours can hold: everything of r1.10, iterations and m_schedule too.
LIVE = layouts.KERAS_OPTIMIZERS._replace(
    name="a live optimizer", title="an optimizer of this package, in a graph"
)


def capture(optimizer: Any) -> OptimizerState:
    """The complete state of one of our optimizers, read in one run of the backend session.

    Arguments:
        optimizer: an optimizer whose `get_updates` has been called (by `compile` and a first
            batch, or by hand).

    Raises:
        ValueError: If it has no state yet, or is no optimizer of ours.

    Examples:
        >>> import tensorflow.compat.v1 as tf
        >>> from keras_optimizers import Adam, checkpoint
        >>> weight = tf.get_variable("weight", initializer=1.0, use_resource=True)
        >>> optimizer = Adam()
        >>> step = tf.group(*optimizer.get_updates(weight * weight, [weight]))
        >>> with tf.Session() as session:
        ...     session.run(tf.global_variables_initializer())
        ...     session.run(step)
        ...     print(checkpoint.capture(optimizer))
        <OptimizerState Adam, iterations=1, 1 parameters, slots: first_moment, second_moment>
    """
    _check(optimizer)
    names = list(optimizer.weight_scalars)
    scalars = list(dict.fromkeys(["iterations", *names]))
    slots = optimizer.weights[len(names) :]
    values = optimizer._host.get_values([getattr(optimizer, name) for name in scalars] + slots)
    by_name = dict(zip(scalars, values))
    parameters = [Parameter(name, tuple(shape), dtype) for name, shape, dtype in optimizer.trained]
    arrays = values[len(scalars) :]
    count = len(parameters)
    held: Dict[str, Dict[str, Any]] = {}
    for index, role in enumerate(optimizer.slot_roles):
        group = arrays[index * count : (index + 1) * count]
        if role == "largest_second_moment" and not optimizer.amsgrad:
            continue  # placeholders
        held[role] = {parameter.name: value for parameter, value in zip(parameters, group)}
    iterations = int(by_name.pop("iterations"))
    config = optimizer._host.from_config(optimizer.get_config())
    for name in ("fused", "native"):  # the same state with and without
        config.pop(name, None)
    provenance = Provenance("a live optimizer", LIVE.name, LIVE.title, "keras_optimizers")
    return OptimizerState(
        type(optimizer).__name__, config, iterations, parameters, held, by_name, provenance
    )


def restore(optimizer: Any, state: OptimizerState, names: Optional[Sequence[str]] = None) -> Report:
    """Write a state into one of our optimizers: slots, scalars, `iterations` and hyperparameters.

    Everything is checked before anything is written; then all is written in one run.

    Arguments:
        optimizer: an optimizer whose `get_updates` has been called, of the state's class.
        state: as `read` or `capture` return it.
        names: the parameters of the state in the optimizer's order, where their names differ
            and shapes alone do not tell which is which.

    Returns:
        What became of every field.

    Raises:
        ValueError: If the class, the parameters or a constant (epsilon, amsgrad ...) differ.

    Examples:
        >>> import tensorflow.compat.v1 as tf
        >>> from keras_optimizers import Adam, checkpoint
        >>> weight = tf.get_variable("weight", initializer=1.0, use_resource=True)
        >>> optimizer = Adam()
        >>> step = tf.group(*optimizer.get_updates(weight * weight, [weight]))
        >>> with tf.Session() as session:
        ...     session.run(tf.global_variables_initializer())
        ...     state = checkpoint.capture(optimizer)
        ...     session.run(step)
        ...     report = checkpoint.restore(optimizer, state)
        ...     print(session.run(optimizer.iterations), report.inexact)
        0 []
    """
    from keras_optimizers.variables import is_variable

    _check(optimizer)
    own = type(optimizer).__name__
    if own != state.class_name:
        raise ValueError(f"Cannot restore the state of {state.class_name} into {own}.")
    report = Report()
    fitted = fit(state, LIVE, report)
    pairs = _pair(optimizer, fitted, names)
    _check_constants(optimizer, fitted, report)
    variables = [optimizer.iterations]
    values: List[Any] = [np.asarray(fitted.iterations or 0, np.int64)]
    for name in optimizer.weight_scalars:
        if name != "iterations":
            variables.append(getattr(optimizer, name))
            values.append(np.asarray(fitted.scalars[name]))
    for name, value in fitted.hyperparameters.items():
        if is_variable(getattr(optimizer, name, None)):
            variables.append(getattr(optimizer, name))
            values.append(np.asarray(value))
    slots = optimizer.weights[len(optimizer.weight_scalars) :]
    for index, role in enumerate(optimizer.slot_roles):
        for number, parameter in enumerate(pairs):
            variable = slots[index * len(pairs) + number]
            found = fitted.slots.get(role, {}).get(parameter.name)
            shape = variable.shape.as_list()
            value = np.zeros(shape) if found is None else found.read()
            if list(value.shape) != shape:  # placeholders
                value = np.zeros(shape)
            variables.append(variable)
            values.append(value)
    dtypes = [variable.dtype.base_dtype.as_numpy_dtype for variable in variables]
    optimizer._host.set_values(
        variables, [np.asarray(value, dtype) for value, dtype in zip(values, dtypes)]
    )
    return report


def _check(optimizer: Any) -> None:
    if not hasattr(optimizer, "slot_roles") or not hasattr(optimizer, "trained"):
        raise ValueError(
            f"Expected an optimizer of keras_optimizers, received: {optimizer!r}. For upstream's "
            "use `get_weights` and `set_weights`."
        )
    if not optimizer.weights:
        raise ValueError(
            "The optimizer has no state yet. Call `get_updates` first; for a Keras model train "
            "on one batch, or call `model._make_train_function()`."
        )


def _pair(optimizer: Any, state: OptimizerState, names: Optional[Sequence[str]]) -> List[Parameter]:
    """The state's parameters in the optimizer's order."""
    by_name = {parameter.name: parameter for parameter in state.parameters}
    own = list(optimizer.trained)
    wanted = list(names) if names is not None else [name for name, _, _ in own]
    if len(own) != len(state.parameters):
        raise ValueError(
            f"The optimizer trains {len(own)} parameters, the state holds those of "
            f"{len(state.parameters)}: {sorted(by_name)[:8]} ..."
        )
    if set(wanted) == set(by_name):
        chosen = [by_name[name] for name in wanted]
    else:
        chosen = list(state.parameters)
        shapes = [tuple(parameter.shape) for parameter in chosen]
        if shapes != [tuple(shape) for _, shape, _ in own]:
            raise ValueError(
                f"Cannot tell which parameter is which: the optimizer trains {wanted[:8]} ..., "
                f"the state is of {sorted(by_name)[:8]} ..., and their shapes are in no common "
                "order. Give `names`."
            )
    for parameter, (name, shape, _) in zip(chosen, own):
        if tuple(parameter.shape) != tuple(shape):
            raise ValueError(
                f"The parameter {name} has the shape {tuple(shape)}, in the state "
                f"({parameter.name}) it is {parameter.shape}."
            )
    return chosen


def _check_constants(optimizer: Any, state: OptimizerState, report: Report) -> None:
    """What the graph holds as constants cannot be restored: it must be the same."""
    from keras_optimizers.variables import is_variable

    config = optimizer._host.from_config(optimizer.get_config())
    for name, value in state.hyperparameters.items():
        if is_variable(getattr(optimizer, name, None)):
            continue
        held = config.get(name)
        if name in mathematics.EXTENSIONS and not mathematics.is_extended(name, value):
            continue
        if name in reference.CLIPPING and held is None:
            report.add(name, LOST, f"{value}: the optimizer was made without it")
            continue
        if held != value and not (held is not None and np.float32(held) == np.float32(value)):
            raise ValueError(
                f"The optimizer's graph was built with {name}={held!r}, the state has {value!r}. "
                f"Make the optimizer with {name}={value!r}."
            )
    decay = state.hyperparameters.get("decay")
    if decay and not getattr(optimizer, "initial_decay", decay):
        raise ValueError(
            f"The optimizer's graph was built without decay, the state has decay={decay!r}. "
            f"Make the optimizer with decay={decay!r}."
        )
