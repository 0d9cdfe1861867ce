"""One parameter's update from a dense gradient: in place, where kernels keep the bits."""

from typing import Any, Dict, Iterator, List, NamedTuple, Optional

import tensorflow.compat.v1 as tf

from keras_optimizers.expressions import (
    ADD,
    FUNCTIONS,
    SUBTRACT,
    Expression,
    Gradient,
    TensorValue,
    VariableValue,
)
from keras_optimizers.lowering import kernels
from keras_optimizers.lowering.assignments import Assignment, assign, is_ref
from keras_optimizers.lowering.constants import Constants
from keras_optimizers.lowering.patterns import (
    Change,
    OverRoot,
    adagrad_step,
    contains,
    is_share_of,
    is_sum_on,
    momentum_step,
    over_root,
    scaled,
    scaled_quotient,
)
from keras_optimizers.lowering.rounding import kernels_keep_the_bits
from keras_optimizers.lowering.values import Accesses, DenseValues, Leaves, Written
from keras_optimizers.parameters import TrainedParameter
from keras_optimizers.tensorflow_types import Variable


class Writes(NamedTuple):
    """What an update does."""

    ops: List[tf.Operation]  # they write
    assignments: List[Assignment]  # still to be made, after the ops of all parameters


class DenseUpdate:
    """Turns the formulas of one parameter's update into ops.

    Arguments:
        parameter: the parameter.
        constants: shared by all parameters of the step.
        exact: whether the bits must be those of the formulas as they are written.

    Attributes:
        leaves: what the update rule is to be called with.
        values: computes formulas.
        accesses: what has been read and written so far; shared with `values`.
    """

    def __init__(self, parameter: TrainedParameter, constants: Constants, exact: bool) -> None:
        self.parameter = parameter
        self.exact = exact
        self.accesses = Accesses()
        self.values = self.make_values(constants)
        self.leaves = Leaves(parameter, self.values.tensor)
        self.keeps_bits = kernels_keep_the_bits(parameter.variable)

    def make_values(self, constants: Constants) -> DenseValues:
        """What computes the formulas."""
        return DenseValues(self.parameter, constants, self.accesses)

    def emit(self, new_parameter: Expression, new_slots: Dict[str, Expression]) -> Writes:
        """The ops that write, and what is left to assign."""
        changes = [Change(self.leaves.slots[role], value) for role, value in new_slots.items()]
        changes.append(Change(self.leaves.parameter, new_parameter))
        together = self.write_all(changes)
        if together is not None:
            return Writes([together], [])
        self._read_ahead(changes)
        ops: List[tf.Operation] = []
        for target, value in changes:
            if is_ref(target.variable):  # others may still need what is there
                return Writes(ops, [Assignment(target.variable, self.value_to_assign(value))])
            with tf.control_dependencies(self.accesses.reads.get(target, [])):
                ops.append(self.write(target, value))
            self.accesses.written[value] = Written(target.variable, ops[-1])
        return Writes(ops, [])

    # `SparseUpdate` overrides these three.

    def write_all(self, changes: List[Change]) -> Optional[tf.Operation]:
        """The one op that makes all changes; None where there is no such kernel."""
        if not self.may_write_all:
            return None
        momentum, adagrad = momentum_step(changes), adagrad_step(changes)
        slot, variable = changes[0].target.variable, self.parameter.variable
        scalar, tensor = self.values.scalar, self.values.tensor
        if momentum is not None:
            return kernels.add_momentum(
                variable,
                slot,
                scalar(momentum.momentum),
                scalar(momentum.scale),
                tensor(momentum.gradient),
            )
        if adagrad is not None:
            return kernels.add_square_and_subtract_over_root(
                variable,
                slot,
                scalar(adagrad.scale),
                scalar(adagrad.epsilon),
                tensor(adagrad.gradient),
            )
        return None

    def write(self, target: VariableValue, value: Expression) -> tf.Operation:
        """The op that gives the variable of `target` the new `value`."""
        if target is self.leaves.parameter and self.parameter.constraint is not None:
            return assign(target.variable, self.value_to_assign(value))
        if not self.keeps_bits:
            return assign(target.variable, self.values.tensor(value))
        if value.operator in (ADD, SUBTRACT):
            first, second = value.operands
            if value.operator == ADD and (second is target or is_share_of(target, second)):
                first, second = second, first  # a sum of two has the same bits in either order
            if not contains(second, target):
                if first is target:
                    return self._add(target.variable, value.operator, second)
                if is_share_of(target, first) or is_sum_on(target, first):
                    with tf.control_dependencies([self.write(target, first)]):
                        return self._add(target.variable, value.operator, second)
        return assign(target.variable, self.values.tensor(value))

    def value_to_assign(self, value: Expression) -> Any:
        """The parameter's new value, through its constraint."""
        new, constraint = self.values.tensor(value), self.parameter.constraint
        return new if constraint is None else constraint(new)

    @property
    def may_write_all(self) -> bool:
        """Whether a kernel may write the parameter and its slots in one op."""
        return (
            self.keeps_bits
            and not is_ref(self.parameter.variable)
            and not self.accesses.reads
            and self.parameter.constraint is None
        )

    def _read_ahead(self, changes: List[Change]) -> None:
        """Read the variables whose old values later formulas need, before they are overwritten."""
        new = {value for _, value in changes}

        def below(formula: Expression) -> Iterator[Expression]:
            for operand in formula.operands:
                if operand not in new:  # new values are read where they were written
                    yield operand
                    yield from below(operand)

        for target, its_value in changes:
            if any(
                value is target or target in set(below(value))
                for _, value in changes
                if value is not its_value
            ):
                self.values.tensor(target)

    def _add(self, variable: Variable, operator: str, value: Expression) -> tf.Operation:
        """Add `value` to what is in `variable`, or subtract it."""
        tensor = self.values.tensor
        if not _fills(variable, value):  # kernels do not broadcast
            return assign(variable, FUNCTIONS[operator](variable.read_value(), tensor(value)))
        ratio = over_root(value)
        if operator == SUBTRACT and ratio is not None and _fills(variable, ratio.numerator):
            write = self._subtract_ratio(variable, ratio)
            if write is not None:
                return write
        factors = scaled(value)
        if factors is None and not self.exact:
            factors = scaled_quotient(value)
        is_new = self.values.computed(value) is None
        if factors is not None and _fills(variable, factors.value) and is_new:
            if operator == ADD:
                scale = self.values.negative_scalar(factors.scale)
            else:
                scale = self.values.scalar(factors.scale)
            return kernels.subtract_scaled(variable, scale, tensor(factors.value))
        add = kernels.add if operator == ADD else kernels.subtract
        return add(variable, tensor(value))

    def _subtract_ratio(self, variable: Variable, ratio: OverRoot) -> Optional[tf.Operation]:
        """Subtract by the kernel that reads what is under the root from a variable."""
        written = self.accesses.written.get(ratio.under_root)
        if written is None:
            return None
        scale, epsilon = self.values.scalar(ratio.scale), self.values.scalar(ratio.epsilon)
        numerator = self.values.tensor(ratio.numerator)
        with tf.control_dependencies([written.op]):
            return kernels.subtract_over_root(
                variable, scale, numerator, written.variable.handle, epsilon
            )


def _fills(variable: Variable, formula: Expression) -> bool:
    """Whether `formula` has the shape of `variable`, so that nothing is broadcast to it."""
    return any(
        isinstance(node, (VariableValue, Gradient))
        or (
            isinstance(node, TensorValue)
            and node.tensor.shape.as_list() == variable.shape.as_list()
        )
        for node in formula.nodes()
    )
