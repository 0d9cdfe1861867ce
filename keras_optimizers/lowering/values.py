"""Computes the formulas of one parameter's update, each once."""

from typing import Any, Dict, Iterator, List, NamedTuple, Optional

import tensorflow.compat.v1 as tf

from keras_optimizers.expressions import (
    Expression,
    Gradient,
    Scalar,
    TensorValue,
    ToTensor,
    VariableValue,
)
from keras_optimizers.lowering.constants import Constants
from keras_optimizers.parameters import TrainedParameter
from keras_optimizers.tensorflow_types import Tensor, Variable


class Leaves:
    """What an update rule is called with.

    Arguments:
        parameter: the parameter.
        tensor_of: computes a formula that the rule passes to an op of TensorFlow.

    Attributes:
        parameter: the leaf for the parameter's variable.
        slots: the leaves for its slots, by role.
        gradient: the leaf for its gradient.
    """

    def __init__(self, parameter: TrainedParameter, tensor_of: ToTensor) -> None:
        self.parameter = VariableValue(parameter.variable, tensor_of)
        self.slots = {
            role: VariableValue(slot, tensor_of) for role, slot in parameter.slots.items()
        }
        self.gradient = Gradient(tensor_of)


class Written(NamedTuple):
    """The variable that holds the value of a formula by now, and the op that wrote it."""

    variable: Variable
    op: tf.Operation


class Accesses:
    """What the ops built so far have read and written, of one parameter and its slots.

    The values and the writes of an update share it: a write must wait for the reads of the same
    variable, and a formula that has been written is read from its variable.

    Attributes:
        reads: the tensors that hold a variable's value from before the step.
        written: the formulas whose values are in a variable by now.
    """

    def __init__(self) -> None:
        self.reads: Dict[VariableValue, List[Tensor]] = {}
        self.written: Dict[Expression, Written] = {}

    def add_read(self, leaf: VariableValue, tensor: Tensor) -> None:
        """Note that `tensor` holds the value of `leaf`."""
        self.reads.setdefault(leaf, []).append(tensor)

    def unwritten(self, formula: Expression) -> Iterator[Expression]:
        """`formula` and all below it, but nothing below what is in a variable by now."""
        yield formula
        if formula not in self.written:
            for operand in formula.operands:
                yield from self.unwritten(operand)


class DenseValues:
    """The values of formulas, where the gradient is a tensor.

    Arguments:
        parameter: the parameter.
        constants: shared by all parameters of the step.
        accesses: shared with the writes of the same parameter.
    """

    def __init__(
        self, parameter: TrainedParameter, constants: Constants, accesses: Accesses
    ) -> None:
        self.accesses = accesses
        self._parameter = parameter
        self._constants = constants
        self._tensors: Dict[Expression, Tensor] = {}

    def tensor(self, formula: Expression) -> Tensor:
        """The value of `formula`, computed as it is written."""
        for node in self.accesses.unwritten(formula):
            if node in self.accesses.written and node not in self._tensors:
                self._tensors[node] = self._read_written(node)
        return formula.evaluate(self._leaf_value, self._tensors)

    def computed(self, formula: Expression) -> Optional[Tensor]:
        """The value of `formula` if it has been computed already, else None."""
        return self._tensors.get(formula)

    def keep(self, formula: Expression, value: Tensor) -> None:
        """Take `value`, which was computed in another way, for that of `formula`."""
        self._tensors[formula] = value

    def scalar(self, leaf: Scalar) -> Tensor:
        """The value of a scalar, beside the parameter."""
        return self._constants.opaque(leaf.value, self._parameter.variable)

    def negative_scalar(self, leaf: Scalar) -> Tensor:
        """The negative of a scalar's value."""
        return self._constants.negative(leaf.value, self._parameter.variable)

    def _leaf_value(self, leaf: Expression) -> Any:
        if isinstance(leaf, Gradient):
            return self._parameter.gradient
        if isinstance(leaf, VariableValue):
            value = tf.convert_to_tensor(leaf.variable)
            self.accesses.add_read(leaf, value)
            return value
        if isinstance(leaf, TensorValue):
            return leaf.tensor
        assert isinstance(leaf, Scalar)
        return self.scalar(leaf)

    def _read_written(self, formula: Expression) -> Tensor:
        variable, write = self.accesses.written[formula]
        with tf.control_dependencies([write]):
            return variable.read_value()
