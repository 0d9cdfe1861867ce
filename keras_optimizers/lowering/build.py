"""Chooses, for each parameter, the ops that an optimizer's rule becomes."""

from types import SimpleNamespace
from typing import Any, Dict, List, Sequence, Tuple

import tensorflow.compat.v1 as tf

from keras_optimizers.coefficients import Transport
from keras_optimizers.expressions import Expression, wrapped
from keras_optimizers.lowering import kernels
from keras_optimizers.lowering.dense import DenseUpdate
from keras_optimizers.lowering.sparse import SparseUpdate
from keras_optimizers.lowering.stacked import NotElementwise, StackedUpdate, stacks
from keras_optimizers.placement import colocated_with
from keras_optimizers.tensorflow_types import Tensor, Variable

Formulas = Tuple[Expression, Dict[str, Expression]]


class BuildUpdates:
    """The ops of one step, under the control dependencies that are in force.

    Arguments:
        optimizer: gives `update_rule`, `fused_rule` and `fused`.
        parameters: the variables.
        gradients: a tensor or `IndexedSlices` each.
        slots: a dict by role each.
        transport: gives each parameter its coefficients.

    Attributes:
        writes: the ops that write.
        to_assign: (variable, value) pairs that are to be assigned after all `writes`.
    """

    def __init__(
        self,
        optimizer: Any,
        parameters: Sequence[Variable],
        gradients: Sequence[Any],
        slots: Sequence[Dict[str, Variable]],
        transport: Transport,
    ) -> None:
        self._optimizer = optimizer
        self._parameters, self._gradients, self._slots = parameters, gradients, slots
        self._transport = transport
        self._constants = kernels.Constants()
        self.writes: List[tf.Operation] = []
        self.to_assign: List[Tuple[Variable, Tensor]] = []
        left = [index for index in range(len(parameters)) if not self._fused(index)]
        for members in stacks(parameters, gradients, left):
            if self._stacked(members):
                left = [index for index in left if index not in set(members)]
        for index in left:
            self._alone(index)

    def _coefficients_of(self, index: int) -> SimpleNamespace:
        return self._transport.to(self._parameters[index])

    def _formulas(self, update: Any, index: int) -> Formulas:
        """What the rule makes of the expressions of `update`."""
        scalars = {n: wrapped(value) for n, value in vars(self._coefficients_of(index)).items()}
        new_parameter, new_slots = self._optimizer.update_rule(
            update.parameter,
            update.gradient,
            SimpleNamespace(**update.slots),
            SimpleNamespace(**scalars),
        )
        return wrapped(new_parameter), {role: wrapped(new) for role, new in new_slots.items()}

    def _fused(self, index: int) -> bool:
        """Use fused kernels, where they are asked for and there are any."""
        parameter = self._parameters[index]
        if not self._optimizer.fused or not kernels.can_be_fused(parameter):
            return False
        with colocated_with(parameter):
            step = kernels.FusedStep(parameter, self._gradients[index], self._constants)
            writes = self._optimizer.fused_rule(
                step, SimpleNamespace(**self._slots[index]), self._coefficients_of(index)
            )
            if writes is None:
                return False
            constraint = getattr(parameter, "constraint", None)
            if constraint is not None:
                with tf.control_dependencies(writes):
                    value = constraint(parameter.read_value())
                    writes = [*writes, kernels.assign(parameter, value)]
        self.writes += writes
        return True

    def _stacked(self, members: List[int]) -> bool:
        """Update several small parameters at once, if their formulas allow it."""
        first = members[0]
        update = StackedUpdate(
            [self._parameters[index] for index in members],
            {role: [self._slots[index][role] for index in members] for role in self._slots[first]},
            [self._gradients[index] for index in members],
            self._constants,
            exact=not self._optimizer.fused,
        )
        try:
            formulas = self._formulas(update, first)
        except NotElementwise:
            return False
        if not update.suits(*formulas):
            return False
        with colocated_with(self._parameters[first]):
            self.writes += update.emit(*formulas)
        return True

    def _alone(self, index: int) -> None:
        """Update one parameter."""
        parameter, gradient = self._parameters[index], self._gradients[index]
        sparse = isinstance(gradient, tf.IndexedSlices)
        with colocated_with(parameter):
            update = (SparseUpdate if sparse else DenseUpdate)(
                parameter,
                self._slots[index],
                gradient,
                self._constants,
                exact=not self._optimizer.fused,
            )
            writes, to_assign = update.emit(*self._formulas(update, index))
        self.writes += writes
        self.to_assign += to_assign
