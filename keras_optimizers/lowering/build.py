"""Chooses, for each parameter of a step, the ops that the update rule becomes."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import tensorflow.compat.v1 as tf

from keras_optimizers.coefficients import CoefficientsByTask
from keras_optimizers.expressions import Coefficients, Expression, NewValues, Slots, as_expression
from keras_optimizers.lowering.assignments import assign
from keras_optimizers.lowering.constants import Constants
from keras_optimizers.lowering.dense import DenseUpdate, Writes
from keras_optimizers.lowering.fused import FusedKernels, can_be_fused
from keras_optimizers.lowering.native import choice
from keras_optimizers.lowering.native.step import NativeStep
from keras_optimizers.lowering.patterns import Change
from keras_optimizers.lowering.sparse import SparseUpdate
from keras_optimizers.lowering.stacked import NotElementwise, StackedUpdate, stacks
from keras_optimizers.lowering.values import Leaves
from keras_optimizers.parameters import TrainedParameter
from keras_optimizers.placement import colocated_with

if TYPE_CHECKING:
    from typing_extensions import Protocol
else:
    Protocol = object  # Python 3.7 has none


class UpdateRule(Protocol):
    """What is needed of an optimizer; see `Optimizer` for what each does."""

    fused: bool
    native: bool

    def update_rule(
        self, parameter: Any, gradient: Any, slots: Slots, coefficients: Coefficients
    ) -> NewValues:
        """The new value of a parameter, and those of its slots that change."""

    def fused_rule(
        self, kernels: FusedKernels, slots: Slots, coefficients: Coefficients
    ) -> Optional[List[tf.Operation]]:
        """The ops that do the same by fused kernels; None without such kernels."""


class Formulas(NamedTuple):
    """What an update rule makes of expressions."""

    new_parameter: Expression
    new_slots: Dict[str, Expression]


def build_updates(
    rule: UpdateRule, parameters: Sequence[TrainedParameter], coefficients: CoefficientsByTask
) -> Writes:
    """The ops of one step, under the control dependencies that are in force."""
    lowering = _Lowering(rule, coefficients)
    ops, parameters = lowering.native(parameters)
    writes = Writes(ops, [])
    remaining = []
    for parameter in parameters:
        fused = lowering.fused(parameter)
        if fused is None:
            remaining.append(parameter)
        else:
            writes.ops.extend(fused)
    for group in stacks(remaining):
        stacked = lowering.stacked(group)
        if stacked is not None:
            writes.ops.extend(stacked)
            done = set(group)
            remaining = [parameter for parameter in remaining if parameter not in done]
    for parameter in remaining:
        ops, assignments = lowering.single(parameter)
        writes.ops.extend(ops)
        writes.assignments.extend(assignments)
    return writes


class _Lowering:
    """The ways of updating parameters, with what all parameters of a step share."""

    def __init__(self, rule: UpdateRule, coefficients: CoefficientsByTask) -> None:
        self._rule = rule
        self._coefficients = coefficients
        self._constants = Constants()
        self._exact = not rule.fused

    def native(
        self, parameters: Sequence[TrainedParameter]
    ) -> Tuple[List[tf.Operation], Sequence[TrainedParameter]]:
        """The native op for all parameters that it can take, and the others."""
        module = choice.op_module(self._rule.native) if self._exact else None
        if module is None:
            return [], parameters
        return NativeStep(module, self._changes, self._constants).emit(parameters)

    def fused(self, parameter: TrainedParameter) -> Optional[List[tf.Operation]]:
        """Fused kernels; None where they are not asked for, or there are none."""
        variable = parameter.variable
        if self._exact or not can_be_fused(variable):
            return None
        with colocated_with(variable):
            ops = self._rule.fused_rule(
                FusedKernels(parameter, self._constants),
                SimpleNamespace(**parameter.slots),
                self._coefficients.of(parameter),
            )
            if ops is not None and parameter.constraint is not None:
                with tf.control_dependencies(ops):
                    value = parameter.constraint(variable.read_value())
                    ops = [*ops, assign(variable, value)]
        return ops

    def stacked(self, group: Sequence[TrainedParameter]) -> Optional[List[tf.Operation]]:
        """Ops on the stack of several parameters; None where the formulas do not allow it."""
        update = StackedUpdate(group, self._constants, self._exact)
        try:
            formulas = self._formulas(group[0], update.leaves)
        except NotElementwise:
            return None
        if not update.suits(*formulas):
            return None
        with colocated_with(group[0].variable):
            return update.emit(*formulas)

    def single(self, parameter: TrainedParameter) -> Writes:
        """The ops of one parameter alone."""
        kind = SparseUpdate if parameter.is_sparse else DenseUpdate
        with colocated_with(parameter.variable):
            update = kind(parameter, self._constants, self._exact)
            return update.emit(*self._formulas(parameter, update.leaves))

    def _changes(self, parameter: TrainedParameter, leaves: Leaves) -> List[Change]:
        """What the rule changes: slots, then the parameter."""
        new_parameter, new_slots = self._formulas(parameter, leaves)
        changes = [Change(leaves.slots[role], value) for role, value in new_slots.items()]
        return [*changes, Change(leaves.parameter, new_parameter)]

    def _formulas(self, parameter: TrainedParameter, leaves: Leaves) -> Formulas:
        """What the rule makes of `leaves`."""
        coefficients = vars(self._coefficients.of(parameter))
        new_parameter, new_slots = self._rule.update_rule(
            leaves.parameter,
            leaves.gradient,
            SimpleNamespace(**leaves.slots),
            SimpleNamespace(**{n: as_expression(value) for n, value in coefficients.items()}),
        )
        return Formulas(
            as_expression(new_parameter),
            {role: as_expression(new) for role, new in new_slots.items()},
        )
