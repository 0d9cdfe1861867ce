"""Standalone Keras 2.2."""

from typing import Any, List, Sequence

import tensorflow.compat.v1 as tf

from keras_optimizers.hosts.host import Host, Replaceable, is_of_standalone_keras
from keras_optimizers.tensorflow_private import is_of_tf_keras
from keras_optimizers.tensorflow_types import Session, Tensor, Variable


class Keras22(Host):
    """The package `keras`, which keeps a session of its own."""

    module_name = "keras"
    clips_together = True
    passes_variables_by_name = True

    def __init__(self, keras: Any) -> None:
        super().__init__(keras, keras.optimizers.Optimizer)
        self.name = f"Keras {keras.__version__}"

    def owns(self, parameter: Variable) -> bool:
        """Whether the package `keras` made `parameter`, or no Keras did."""
        return is_of_standalone_keras(parameter) or not is_of_tf_keras(parameter)

    def _session(self, variables: Sequence[Variable]) -> Session:
        return self.keras.backend.get_session()

    def _session_as_it_is(self, variables: Sequence[Variable]) -> Any:
        # Private: `get_session` may add ops.
        return tf.get_default_session() or self.keras.backend.tensorflow_backend._SESSION

    def replaceable(self) -> List[Replaceable]:
        """The assignments of `keras.backend`."""
        backend = self.keras.backend
        names = ("update", "update_add", "update_sub")
        return [(backend, name, backend.tensorflow_backend) for name in names]

    def gradients(self, loss: Tensor, parameters: Sequence[Variable]) -> List[Tensor]:
        """Gradients by `keras.backend`."""
        return self.keras.backend.gradients(loss, parameters)

    def update(self, variable: Variable, value: Tensor) -> Any:
        """An assignment by `keras.backend`."""
        return self.keras.backend.update(variable, value)

    def update_add(self, variable: Variable, increment: Tensor) -> Any:
        """An addition by `keras.backend`."""
        return self.keras.backend.update_add(variable, increment)
