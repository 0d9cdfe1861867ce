"""Weights that are to be written into an optimizer: their layout, and checks of every value."""

from typing import Any, List, Sequence, Tuple

import numpy as np

from keras_optimizers.hosts import Host
from keras_optimizers.tensorflow_types import Variable
from keras_optimizers.variables import is_variable


def in_layout_of(optimizer: Any, host: Host, values: List[Any]) -> Tuple[List[Variable], List[Any]]:
    """The variables that `values` are for, and the values, in one order.

    Some Kerases put `iterations` first where others leave it out, with the same state otherwise.
    """
    variables = list(optimizer.weights)
    iterations = getattr(optimizer, "iterations", None)
    left_out = is_variable(iterations) and not any(v is iterations for v in variables)
    if left_out and variables and len(values) == len(variables) + 1:  # as in Keras 2.3
        variables.insert(0, iterations)
    if host.counts_first and variables and len(values) == len(variables) - 1:
        values = [0, *values]  # a list of Keras 2.2, where this class left it out
    return variables, values


def check_weights(variables: Sequence[Variable], values: Sequence[Any]) -> List[np.ndarray]:
    """`values` as arrays that fit `variables`, in their dtypes.

    Args:
        variables: The weights of an optimizer.
        values: As many array-likes: arrays, numbers, nested lists, h5py datasets.

    Raises:
        ValueError: If the number, a shape or a dtype does not fit.
    """
    if len(variables) != len(values):
        raise ValueError(
            f"Length of the specified weight list ({len(values)}) does not match the number of "
            f"weights of the optimizer ({len(variables)}){_length_remedy(variables)}"
        )
    # All shapes first: that reads no data, so a wrong file is refused before it is loaded.
    for index, (variable, value) in enumerate(zip(variables, values)):
        _check_shape(index, variable, value)
    return [
        _converted(index, variable, value)
        for index, (variable, value) in enumerate(zip(variables, values))
    ]


def _length_remedy(variables: Sequence[Variable]) -> str:
    if not variables:
        return (
            ". An optimizer has no weights until its updates are built: train one batch, or call "
            "`get_updates`, first."
        )
    return ". The weights must come from the same class of optimizer on as many parameters."


def _shape_of(value: Any) -> Any:
    try:
        return tuple(np.shape(value))
    except ValueError:  # from NumPy 1.24 on, where older releases make an array of objects
        return "(lists of different lengths)"


def _check_shape(index: int, variable: Variable, value: Any) -> None:
    expected, received = tuple(variable.shape.as_list()), _shape_of(value)
    if expected != received:
        raise ValueError(
            f"Optimizer weight shape {expected} not compatible with provided weight shape "
            f"{received}: weight {index} of the optimizer, {variable.name}. The weights must come "
            "from parameters of the same shapes in the same order."
        )


def _converted(index: int, variable: Variable, value: Any) -> np.ndarray:
    array, dtype = np.asarray(value), variable.dtype.base_dtype.as_numpy_dtype
    where = f"weight {index} of the optimizer, {variable.name}"
    if array.dtype.kind not in "iuf":
        raise ValueError(
            f"Optimizer weight dtype {np.dtype(dtype).name} not compatible with provided weight "
            f"dtype {array.dtype}: {where}. Give real numbers."
        )
    with np.errstate(over="ignore", invalid="ignore"):
        result = array.astype(dtype)
        if result.dtype.kind in "iu":
            lossless = np.array_equal(result.astype(array.dtype), array)
        else:
            lossless = np.array_equal(np.isfinite(result), np.isfinite(array))
    if not lossless:
        raise ValueError(
            f"Optimizer weight dtype {np.dtype(dtype).name} not compatible with provided weight "
            f"values of dtype {array.dtype}: {where} cannot hold {_first_lost(array, result)}."
        )
    return result


def _first_lost(array: np.ndarray, result: np.ndarray) -> Any:
    """The first element of `array` that `result` does not hold."""
    if result.dtype.kind in "iu":
        lost = result.astype(array.dtype) != array
    else:
        lost = np.isfinite(result) != np.isfinite(array)
    return array[lost].ravel()[0] if array.ndim else array[()]
