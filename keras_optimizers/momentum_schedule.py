"""Nadam's momentum, which warms up step by step, and the product of all momenta so far.

Needs no TensorFlow.
"""

from typing import Any, Callable

import numpy as np

# The base of the schedule, from the paper.
WARMING = 0.96


def momentum_of_step(
    number: Any, beta_1: Any, schedule_decay: float, warming: Any, power: Callable[..., Any]
) -> Any:
    """The momentum of step `number` (counted from 1), for tensors as for arrays.

    Arguments:
        number, beta_1: of one dtype.
        schedule_decay: how fast the momentum approaches `beta_1`.
        warming: `WARMING` in that dtype.
        power: `tf.pow` or `np.power`.
    """
    return beta_1 * (1.0 - 0.5 * power(warming, number * schedule_decay))


def momentum_product(steps: int, beta_1: float, schedule_decay: float, dtype: Any) -> np.ndarray:
    """The product of the momenta after `steps` steps, multiplied up in `dtype` as the steps do.

    Returns:
        An array without dimensions.
    """

    def array(value: float) -> np.ndarray:
        # With a dimension: NumPy computes in the dtype of arrays, but turns `float32 * 0.5` of
        # scalars into float64.
        return np.full([1], value, dtype)

    product = array(1.0)
    for number in range(1, steps + 1):
        momentum = momentum_of_step(
            array(number), array(beta_1), schedule_decay, array(WARMING), np.power
        )
        product = product * momentum
        if product[0] == 0:  # below the smallest number, where it stays
            break
    return product.reshape([])
