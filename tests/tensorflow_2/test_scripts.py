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


FORMER_NAMES = """
    import numpy as np
    import keras
    from keras import backend as K
    from keras.engine.base_layer import Layer
    from keras.engine.input_layer import Input
    from keras.layers.merge import _Merge, add
    from keras.objectives import mse
    from keras.optimizers import Adam, adam
    from tensorflow.python.keras.preprocessing.sequence import pad_sequences

    assert adam is Adam and issubclass(_Merge, Layer)
    model = keras.models.Sequential([keras.layers.Dense(1, input_shape=(2,))])
    updates = Adam(learning_rate=0.5).get_updates(model.trainable_weights, [], K.mean(model.output))
    before = model.get_weights()[0]
    print(K.function([model.input], [], updates=updates)([np.ones((3, 2))]))
    print(np.round(before - model.get_weights()[0], 4).ravel())
    K.epsilon = lambda: 3
    print(keras.backend.epsilon(), pad_sequences([[1], [2, 3]]).tolist())
"""


def test_names_of_standalone_keras_that_have_moved_are_found(script):  # noqa: F811
    """Also `learning_rate`, the older `get_updates`, and a function without outputs."""
    status, output, errors = run(*MODULE, "run", "--host", "keras", script(FORMER_NAMES))
    assert (status, output) == (0, "[]\n[0.5 0.5]\n3 [[0, 1], [2, 3]]\n"), errors


@pytest.mark.parametrize(
    "host, line, words",
    [
        ("tf.keras", "import tensorflow as tf; tf.train.Foo", "has no tf.train.Foo. If"),
        (
            "tf.keras",
            "from tensorflow.keras.utils import multi_gpu_model",
            "has no tf.keras.utils.multi_gpu_model. Use tf.distribute",
        ),
        (
            "tf.keras",
            "import tensorflow.keras.wrappers.scikit_learn",
            "has no tf.keras.wrappers. Use the package scikeras",
        ),
        (
            "keras",
            "from keras.utils import multi_gpu_model",
            "has no keras.utils.multi_gpu_model. Use tf.distribute",
        ),
        ("keras", "from keras.legacy import interfaces", "has no keras.legacy. If Keras 2 has it"),
        ("tf.keras", "from keras.layers.core import Dense", "Keras needs `run --host keras`."),
    ],
)
def test_what_is_gone_below_a_module_is_named_too(host, line, words, script):  # noqa: F811
    status, _, errors = run(*MODULE, "run", "--host", host, script(line))
    assert status == 1 and words in errors and "script.py, line 1" in errors
    assert "Traceback" not in errors


USES_OF_MODULES = """
    import importlib
    import keras.backend
    from keras.backend import *
    from keras.layers.merge import *
    from keras.optimizers import *
    from keras import backend as K
    from unittest import mock

    print(SGD is Adam, concatenate is not None, callable(placeholder))
    fed = K.placeholder((2,))
    print(K.function([fed], fed * 2)([[1.0, 2.0]]))
    with mock.patch("keras.backend.epsilon", lambda: 3):
        print(K.epsilon())
    print(K.epsilon() < 1, "Adam" in vars(keras.optimizers))
    K.mine = 3
    del K.mine
"""


def test_modules_of_keras_are_modules(script):  # noqa: F811
    """With stars, patches and a single output, as scripts use them."""
    path = script(USES_OF_MODULES)
    status, output, errors = run(*MODULE, "run", "--host", "keras", path)
    assert status == 0, errors
    assert output == "False True True\n2.0\n3\nTrue True\n"


@pytest.mark.parametrize(
    "raised",
    [
        "import beside; beside.missing",
        "import beside; from beside import missing",
        "raise ImportError(\"cannot import name 'a' from 'keras.b'\") from ValueError('true')",
        "raise AttributeError(\"module 'keras.utils' has no attribute 'a', says my library\")",
        # Raised by TensorFlow's own code, about its own module.
        f"import {RELEASE.source}.backend as own; own.tf = own; own.sum(3)",
    ],
)
def test_another_error_keeps_its_traceback(raised, script):  # noqa: F811
    status, _, errors = run(*MODULE, "run", "--host", "keras", script(raised))
    assert status == 1 and "Traceback" in errors
    assert f"TensorFlow {tf.__version__} has no" not in errors


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
