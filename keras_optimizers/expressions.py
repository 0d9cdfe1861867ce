"""The language that update rules are written in: formulas that have not been computed yet.

An optimizer writes its update rule once. The rule is called with expressions in place of tensors
and returns a tree of operators. `lowering` looks at the tree and chooses the ops that compute it:
kernels that write in place, ops on the rows that a batch touches, or plain ops on whole tensors.

A rule may call any TensorFlow op: an expression that is passed to an op becomes a tensor.
"""

from types import SimpleNamespace
from typing import Any, Callable, Dict, Iterator, Optional, Tuple

import tensorflow.compat.v1 as tf

from keras_optimizers.tensorflow_types import Tensor, Variable

# What an update rule gets, as attributes by name: the slots of a parameter, and the coefficients.
Slots = SimpleNamespace
Coefficients = SimpleNamespace
# What it returns: the new value of the parameter, and those of the slots that change, by role.
NewValues = Tuple[Tensor, Dict[str, Tensor]]

# The operators.
ADD, SUBTRACT, MULTIPLY, DIVIDE, MAXIMUM = "add", "subtract", "multiply", "divide", "maximum"
SQUARE, ROOT, MAGNITUDE = "square", "root", "magnitude"

FUNCTIONS: Dict[str, Callable[..., Any]] = {
    ADD: lambda x, y: x + y,
    SUBTRACT: lambda x, y: x - y,
    MULTIPLY: lambda x, y: x * y,
    DIVIDE: lambda x, y: x / y,
    MAXIMUM: tf.maximum,
    SQUARE: tf.square,
    ROOT: tf.sqrt,
    MAGNITUDE: tf.abs,
}


class Expression:
    """A formula over variables, the gradient and scalars.

    Attributes:
        operator: one of this module's operators; the empty string for a leaf.
        operands: the expressions that the operator is applied to.
    """

    def __init__(self, operator: str = "", *operands: "Expression") -> None:
        self.operator = operator
        self.operands = operands

    def __add__(self, other: Any) -> "Expression":
        return Expression(ADD, self, as_expression(other))

    def __radd__(self, other: Any) -> "Expression":
        return Expression(ADD, as_expression(other), self)

    def __sub__(self, other: Any) -> "Expression":
        return Expression(SUBTRACT, self, as_expression(other))

    def __rsub__(self, other: Any) -> "Expression":
        return Expression(SUBTRACT, as_expression(other), self)

    def __mul__(self, other: Any) -> "Expression":
        return Expression(MULTIPLY, self, as_expression(other))

    def __rmul__(self, other: Any) -> "Expression":
        return Expression(MULTIPLY, as_expression(other), self)

    def __truediv__(self, other: Any) -> "Expression":
        return Expression(DIVIDE, self, as_expression(other))

    def __rtruediv__(self, other: Any) -> "Expression":
        return Expression(DIVIDE, as_expression(other), self)

    def __getattr__(self, name: str) -> Any:
        """Attributes that only tensors have (`dtype`, `shape` ...), of the formula's tensor."""
        if name.startswith("__"):  # Python looks for special methods: that must not build ops
            raise AttributeError(name)
        return getattr(tf.convert_to_tensor(self), name)

    def nodes(self) -> Iterator["Expression"]:
        """This expression and all below it, as often as each occurs."""
        yield self
        for operand in self.operands:
            yield from operand.nodes()

    def evaluate(
        self, leaf_value: Callable[["Expression"], Any], computed: Dict["Expression", Any]
    ) -> Any:
        """The value of the formula.

        Arguments:
            leaf_value: gives the value of a leaf.
            computed: values that exist already. They are used; new ones are added.
        """
        if self not in computed:
            if self.operands:
                values = [operand.evaluate(leaf_value, computed) for operand in self.operands]
                computed[self] = FUNCTIONS[self.operator](*values)
            else:
                computed[self] = leaf_value(self)
        return computed[self]


def _method_of_tensor(method: str) -> Callable[..., Any]:
    return lambda self, *others: getattr(tf.convert_to_tensor(self), method)(*others)


# Python's other operators: no kernel computes them in place, so they act on the formula's tensor.
for _name in ("neg", "abs", "pow", "rpow", "lt", "le", "gt", "ge", "getitem", "matmul", "mod"):
    setattr(Expression, f"__{_name}__", _method_of_tensor(f"__{_name}__"))

ToTensor = Callable[[Expression], Tensor]


class Scalar(Expression):
    """A leaf: a number, or a tensor without dimensions."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


class TensorValue(Expression):
    """A leaf: a tensor with dimensions, which the rule made with an op of TensorFlow."""

    def __init__(self, tensor: Tensor) -> None:
        super().__init__()
        self.tensor = tensor


class Gradient(Expression):
    """A leaf: the gradient of the parameter.

    Arguments:
        tensor_of: computes a formula that contains this leaf.
    """

    def __init__(self, tensor_of: ToTensor) -> None:
        super().__init__()
        self.tensor_of = tensor_of


class VariableValue(Expression):
    """A leaf: the value that a variable (the parameter or one of its slots) had before the step.

    Arguments:
        variable: the variable.
        tensor_of: computes a formula that contains this leaf.
    """

    def __init__(self, variable: Variable, tensor_of: ToTensor) -> None:
        super().__init__()
        self.variable = variable
        self.tensor_of = tensor_of


def _to_tensor(
    value: Expression,
    dtype: Optional[tf.DType] = None,
    name: Optional[str] = None,
    as_ref: bool = False,
) -> Any:
    """What TensorFlow calls to make a tensor of an expression."""
    if as_ref or (dtype is not None and not tf.as_dtype(dtype).is_floating):
        return NotImplemented
    for node in value.nodes():
        if isinstance(node, (Gradient, VariableValue)):
            return node.tensor_of(value)
    # No leaf but scalars.
    return value.evaluate(lambda leaf: tf.convert_to_tensor(leaf.value, dtype), {})


tf.register_tensor_conversion_function(Expression, _to_tensor)


def as_expression(value: Any) -> Expression:
    """`value` as an expression."""
    if isinstance(value, Expression):
        return value
    if tf.is_tensor(value) and value.shape.rank != 0:
        return TensorValue(value)
    return Scalar(value)


def square(value: Any) -> Any:
    """The square of each element."""
    return _apply(SQUARE, value)


def sqrt(value: Any) -> Any:
    """The square root of each element."""
    return _apply(ROOT, value)


def absolute(value: Any) -> Any:
    """The magnitude of each element."""
    return _apply(MAGNITUDE, value)


def maximum(value: Any, other: Any) -> Any:
    """The larger of each two elements."""
    return _apply(MAXIMUM, value, other)


def _apply(operator: str, *values: Any) -> Any:
    """An expression if one of `values` is an expression, else a tensor."""
    if any(isinstance(value, Expression) for value in values):
        return Expression(operator, *map(as_expression, values))
    return FUNCTIONS[operator](*values)
