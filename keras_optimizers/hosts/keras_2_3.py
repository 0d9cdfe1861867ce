"""Standalone Keras 2.3."""

from typing import Any, List, Sequence

from keras_optimizers.hosts.host import Replaceable
from keras_optimizers.hosts.keras_2_2 import Keras22
from keras_optimizers.tensorflow_private import STATE_OPS, session_without_initialization
from keras_optimizers.tensorflow_types import Variable


class Keras23(Keras22):
    """The package `keras` that uses the session of `tf.keras` and names what it makes."""

    renamed = {"lr": "learning_rate"}
    counts_first = True
    flags_by_position = True
    slot_names = {
        "velocity": "moment",
        "mean_square": "accumulator",
        "sum_of_squares": "accumulator",
        "mean_square_gradient": "accumulator",
        "mean_square_step": "delta_accumulator",
        "first_moment": "m",
        "second_moment": "v",
        "largest_second_moment": "vhat",
        "infinity_norm": "u",
    }

    def _session_as_it_is(self, variables: Sequence[Variable]) -> Any:
        return session_without_initialization(variables)

    def replaceable(self) -> List[Replaceable]:
        """Those of Keras 2.2, and the functions of TensorFlow by which they assign."""
        names = ("assign", "assign_add", "assign_sub")
        return super().replaceable() + [(STATE_OPS, name, STATE_OPS) for name in names]
