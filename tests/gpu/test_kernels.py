"""Every op that is put on a GPU has a kernel for it, in the TensorFlow that was built for GPUs.

No GPU is needed: that build tells its kernels on any machine. `tox -e gpu-kernels` brings it; for
TensorFlow 2 on Linux it is the package `tensorflow`, and `tensorflow-cpu` the other.
"""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

# Private: the public API does not tell which kernels there are.
from tensorflow.python.framework import kernels

from tests.training import CLASS_NAMES, configured

# TensorFlow 2 registers kernels that compute nothing, such as reading a variable, for all devices.
DEVICE_TYPES = ("GPU", "DEFAULT")


if not tf.test.is_built_with_cuda():
    pytest.skip("no kernels for GPUs in this build: tox -e gpu-kernels", allow_module_level=True)


@pytest.fixture(autouse=True)
def fresh():
    with tf.Graph().as_default():
        yield


def has_gpu_kernel(op):
    if op.type == "NoOp":  # it is no computation, and is not registered for devices
        return True
    for kernel in kernels.get_registered_kernels_for_op(op.type).kernel:
        if kernel.device_type in DEVICE_TYPES and all(map(allows(op), kernel.constraint)):
            return True
    return False


def allows(op):
    def constraint_allows(constraint):
        dtypes = op.get_attr(constraint.name)
        allowed = {tf.as_dtype(value) for value in constraint.allowed_values.list.type}
        return all(one in allowed for one in (dtypes if isinstance(dtypes, list) else [dtypes]))

    return constraint_allows


@pytest.mark.parametrize("gradients", ["dense", "lookups"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("options", [{}, {"fused": True}], ids=["exact", "fused"])
@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_no_op_that_only_a_cpu_has_is_put_on_a_gpu(class_name, options, dtype, gradients):
    with tf.device("/gpu:0"):
        parameters = [
            tf.get_variable(
                "parameter_%d" % index, initializer=np.ones((6, 4), dtype), use_resource=True
            )
            for index in range(4)
        ]
        values = [tf.gather(p, [0, 1, 1]) if gradients == "lookups" else p for p in parameters]
        loss = tf.add_n([tf.reduce_sum(tf.square(value)) for value in values])
        optimizer = configured(class_name, clipnorm=1.0, **options)
        before = set(tf.get_default_graph().get_operations())
        optimizer.get_updates(loss, parameters)
    made = [op for op in tf.get_default_graph().get_operations() if op not in before]
    assert any("GPU" in op.device for op in made)
    missing = {op.type for op in made if "GPU" in op.device and not has_gpu_kernel(op)}
    assert missing == set()


def test_the_check_finds_an_op_that_only_a_cpu_has():
    with tf.device("/gpu:0"):
        text = tf.strings.join(["a", "b"])
    assert not has_gpu_kernel(text.op)
