"""One parameter's update from a dense gradient: in place, where kernels keep the bits."""

from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import tensorflow.compat.v1 as tf

from keras_optimizers.expressions import (
    ADD,
    DIVIDE,
    FUNCTIONS,
    MULTIPLY,
    ROOT,
    SQUARE,
    SUBTRACT,
    Cell,
    Expression,
    Gradient,
    Known,
    Scalar,
)
from keras_optimizers.lowering import kernels
from keras_optimizers.tensorflow_types import Tensor, Variable

# Elements from which a variable made for one kernel costs less than the passes it saves.
_TEMPORARY_FROM = 2**16


class DenseUpdate:
    """Turns the formulas of one parameter's update into ops.

    Arguments:
        parameter: the variable.
        slots: its slots, by role.
        gradient: tensor of the parameter's shape.
        constants: shared by all parameters of the step.
        exact: whether the bits must be those of the formulas as they stand.
    """

    def __init__(
        self,
        parameter: Variable,
        slots: Dict[str, Variable],
        gradient: Any,
        constants: kernels.Constants,
        exact: bool = True,
    ) -> None:
        self.parameter = Cell(parameter, self.tensor)
        self.slots = {role: Cell(slot, self.tensor) for role, slot in slots.items()}
        self.gradient = Gradient(self.tensor)
        self._gradient = gradient
        self._constants = constants
        self._exact = exact
        self._kernels_keep_the_bits = kernels.keep_the_bits(parameter)
        self._tensors: Dict[Expression, Tensor] = {}
        self._reads: Dict[Expression, List[Tensor]] = {}
        # Formulas whose values are in a variable by now: the variable and the op that wrote it.
        self._written: Dict[Expression, Tuple[Variable, tf.Operation]] = {}

    def emit(
        self, new_parameter: Expression, new_slots: Dict[str, Expression]
    ) -> Tuple[List[tf.Operation], List[Tuple[Variable, Tensor]]]:
        """The ops that write, and what is left to assign: (variable, value)."""
        changes = [(self.slots[role], value) for role, value in new_slots.items()]
        changes.append((self.parameter, new_parameter))
        together = self._both_in_one_kernel(changes)
        if together is not None:
            return [together], []
        self._read_ahead(changes)
        writes: List[tf.Operation] = []
        for cell, value in changes:
            if kernels.is_ref(cell.variable):  # others may still need what is there
                return writes, [(cell.variable, self._value_to_assign(value))]
            with tf.control_dependencies(self._reads.get(cell, [])):
                writes.append(self._write(cell, value))
            self._written[value] = (cell.variable, writes[-1])
        return writes, []

    def tensor(self, formula: Expression) -> Tensor:
        """The value of `formula`, computed as it stands."""
        for node in self._unwritten(formula):
            if node in self._written and node not in self._tensors:
                self._tensors[node] = self._read_written(node)
        return formula.evaluate(self._leaf, self._tensors)

    @property
    def _constraint(self) -> Any:
        return getattr(self.parameter.variable, "constraint", None)

    def _value_to_assign(self, value: Expression) -> Any:
        new = self.tensor(value)
        return new if self._constraint is None else self._constraint(new)

    # Values.

    def _leaf(self, leaf: Expression) -> Tensor:
        if isinstance(leaf, Gradient):
            return self._gradient
        if isinstance(leaf, Cell):
            value = tf.convert_to_tensor(leaf.variable)
            self._reads.setdefault(leaf, []).append(value)
            return value
        if isinstance(leaf, Known):
            return leaf.tensor
        assert isinstance(leaf, Scalar)
        return self._scalar(leaf)

    def _scalar(self, leaf: Scalar) -> Tensor:
        return self._constants.opaque(leaf.value, self.parameter.variable)

    def _read_written(self, formula: Expression) -> Tensor:
        variable, write = self._written[formula]
        with tf.control_dependencies([write]):
            return variable.read_value()

    def _unwritten(self, formula: Expression) -> Iterator[Expression]:
        """`formula` and all below it, but nothing below what is in a variable by now."""
        yield formula
        if formula not in self._written:
            for operand in formula.operands:
                yield from self._unwritten(operand)

    def _read_ahead(self, changes: List[Tuple[Cell, Expression]]) -> None:
        """Read what the formulas of others need from before the step, before it is overwritten."""
        new = {value for _, value in changes}

        def below(formula: Expression) -> Iterator[Expression]:
            for operand in formula.operands:
                if operand not in new:  # which will be read where it was written
                    yield operand
                    yield from below(operand)

        for cell, own in changes:
            if any(
                value is cell or cell in set(below(value))
                for _, value in changes
                if value is not own
            ):
                self._read_early(cell)

    def _read_early(self, cell: Cell) -> None:
        self.tensor(cell)

    # Writing.

    def _both_in_one_kernel(self, changes: List[Tuple[Cell, Expression]]) -> Optional[tf.Operation]:
        """The one op that does all, where there is one."""
        pair = one_kernel(changes)
        if pair is None or not self._may_use_kernels:
            return None
        arguments = [
            self._scalar(one) if isinstance(one, Scalar) else self.tensor(one)
            for one in pair.arguments
        ]
        (slot, _), (parameter, _) = changes
        return pair.kernel(parameter.variable, slot.variable, *arguments)

    @property
    def _may_use_kernels(self) -> bool:
        """Whether a kernel may write the parameter and its slots in one go."""
        return (
            self._kernels_keep_the_bits
            and not kernels.is_ref(self.parameter.variable)
            and not self._reads
            and self._constraint is None
        )

    def _write(self, cell: Cell, value: Expression) -> tf.Operation:
        """The op that gives `cell` the new `value`."""
        if cell is self.parameter and self._constraint is not None:
            return kernels.assign(cell.variable, self._value_to_assign(value))
        if not self._kernels_keep_the_bits:
            return kernels.assign(cell.variable, self.tensor(value))
        if value.operator in (ADD, SUBTRACT):
            first, second = value.operands
            if value.operator == ADD and (second is cell or _is_decay_of(cell, second)):
                first, second = second, first  # the sum of two is the same either way
            if not _contains(second, cell):
                if first is cell:
                    return self._add(cell, value.operator, second)
                if _is_decay_of(cell, first) or _is_sum_on(cell, first):
                    with tf.control_dependencies([self._write(cell, first)]):
                        return self._add(cell, value.operator, second)
        return kernels.assign(cell.variable, self.tensor(value))

    def _add(self, cell: Cell, operator: str, value: Expression) -> tf.Operation:
        """Add `value` to what is in the variable of `cell`, or subtract it."""
        variable = cell.variable
        if not self._fills(variable, value):  # kernels do not broadcast
            return kernels.assign(
                variable, FUNCTIONS[operator](variable.read_value(), self.tensor(value))
            )
        ratio = _over_root(value)
        if operator == SUBTRACT and ratio is not None and self._fills(variable, ratio.numerator):
            write = self._subtract_ratio(variable, ratio)
            if write is not None:
                return write
        scaled = _scaled(value)
        if not self._exact and scaled is None:
            scaled = _scaled_quotient(value)
        if scaled is not None and self._fills(variable, scaled[1]) and value not in self._tensors:
            scale, factor = scaled
            if operator == ADD:
                alpha = self._constants.negative(scale.value, self.parameter.variable)
            else:
                alpha = self._scalar(scale)
            return kernels.subtract_scaled(variable, alpha, self.tensor(factor))
        add = kernels.add if operator == ADD else kernels.subtract
        return add(variable, self.tensor(value))

    def _fills(self, variable: Variable, formula: Expression) -> bool:
        """Whether `formula` has the shape of `variable`, not one that is broadcast to it."""
        return any(
            isinstance(node, (Cell, Gradient))
            or (isinstance(node, Known) and node.tensor.shape.as_list() == variable.shape.as_list())
            for node in formula.nodes()
        )

    def _subtract_ratio(self, variable: Variable, ratio: "_Ratio") -> Optional[tf.Operation]:
        """Subtract by the kernel that takes what is under the root from a variable."""
        scale, epsilon = self._scalar(ratio.scale), self._scalar(ratio.epsilon)
        if ratio.under_root in self._written:
            slot, written = self._written[ratio.under_root]
            numerator = self.tensor(ratio.numerator)
            with tf.control_dependencies([written]):
                return kernels.subtract_over_root(variable, scale, numerator, slot.handle, epsilon)
        if variable.shape.num_elements() < _TEMPORARY_FROM:
            return None
        numerator = self.tensor(ratio.numerator)
        slot, written = kernels.temporary(self.tensor(ratio.under_root))
        with tf.control_dependencies([written]):
            write = kernels.subtract_over_root(variable, scale, numerator, slot, epsilon)
        with tf.control_dependencies([write]):
            return kernels.free(slot)


