"""From the formulas of an update to a program for the native op, which interprets it.

A program is a list of instructions. Each applies one of `FUNCTIONS` to registers and writes a
register. The registers are numbered: the old values of the variables, their new values, the
gradient, the scalars, and as many temporary ones as it takes.
"""

from typing import Any, Dict, Hashable, List, NamedTuple, Optional, Sequence, Set, Tuple

from keras_optimizers.expressions import (
    ADD,
    DIVIDE,
    MAGNITUDE,
    MAXIMUM,
    MULTIPLY,
    ROOT,
    SQUARE,
    SUBTRACT,
    Expression,
    Gradient,
    VariableValue,
)
from keras_optimizers.lowering.native.formulas import Graph, Unsuitable, is_scalar, scalar_key
from keras_optimizers.lowering.patterns import Change

COPY = "copy"
# A formula of operators alone: an operator and, for each operand, the formula that gives it, or
# None for a register. (mypy knows no recursive types.)
Pattern = Tuple[Any, ...]
_PRODUCT: Pattern = (MULTIPLY, None, None)
_QUOTIENT: Pattern = (DIVIDE, None, None)
_SUM: Pattern = (ADD, None, None)
# What an instruction can do. The C++ source has the same list in the same order. Long formulas save
# loads and stores; they round as often.
FUNCTIONS: Sequence[Pattern] = (
    (COPY, None),
    _SUM,
    (SUBTRACT, None, None),
    _PRODUCT,
    _QUOTIENT,
    (MAXIMUM, None, None),
    (SQUARE, None),
    (ROOT, None),
    (MAGNITUDE, None),
    (ADD, _PRODUCT, _PRODUCT),
    (ADD, _PRODUCT, (MULTIPLY, None, (SQUARE, None))),
    (ADD, (MULTIPLY, None, _QUOTIENT), (MULTIPLY, None, _QUOTIENT)),
    (SUBTRACT, _PRODUCT, _PRODUCT),
    (ADD, None, _PRODUCT),
    (ADD, None, (SQUARE, None)),
    (ADD, _PRODUCT, None),
    (SUBTRACT, None, _PRODUCT),
    (SUBTRACT, _PRODUCT, None),
    (SUBTRACT, None, _QUOTIENT),
    (SUBTRACT, None, (DIVIDE, _PRODUCT, _SUM)),
    (SUBTRACT, None, (DIVIDE, _PRODUCT, (ADD, (ROOT, None), None))),
    (SUBTRACT, None, (DIVIDE, _PRODUCT, (ADD, (ROOT, _QUOTIENT), None))),
    (ADD, (ROOT, None), None),
    (MAXIMUM, _PRODUCT, (MAGNITUDE, None)),
    # The graph optimizer may make `x * rsqrt(y)` of `x / sqrt(y)`; the op is told at run time.
    (DIVIDE, None, (ROOT, None)),
    (DIVIDE, (MULTIPLY, None, (ROOT, _SUM)), (ROOT, _SUM)),
)
MOST_OPERANDS = 6


def _divides_by_root(pattern: Pattern) -> bool:
    return pattern[0] == DIVIDE and bool(pattern[2]) and pattern[2][0] == ROOT


def _operators(pattern: Optional[Pattern]) -> int:
    return 1 + sum(map(_operators, pattern[1:])) if pattern else 0


class Program(NamedTuple):
    """What the native op is to do with a parameter.

    Attributes:
        code: the instructions, as a flat list of integers.
        variables: the leaves of the variables in the order of their registers: the parameter,
            then the slots that are read or written.
        scalars: formulas of scalars in the order of their registers.
        may_be_rewritten: whether the graph optimizer may rewrite a part of it.
    """

    code: Tuple[int, ...]
    variables: Tuple[VariableValue, ...]
    scalars: Tuple[Expression, ...]
    may_be_rewritten: bool

    @property
    def scalar_keys(self) -> Tuple[Hashable, ...]:
        """Equal for programs with the same scalars."""
        return tuple(map(scalar_key, self.scalars))


class _Instruction(NamedTuple):
    """An instruction with values in place of registers: nodes of the graph, and copies of them."""

    function: int
    value: int
    operands: Tuple[int, ...]


def compile_program(
    parameter: VariableValue, changes: Sequence[Change], first: Optional[Program] = None
) -> Program:
    """The program that makes `changes`, as if all at once.

    Arguments:
        parameter: the parameter's leaf.
        changes: the new values of slots and parameter.
        first: another program for the same parameter, whose registers are to be kept.

    Raises:
        Unsuitable: If TensorFlow's ops might have other bits.
    """
    graph = Graph()
    for scalar in first.scalars if first else ():
        graph.add(scalar)
    outputs = [(target, graph.add(value)) for target, value in changes if value is not target]
    written = {value for _, value in outputs}
    if any(is_scalar(value) for _, value in changes):
        raise Unsuitable("a new value has no element for each of the variable")
    graph.refuse_what_may_be_reordered(written)
    selected = _Selection(graph, written)
    for _, value in outputs:
        selected.compute(value)
    leaves = [node.leaf for node in graph.nodes if node.leaf is not None]
    if first is not None:
        variables = list(first.variables)
    else:
        used = [leaf for leaf in leaves if isinstance(leaf, VariableValue)]
        used += [target for target, _ in changes]
        variables = [parameter]
        variables += [leaf for leaf in dict.fromkeys(used) if leaf is not parameter]
    scalars = [leaf for leaf in leaves if is_scalar(leaf)]
    registers = _Registers(graph, variables, scalars)
    code = registers.assign(selected.instructions, outputs)
    return Program(code, tuple(variables), tuple(scalars), selected.has_over_root)


