"""Compares what the native op computes with what TensorFlow's own ops compute, to the bit."""

from typing import Any, Dict, Iterator, List, NamedTuple, Optional

import numpy as np
import tensorflow.compat.v1 as tf

from keras_optimizers.expressions import Expression, Gradient, VariableValue
from keras_optimizers.lowering.constants import is_quotient_rewritten
from keras_optimizers.lowering.native.program import (
    COPY,
    FUNCTIONS,
    MOST_OPERANDS,
    Pattern,
    compile_program,
)
from keras_optimizers.lowering.patterns import Change
from keras_optimizers.tensorflow_types import Tensor, Variable

DTYPES = (tf.float16, tf.float32, tf.float64)
# Packets of every size, and elements that are left over.
_SIZE = 1003


class _Case(NamedTuple):
    """One function of the op on one dtype.

    Attributes:
        name: what is computed.
        native: its value by the native op.
        expected: its value by TensorFlow's ops.
    """

    name: str
    native: Tensor
    expected: Tensor


def check(module: Any) -> Optional[str]:
    """Why the native op's results must not be used, as a sentence; None if all are the same.

    Arguments:
        module: the module with the op, as `tf.load_op_library` returns it.
    """
    with tf.Graph().as_default():
        cases: List[_Case] = []
        feeds: Dict[Tensor, np.ndarray] = {}
        for dtype in DTYPES:
            cases += _cases(module, dtype, feeds)
        config = tf.ConfigProto(device_count={"GPU": 0})
        with tf.Session(config=config) as session:
            session.run(tf.global_variables_initializer(), feeds)
            results = session.run([(case.native, case.expected) for case in cases], feeds)
    for case, (native, expected) in zip(cases, results):
        differing = int(np.sum(_bits(native) != _bits(expected)))
        if differing:
            found = f"{differing} of {_SIZE} results of {case.name}"
            return f"{found} differ from those of TensorFlow's own ops"
    return None


def _bits(values: np.ndarray) -> np.ndarray:
    """The bits, with all NaNs alike: which of them an op makes is nowhere said."""
    plain = np.where(np.isnan(values), np.array(np.nan, values.dtype), values)
    return plain.view(f"u{values.dtype.itemsize}")


def values_of(dtype: tf.DType, seed: int) -> np.ndarray:
    """Numbers of all sizes and both signs, with zeros, infinities and NaN among them."""
    random = np.random.RandomState(seed)
    info = np.finfo(dtype.as_numpy_dtype)
    exponents = random.uniform(np.log2(info.tiny) / 2, np.log2(info.max) / 2, _SIZE)
    exponents[::9] *= 2.1  # also what overflows, and what is too small for full precision
    with np.errstate(over="ignore"):
        values = (random.choice([1.0, 1.0, -1.0], _SIZE) * 2.0**exponents).astype(info.dtype)
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, info.tiny, 1.0], info.dtype)
    places = random.permutation(_SIZE)[: 4 * len(special)]
    values[places] = np.tile(special, 4)
    return values


def _cases(module: Any, dtype: tf.DType, feeds: Dict[Tensor, np.ndarray]) -> Iterator[_Case]:
    operands = [tf.placeholder(dtype, [_SIZE]) for _ in range(MOST_OPERANDS)]
    feeds.update((operand, values_of(dtype, seed)) for seed, operand in enumerate(operands))
    slots = [tf.Variable(operand, use_resource=True) for operand in operands[1:-1]]
    for number in range(len(FUNCTIONS)):
        parameter = tf.Variable(operands[0], use_resource=True)
        leaves = [VariableValue(v, tf.convert_to_tensor) for v in (parameter, *slots)]
        gradient = Gradient(tf.convert_to_tensor)
        tensor_of: Dict[Expression, Tensor] = dict(zip([*leaves, gradient], operands))
        formula = formula_of(FUNCTIONS[number], [*leaves, gradient])
        yield _Case(
            f"{_name(number)} in {dtype.name}",
            _native(module, parameter, leaves, formula, operands[-1]),
            formula.evaluate(tensor_of.__getitem__, dict(tensor_of)),
        )


def _name(number: int) -> str:
    return " of ".join(_operators(FUNCTIONS[number]))


def _operators(pattern: Optional[Pattern]) -> List[str]:
    if pattern is None:
        return []
    return [pattern[0], *[name for inner in pattern[1:] for name in _operators(inner)]]


def formula_of(pattern: Pattern, operands: List[Expression]) -> Expression:
    """A formula for which the program is the single instruction that has `pattern`."""
    left = list(operands)

    def make(inner: Optional[Pattern]) -> Expression:
        if inner is None or inner[0] == COPY:
            return left.pop()
        return Expression(inner[0], *map(make, inner[1:]))

    return make(pattern)


def _native(
    module: Any,
    parameter: Variable,
    leaves: List[VariableValue],
    formula: Expression,
    gradient: Tensor,
) -> Tensor:
    program = compile_program(leaves[0], [Change(leaves[0], formula)])
    step = module.keras_optimizers_step(
        variables=[leaf.variable.handle for leaf in program.variables],
        gradients=[gradient],
        rows=[],
        scalars=[],
        is_rewritten=is_quotient_rewritten(),
        program=program.code,
        untouched_program=(),
    )
    with tf.control_dependencies([step]):
        return parameter.read_value()
