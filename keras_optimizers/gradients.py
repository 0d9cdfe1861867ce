"""Gradients of a loss, and the three ways of clipping them."""

from typing import Any, Callable, Dict, List, Sequence

import numpy as np
import tensorflow.compat.v1 as tf

from keras_optimizers.lowering.kernels import distinct_rows
from keras_optimizers.tensorflow_types import Tensor, Variable
from keras_optimizers.variables import is_variable, parts_of

_NO_GRADIENT = (
    "An operation has `None` for gradient. Please make sure that all of your ops have a gradient "
    "defined (i.e. are differentiable). Common ops without gradient: K.argmax, K.round, K.eval."
)


def check_parameters(parameters: Any) -> List[Variable]:
    """`parameters` as a list, every member a variable and none of them twice.

    A partitioned variable is listed by its parts.

    The types of errors are those that upstream runs into.

    Raises:
        AttributeError: If a member is a tensor or None.
        TypeError: If `parameters` is no list or tuple.
        ValueError: If a member is anything else, or is listed twice.
    """
    if parameters is None:
        raise AttributeError(_none_has_no_op("`params` is None, not a list of variables."))
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
                raise AttributeError(
                    f"'Tensor' object has no attribute 'assign': {where} is the tensor "
                    f"{parameter.name}, not a variable. Pass the variables to train, for "
                    "example `model.trainable_weights`."
                )
            if parameter is None:
                raise AttributeError(_none_has_no_op(f"{where} is None, not a variable."))
            raise ValueError(
                f"{_NO_GRADIENT} {where} is {parameter!r}, not a variable. Pass the variables "
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


def _none_has_no_op(explanation: str) -> str:
    return f"'NoneType' object has no attribute 'op': {explanation}"


def gradients_of(
    loss: Tensor, parameters: Sequence[Variable], compute: Callable[..., List[Tensor]]
) -> List[Tensor]:
    """The gradients of `loss`, one a parameter, of its dtype and shape (dense or IndexedSlices).

    Arguments:
        compute: the host's function, which libraries replace (memory-saving gradients).

    Raises:
        ValueError: If a parameter has no gradient; the text names those parameters.
    """
    gradients = compute(loss, parameters)
    missing = [p for p, gradient in zip(parameters, gradients) if gradient is None]
    if missing:
        names = ", ".join(getattr(parameter, "name", repr(parameter)) for parameter in missing)
        raise ValueError(
            f"{_NO_GRADIENT} The loss does not depend, in a differentiable way, on: {names}. "
            "Leave them out of the parameters, or repair the path from them to the loss."
        )
    return gradients


def check_clipping(options: Dict[str, Any]) -> Dict[str, Any]:
    """The clipping options that are set (None means not set), checked.

    Raises:
        TypeError: If an option is unknown or is no real number.
        ValueError: If an option is negative or NaN, or both kinds of norm are given.
    """
    checked = {}
    for name, value in options.items():
        if name not in CLIPPING:
            raise TypeError(f"Unexpected keyword argument passed to optimizer: {name}{_hint(name)}")
        if value is None:
            continue
        if np.ndim(value) or np.asarray(value).dtype.kind not in "biuf":
            raise TypeError(f"Expected {name} to be a number >= 0, received: {value!r}")
        if not value >= 0:
            raise ValueError(f"Expected {name} >= 0, received: {value}")
        checked[name] = value
    if "clipnorm" in checked and "global_clipnorm" in checked:
        raise ValueError(
            "Expected at most one of clipnorm and global_clipnorm, received: "
            f"clipnorm={checked['clipnorm']}, global_clipnorm={checked['global_clipnorm']}. "
            "The first bounds each gradient's norm, the second the norm of all together."
        )
    return checked


def _hint(name: str) -> str:
    if name in ("learning_rate", "name"):
        return (
            ". It belongs to OptimizerV2 and Keras 2.3; in the reference module the learning "
            "rate is `lr`, and optimizers have no name."
        )
    return f". Beside its own arguments an optimizer takes: {', '.join(sorted(CLIPPING))}."


def clip(gradients: List[Tensor], options: Dict[str, Any]) -> List[Tensor]:
    """Clip `gradients` as `options` (see `check_clipping`) say: by norm first, then by value."""
    for name, function in CLIPPING.items():
        if name in options:
            gradients = function(gradients, options[name])
    return gradients


def _clip_each_norm(gradients: List[Tensor], norm: float) -> List[Tensor]:
    return [tf.clip_by_norm(gradient, norm) for gradient in gradients]


def _clip_global_norm(gradients: List[Tensor], norm: float) -> List[Tensor]:
    """Keras 2.x's meaning of `clipnorm`: one norm over all gradients; 0 is no clipping."""
    if not gradients or norm == 0:
        return gradients
    gradients = [_with_distinct_rows(gradient) for gradient in gradients]
    values: List[Tensor] = [getattr(gradient, "values", gradient) for gradient in gradients]
    widest = max((value.dtype for value in values), key=lambda dtype: dtype.size)
    squares = [tf.cast(tf.reduce_sum(tf.square(value)), widest) for value in values]
    # The very ops of Keras 2: TensorFlow's graph optimizer may put a chain of additions in another
    # order, with other bits, and then has to do the same to both.
    global_norm = tf.sqrt(tf.clip_by_value(sum(squares), 0.0, np.inf))
    # A factor of exactly one leaves every bit of a gradient that needs no clipping.
    factor = tf.where(global_norm >= norm, norm / global_norm, tf.ones_like(global_norm))
    return [tf.math.scalar_mul(tf.cast(factor, gradient.dtype), gradient) for gradient in gradients]


def _with_distinct_rows(gradient: Any) -> Any:
    """A lookup's gradient with every row once: the norm is that of the sums."""
    if not isinstance(gradient, tf.IndexedSlices):
        return tf.convert_to_tensor(gradient)
    rows, values = distinct_rows(gradient)
    return tf.IndexedSlices(values, rows, gradient.dense_shape)


def _clip_each_value(gradients: List[Tensor], bound: float) -> List[Tensor]:
    return [tf.clip_by_value(gradient, -bound, bound) for gradient in gradients]


# In the order in which they apply.
CLIPPING = {
    "clipnorm": _clip_each_norm,
    "global_clipnorm": _clip_global_norm,
    "clipvalue": _clip_each_value,
}