# What a formula is.


class Pair(NamedTuple):
    """A kernel that changes a slot and the parameter, and its arguments after those two."""

    kernel: Callable[..., tf.Operation]
    arguments: Sequence[Any]


def one_kernel(changes: Sequence[Tuple[Cell, Expression]]) -> Optional[Pair]:
    """The kernel that does all `changes`, of a slot and then of the parameter; None without one."""
    if len(changes) != 2:
        return None
    (slot, new_slot), (parameter, new_parameter) = changes
    if new_slot.operator == SUBTRACT and new_parameter.operator == ADD:
        momentum, step = map(_scaled, new_slot.operands)
        if (
            momentum is not None
            and step is not None
            and momentum[1] is slot
            and not _contains(step[1], slot, parameter)
            and new_parameter.operands == (parameter, new_slot)
        ):
            return Pair(kernels.add_momentum, [momentum[0], step[0], step[1]])
    if new_slot.operator == ADD and new_parameter.operator == SUBTRACT:
        ratio = _over_root(new_parameter.operands[1])
        if (
            ratio is not None
            and new_parameter.operands[0] is parameter
            and new_slot.operands[0] is slot
            and new_slot.operands[1].operator == SQUARE
            and new_slot.operands[1].operands[0] is ratio.numerator
            and ratio.under_root is new_slot
            and not _contains(ratio.numerator, slot, parameter)
        ):
            return Pair(
                kernels.add_square_and_subtract_over_root,
                [ratio.scale, ratio.epsilon, ratio.numerator],
            )
    return None


