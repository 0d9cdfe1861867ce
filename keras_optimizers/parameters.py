"""The record of one parameter, which everything that builds a step hands on."""

from typing import Any, Dict, List, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from keras_optimizers.gradients import dense_gradient
from keras_optimizers.tensorflow_types import Variable


class TrainedParameter:
    """A variable that is trained, with its gradient and its slots.

    Arguments:
        variable: a variable of a fully known shape.
        gradient: its gradient: a tensor, or `IndexedSlices` from a lookup.

    Attributes:
        variable: the variable.
        shape: its shape.
        dtype: its dtype, without TensorFlow's mark for ref variables.
        constraint: the function that each new value goes through; None without one.
        gradient: a tensor of the variable's shape, or `IndexedSlices`. A constraint needs a dense
            gradient, because it may change rows that no batch has touched.
        slots: its slots by role, once they have been made.
    """

    def __init__(self, variable: Variable, gradient: Any) -> None:
        self.variable = variable
        self.shape: List[int] = variable.shape.as_list()
        self.dtype: tf.DType = variable.dtype.base_dtype
        self.constraint = getattr(variable, "constraint", None)
        stays_sparse = isinstance(gradient, tf.IndexedSlices) and self.constraint is None
        self.gradient = gradient if stays_sparse else dense_gradient(gradient, variable)
        self.slots: Dict[str, Variable] = {}

    @property
    def is_sparse(self) -> bool:
        """Whether the gradient lists the rows that a lookup has touched."""
        return isinstance(self.gradient, tf.IndexedSlices)

    @property
    def size(self) -> int:
        """The number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def signature(self) -> Tuple[str, Tuple[int, ...], str]:
        """Name, shape and name of the dtype: what `Optimizer.trained` lists."""
        return self.variable.op.name, tuple(self.shape), self.dtype.name
