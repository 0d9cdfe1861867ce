"""The native op's part of a step: which parameters it takes, and how it is called."""

from typing import Any, Callable, Dict, Hashable, List, NamedTuple, Optional, Sequence, Set, Tuple

import tensorflow.compat.v1 as tf

from keras_optimizers.expressions import ADD, SUBTRACT, Expression, Gradient, Scalar
from keras_optimizers.gradients import distinct_rows
from keras_optimizers.lowering.assignments import is_ref
from keras_optimizers.lowering.constants import Constants, is_quotient_rewritten
from keras_optimizers.lowering.native.formulas import Unsuitable, vanishes
from keras_optimizers.lowering.native.program import Program, compile_program
from keras_optimizers.lowering.patterns import Change
from keras_optimizers.lowering.stacked import NotElementwise
from keras_optimizers.lowering.values import Leaves
from keras_optimizers.parameters import TrainedParameter
from keras_optimizers.placement import colocated_with, may_be_on_gpu, task_of
from keras_optimizers.tensorflow_private import ANONYMOUS_RESOURCE
from keras_optimizers.tensorflow_types import Tensor, Variable

DTYPES = (tf.float16, tf.float32, tf.float64)

# Gives the new values that the rule makes of a parameter's leaves: of its slots, then its own.
MakeChanges = Callable[[TrainedParameter, Leaves], List[Change]]


class _Member(NamedTuple):
    """A parameter that the op takes.

    Attributes:
        program: for elements that have a gradient.
        untouched: for the rows that no batch has touched; None with a dense gradient.
    """

    parameter: TrainedParameter
    program: Program
    untouched: Optional[Program]


class NativeStep:
    """Makes the updates of all parameters that the native op can take.

    Arguments:
        module: the module with the op.
        changes: what the update rule makes of leaves.
        constants: shared by all parameters of the step.
    """

    def __init__(self, module: Any, changes: MakeChanges, constants: Constants) -> None:
        self._module = module
        self._changes = changes
        self._constants = constants
        self._is_rewritten: Dict[bool, Tensor] = {}

    def emit(
        self, parameters: Sequence[TrainedParameter]
    ) -> Tuple[List[tf.Operation], List[TrainedParameter]]:
        """The ops, one for all parameters that are alike, and the parameters that are left."""
        groups: Dict[Hashable, List[_Member]] = {}
        left = []
        for parameter in parameters:
            member = self._member(parameter)
            if member is None:
                left.append(parameter)
            else:
                groups.setdefault(_key(member), []).append(member)
        return [self._op(members) for members in groups.values()], left

    def _member(self, parameter: TrainedParameter) -> Optional[_Member]:
        """What the op is to do with a parameter; None if it cannot take it."""
        if not _is_of_the_right_kind(parameter):
            return None
        leaves = Leaves(parameter, _refuse)
        try:
            changes = self._changes(parameter, leaves)
            program = compile_program(leaves.parameter, changes)
            untouched = None
            if parameter.is_sparse:
                kept = _changes_of_untouched_rows(changes, leaves.gradient)
                untouched = compile_program(leaves.parameter, kept, program)
        except (NotElementwise, Unsuitable):
            return None
        if not all(_fits(leaf.variable, parameter) for leaf in program.variables):
            return None
        if any(_dtypes_of(scalar) - {parameter.dtype} for scalar in program.scalars):
            return None
        return _Member(parameter, program, untouched)

    def _op(self, members: Sequence[_Member]) -> tf.Operation:
        parameter, program, untouched = members[0]
        gradients = [member.parameter.gradient for member in members]
        rows: List[Tensor] = []
        if parameter.is_sparse:
            rows, gradients = map(list, zip(*map(distinct_rows, gradients)))
        may_be_rewritten = any(p.may_be_rewritten for p in (program, untouched) if p)
        with colocated_with(parameter.variable):
            return self._module.keras_optimizers_step(
                **_variables([leaf.variable for m in members for leaf in m.program.variables]),
                gradients=gradients,
                rows=rows,
                scalars=[self._scalar(scalar, parameter) for scalar in program.scalars],
                is_rewritten=self._rewritten(may_be_rewritten),
                program=program.code,
                untouched_program=untouched.code if untouched else (),
            )

    def _scalar(self, formula: Expression, parameter: TrainedParameter) -> Tensor:
        return formula.evaluate(
            lambda leaf: self._constants.opaque(leaf.value, parameter.variable), {}
        )

    def _rewritten(self, may_be: bool) -> Tensor:
        if may_be not in self._is_rewritten:
            self._is_rewritten[may_be] = is_quotient_rewritten() if may_be else tf.constant(False)
        return self._is_rewritten[may_be]