class _Ratio:
    """`scale * numerator / (sqrt(under_root) + epsilon)`."""

    def __init__(
        self, scale: Scalar, numerator: Expression, under_root: Expression, epsilon: Scalar
    ) -> None:
        self.scale, self.numerator = scale, numerator
        self.under_root, self.epsilon = under_root, epsilon


def _scaled(formula: Expression) -> Optional[Tuple[Scalar, Expression]]:
    """The two factors of a scalar times something."""
    if formula.operator == MULTIPLY:
        first, second = formula.operands
        if isinstance(first, Scalar):
            return first, second
        if isinstance(second, Scalar):
            return second, first
    return None


def _scaled_quotient(formula: Expression) -> Optional[Tuple[Scalar, Expression]]:
    """Of `scale * x / y` the factors `scale` and `x / y`: rounded otherwise, in fewer passes."""
    if formula.operator == DIVIDE:
        above = _scaled(formula.operands[0])
        if above is not None:
            return above[0], Expression(DIVIDE, above[1], formula.operands[1])
    return None


def _over_root(formula: Expression) -> Optional[_Ratio]:
    if formula.operator == DIVIDE:
        above, below = formula.operands
        scaled = _scaled(above)
        if scaled is not None and below.operator == ADD:
            root, epsilon = below.operands
            if root.operator == ROOT and isinstance(epsilon, Scalar):
                return _Ratio(scaled[0], scaled[1], root.operands[0], epsilon)
    return None


def _is_decay_of(cell: Cell, formula: Expression) -> bool:
    scaled = _scaled(formula)
    return scaled is not None and scaled[1] is cell


def _is_sum_on(cell: Cell, formula: Expression) -> bool:
    """Whether `formula` is `cell` plus or minus something that is free of it."""
    return (
        formula.operator in (ADD, SUBTRACT)
        and formula.operands[0] is cell
        and not _contains(formula.operands[1], cell)
    )


def _contains(formula: Expression, *cells: Cell) -> bool:
    return any(node is cell for node in formula.nodes() for cell in cells)
