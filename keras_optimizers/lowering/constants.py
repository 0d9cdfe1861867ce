"""The plain numbers of a step as tensors, shared by all its parameters."""

from typing import Any, Dict, Hashable, List

import numpy as np
import tensorflow.compat.v1 as tf

from keras_optimizers.tensorflow_types import Tensor, Variable


class Constants:
    """Makes a tensor of a number once for each device and dtype."""

    def __init__(self) -> None:
        self._made: Dict[Hashable, Tensor] = {}
        # Keys hold tensors, which compare by identity: they must live as long as the keys.
        self._kept: List[Tensor] = []

    def tensor(self, value: Any, beside: Variable) -> Tensor:
        """`value` (a number or a scalar tensor) in the dtype of the variable `beside`."""
        if tf.is_tensor(value):
            return value
        dtype = beside.dtype.base_dtype
        key = (beside.device, dtype, repr(value))
        if key not in self._made:
            # A number waits for nothing. If it waited for the gradients, the graph optimizer could
            # close a circle: it moves numbers of products, g = 2 * w and 0.5 * g, into one op.
            with tf.control_dependencies(None):
                self._made[key] = tf.constant(value, dtype)
        return self._made[key]

    def opaque(self, value: Any, beside: Variable) -> Tensor:
        """As `tensor`, but the graph optimizer cannot see that a zero is zero.

        It would drop `+ 0` and then turn `x / sqrt(y)` into `x * rsqrt(y)`, which rounds
        differently. Upstream has other ops between the two, so this does not happen there.
        """
        constant = self.tensor(value, beside)
        if tf.is_tensor(value) or value != 0:
            return constant
        key = ("opaque", beside.device, beside.dtype.base_dtype)
        if key not in self._made:
            self._made[key] = tf.placeholder_with_default(constant, [])
        return self._made[key]

    def negative(self, value: Any, beside: Variable) -> Tensor:
        """The negative of `value`, as a tensor."""
        if not tf.is_tensor(value):
            return self.tensor(-value, beside)
        key = (beside.device, value)
        if key not in self._made:
            self._kept.append(value)
            self._made[key] = -value
        return self._made[key]


# x / sqrt(y) and x * (1 / sqrt(y)) round differently for these.
_TELLING = np.float32(5.0), np.float32(3.0)


def is_quotient_rewritten() -> Tensor:
    """Whether the graph optimizer, as the session runs it, makes `x * rsqrt(y)` of `x / sqrt(y)`.

    Two numbers tell. They are opaque, so that the graph optimizer cannot compute the quotient.
    """
    x, y = (tf.placeholder_with_default(tf.constant(number), []) for number in _TELLING)
    return tf.not_equal(x / tf.sqrt(y), _TELLING[0] / np.sqrt(_TELLING[1]))