class _Selection:
    """Chooses the instructions for nodes, each computed once, operands first."""

    def __init__(self, graph: Graph, outputs: Set[int]) -> None:
        self._graph = graph
        self._outputs = outputs
        self._computed: Set[int] = set()
        self.instructions: List[_Instruction] = []

    @property
    def has_over_root(self) -> bool:
        """Whether an instruction divides by a root."""
        return any(_divides_by_root(FUNCTIONS[one.function]) for one in self.instructions)

    def compute(self, index: int) -> None:
        """Add the instructions that compute a node."""
        node = self._graph.nodes[index]
        if node.leaf is not None or index in self._computed:
            return
        self._computed.add(index)
        function = max(
            (f for f in range(len(FUNCTIONS)) if self._fits(index, FUNCTIONS[f])),
            key=lambda f: _operators(FUNCTIONS[f]),
        )
        operands = self._operands(index, FUNCTIONS[function])
        for operand in operands:
            self.compute(operand)
        self.instructions.append(_Instruction(function, index, operands))

    def _fits(self, index: int, pattern: Pattern) -> bool:
        node = self._graph.nodes[index]
        return node.operator == pattern[0] and all(
            inner is None or (self._may_be_joined(operand) and self._fits(operand, inner))
            for operand, inner in zip(node.operands, pattern[1:])
        )

    def _may_be_joined(self, index: int) -> bool:
        """Whether a node may be computed within the instruction that uses it.

        A quotient over a root may not: an instruction tells them apart by its own last operator.
        """
        node = self._graph.nodes[index]
        is_over_root = (
            node.operator == DIVIDE and self._graph.nodes[node.operands[1]].operator == ROOT
        )
        return self._graph.is_used_once(index, self._outputs) and not is_over_root

    def _operands(self, index: int, pattern: Optional[Pattern]) -> Tuple[int, ...]:
        if pattern is None:
            return (index,)
        operands: Tuple[int, ...] = ()
        for operand, inner in zip(self._graph.nodes[index].operands, pattern[1:]):
            operands += self._operands(operand, inner)
        return operands


class _Registers:
    """Decides which register each value is in."""

    def __init__(
        self, graph: Graph, variables: Sequence[VariableValue], scalars: Sequence[Expression]
    ) -> None:
        self._count = len(variables)
        self._variables = {leaf: register for register, leaf in enumerate(variables)}
        gradient = 2 * self._count
        self._first_temporary = gradient + 1 + len(scalars)
        self._register: Dict[int, int] = {}
        for index, node in enumerate(graph.nodes):
            if isinstance(node.leaf, VariableValue):
                self._register[index] = self._variables[node.leaf]
            elif isinstance(node.leaf, Gradient):
                self._register[index] = gradient
            elif node.leaf is not None:
                self._register[index] = gradient + 1 + list(scalars).index(node.leaf)
        self._next_value = len(graph.nodes)

    def assign(
        self,
        instructions: Sequence[_Instruction],
        outputs: Sequence[Tuple[VariableValue, int]],
    ) -> Tuple[int, ...]:
        """The code of `instructions`, which also writes each output to its variable."""
        instructions = list(instructions)
        target_of: Dict[int, int] = {}
        for target, value in outputs:
            if value in self._register or value in target_of:
                value = self._copy(value, instructions)
            target_of[value] = self._variables[target]
        # The old and the new value may be in the same memory. So where the old one is read later
        # than the new one is made, the new one waits elsewhere.
        made = {made.value: position for position, made in enumerate(instructions)}
        for value, variable in list(target_of.items()):
            if self._last_read_of(variable, instructions) > made[value]:
                del target_of[value]
                target_of[self._copy(value, instructions)] = variable
        last_use = {
            operand: position
            for position, instruction in enumerate(instructions)
            for operand in instruction.operands
        }
        code: List[int] = []
        free: List[int] = []
        temporaries = 0
        for position, (function, value, operands) in enumerate(instructions):
            read = [self._register[operand] for operand in operands]
            for operand in set(operands):
                register = self._register[operand]
                if register >= self._first_temporary and last_use[operand] == position:
                    free.append(register)
            if value in target_of:
                self._register[value] = self._count + target_of[value]
            else:
                if not free:
                    free.append(self._first_temporary + temporaries)
                    temporaries += 1
                self._register[value] = free.pop()
            read += [0] * (MOST_OPERANDS - len(read))
            code += [function, self._register[value], *read]
        return tuple(code)

    def _copy(self, value: int, instructions: List[_Instruction]) -> int:
        self._next_value += 1
        copy = _Instruction(FUNCTIONS.index((COPY, None)), self._next_value, (value,))
        instructions.append(copy)
        return copy.value

    def _last_read_of(self, variable: int, instructions: Sequence[_Instruction]) -> int:
        positions = [
            position
            for position, instruction in enumerate(instructions)
            if any(self._register.get(operand) == variable for operand in instruction.operands)
        ]
        return max(positions, default=-1)
