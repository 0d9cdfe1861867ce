"""Which recording fits this processor: float32 roots differ between Intel's and AMD's.

TensorFlow takes float32 square roots eight at a time from the processor's approximate reciprocal
root (`rsqrtps`), whose last bits each maker chooses. So TensorFlow 1.10 itself gives other last
bits on the two. `tf110.npz` was recorded on Intel's; `tf110-amd.npz` holds the trajectories that
come out otherwise on AMD's. Runs under TensorFlow 1.10 and 1.15.
"""

import os

import numpy as np

try:
    import tensorflow.compat.v1 as tf
except ImportError:  # TensorFlow 1.10
    import tensorflow as tf

FOLDER = os.path.dirname(os.path.abspath(__file__))
INTEL, AMD = "tf110.npz", "tf110-amd.npz"


def load(name):
    """All recorded arrays as they are on one kind of processor."""
    arrays = dict(np.load(os.path.join(FOLDER, INTEL)))
    if name == AMD:
        arrays.update(np.load(os.path.join(FOLDER, AMD)))
    return arrays


def fits(arrays, gradients):
    """Whether this processor's roots make the recorded steps of Adagrad's vector.

    `gradients` are those of the vector in the case "adagrad". The steps are computed with
    TensorFlow's plain ops, so this tells nothing about any optimizer.
    """
    parameters, sums = arrays["adagrad/parameter_1"], arrays["adagrad/weight_1"]
    with tf.Graph().as_default(), tf.Session() as session:
        before, gradient, total = (tf.placeholder(tf.float32, parameters[0].shape) for _ in "123")
        rate, epsilon = tf.constant(0.01), tf.constant(1e-7)
        after = before - rate * gradient / (tf.sqrt(total) + epsilon)
        return all(
            np.array_equal(
                parameters[step],
                session.run(
                    after,
                    {before: parameters[step - 1], gradient: gradients[step], total: sums[step]},
                ),
            )
            for step in range(1, len(parameters))
        )


def recording_of_this_machine(gradients):
    """The file whose bits are to be expected here, or None on a processor of a third kind."""
    for name in (INTEL, AMD):
        if fits(load(name), gradients):
            return name
    return None
