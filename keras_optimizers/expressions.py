"""Update rules as expressions: what is to be computed, before it is decided how.

An update rule is written once, as formulas. Called with expressions in place of tensors it gives
a tree, and from the tree follows which ops compute it: kernels that work in place, ops on the
rows that a batch touches, or plain ops on whole tensors.

An expression that meets an op of TensorFlow becomes a tensor there, so rules may use any op.
"""

from typing import Any, Callable, Dict, Iterator

import tensorflow.compat.v1 as tf

from keras_optimizers.tensorflow_types import Tensor, Variable

# The operators.
ADD, SUBTRACT, MULTIPLY, DIVIDE, MAXIMUM = "add", "subtract", "multiply", "divide", "maximum"
SQUARE, ROOT, MAGNITUDE = "square", "root", "magnitude"

FUNCTIONS = {
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
        operator: one of this module's operators; of a leaf the empty string.
        operands: the expressions that the operator is applied to.
    """

    def __init__(self, operator: str = "", *operands: "Expression") -> None:
        self.operator = operator
        self.operands = operands

    def __add__(self, other: Any) -> "Expression":
        return Expression(ADD, self, wrapped(other))

    def __radd__(self, other: Any) -> "Expression":
        return Expression(ADD, wrapped(other), self)

    def __sub__(self, other: Any) -> "Expression":
        return Expression(SUBTRACT, self, wrapped(other))

    def __rsub__(self, other: Any) -> "Expression":
        return Expression(SUBTRACT, wrapped(other), self)

    def __mul__(self, other: Any) -> "Expression":
        return Expression(MULTIPLY, self, wrapped(other))

    def __rmul__(self, other: Any) -> "Expression":
        return Expression(MULTIPLY, wrapped(other), self)

    def __truediv__(self, other: Any) -> "Expression":
        return Expression(DIVIDE, self, wrapped(other))

    def __rtruediv__(self, other: Any) -> "Expression":
        return Expression(DIVIDE, wrapped(other), self)

    def __getattr__(self, name: str) -> Any:
        """What only tensors have (`dtype`, `shape` ...), from the tensor."""
        if name.startswith("__"):  # protocols that look for a method must not build ops
            raise AttributeError(name)
        return getattr(tf.convert_to_tensor(self), name)

    def nodes(self) -> Iterator["Expression"]:
        """This expression and all below it, once for every place where they stand."""
        yield self
        for operand in self.operands:
            yield from operand.nodes()

    def evaluate(self, leaf: Callable[["Expression"], Any], known: Dict["Expression", Any]) -> Any:
        """The value, where `leaf` gives those of leaves; `known` values are used, and added to."""
        if self not in known:
            if self.operands:
                values = [operand.evaluate(leaf, known) for operand in self.operands]
                known[self] = FUNCTIONS[self.operator](*values)
            else:
                known[self] = leaf(self)
        return known[self]


# What is not worth a node of its own goes by way of tensors.
def _by_way_of_tensors(method: str) -> Callable[..., Any]:
    return lambda self, *others: getattr(tf.convert_to_tensor(self), method)(*others)


for _name in ("neg", "abs", "pow", "rpow", "lt", "le", "gt", "ge", "getitem", "matmul", "mod"):
    setattr(Expression, f"__{_name}__", _by_way_of_tensors(f"__{_name}__"))


class Scalar(Expression):
    """A number, or a tensor without dimensions."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


class Known(Expression):
    """A tensor of the parameter's shape that some op has made."""

    def __init__(self, tensor: Tensor) -> None:
        super().__init__()
        self.tensor = tensor


class Gradient(Expression):
    """The parameter's gradient; `tensor_of` makes tensors of formulas that contain it."""

    def __init__(self, tensor_of: Callable[[Expression], Tensor]) -> None:
        super().__init__()
        self.tensor_of = tensor_of


class Cell(Expression):
    """The value of a variable (the parameter or one of its slots) from before the step."""

    def __init__(self, variable: Variable, tensor_of: Callable[[Expression], Tensor]) -> None:
        super().__init__()
        self.variable = variable
        self.tensor_of = tensor_of


def _to_tensor(value: Expression, dtype: Any = None, name: Any = None, as_ref: bool = False) -> Any:
    """TensorFlow's protocol for objects that can become tensors."""
    if as_ref or (dtype is not None and not tf.as_dtype(dtype).is_floating):
        return NotImplemented
    for node in value.nodes():
        if isinstance(node, (Gradient, Cell)):
            return node.tensor_of(value)
    # Scalars alone.
    return value.evaluate(lambda leaf: tf.convert_to_tensor(leaf.value, dtype), {})


tf.register_tensor_conversion_function(Expression, _to_tensor)


def wrapped(value: Any) -> Expression:
    """`value` as an expression."""
    if isinstance(value, Expression):
        return value
    if tf.is_tensor(value) and value.shape.rank != 0:
        return Known(value)
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
    """An expression if any of `values` is one, else a tensor."""
    if any(isinstance(value, Expression) for value in values):
        return Expression(operator, *map(wrapped, values))
    return FUNCTIONS[operator](*values)
