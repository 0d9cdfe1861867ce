"""Checks of everything that an optimizer is given, made before anything is built."""

from typing import Any, Dict, List, Sequence

import numpy as np
import tensorflow.compat.v1 as tf

from keras_optimizers import hosts
from keras_optimizers.tensorflow_types import Tensor, Variable
from keras_optimizers.variables import is_variable, parts_of

# Upstream's error begins with these words.
NO_GRADIENT = (
    "An operation has `None` for gradient. Please make sure that all of your ops have a gradient "
    "defined (i.e. are differentiable). Common ops without gradient: K.argmax, K.round, K.eval."
)


def require_graph_mode() -> None:
    """Refuse eager execution.

    Raises:
        RuntimeError: If eager execution is on where this is called.
    """
    if tf.executing_eagerly():
        raise RuntimeError(
            "keras_optimizers builds graphs and does not support eager execution. "
            "Call `tf.compat.v1.disable_eager_execution()` when the program starts, or build "
            "the model inside `with tf.Graph().as_default():`."
        )


def refuse_methods_of_optimizer_v2(optimizer: Any, base: type) -> None:
    """Refuse a subclass that is written for OptimizerV2: nothing would call its methods.

    While ours are installed, `tf.keras.optimizers.Optimizer` is our base class. In TensorFlow
    1.15 it is OptimizerV2, which calls `_resource_apply_dense` where ours call `get_updates`.

    Arguments:
        base: our base class.

    Raises:
        TypeError: If the class overrides such a method, and not `get_updates`.
    """
    kind = type(optimizer)
    found = [name for name in _OPTIMIZER_V2_METHODS if hasattr(kind, name)]
    if found and kind.get_updates is getattr(base, "get_updates"):  # noqa: B009 (no type hint)
        raise TypeError(
            f"{kind.__name__} overrides `{found[0]}`, a method of OptimizerV2, which "
            "keras_optimizers never calls. Override `get_updates`, or make the class a subclass "
            "of `tf.compat.v2.keras.optimizers.Optimizer`, which stays TensorFlow's."
        )


# Methods that tf.train's optimizers and later ones have, and what to call here.
METHODS_OF_OTHERS = {
    "minimize": "as in Keras 2, `get_updates(loss, params)` returns the ops that make one step; "
    "run them together, `session.run(optimizer.get_updates(loss, params))`.",
    "apply_gradients": "as in Keras 2, `get_updates(loss, params)` computes the gradients and "
    "returns the ops that make one step. For gradients of your own override "
    "`get_gradients(loss, params)`.",
}
_OPTIMIZER_V2_METHODS = ("_resource_apply_dense", "_resource_apply_sparse", "_decayed_lr")


