"""One parameter's update from the rows that a batch touched, without a dense gradient."""

from typing import Any, List, Optional

import tensorflow.compat.v1 as tf

from keras_optimizers.expressions import ADD, SUBTRACT, Expression, VariableValue
from keras_optimizers.lowering import kernels
from keras_optimizers.lowering.assignments import assign
from keras_optimizers.lowering.constants import Constants
from keras_optimizers.lowering.dense import DenseUpdate
from keras_optimizers.lowering.patterns import Change, momentum_step
from keras_optimizers.lowering.sparse_values import SparseValues

# Number of elements: a temporary copy of a larger table costs more than its computation, because
# the allocator gives that much memory back to the system, which has to clear it again.
IN_PLACE_FROM = 2**22


class SparseUpdate(DenseUpdate):
    """As `DenseUpdate`, from a gradient that is `IndexedSlices`.

    Where a formula is zero for a zero gradient, only the touched rows are computed and written.
    Other formulas are computed for the whole table, without a dense gradient, and completed in
    the touched rows.
    """

    values: SparseValues

    def make_values(self, constants: Constants) -> SparseValues:
        """What computes the formulas."""
        return SparseValues(self.parameter, constants, self.accesses, self.exact)

    def write_all(self, changes: List[Change]) -> Optional[tf.Operation]:
        """Momentum over a large table in place; no other kernel takes rows."""
        step = momentum_step(changes)
        if step is None or not self.may_write_all:
            return None
        if self.parameter.size < IN_PLACE_FROM or not self.values.vanishes(step.gradient):
            return None
        (slot, new_slot), (parameter, new_parameter) = changes
        # The touched rows are computed first: the pass below treats all rows as untouched.
        rows = [(slot, self.values.rows(new_slot)), (parameter, self.values.rows(new_parameter))]
        with tf.control_dependencies([value for _, value in rows]):
            passes = kernels.add_momentum_untouched(
                parameter.variable,
                slot.variable,
                self.values.scalar(step.momentum),
                self.values.scalar(step.scale),
            )
        with tf.control_dependencies(passes):
            writes = [
                kernels.set_rows(target.variable, self.values.touched, value)
                for target, value in rows
            ]
            return tf.group(*writes)

    def write(self, target: VariableValue, value: Expression) -> tf.Operation:
        """The op that gives the variable of `target` the new `value`."""
        added = self._added_to_rows(target, value)
        if added is not None:
            write = kernels.add_rows if value.operator == ADD else kernels.subtract_rows
            return write(target.variable, self.values.touched, self.values.rows(added))
        if self.values.has_gradient(value) and not any(part is target for part in value.operands):
            return assign(target.variable, self.values.tensor(value))
        return super().write(target, value)

    def value_to_assign(self, value: Expression) -> Any:
        """The parameter's new value; the touched rows alone where the others stay."""
        if self._added_to_rows(self.leaves.parameter, value) is not None:
            return tf.IndexedSlices(self.values.rows(value), self.values.touched)
        return super().value_to_assign(value)

    def _added_to_rows(self, target: VariableValue, value: Expression) -> Optional[Expression]:
        """What is added or subtracted in the touched rows; None if other rows change as well."""
        if value.operator in (ADD, SUBTRACT):
            first, second = value.operands
            if value.operator == ADD and second is target:
                first, second = second, first
            if first is target and self.values.vanishes(second):
                return second
        return None
