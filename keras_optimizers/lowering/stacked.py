"""The updates of many small parameters of one shape at once, as one stack.

A small tensor's op costs far more to start than to compute, so the formulas are computed once for
the stack of all; what remains for each parameter is to read and to write. The bits stay.
"""

from collections import defaultdict
from typing import Any, Dict, List, Sequence

import tensorflow.compat.v1 as tf

from keras_optimizers.expressions import (
    ADD,
    ROOT,
    SUBTRACT,
    Cell,
    Expression,
    Gradient,
    Known,
    Scalar,
)
from keras_optimizers.lowering import kernels
from keras_optimizers.lowering.dense import one_kernel
from keras_optimizers.tensorflow_types import Tensor, Variable

# Elements: of larger parameters the stack costs more memory traffic than it saves starts.
_LARGEST = 2**14
_LARGEST_STACK = 2**19
_FEWEST = 3


class NotElementwise(Exception):
    """A formula has been made a tensor: it may look at more than one element at a time."""


def stacks(
    parameters: Sequence[Variable], gradients: Sequence[Any], candidates: Sequence[int]
) -> List[List[int]]:
    """Positions of parameters that can be stacked: of one shape, dtype and device, and small."""
    alike: Dict[Any, List[int]] = defaultdict(list)
    for index in candidates:
        parameter, gradient = parameters[index], gradients[index]
        size = parameter.shape.num_elements()
        if (
            0 < size <= _LARGEST
            and not kernels.is_ref(parameter)
            and getattr(parameter, "constraint", None) is None
            and not isinstance(gradient, tf.IndexedSlices)
        ):
            key = (tuple(parameter.shape.as_list()), parameter.dtype, parameter.device)
            alike[key].append(index)
    found = []
    for members in alike.values():
        size = parameters[members[0]].shape.num_elements()
        count = max(_FEWEST, _LARGEST_STACK // size)
        parts = [members[start : start + count] for start in range(0, len(members), count)]
        found += [part for part in parts if len(part) >= _FEWEST]
    return found


class StackedUpdate:
    """As `DenseUpdate`, for several parameters of one shape.

    Arguments:
        parameters: resource variables of one shape and dtype.
        slots: by role, a slot a parameter.
        gradients: tensors of that shape.
        constants: shared by all parameters of the step.
        exact: whether the bits must be those that the parameters get one by one.
    """

    def __init__(
        self,
        parameters: List[Variable],
        slots: Dict[str, List[Variable]],
        gradients: List[Tensor],
        constants: kernels.Constants,
        exact: bool,
    ) -> None:
        self.parameter = Cell(parameters[0], _refuse)
        self.slots = {role: Cell(variables[0], _refuse) for role, variables in slots.items()}
        self.gradient = Gradient(_refuse)
        self._variables = {self.slots[role]: variables for role, variables in slots.items()}
        self._variables[self.parameter] = parameters
        self._gradients = gradients
        self._constants = constants
        self._exact = exact
        self._stacks: Dict[Expression, Tensor] = {}

    def suits(self, new_parameter: Expression, new_slots: Dict[str, Expression]) -> bool:
        """Whether the stack gains something, and keeps the bits where it must."""
        nodes = [n for value in [new_parameter, *new_slots.values()] for n in value.nodes()]
        if any(isinstance(node, Known) for node in nodes):
            return False
        values = [*new_slots.values(), self._step(new_parameter)[2]]
        if not all(any(isinstance(n, (Cell, Gradient)) for n in v.nodes()) for v in values):
            return False  # a scalar has nothing to stack
        changes = [(self.slots[role], value) for role, value in new_slots.items()]
        if not changes or one_kernel([*changes, (self.parameter, new_parameter)]) is not None:
            return False  # one op a parameter, which is faster still
        roots = any(node.operator == ROOT for node in nodes)
        first = self._variables[self.parameter][0]
        return not (self._exact and roots and kernels.has_remainder(first.shape, first.dtype))

    def emit(
        self, new_parameter: Expression, new_slots: Dict[str, Expression]
    ) -> List[tf.Operation]:
        """The ops that write all the parameters and their slots."""
        changes = [(kernels.assign, self.slots[role], new) for role, new in new_slots.items()]
        changes.append(self._step(new_parameter))
        # All values first: one formula may need what another one overwrites.
        for _, _, value in changes:
            value.evaluate(self._leaf, self._stacks)
        return [op for change in changes for op in self._each(*change)]

    def _step(self, new_parameter: Expression) -> Any:
        """How the parameter is written: by what is added or subtracted, where it is that."""
        operator, operands = new_parameter.operator, new_parameter.operands
        if operator in (ADD, SUBTRACT) and operands[0] is self.parameter:
            write = kernels.add if operator == ADD else kernels.subtract
            return write, self.parameter, operands[1]
        return kernels.assign, self.parameter, new_parameter

    def _each(self, write: Any, cell: Cell, value: Expression) -> List[tf.Operation]:
        variables = self._variables[cell]
        parts = tf.unstack(self._stacks[value], len(variables))
        with tf.control_dependencies([self._stacks[cell]] if cell in self._stacks else []):
            return [write(variable, part) for variable, part in zip(variables, parts)]

    def _leaf(self, leaf: Expression) -> Tensor:
        if isinstance(leaf, Gradient):
            return tf.stack(self._gradients)
        if isinstance(leaf, Cell):
            return tf.stack([tf.convert_to_tensor(one) for one in self._variables[leaf]])
        assert isinstance(leaf, Scalar)
        return self._constants.opaque(leaf.value, self.parameter.variable)


def _refuse(formula: Expression) -> Any:
    raise NotElementwise()
