"""One parameter's update from the rows that a batch touched, without a dense gradient.

To the bit what the dense gradient, with zeros in all other rows, would give: the formulas are
evaluated with that zero for the rows that no batch touched, and at the touched rows with theirs.
"""

from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from keras_optimizers.expressions import (
    ADD,
    DIVIDE,
    FUNCTIONS,
    MAGNITUDE,
    MAXIMUM,
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
from keras_optimizers.lowering.dense import DenseUpdate, one_kernel
from keras_optimizers.tensorflow_types import Tensor, Variable

_PACKET = kernels.PACKET


# Elements: a temporary copy of a larger table costs more than its computation, because the memory
# allocator returns so much memory to the system, which has to clear it again.
IN_PLACE_FROM = 2**22


class SparseUpdate(DenseUpdate):
    """As `DenseUpdate`, from a gradient that is `IndexedSlices`.

    Where a formula is zero for a zero gradient, only the touched rows are computed and written.
    Other formulas are computed for the whole table, without a dense gradient, and completed in
    the touched rows.
    """

    def __init__(
        self,
        parameter: Variable,
        slots: Dict[str, Variable],
        gradient: tf.IndexedSlices,
        constants: kernels.Constants,
        exact: bool = True,
    ) -> None:
        super().__init__(parameter, slots, gradient, constants, exact)
        self._rows, self._row_gradients = kernels.distinct_rows(gradient)
        self._at_rows: Dict[Expression, Tensor] = {}

    # Values of whole tables.

    def tensor(self, formula: Expression) -> Tensor:
        """The value of `formula` for the whole table; gradients stay sparse as long as they can."""
        if formula not in self._tensors and self._has_gradient(formula):
            self._tensors[formula] = self._mixed(formula)
        return super().tensor(formula)

    def _mixed(self, formula: Expression) -> Tensor:
        """The whole table of a formula that contains the gradient."""
        if self._vanishes(formula):  # in an op that knows no better
            return self._scattered(formula)
        operator, operands = formula.operator, formula.operands
        if operator in (ADD, MAXIMUM) and self._vanishes(operands[0]):
            operands = operands[::-1]  # either gives the same either way
        if operator in (ADD, SUBTRACT) and self._vanishes(operands[1]):
            table = self.tensor(operands[0])
            if self._exact and operator == ADD and not _is_nonnegative(operands[1]):
                table = table + self._zero()  # -0.0 becomes 0.0, as with a dense gradient
            scatter = tf.tensor_scatter_nd_add if operator == ADD else tf.tensor_scatter_nd_sub
            return scatter(table, self._row_positions(), self.rows(operands[1]))
        if operator == MAXIMUM and self._vanishes(operands[1]):
            table = self.tensor(operands[0])
            if self._exact or not _is_nonnegative(operands[1]):
                table = tf.maximum(table, self._zero())
            return tf.tensor_scatter_nd_update(table, self._row_positions(), self.rows(formula))
        return FUNCTIONS[operator](*[self.tensor(operand) for operand in operands])

    def _scattered(self, formula: Expression) -> Tensor:
        count = self.parameter.variable.shape.as_list()[0]
        return tf.math.unsorted_segment_sum(self.rows(formula), self._rows, count)

    def _row_positions(self) -> Tensor:
        return tf.expand_dims(self._rows, 1)

    def _zero(self) -> Tensor:
        """Zero, in a form that the graph optimizer does not take for one and leave out."""
        return tf.cast(tf.size(self._rows) < 0, self.parameter.variable.dtype.base_dtype)

    def _has_gradient(self, formula: Expression) -> bool:
        return any(isinstance(node, Gradient) for node in self._unwritten(formula))

    def _vanishes(self, formula: Expression) -> bool:
        """Whether `formula` is zero wherever the gradient is."""
        if isinstance(formula, Gradient):
            return True
        if formula in self._written or not formula.operands:
            return False
        parts = [self._vanishes(operand) for operand in formula.operands]
        if formula.operator == MULTIPLY:
            return any(parts)
        if formula.operator == DIVIDE:
            return parts[0]
        return all(parts)

    # Values at the touched rows.

    def rows(self, formula: Expression) -> Tensor:
        """The value of `formula` at the touched rows: [touched rows, ...]."""
        if formula not in self._at_rows:
            nodes = list(self._unwritten(formula))
            single = self.parameter.variable.dtype.base_dtype == tf.float32
            if single and any(node.operator == ROOT for node in nodes):
                self._at_rows[formula] = self._rows_with_roots(formula)
            else:
                self._evaluate(formula, self._leaf_at_rows, self._at_rows)
        return self._at_rows[formula]

    def _evaluate(
        self,
        formula: Expression,
        leaf: Callable[[Expression], Any],
        known: Dict[Expression, Any],
    ) -> Any:
        """The value of `formula`, where what is in a variable by now counts as a leaf."""
        for node in self._unwritten(formula):
            if node in self._written and node not in known:
                known[node] = leaf(node)
        return formula.evaluate(leaf, known)

    def _leaf_at_rows(self, leaf: Expression) -> Any:
        if leaf not in self._at_rows:
            self._at_rows[leaf] = self._read_rows(leaf)
        return self._at_rows[leaf]

    def _read_rows(self, leaf: Expression) -> Any:
        if isinstance(leaf, Gradient):
            return self._row_gradients
        if isinstance(leaf, Scalar):
            return self._scalar(leaf)
        if leaf in self._tensors:
            return tf.gather(self._tensors[leaf], self._rows)
        if leaf in self._written:
            variable, write = self._written[leaf]
            with tf.control_dependencies([write]):
                return tf.gather(variable, self._rows)
        if isinstance(leaf, Known):
            return tf.gather(leaf.tensor, self._rows)
        assert isinstance(leaf, Cell)
        value = tf.gather(leaf.variable, self._rows)
        self._reads.setdefault(leaf, []).append(value)
        return value

    def _rows_with_roots(self, formula: Expression) -> Tensor:
        """As `rows`, with every root taken the way in which it is taken in the whole table."""
        shape = self.parameter.variable.shape.as_list()
        size = tf.size(self._row_gradients)

        def flat(leaf: Expression) -> Any:
            value = self._leaf_at_rows(leaf)
            if value.shape.rank == 0:
                return value
            # Whole packets: no row of the middle is left over.
            return tf.pad(tf.reshape(value, [-1]), [[0, -size % _PACKET]])

        by_packets = self._evaluate(formula, flat, {})
        result = tf.reshape(by_packets[:size], tf.shape(self._row_gradients))
        left_over = int(np.prod(shape)) % _PACKET
        if not left_over:
            return result
        # The last elements of the table are left over there: they are computed again, so few
        # that they are here too, and replace those of the rows that hold them.
        row_size = int(np.prod(shape[1:]))
        last_rows = -(-left_over // row_size)
        first = shape[0] - last_rows
        before = last_rows * row_size - left_over

        def last(leaf: Expression) -> Any:
            value = self._leaf_at_rows(leaf)
            if value.shape.rank == 0:
                return value
            ends = tf.math.unsorted_segment_sum(value, self._rows - first, last_rows)
            # Seven, for single elements TensorFlow has ways of their own.
            return tf.pad(tf.reshape(ends, [-1])[before:], [[0, _PACKET - 1 - left_over]])

        one_by_one = self._evaluate(formula, last, {})[:left_over]
        one_by_one = tf.pad(one_by_one, [[before, 0]])
        is_left_over = np.arange(last_rows * row_size) >= before
        within = tf.maximum(self._rows - first, 0)
        ends = tf.gather(tf.reshape(one_by_one, [last_rows] + shape[1:]), within)
        replace = tf.gather(np.reshape(is_left_over, [last_rows] + shape[1:]), within)
        in_last_rows = tf.reshape(self._rows >= first, [-1] + [1] * (len(shape) - 1))
        return tf.where(tf.logical_and(replace, in_last_rows), ends, result)

    # Writing.

    def _both_in_one_kernel(self, changes: List[Tuple[Cell, Expression]]) -> Optional[tf.Operation]:
        """Momentum over a large table in place; others have no kernel that takes rows."""
        pair = one_kernel(changes)
        if pair is None or pair.kernel is not kernels.add_momentum or not self._may_use_kernels:
            return None
        momentum, rate, step = pair.arguments
        (slot, new_slot), (parameter, new_parameter) = changes
        table = parameter.variable
        if table.shape.num_elements() < IN_PLACE_FROM or not self._vanishes(step):
            return None
        # The touched rows are set apart, for the pass below takes all rows as untouched.
        rows = [(slot, self.rows(new_slot)), (parameter, self.rows(new_parameter))]
        with tf.control_dependencies([value for _, value in rows]):
            passes = kernels.add_momentum_untouched(
                table, slot.variable, self._scalar(momentum), self._scalar(rate)
            )
        with tf.control_dependencies(passes):
            writes = [kernels.set_rows(cell.variable, self._rows, value) for cell, value in rows]
            return tf.group(*writes)

    def _write(self, cell: Cell, value: Expression) -> tf.Operation:
        step = self._sparse_step(cell, value)
        if step is not None:
            write = kernels.add_rows if value.operator == ADD else kernels.subtract_rows
            return write(cell.variable, self._rows, self.rows(step))
        if self._has_gradient(value) and not any(part is cell for part in value.operands):
            return kernels.assign(cell.variable, self.tensor(value))
        return super()._write(cell, value)

    def _value_to_assign(self, value: Expression) -> Any:
        if self._sparse_step(self.parameter, value) is not None:
            return tf.IndexedSlices(self.rows(value), self._rows)
        return super()._value_to_assign(value)

    def _sparse_step(self, cell: Cell, value: Expression) -> Any:
        """What is added to `cell`, or subtracted, in the touched rows alone; None if in others."""
        if value.operator in (ADD, SUBTRACT):
            first, second = value.operands
            if value.operator == ADD and second is cell:
                first, second = second, first
            if first is cell and self._vanishes(second):
                return second
        return None


def _is_nonnegative(formula: Expression) -> bool:
    """Whether `formula` is, but for a scale, a square or a magnitude."""
    if formula.operator == MULTIPLY and isinstance(formula.operands[0], Scalar):
        formula = formula.operands[1]
    return formula.operator in (SQUARE, MAGNITUDE)
