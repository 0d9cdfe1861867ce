"""TFOptimizer: tf.train optimizers as Keras ones."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import keras_optimizers
from keras_optimizers.tensorflow_private import HOST_OPTIMIZERS as upstream
from tests.training import K, same_bits


def trained(module, steps=5):
    """Parameter and iterations after some steps of a wrapped Adam."""
    tf.keras.backend.clear_session()
    variable = K.variable(np.linspace(-1, 1, 6).reshape(2, 3), dtype="float32")
    wrapped = module.TFOptimizer(tf.train.AdamOptimizer(0.1))
    updates = wrapped.get_updates(tf.reduce_sum(tf.square(variable)), [variable])
    session = tf.Session()
    session.run(tf.global_variables_initializer())
    for _ in range(steps):
        session.run(updates)
    names = [one.name for one in tf.global_variables()]
    return session.run([variable, wrapped.iterations]), names


def test_it_trains_counts_and_names_as_upstreams():
    theirs, their_names = trained(upstream)
    ours, our_names = trained(keras_optimizers)
    same_bits([np.asarray(value) for value in theirs], [np.asarray(value) for value in ours])
    assert our_names == their_names
    assert ours[1] == 5


def test_the_hosts_saving_code_knows_it_as_a_wrapper(tmp_path):
    assert issubclass(keras_optimizers.TFOptimizer, upstream.TFOptimizer)
    model = tf.keras.Sequential([tf.keras.layers.Dense(1, input_shape=(2,))])
    model.compile(keras_optimizers.TFOptimizer(tf.train.AdamOptimizer(0.1)), "mse")
    model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)
    model.save(str(tmp_path / "model.h5"))  # without the optimizer, and a warning that says so
    assert tf.keras.models.load_model(str(tmp_path / "model.h5")).optimizer is None


def test_object_checkpoints_hold_the_wrapped_optimizers_state(tmp_path):
    model = tf.keras.Sequential([tf.keras.layers.Dense(1, input_shape=(2,))])
    model.compile(keras_optimizers.TFOptimizer(tf.train.AdamOptimizer(0.1)), "mse")
    model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)
    model.save_weights(str(tmp_path / "weights"), save_format="tf")
    names = [name for name, _ in tf.train.list_variables(str(tmp_path / "weights"))]
    assert any("optimizer" in name and "beta1_power" in name for name in names)
    assert "optimizer/global_step/.ATTRIBUTES/VARIABLE_VALUE" in names  # as upstream's


def test_iterations_may_be_given():
    step = tf.train.get_or_create_global_step()
    assert keras_optimizers.TFOptimizer(tf.train.AdamOptimizer(), step).iterations is step


def test_without_parameters_it_only_counts():
    wrapped = keras_optimizers.TFOptimizer(tf.train.AdamOptimizer())
    updates = wrapped.get_updates(tf.constant(1.0), [])
    K.get_session().run(updates)
    assert K.get_value(wrapped.iterations) == 1


def test_gradients_can_be_taken_and_applied_by_hand():
    variable = K.variable([1.0])
    wrapped = keras_optimizers.TFOptimizer(tf.train.GradientDescentOptimizer(0.5))
    pairs = wrapped.get_grads(tf.reduce_sum(variable), [variable])
    apply = wrapped.apply_gradients(pairs)
    K.get_session().run(apply)
    assert K.get_value(variable)[0] == 0.5 and K.get_value(wrapped.iterations) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda wrapped: wrapped.weights,
        lambda wrapped: wrapped.get_weights(),
        lambda wrapped: wrapped.set_weights([]),
        lambda wrapped: wrapped.get_config(),
        lambda wrapped: wrapped.from_config({}),
        keras_optimizers.serialize,
    ],
)
def test_what_a_wrapper_cannot_do_says_what_to_do_instead(call):
    wrapped = keras_optimizers.TFOptimizer(tf.train.AdamOptimizer())
    with pytest.raises(NotImplementedError, match=r"tf\.train\.Saver"):
        call(wrapped)


def test_under_eager_execution_a_model_trains_with_a_wrapped_optimizer(tmp_path):
    """As r1.10; in a process of its own, for eager execution cannot be turned off again."""
    script = tmp_path / "eager.py"
    script.write_text(
        "import numpy as np\n"
        "import tensorflow.compat.v1 as tf\n"
        "tf.enable_eager_execution()\n"
        "import keras_optimizers\n"
        "keras_optimizers.install()\n"
        "model = tf.keras.Sequential([tf.keras.layers.Dense(1, input_shape=(2,))])\n"
        "model.compile(tf.train.AdamOptimizer(0.1), 'mse')\n"
        "before = model.get_weights()\n"
        "model.fit(np.ones((8, 2)), np.ones((8, 1)), batch_size=4, verbose=0)\n"
        "assert type(model.optimizer) is keras_optimizers.TFOptimizer\n"
        "assert tf.keras.backend.get_value(model.optimizer.iterations) == 2\n"
        "assert (model.get_weights()[0] != before[0]).all()\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", str(script)], check=True)
