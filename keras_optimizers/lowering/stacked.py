"""The updates of many small parameters of one shape at once, as one stack.

A small tensor's op costs far more to start than to compute. So the formulas are computed once, for
the stack of all; for each parameter only reads and writes remain. The bits stay the same.
"""

from collections import defaultdict
from typing import Any, Callable, Dict, Hashable, List, NamedTuple, Sequence

import tensorflow.compat.v1 as tf

from keras_optimizers.expressions import (
    ADD,
    ROOT,
    Expression,
    Gradient,
    Scalar,
    TensorValue,
    VariableValue,
)
from keras_optimizers.lowering import kernels
from keras_optimizers.lowering.assignments import assign, is_ref
from keras_optimizers.lowering.constants import Constants
from keras_optimizers.lowering.patterns import Change, increment_of, is_one_kernel
from keras_optimizers.lowering.rounding import root_depends_on_position
from keras_optimizers.lowering.values import Leaves
from keras_optimizers.parameters import TrainedParameter
from keras_optimizers.tensorflow_types import Tensor, Variable

# Elements: of larger parameters the stack costs more memory traffic than it saves starts
# (`benchmarks/techniques.py` measures both).
_LARGEST = 2**10
_LARGEST_STACK = 2**19
_FEWEST = 3


class NotElementwise(Exception):
    """A formula has been made a tensor: it may look at more than one element at a time."""


def stacks(parameters: Sequence[TrainedParameter]) -> List[List[TrainedParameter]]:
    """Groups of small parameters that have one shape, dtype and device."""
    alike: Dict[Hashable, List[TrainedParameter]] = defaultdict(list)
    for parameter in parameters:
        if (
            0 < parameter.size <= _LARGEST
            and not is_ref(parameter.variable)
            and parameter.constraint is None
            and not parameter.is_sparse
        ):
            key = (tuple(parameter.shape), parameter.dtype, parameter.variable.device)
            alike[key].append(parameter)
    groups = []
    for members in alike.values():
        count = max(_FEWEST, _LARGEST_STACK // members[0].size)
        parts = [members[start : start + count] for start in range(0, len(members), count)]
        groups += [part for part in parts if len(part) >= _FEWEST]
    return groups


class _Write(NamedTuple):
    """How the variables of a stack are written: by a kernel or an assignment, with which value."""

    write: Callable[[Variable, Tensor], tf.Operation]
    target: VariableValue
    value: Expression


class StackedUpdate:
    """Turns the formulas of several parameters' updates into ops on their stack.

    Arguments:
        parameters: parameters in resource variables, of one shape, with dense gradients.
        constants: shared by all parameters of the step.
        exact: whether the bits must be those that the parameters get one by one.

    Attributes:
        leaves: what the update rule is to be called with: the leaves of the first parameter stand
            for those of all.
    """

    def __init__(
        self, parameters: Sequence[TrainedParameter], constants: Constants, exact: bool
    ) -> None:
        self._first = parameters[0]
        self.leaves = Leaves(self._first, _refuse)
        self._variables: Dict[Expression, List[Variable]] = {
            leaf: [parameter.slots[role] for parameter in parameters]
            for role, leaf in self.leaves.slots.items()
        }
        self._variables[self.leaves.parameter] = [p.variable for p in parameters]
        self._gradients = [parameter.gradient for parameter in parameters]
        self._constants = constants
        self._exact = exact
        self._stacks: Dict[Expression, Tensor] = {}

    def suits(self, new_parameter: Expression, new_slots: Dict[str, Expression]) -> bool:
        """Whether the stack gains something, and keeps the bits where it must."""
        nodes = [n for value in [new_parameter, *new_slots.values()] for n in value.nodes()]
        if any(isinstance(node, TensorValue) for node in nodes):
            return False
        values = [*new_slots.values(), self._parameter_write(new_parameter).value]
        if not all(map(_has_elements, values)):
            return False
        changes = [Change(self.leaves.slots[role], value) for role, value in new_slots.items()]
        if not changes or is_one_kernel([*changes, Change(self.leaves.parameter, new_parameter)]):
            return False  # one op for each parameter is faster still
        has_root = any(node.operator == ROOT for node in nodes)
        depends = root_depends_on_position(self._first.shape, self._first.dtype)
        return not (self._exact and has_root and depends)

    def emit(
        self, new_parameter: Expression, new_slots: Dict[str, Expression]
    ) -> List[tf.Operation]:
        """The ops that write all the parameters and their slots."""
        writes = [_Write(assign, self.leaves.slots[role], new) for role, new in new_slots.items()]
        writes.append(self._parameter_write(new_parameter))
        # All values first: a formula may need what another one overwrites.
        for write in writes:
            write.value.evaluate(self._leaf_value, self._stacks)
        return [op for write in writes for op in self._write_each(*write)]

    def _parameter_write(self, new_parameter: Expression) -> _Write:
        """A kernel for what is added or subtracted; an assignment of any other value."""
        parameter = self.leaves.parameter
        increment = increment_of(parameter, new_parameter)
        if increment is None:
            return _Write(assign, parameter, new_parameter)
        write = kernels.add if increment.operator == ADD else kernels.subtract
        return _Write(write, parameter, increment.value)

    def _write_each(
        self,
        write: Callable[[Variable, Tensor], tf.Operation],
        target: VariableValue,
        value: Expression,
    ) -> List[tf.Operation]:
        variables = self._variables[target]
        parts = tf.unstack(self._stacks[value], len(variables))
        with tf.control_dependencies([self._stacks[target]] if target in self._stacks else []):
            return [write(variable, part) for variable, part in zip(variables, parts)]

    def _leaf_value(self, leaf: Expression) -> Tensor:
        if isinstance(leaf, Gradient):
            return tf.stack(self._gradients)
        if isinstance(leaf, VariableValue):
            return tf.stack([tf.convert_to_tensor(each) for each in self._variables[leaf]])
        assert isinstance(leaf, Scalar)
        return self._constants.opaque(leaf.value, self._first.variable)


def _has_elements(formula: Expression) -> bool:
    """Whether `formula` has a value for each element; a formula of scalars has one for all."""
    return any(isinstance(node, (VariableValue, Gradient)) for node in formula.nodes())


def _refuse(formula: Expression) -> Any:
    raise NotElementwise()
