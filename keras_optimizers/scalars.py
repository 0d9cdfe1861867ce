"""The scalars of one training step: each is read once, before anything is written."""

from typing import Any, Callable, Dict, Hashable, List

import tensorflow.compat.v1 as tf

from keras_optimizers.tensorflow_types import Tensor
from keras_optimizers.variables import read_tensor


class ScalarReads:
    """What one step reads of an optimizer's scalars, and what it computes of them.

    Everything is read once and computed once, however many dtypes the parameters have.

    Arguments:
        optimizer: its attributes are the scalars: variables, tensors or plain numbers.
        dtype: the dtype of the optimizer's own scalars.
    """

    def __init__(self, optimizer: Any, dtype: tf.DType) -> None:
        self.optimizer = optimizer
        self.dtype = dtype
        self._read: Dict[str, Tensor] = {}
        self._computed: Dict[Hashable, Tensor] = {}

    def read(self, name: str) -> Tensor:
        """The scalar `name` in the dtype that it has."""
        if name not in self._read:
            value = getattr(self.optimizer, name)
            if isinstance(value, float):  # no digit is lost before it meets the step's dtype
                value = tf.constant(value, tf.float64)
            self._read[name] = read_tensor(value)
        return self._read[name]

    def computed(self, key: Hashable, compute: Callable[[], Tensor]) -> Tensor:
        """The value stored under `key`; the first time, what `compute` returns."""
        if key not in self._computed:
            self._computed[key] = compute()
        return self._computed[key]

    @property
    def all_computed(self) -> List[Tensor]:
        """Everything computed so far: a write of a scalar must wait for all of it."""
        return list(self._computed.values())


class StepScalars:
    """The scalars of one step in one dtype, as an optimizer's `step_coefficients` gets them.

    `scalars["momentum"]` is the optimizer's attribute of that name as a scalar tensor.

    Arguments:
        reads: shared by all dtypes of the step.
        dtype: the dtype of all values.
    """

    def __init__(self, reads: ScalarReads, dtype: tf.DType) -> None:
        self._reads = reads
        self.dtype = dtype

    def __getitem__(self, name: str) -> Tensor:
        """The scalar `name`, in this dtype."""
        return self._computed(name, lambda: tf.cast(self._reads.read(name), self.dtype))

    @property
    def next_iterations(self) -> Tensor:
        """`iterations` after this step: an integer, computed apart from the variable's memory."""
        return self._reads.computed("next", lambda: self._reads.read("iterations") + 1)

    @property
    def number(self) -> Tensor:
        """The number of this step, counted from one."""
        return self._computed("number", lambda: tf.cast(self.next_iterations, self.dtype))

    @property
    def learning_rate(self) -> Tensor:
        """`lr`, reduced by `decay` where the optimizer was made with one.

        The decay counts finished steps, so the first step has the full rate.
        """
        if not self._reads.optimizer.initial_decay > 0:
            return self["lr"]
        return self._computed(
            "decayed",
            lambda: self["lr"] * (1.0 / (1.0 + self["decay"] * self["iterations"])),
        )

    def _computed(self, name: str, compute: Callable[[], Tensor]) -> Tensor:
        return self._reads.computed((name, self.dtype), compute)