def check_flag(name: str, value: Any) -> bool:
    """The argument `name`, which must be a bool.

    Raises:
        TypeError: If it is no bool.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"Expected {name} to be True or False, received: {value!r}")
    return bool(value)


def check_not_both(fused: bool, native: bool) -> None:
    """Refuse the arguments `fused` and `native` together.

    Raises:
        ValueError: If both are set.
    """
    if fused and native:
        raise ValueError(
            "Expected at most one of fused and native, received: fused=True, native=True. The "
            "first rounds otherwise than the default, the second gives the default's bits."
        )


def check_hyperparameter(owner: str, name: str, value: Any) -> None:
    """Refuse a hyperparameter that is no number, no tensor and no variable.

    Raises:
        TypeError: If `value` is no number.
        ValueError: If it is None.
    """
    if tf.is_tensor(value) or is_variable(value):
        return
    explanation = f"The argument `{name}` of {owner} must be a number, received: {value!r}"
    if value is None:
        raise ValueError(f"initial_value must be specified. {explanation}")
    if isinstance(value, (bool, np.bool_)) and hosts.current().flags_by_position:
        raise TypeError(
            f"{explanation}. In {hosts.current().name} `nesterov` and `amsgrad` come earlier among "
            f"the positional arguments than here: pass them by name."
        )
    if np.ndim(value) or np.asarray(value).dtype.kind not in "biuf":
        kind = type(value).__name__
        raise TypeError(
            f"Expected {hosts.current().floatx()}, got {value!r} of type {kind!r} instead. "
            f"{explanation}"
        )


def check_parameters(parameters: Any) -> List[Variable]:
    """`parameters` as a list in which every member is a variable and none is listed twice.

    The parts of a partitioned variable are listed instead of the variable. The types of the errors
    are those that upstream's code runs into.

    Raises:
        AttributeError: If a member is a tensor or None.
        TypeError: If `parameters` is no list or tuple.
        ValueError: If a member is anything else, or is listed twice.
    """
    refuse_none(parameters)
    if not isinstance(parameters, (list, tuple)):
        kind = "Variable" if is_variable(parameters) else type(parameters).__name__
        raise TypeError(
            f"{kind!r} object is not iterable. `params` must be a list of "
            f"variables, received: {parameters!r}"
        )
    parameters = [part for parameter in parameters for part in parts_of(parameter)]
    seen: Dict[int, int] = {}
    for index, parameter in enumerate(parameters):
        where = f"`params[{index}]`"
        if not is_variable(parameter):
            if tf.is_tensor(parameter):
                kind = type(parameter).__name__
                raise AttributeError(
                    f"{kind!r} object has no attribute 'assign': {where} is the tensor "
                    f"{parameter.name}, not a variable. Pass the variables to train, for "
                    "example `model.trainable_weights`."
                )
            if parameter is None:
                raise AttributeError(none_has_no_op(f"{where} is None, not a variable."))
            raise ValueError(
                f"{NO_GRADIENT} {where} is {parameter!r}, not a variable. Pass the variables "
                "to train, for example `model.trainable_weights`."
            )
        if id(parameter) in seen:
            raise ValueError(
                f"{where} is the variable {parameter.name}, which is "
                f"`params[{seen[id(parameter)]}]` already: two updates of one variable would "
                "overwrite each other. List it once."
            )
        seen[id(parameter)] = index
    return parameters


def refuse_none(parameters: Any) -> None:
    """Refuse None in place of a list of variables.

    Raises:
        AttributeError: If it is None.
    """
    if parameters is None:
        raise AttributeError(none_has_no_op("`params` is None, not a list of variables."))


def none_has_no_op(explanation: str) -> str:
    """Upstream's words for a None, and which one it is."""
    return f"'NoneType' object has no attribute 'op': {explanation}"


def check_graph(loss: Tensor, params: Sequence[Variable], scalars: Sequence[Variable]) -> None:
    """Refuse a loss and parameters of another graph than the optimizer's or the current one.

    Arguments:
        scalars: all of the optimizer's: a global step may have taken the place of `iterations`.

    Raises:
        ValueError: If there is one.
    """
    for parameter in params:
        for scalar in scalars:
            if parameter.graph is not getattr(scalar, "graph", parameter.graph):
                raise ValueError(
                    f'Tensor("{parameter.name}") must be from the same graph as '
                    f'Tensor("{scalar.name}"): the optimizer was made in another graph '
                    "than this parameter. Make the optimizer in the parameter's graph: `with "
                    "graph.as_default():`, and after `clear_session()` anew."
                )
    for given in [*params, loss] if tf.is_tensor(loss) else params:
        if not _is_in_reach(given):
            raise ValueError(
                f"Tensor {given.name} is not an element of this graph: it is in another graph "
                "than the current one. Call `get_updates` where the model was built: "
                "`with loss.graph.as_default():`, with the parameters of that graph."
            )


def check_shapes(params: Sequence[Variable]) -> None:
    """Refuse variables whose shape is not fully known.

    Raises:
        ValueError: If there is one.
    """
    for parameter in params:
        if not parameter.shape.is_fully_defined():
            raise ValueError(
                f"Cannot convert a partially known TensorShape to a Tensor: {parameter.shape}, of "
                f"the parameter {parameter.name}. Give the variable a full shape when it is "
                "created."
            )


def _is_in_reach(value: Any) -> bool:
    """Whether new ops can use a tensor or variable: it is in the current graph or around it."""
    graph = tf.get_default_graph()
    while graph is not None and graph is not value.graph:
        graph = getattr(graph, "outer_graph", None)  # of the body of a condition, loop or function
    return graph is not None
