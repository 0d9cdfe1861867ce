"""Computes formulas from the rows that a batch touched, without a dense gradient.

The bits are those that the dense gradient, with zeros in all other rows, would give: the formulas
are computed with that zero for the rows that no batch touched, and with the gradient at the others.
"""

from typing import Any, Callable, Dict

import numpy as np
import tensorflow.compat.v1 as tf

from keras_optimizers.expressions import (
    ADD,
    DIVIDE,
    FUNCTIONS,
    MAXIMUM,
    MULTIPLY,
    ROOT,
    SUBTRACT,
    Expression,
    Gradient,
    Scalar,
    TensorValue,
    VariableValue,
)
from keras_optimizers.gradients import distinct_rows
from keras_optimizers.lowering.constants import Constants
from keras_optimizers.lowering.patterns import can_be_zero, is_never_negative
from keras_optimizers.lowering.rounding import PACKET
from keras_optimizers.lowering.values import Accesses, DenseValues
from keras_optimizers.parameters import TrainedParameter
from keras_optimizers.tensorflow_types import Tensor


class SparseValues(DenseValues):
    """The values of formulas, where the gradient is `IndexedSlices`.

    Arguments:
        parameter: a parameter whose gradient is `IndexedSlices`.
        constants: shared by all parameters of the step.
        accesses: shared with the writes of the same parameter.
        exact: whether -0.0 must become 0.0 where it would with a dense gradient.

    Attributes:
        touched: the rows that the batch touched, each once.
    """

    def __init__(
        self,
        parameter: TrainedParameter,
        constants: Constants,
        accesses: Accesses,
        exact: bool,
    ) -> None:
        super().__init__(parameter, constants, accesses)
        self._shape, self._dtype = parameter.shape, parameter.dtype
        self._exact = exact
        self.touched, self._row_gradients = distinct_rows(parameter.gradient)
        self._at_rows: Dict[Expression, Tensor] = {}

    def has_gradient(self, formula: Expression) -> bool:
        """Whether the gradient is needed to compute `formula`."""
        return any(isinstance(node, Gradient) for node in self.accesses.unwritten(formula))

    def vanishes(self, formula: Expression) -> bool:
        """Whether `formula` is zero wherever the gradient is zero."""
        if isinstance(formula, Gradient):
            return True
        if formula in self.accesses.written or not formula.operands:
            return False
        parts = [self.vanishes(operand) for operand in formula.operands]
        if formula.operator == MULTIPLY:
            return any(parts)
        if formula.operator == DIVIDE:
            return parts[0] and not can_be_zero(formula.operands[1], self._dtype)
        return all(parts)

    # Values of whole tables.

    def tensor(self, formula: Expression) -> Tensor:
        """The value of `formula` for the whole table; gradients stay sparse as long as they can."""
        if self.computed(formula) is None and self.has_gradient(formula):
            self.keep(formula, self._table(formula))
        return super().tensor(formula)

    def _table(self, formula: Expression) -> Tensor:
        """The whole table of a formula that contains the gradient."""
        if self.vanishes(formula):  # an op of TensorFlow asks for it, which needs the table
            return tf.math.unsorted_segment_sum(self.rows(formula), self.touched, self._shape[0])
        operator, operands = formula.operator, formula.operands
        is_first = operator in (ADD, MAXIMUM) and self.vanishes(operands[0])
        if is_first:
            operands = operands[::-1]
        if operator in (ADD, SUBTRACT) and self.vanishes(operands[1]):
            table = self._whole(self.tensor(operands[0]))
            if self._exact and operator == ADD and not is_never_negative(operands[1]):
                table = table + self._zero()  # -0.0 becomes 0.0, as with a dense gradient
            scatter = tf.tensor_scatter_nd_add if operator == ADD else tf.tensor_scatter_nd_sub
            return scatter(table, self._positions(), self.rows(operands[1]))
        if operator == MAXIMUM and self.vanishes(operands[1]):
            table = self._whole(self.tensor(operands[0]))
            if self._exact or not is_never_negative(operands[1]):
                # In the formula's order: of -0.0 and 0.0 the first one is the larger one.
                pair = (self._zero(), table) if is_first else (table, self._zero())
                table = tf.maximum(*pair)
            return tf.tensor_scatter_nd_update(table, self._positions(), self.rows(formula))
        return FUNCTIONS[operator](*[self.tensor(operand) for operand in operands])

    def _whole(self, value: Tensor) -> Tensor:
        """`value` in the table's shape, to which ops on whole tensors would broadcast it."""
        has_shape = value.shape.is_fully_defined() and value.shape.as_list() == self._shape
        return value if has_shape else tf.broadcast_to(value, self._shape)

    def _positions(self) -> Tensor:
        return tf.expand_dims(self.touched, 1)

    def _zero(self) -> Tensor:
        """Zero, in a form that the graph optimizer does not recognise and leave out."""
        return tf.cast(tf.size(self.touched) < 0, self._dtype)

    # Values at the touched rows.

    def rows(self, formula: Expression) -> Tensor:
        """The value of `formula` at the touched rows: [touched rows, ...]."""
        if formula not in self._at_rows:
            nodes = list(self.accesses.unwritten(formula))
            if self._dtype == tf.float32 and any(node.operator == ROOT for node in nodes):
                self._at_rows[formula] = self._rows_with_roots(formula)
            else:
                self._evaluate(formula, self._leaf_at_rows, self._at_rows)
        return self._at_rows[formula]

    def _evaluate(
        self,
        formula: Expression,
        leaf_value: Callable[[Expression], Any],
        computed: Dict[Expression, Any],
    ) -> Any:
        """The value of `formula`, where what is in a variable by now counts as a leaf."""
        for node in self.accesses.unwritten(formula):
            if node in self.accesses.written and node not in computed:
                computed[node] = leaf_value(node)
        return formula.evaluate(leaf_value, computed)

    def _leaf_at_rows(self, leaf: Expression) -> Any:
        if leaf not in self._at_rows:
            self._at_rows[leaf] = self._read_rows(leaf)
        return self._at_rows[leaf]

    def _read_rows(self, leaf: Expression) -> Any:
        if isinstance(leaf, Gradient):
            return self._row_gradients
        if isinstance(leaf, Scalar):
            return self.scalar(leaf)
        table = self.computed(leaf)
        if table is not None:  # read ahead: by now the variable may be overwritten
            return tf.gather(table, self.touched)
        if leaf in self.accesses.written:
            variable, write = self.accesses.written[leaf]
            with tf.control_dependencies([write]):
                return tf.gather(variable, self.touched)
        if isinstance(leaf, TensorValue):
            return tf.gather(self._whole(leaf.tensor), self.touched)
        assert isinstance(leaf, VariableValue)
        value = tf.gather(leaf.variable, self.touched)
        self.accesses.add_read(leaf, value)
        return value

    def _rows_with_roots(self, formula: Expression) -> Tensor:
        """As `rows`, with every root computed as in the whole table (see `rounding.PACKET`)."""
        shape = self._shape
        size = tf.size(self._row_gradients)

        def flat(leaf: Expression) -> Any:
            value = self._leaf_at_rows(leaf)
            if value.shape.rank == 0:
                return value
            # Filled up to whole packets, so that no element of these rows is left over.
            return tf.pad(tf.reshape(value, [-1]), [[0, -size % PACKET]])

        by_packets = self._evaluate(formula, flat, {})
        result = tf.reshape(by_packets[:size], tf.shape(self._row_gradients))
        left_over = int(np.prod(shape)) % PACKET
        if not left_over:
            return result
        # The last elements of the table are left over there. They are so few that they are always
        # computed here too, as left over elements, and replace those of the rows that hold them.
        row_size = int(np.prod(shape[1:]))
        last_rows = -(-left_over // row_size)
        first = shape[0] - last_rows
        before = last_rows * row_size - left_over

        def last(leaf: Expression) -> Any:
            value = self._leaf_at_rows(leaf)
            if value.shape.rank == 0:
                return value
            ends = tf.math.unsorted_segment_sum(value, self.touched - first, last_rows)
            # Seven elements: TensorFlow treats tensors of a single element in other ways.
            return tf.pad(tf.reshape(ends, [-1])[before:], [[0, PACKET - 1 - left_over]])

        one_by_one = self._evaluate(formula, last, {})[:left_over]
        one_by_one = tf.pad(one_by_one, [[before, 0]])
        is_left_over = np.arange(last_rows * row_size) >= before
        within = tf.maximum(self.touched - first, 0)
        ends = tf.gather(tf.reshape(one_by_one, [last_rows] + shape[1:]), within)
        replace = tf.gather(np.reshape(is_left_over, [last_rows] + shape[1:]), within)
        in_last_rows = tf.reshape(self.touched >= first, [-1] + [1] * (len(shape) - 1))
        return tf.where(tf.logical_and(replace, in_last_rows), ends, result)
