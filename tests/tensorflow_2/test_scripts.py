"""`keras-optimizers run` gives a script of TensorFlow 1 what it expects, on TensorFlow 2."""

import importlib.util

import pytest
import tensorflow.compat.v1 as tf

from keras_optimizers.tensorflow_private import RELEASE
from tests.test_cli import MODULE, run, script  # noqa: F401 (a fixture)

pytestmark = [
    pytest.mark.skipif(RELEASE.first == (1, 15), reason="TensorFlow 1.15 needs no help"),
    pytest.mark.slow,
]

TENSORFLOW_1 = """
    import numpy as np
    import tensorflow as tf
    import tensorflow.keras.backend as K
    from tensorflow.contrib import rnn
    from tensorflow.keras.layers import Dense
    from tensorflow.python.framework import ops
    from tensorflow.python.keras.optimizers import Adam

    assert not tf.executing_eagerly()
    fed = tf.placeholder(tf.float32, [None, 2])
    with tf.Session() as session:
        print(session.run(tf.reduce_sum(fed), {fed: np.ones((3, 2))}))
    assert rnn.BasicLSTMCell is tf.nn.rnn_cell.BasicLSTMCell
    tf.set_random_seed(1)
    model = tf.keras.Sequential([Dense(1, input_shape=(2,))])
    model.compile(tf.keras.optimizers.Adam(lr=0.1), "mse", metrics=["accuracy"])
    model.fit(np.ones((8, 2)), np.ones((8, 1)), verbose=0)
    assert type(model.optimizer) is Adam
    print(type(model.optimizer).__module__, K.get_session().graph is tf.get_default_graph())
    try:
        import tensorflow.contrib.slim
    except ImportError:
        print("fell back")
"""


def test_a_script_gets_the_names_of_tensorflow_1_and_graph_mode(script):  # noqa: F811
    status, output, errors = run(*MODULE, "run", script(TENSORFLOW_1))
    assert (status, output) == (0, "6.0\nkeras_optimizers.adam True\nfell back\n"), errors
    assert f"gets the original optimizers, on TensorFlow {tf.__version__} in graph mode" in errors


STANDALONE = """
    import numpy as np
    from keras import backend as K
    from keras.layers.core import Dense
    from keras.models import Sequential
    from keras.optimizers import Nadam
    from keras.utils import np_utils

    model = Sequential([Dense(2, activation="softmax", input_shape=(3,))])
    model.compile(Nadam(lr=0.1), "categorical_crossentropy")
    model.fit(np.ones((4, 3)), np_utils.to_categorical([0, 1, 0, 1]), verbose=0)
    print(type(model.optimizer).__module__, K.get_value(model.optimizer.iterations))
"""


def test_a_script_of_standalone_keras_gets_the_keras_2_of_this_tensorflow(script):  # noqa: F811
    status, output, errors = run(*MODULE, "run", "--host", "keras", script(STANDALONE))
    assert (status, output) == (0, "keras_optimizers.nadam 1\n"), errors


@pytest.mark.parametrize(
    "line, words",
    [
        ("tf.contrib.layers.flatten(1)", "no tf.contrib.layers.flatten. Use tf.layers.flatten."),
        ("import tensorflow.contrib.slim as slim", "no tf.contrib.slim. Use the package tf_slim"),
        ("from tensorflow.examples.tutorials import mnist", "Use tf.keras.datasets.mnist"),
        ("tf.not_there", "no tf.not_there. If TensorFlow 1 has it, the script needs"),
    ],
)
def test_what_is_gone_is_named_with_its_line_and_what_to_use(line, words, script):  # noqa: F811
    path = script(f"import tensorflow as tf\n{line}\n")
    status, _, errors = run(*MODULE, "run", path)
    assert status == 1 and "Traceback" not in errors
    assert f"{path}, line 2: `{line}`" in errors and words in errors


def test_a_variable_that_asks_for_a_keras_that_is_not_there_is_named(script):  # noqa: F811
    if importlib.util.find_spec("tf_keras") is not None:
        pytest.skip("tf_keras is installed here")
    path = script("print('not reached')")
    command = ["env", "TF_USE_LEGACY_KERAS=1", *MODULE, "run", path]
    status, output, errors = run(*command)
    assert (status, output) == (2, "") and "Traceback" not in errors
    assert "Unset the variable, or `pip install tf_keras`" in errors
