"""The formulas of an update as a graph in which equal parts occur once.

TensorFlow's graph optimizer looks at a step's ops in this form, and it may change the order of
operations, which changes bits. Where it may, the native op must not take the formulas.
"""

from typing import Any, Dict, Hashable, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from keras_optimizers.expressions import (
    ADD,
    DIVIDE,
    MAGNITUDE,
    MULTIPLY,
    ROOT,
    SQUARE,
    SUBTRACT,
    Expression,
    Gradient,
    Scalar,
    TensorValue,
    VariableValue,
)
from keras_optimizers.lowering.patterns import can_be_zero
from keras_optimizers.tensorflow_types import Tensor


class Unsuitable(Exception):
    """The native op might not give these formulas the bits that TensorFlow's ops give them."""


class Node(NamedTuple):
    """A part of the formulas.

    Attributes:
        operator: an operator; the empty string for a leaf.
        operands: indices of the nodes that it is applied to.
        leaf: of a leaf, the variable or the gradient, or a formula of scalars alone.
    """

    operator: str
    operands: Tuple[int, ...]
    leaf: Optional[Expression]


class Graph:
    """The nodes of some formulas.

    Attributes:
        nodes: all nodes; operands come before what is applied to them.
        uses: how often each is an operand.
    """

    def __init__(self) -> None:
        self.nodes: List[Node] = []
        self.uses: List[int] = []
        self._by_key: Dict[Hashable, int] = {}
        self._by_formula: Dict[Expression, int] = {}

    def add(self, formula: Expression) -> int:
        """The index of the node of `formula`.

        Raises:
            Unsuitable: If it contains a tensor that an op of TensorFlow has made.
        """
        if formula not in self._by_formula:
            self._by_formula[formula] = self._add(formula)
        return self._by_formula[formula]

    def _add(self, formula: Expression) -> int:
        if is_scalar(formula):
            return self._numbered(scalar_key(formula), Node("", (), formula))
        if isinstance(formula, (VariableValue, Gradient)):
            return self._numbered(formula, Node("", (), formula))
        if not formula.operands:
            raise Unsuitable("it has a tensor that an op of TensorFlow has made")
        operands = tuple(self.add(operand) for operand in formula.operands)
        commutes = formula.operator in (ADD, MULTIPLY)
        key = (formula.operator, tuple(sorted(operands)) if commutes else operands)
        return self._numbered(key, Node(formula.operator, operands, None))

    def _numbered(self, key: Hashable, node: Node) -> int:
        if key not in self._by_key:
            self._by_key[key] = len(self.nodes)
            self.nodes.append(node)
            self.uses.append(0)
            for operand in node.operands:
                self.uses[operand] += 1
        return self._by_key[key]

    def is_used_once(self, index: int, outputs: Set[int]) -> bool:
        """Whether one other node uses the node and nothing else does, so that both may be joined.

        Arguments:
            outputs: indices of the nodes whose values are written to variables.
        """
        return self.uses[index] == 1 and index not in outputs and not self.nodes[index].leaf

    def refuse_what_may_be_reordered(self, outputs: Set[int]) -> None:
        """Refuse formulas whose operations the graph optimizer may do in another order.

        Raises:
            Unsuitable: If there are any.
        """
        for node in self.nodes:
            inner = [self.nodes[i] for i in node.operands if self.is_used_once(i, outputs)]
            for other in inner:
                if node.operator == other.operator and node.operator in (ADD, MULTIPLY):
                    raise Unsuitable("it has a chain of sums or products")
                if _same_family(node, other) and all(map(self._has_constant, (node, other))):
                    raise Unsuitable("it has a chain of operations with constants")
                if {node.operator, other.operator} <= _ONE_OPERAND:
                    raise Unsuitable("it has a chain of roots, squares or magnitudes")
            if node.operator == ADD and len(inner) == 2 and self._have_common_factor(*inner):
                raise Unsuitable("it has a sum of terms with a common factor")
            if node.operator == DIVIDE and self._has_constant(node):
                raise Unsuitable("it has a division by a constant, or of one")

    def _have_common_factor(self, one: Node, other: Node) -> bool:
        if one.operator != other.operator or one.operator not in (MULTIPLY, DIVIDE):
            return False
        return bool(set(one.operands) & set(other.operands))

    def _has_constant(self, node: Node) -> bool:
        return any(map(self._is_constant, node.operands))

    def _is_constant(self, index: int) -> bool:
        leaf = self.nodes[index].leaf
        return leaf is not None and is_scalar(leaf) and _is_constant(leaf)


_ONE_OPERAND = {ROOT, SQUARE, MAGNITUDE}


def _same_family(one: Node, other: Node) -> bool:
    return any({one.operator, other.operator} <= family for family in _FAMILIES)


_FAMILIES = ({ADD, SUBTRACT}, {MULTIPLY, DIVIDE})


def is_scalar(formula: Expression) -> bool:
    """Whether `formula` consists of scalars alone."""
    return not any(
        isinstance(node, (VariableValue, Gradient, TensorValue)) for node in formula.nodes()
    )


def scalar_key(formula: Expression) -> Hashable:
    """Equal for formulas of scalars that have the same value.

    Raises:
        Unsuitable: If a leaf is an array.
    """
    if formula.operands:
        return (formula.operator, *map(scalar_key, formula.operands))
    value = _value_of(formula)
    return ("tensor", id(value)) if tf.is_tensor(value) else ("number", repr(value))


def _value_of(leaf: Expression) -> Any:
    if not isinstance(leaf, Scalar):
        raise Unsuitable("it has a leaf of an unknown kind")
    if not tf.is_tensor(leaf.value) and np.ndim(leaf.value):
        raise Unsuitable("it has an array")
    return leaf.value


def _is_constant(formula: Expression) -> bool:
    """Whether a formula of scalars has a value that the graph optimizer can compute."""
    values = [_value_of(node) for node in formula.nodes() if not node.operands]
    return all(not tf.is_tensor(value) or _is_constant_tensor(value) for value in values)


def _is_constant_tensor(tensor: Tensor) -> bool:
    return all(
        op.type == "Const" or (op.inputs and op.type != "PlaceholderWithDefault")
        for op in _with_all_before(tensor.op)
    )


def _with_all_before(operation: tf.Operation) -> Iterator[tf.Operation]:
    seen, waiting = {operation}, [operation]
    while waiting:
        current = waiting.pop()
        yield current
        before = [tensor.op for tensor in current.inputs if tensor.op not in seen]
        seen.update(before)
        waiting += before


def vanishes(formula: Expression, dtype: tf.DType, written: Sequence[Expression] = ()) -> bool:
    """Whether `formula` is zero wherever the gradient is zero.

    Arguments:
        dtype: the parameter's.
        written: formulas that are the new values of variables, which are read from there.
    """
    if isinstance(formula, Gradient):
        return True
    if formula in written or not formula.operands:
        return False
    parts = [vanishes(operand, dtype, written) for operand in formula.operands]
    if formula.operator == MULTIPLY:
        return any(parts)
    if formula.operator == DIVIDE:
        return parts[0] and not can_be_zero(formula.operands[1], dtype)
    return all(parts)
