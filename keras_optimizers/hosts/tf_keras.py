"""`tf.keras` of TensorFlow 1.15, and the Keras 2 that belongs to TensorFlow 2."""

from typing import Any, Dict, List, Sequence

from keras_optimizers.hosts.host import Host, Replaceable, is_of_standalone_keras
from keras_optimizers.tensorflow_private import (
    ASSIGNMENTS,
    KERAS,
    KERAS_BACKEND,
    STATE_OPS,
    HostOptimizer,
    deserialize_keras_object,
    scoped_custom_objects,
    session_with_initialization,
    session_without_initialization,
)
from keras_optimizers.tensorflow_types import Session, Tensor, Variable


class TFKeras(Host):
    """`tf.keras`, whose old optimizers are the reference."""

    name = module_name = "tf.keras"

    def __init__(self) -> None:
        super().__init__(KERAS, HostOptimizer)

    def custom_objects(self) -> Dict[str, Any]:
        """What users have registered, with what `custom_object_scope` holds for this thread."""
        return dict(super().custom_objects(), **scoped_custom_objects())

    def deserialize_keras_object(self, config: Dict[str, Any], **options: Any) -> Any:
        """The function for configs in the form that old files have."""
        return deserialize_keras_object(config, **options)

    def owns(self, parameter: Variable) -> bool:
        """Whether the parameter is not one of the package `keras`."""
        return not is_of_standalone_keras(parameter)

    def _session(self, variables: Sequence[Variable]) -> Session:
        return session_with_initialization(variables)

    def _session_as_it_is(self, variables: Sequence[Variable]) -> Any:
        return session_without_initialization(variables)

    def replaceable(self) -> List[Replaceable]:
        """TensorFlow's assignments: the old classes of `tf.keras` call no others."""
        return [(ASSIGNMENTS, name, STATE_OPS) for name in ("assign", "assign_add")]

    def gradients(self, loss: Tensor, parameters: Sequence[Variable]) -> List[Tensor]:
        """Gradients by the private backend, as the old classes: `tf.keras.backend` is a copy."""
        return KERAS_BACKEND.gradients(loss, parameters)

    def update(self, variable: Variable, value: Tensor) -> Any:
        """An assignment by TensorFlow's function."""
        return ASSIGNMENTS.assign(variable, value)

    def update_add(self, variable: Variable, increment: Tensor) -> Any:
        """An addition by TensorFlow's function."""
        return ASSIGNMENTS.assign_add(variable, increment)


TF_KERAS = TFKeras()