def _variables(variables: Sequence[Variable]) -> Dict[str, Any]:
    """How the op gets variables: by their names, which saves an op for each, or by handles."""
    names = [_name_on_device(variable) for variable in variables]
    handles = [variable.handle for variable in variables]
    containers = {handle.op.get_attr("container") for handle in handles if all(names)}
    if len(containers) != 1 or len({variable.device for variable in variables}) != 1:
        return {"variables": handles, "names": []}
    return {"variables": [], "names": names, "container": containers.pop()}


def _name_on_device(variable: Variable) -> Optional[str]:
    """The name by which any op on the variable's device finds it; None if it has none."""
    handle = variable.handle
    # In the graph of a function a handle is an argument.
    if handle.graph is not tf.get_default_graph() or handle.op.type != "VarHandleOp":
        return None
    name = handle.op.get_attr("shared_name").decode()
    return None if name == ANONYMOUS_RESOURCE else name


def _is_of_the_right_kind(parameter: TrainedParameter) -> bool:
    """Whether the op takes the variable and the gradient: on a CPU, in this process, and so on."""
    variable, gradient = parameter.variable, parameter.gradient
    if parameter.is_sparse:
        values = gradient.values
        if not parameter.shape or gradient.indices.dtype not in (tf.int32, tf.int64):
            return False
    else:
        values = gradient
        if not gradient.shape.is_compatible_with(parameter.shape):
            return False
    return (
        parameter.dtype in DTYPES
        and values.dtype == parameter.dtype
        and not is_ref(variable)
        and not may_be_on_gpu(variable)
        and task_of(variable) is None
        and parameter.constraint is None
    )


def _fits(slot: Variable, parameter: TrainedParameter) -> bool:
    """Whether a variable has the shape and the kind of the parameter's."""
    return slot.shape.as_list() == parameter.shape and not is_ref(slot)


def _dtypes_of(scalars: Expression) -> Set[tf.DType]:
    """The dtypes of the tensors in a formula of scalars; plain numbers fit any."""
    values = [leaf.value for leaf in scalars.nodes() if isinstance(leaf, Scalar)]
    return {value.dtype for value in values if tf.is_tensor(value)}


def _changes_of_untouched_rows(changes: Sequence[Change], gradient: Gradient) -> List[Change]:
    """The changes of rows whose gradient is zero, as `sparse` sees them."""
    kept = []
    for position, (target, value) in enumerate(changes):
        written = [earlier for _, earlier in changes[:position]]
        operands = list(value.operands)
        if value.operator == ADD and operands[1] is target:
            operands.reverse()
        adds = value.operator in (ADD, SUBTRACT) and operands[0] is target
        dtype = target.variable.dtype.base_dtype
        if not (adds and vanishes(operands[1], dtype, written)):
            kept.append(Change(target, _at_zero(value, gradient, dtype, written)))
    return kept


def _at_zero(
    formula: Expression, zero: Expression, dtype: tf.DType, written: Sequence[Expression]
) -> Expression:
    """`formula` with `zero` in place of all that vanishes with the gradient."""
    if vanishes(formula, dtype, written):
        return zero
    if not formula.operands:
        return formula
    operands = (_at_zero(operand, zero, dtype, written) for operand in formula.operands)
    return Expression(formula.operator, *operands)


def _key(member: _Member) -> Hashable:
    """Equal for parameters that one op may take."""
    parameter, program, untouched = member
    return (
        parameter.dtype,
        parameter.variable.device,
        program.code,
        len(program.variables),
        program.scalar_keys,
        parameter.is_sparse and parameter.gradient.indices.dtype,
        untouched.code if untouched else None,
    )


def _refuse(formula: Expression) -> Any:
    raise NotElementwise()
