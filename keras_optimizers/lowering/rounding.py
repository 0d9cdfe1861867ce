"""Where ops that compute the same formula round differently."""

from typing import Sequence

import numpy as np
import tensorflow.compat.v1 as tf

from keras_optimizers.placement import may_be_on_gpu
from keras_optimizers.tensorflow_private import RELEASE
from keras_optimizers.tensorflow_types import Variable

# TensorFlow takes float32 square roots eight at a time, by an approximation. The elements that are
# left over at the end of a tensor it takes one by one, exactly.
PACKET = 8


def root_depends_on_position(shape: Sequence[int], dtype: tf.DType) -> bool:
    """Whether an element's square root depends on where in a tensor of `shape` it is."""
    packet = dict(RELEASE.packets).get(dtype.name, 1)
    return int(np.prod(shape, dtype=np.int64)) % packet != 0


def kernels_keep_the_bits(variable: Variable) -> bool:
    """Whether the kernels that write in place give `variable` the bits of separate ops.

    On a GPU the compiler may contract a product and a sum, and round once instead of twice.
    """
    dtype = variable.dtype.base_dtype
    return dtype in (tf.float16, tf.float32, tf.float64) and not may_be_on_gpu(variable)
