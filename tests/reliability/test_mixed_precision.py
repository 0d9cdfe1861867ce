"""What docs/mixed-precision.md says: its example trains, and TensorFlow's switches do that."""

import os
import re

import numpy as np
import pytest
import tensorflow as tf

import keras_optimizers
from tests.reliability.limits import ROOT
from tests.training import CLASS_NAMES, K

of_tensorflow_1 = pytest.mark.skipif(
    not tf.__version__.startswith("1."), reason="a switch of TensorFlow 1.15"
)
random = np.random.RandomState(0)
INPUTS = random.uniform(-1, 1, (64, 8)).astype("float32")
LABELS = (INPUTS.sum(axis=1, keepdims=True) / 4).astype("float32")


def losses(optimizer, epochs=20, **of_layers):
    layers = tf.keras.layers
    hidden = layers.Dense(16, activation="tanh", input_shape=(8,), **of_layers)
    model = tf.keras.Sequential([hidden, layers.Dense(1)])
    model.compile(optimizer, "mse")
    found = model.fit(INPUTS, LABELS, epochs=epochs, batch_size=16, verbose=0).history["loss"]
    assert all(np.all(np.isfinite(value)) for value in model.get_weights())
    return found


def test_the_example_trains_and_leaves_out_what_overflows(capsys):
    with open(os.path.join(ROOT, "docs", "mixed-precision.md")) as page:
        code = re.search("```python\n(.*?)```", page.read(), re.DOTALL).group(1)
    names = {}
    exec(code, names)
    before, after, scale, steps = (
        float(number) for number in re.findall(r"[\d.]+(?=,|;| of)", capsys.readouterr().out)
    )
    assert after < before / 10
    assert 100 < steps < 200 and scale == 2.0 ** (30 - (200 - steps))


def test_without_loss_scaling_small_gradients_are_lost():
    """Why the page scales the loss."""
    variable = tf.compat.v1.get_variable("v", initializer=np.ones(3, "float32"))
    half = tf.cast(variable, tf.float16)
    for scale, lost in ((1.0, True), (2.0**10, False)):
        loss = tf.cast(tf.reduce_sum(half * np.float16(1e-3)), tf.float32) * 1e-6 * scale
        gradient = tf.gradients(loss, variable)[0]
        with tf.compat.v1.Session() as session:
            assert np.all(session.run(gradient) == 0) == lost


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_float16_parameters_train_with_the_epsilon_of_the_page(class_name):
    K.set_floatx("float16")
    arguments = {} if class_name == "SGD" else {"epsilon": 1e-3}
    found = losses(getattr(keras_optimizers, class_name)(**arguments))
    assert np.all(np.isfinite(found)) and found[-1] < found[0]


@of_tensorflow_1
def test_tensorflows_graph_rewrite_refuses_ours():
    rewrite = tf.compat.v1.train.experimental.enable_mixed_precision_graph_rewrite
    with pytest.raises(ValueError, match=r"must be an instance of a tf.train.Optimizer.*Adam of"):
        rewrite(keras_optimizers.Adam())


@of_tensorflow_1
@pytest.mark.parametrize("scale", ["dynamic", 128.0])
def test_a_tf_train_optimizer_that_scales_its_loss_is_initialized(scale):
    """TensorFlow's own TFOptimizer fails in the first step: nobody initializes the scale."""
    rewrite = tf.compat.v1.train.experimental.enable_mixed_precision_graph_rewrite
    try:
        wrapped = rewrite(tf.compat.v1.train.AdamOptimizer(0.01), scale)
        with keras_optimizers.install():
            found = losses(wrapped)
    finally:
        tf.compat.v1.train.experimental.disable_mixed_precision_graph_rewrite()
    assert found[-1] < found[0] / 2


@of_tensorflow_1
def test_tensorflows_loss_scale_optimizer_and_policy_refuse():
    experimental = tf.keras.mixed_precision.experimental
    with pytest.raises(ValueError, match="must be an instance of OptimizerV2"):
        experimental.LossScaleOptimizer(keras_optimizers.Adam(), "dynamic")
    with pytest.raises(ValueError, match="TensorFlow 2"):
        experimental.set_policy("mixed_float16")


@pytest.fixture
def dtypes_of_tensorflow_2():
    """Policies need them; the tests switch all behaviour of version 2 off."""
    layers = tf.compat.v1.keras.layers
    layers.enable_v2_dtype_behavior()
    yield
    tf.keras.mixed_precision.set_global_policy("float32")
    layers.disable_v2_dtype_behavior()


@pytest.mark.skipif(tf.__version__.startswith("1."), reason="a policy of TensorFlow 2")
def test_a_policy_of_tensorflow_2_is_refused_globally_and_works_in_layers(dtypes_of_tensorflow_2):
    tf.keras.mixed_precision.set_global_policy("mixed_float16")
    with pytest.raises(ValueError, match=r"must be an instance of.*Adam of keras_optimizers"):
        losses(keras_optimizers.Adam())
    tf.keras.mixed_precision.set_global_policy("float32")
    found = losses(keras_optimizers.Adam(0.01), dtype="mixed_float16")
    assert found[-1] < found[0] / 2


@pytest.mark.skipif(tf.__version__.startswith("1."), reason="of TensorFlow 2")
def test_the_loss_scale_optimizer_of_tensorflow_2_refuses_ours():
    with pytest.raises((TypeError, ValueError), match="must be an instance of"):
        tf.keras.mixed_precision.LossScaleOptimizer(keras_optimizers.Adam())
