"""Gradients of a loss, their dense and sparse forms, and the three ways of clipping them."""

from typing import Any, Callable, Dict, List, Sequence, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from keras_optimizers.checks import NO_GRADIENT, none_has_no_op
from keras_optimizers.tensorflow_types import Tensor, Variable


def gradients_of(
    loss: Tensor, parameters: Sequence[Variable], compute: Callable[..., List[Tensor]]
) -> List[Tensor]:
    """The gradients of `loss`, one a parameter, of its dtype and shape (dense or IndexedSlices).

    Arguments:
        compute: the host's function, which libraries replace (memory-saving gradients).

    Raises:
        AttributeError: If the loss is None.
        ValueError: If a parameter has no gradient; the text names those parameters.
    """
    if loss is None:
        raise AttributeError(none_has_no_op("`loss` is None, not a scalar tensor."))
    gradients = compute(loss, parameters)
    missing = [p for p, gradient in zip(parameters, gradients) if gradient is None]
    if missing:
        names = ", ".join(getattr(parameter, "name", repr(parameter)) for parameter in missing)
        raise ValueError(
            f"{NO_GRADIENT} The loss does not depend, in a differentiable way, on: {names}. "
            "Leave them out of the parameters, or repair the path from them to the loss."
        )
    return gradients


def dense_gradient(gradient: Any, variable: Variable) -> Tensor:
    """`gradient` as a tensor of the shape of `variable`; repeated rows are added up in order."""
    if isinstance(gradient, tf.IndexedSlices):
        # The op that TensorFlow's own conversion uses, without its warning about memory.
        rows = variable.shape.as_list()[0]
        return tf.math.unsorted_segment_sum(gradient.values, gradient.indices, rows)
    return tf.convert_to_tensor(gradient)


def distinct_rows(gradient: tf.IndexedSlices) -> Tuple[Tensor, Tensor]:
    """The rows that `gradient` lists, each once, and the sums of their values, in its order.

    The ops are placed with the indices, not with the parameter: `tf.unique` has no kernel on a
    GPU, and a parameter server then receives every row once.
    """
    with tf.colocate_with(gradient.indices, ignore_existing=True):
        rows, positions = tf.unique(gradient.indices)
        return rows, tf.math.unsorted_segment_sum(gradient.values, positions, tf.size(rows))


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
            ". It belongs to OptimizerV2 and Keras 2.3. Here the learning rate is `lr`: write "
            "lr=..., and leave `name` out. If a saved model says so: "
            "`keras-optimizers migrate FILE NEW_FILE --to keras-optimizers` converts it."
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
    # The same ops as in Keras 2: TensorFlow's graph optimizer may reorder a chain of additions,
    # which changes bits, and must then reorder both alike.
    global_norm = tf.sqrt(tf.clip_by_value(sum(squares), 0.0, np.inf))
    # Multiplying by exactly one keeps every bit of a gradient that needs no clipping.
    factor = tf.where(global_norm >= norm, norm / global_norm, tf.ones_like(global_norm))
    return [tf.math.scalar_mul(tf.cast(factor, gradient.dtype), gradient) for gradient in gradients]


def _with_distinct_rows(gradient: Any) -> Any:
    """A lookup's gradient that lists every row once, because the norm is taken of the sums."""
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
