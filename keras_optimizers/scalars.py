"""What one training step reads before anything is written."""

from typing import Any, Dict, List

import tensorflow.compat.v1 as tf

from keras_optimizers.tensorflow_types import Tensor
from keras_optimizers.variables import read_tensor


class Step:
    """The scalars of one step: every one is read once, in one dtype, from before the step.

    `step["momentum"]` is the optimizer's attribute of that name as a scalar tensor. Attributes
    may be variables, tensors or plain numbers.
    """

    def __init__(self, optimizer: Any, dtype: tf.DType) -> None:
        self._optimizer = optimizer
        self._read: Dict[str, Tensor] = {}
        self._cast: Dict[Any, Tensor] = {}
        self.dtype = dtype

    def in_dtype(self, dtype: tf.DType) -> "Step":
        """The same step, computed in another dtype; the reads are shared."""
        other = Step(self._optimizer, dtype)
        other._read, other._cast = self._read, self._cast
        return other

    def __getitem__(self, name: str) -> Tensor:
        """The scalar `name`, in this step's dtype."""
        key = (name, self.dtype)
        if key not in self._cast:
            self._cast[key] = tf.cast(self._raw(name), self.dtype)
        return self._cast[key]

    def _raw(self, name: str) -> Tensor:
        if name not in self._read:
            value = getattr(self._optimizer, name)
            if isinstance(value, float):  # as exact as it came, whatever dtype it meets
                value = tf.constant(value, tf.float64)
            self._read[name] = read_tensor(value)
        return self._read[name]

    @property
    def next_iterations(self) -> Tensor:
        """`iterations` after this step, an integer; a value of its own, no view of the variable."""
        if "next" not in self._cast:
            self._cast["next"] = self._raw("iterations") + 1
        return self._cast["next"]

    @property
    def number(self) -> Tensor:
        """The step's number, counted from one."""
        key = ("number", self.dtype)
        if key not in self._cast:
            self._cast[key] = tf.cast(self.next_iterations, self.dtype)
        return self._cast[key]

    @property
    def learning_rate(self) -> Tensor:
        """`lr`, reduced by `decay` where the optimizer was made with one.

        The decay counts finished steps, so the first step has the full rate.
        """
        if not self._optimizer.initial_decay > 0:
            return self["lr"]
        key = ("decayed", self.dtype)
        if key not in self._cast:
            self._cast[key] = self["lr"] * (1.0 / (1.0 + self["decay"] * self["iterations"]))
        return self._cast[key]

    @property
    def values(self) -> List[Tensor]:
        """All that was computed from the reads so far: what a write must wait for."""
        return list(self._cast.values())
