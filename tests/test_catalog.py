"""An optimizer is one file and one line in the catalog: everything else follows from them."""

import os
import shutil
import subprocess
import sys

import keras_optimizers
from keras_optimizers import catalog

MODULE = '''\
"""Signum."""

import tensorflow.compat.v1 as tf

from keras_optimizers.base import Optimizer


class Signum(Optimizer):
    """Steps by the sign of the momentum."""

    slot_roles = ("momentum_of_gradients",)

    def __init__(self, lr=0.01, momentum=0.9, **kwargs):
        super(Signum, self).__init__(**kwargs)
        self._create_scalars(iterations=0, lr=lr, momentum=momentum)

    def step_coefficients(self, scalars):
        return {"learning_rate": scalars["lr"], "momentum": scalars["momentum"]}

    def update_rule(self, parameter, gradient, slots, coefficients):
        moved = coefficients.momentum * slots.momentum_of_gradients + gradient
        return parameter - coefficients.learning_rate * tf.sign(moved), {
            "momentum_of_gradients": moved
        }

    def get_config(self):
        return self._config("lr", "momentum")
'''

PROGRAM = """
import keras_optimizers
assert "tensorflow" not in __import__("sys").modules
assert {"Signum", "signum"} <= set(keras_optimizers.__all__)

import numpy as np
import tensorflow as tf

if not tf.__version__.startswith("1."):
    tf.compat.v1.disable_v2_behavior()

from keras_optimizers import Signum, deserialize, get, install, serialize, signum

assert signum is Signum and type(get("SIGNUM")) is Signum
described = serialize(Signum(lr=0.5, clipnorm=1.0))
assert described["class_name"] == "Signum", described
assert described["config"] == {"lr": 0.5, "momentum": float(np.float32(0.9)), "clipnorm": 1.0}
assert deserialize(described).get_config() == described["config"]


def compiled(optimizer):
    model = tf.keras.Sequential([tf.keras.layers.Dense(1, input_shape=(2,), use_bias=False)])
    model.compile(optimizer, "mse")
    model.set_weights([np.ones((2, 1))])
    return model


features, targets = np.ones((4, 2)), np.zeros((4, 1))
with install():
    model = compiled("signum")
    assert type(model.optimizer) is Signum and tf.keras.optimizers.Adam is keras_optimizers.Adam
    model.train_on_batch(features, targets)
    model.save("model.h5")
    loaded = tf.keras.models.load_model("model.h5")
np.testing.assert_allclose(model.get_weights()[0], np.full((2, 1), 0.99), rtol=1e-6)
iterations, momentum = model.optimizer.get_weights()
assert iterations == 1 and momentum.shape == (2, 1) and np.all(momentum != 0)
for one, other in zip(model.optimizer.get_weights(), loaded.optimizer.get_weights()):
    np.testing.assert_array_equal(one, other)

fused = compiled(get({"class_name": "signum", "config": {"fused": True}}))
fused._make_train_function()
fused.optimizer.set_weights(model.optimizer.get_weights())
fused.set_weights(model.get_weights())
for trained in (model, fused):
    trained.train_on_batch(features, targets)
np.testing.assert_array_equal(model.get_weights()[0], fused.get_weights()[0])
print("done")
"""


def copy_of_the_package(folder):
    source = os.path.dirname(os.path.abspath(keras_optimizers.__file__))
    copied = str(folder / "keras_optimizers")
    shutil.copytree(source, copied, ignore=shutil.ignore_patterns("__pycache__"))
    return copied


def test_an_optimizer_is_one_file_and_one_line(tmp_path):
    package = copy_of_the_package(tmp_path)
    with open(os.path.join(package, "signum.py"), "w") as opened:
        opened.write(MODULE)
    path = os.path.join(package, "catalog.py")
    with open(path) as opened:
        text = opened.read()
    last = '    "Nadam": "nadam",\n'
    assert text.count(last) == 1
    with open(path, "w") as opened:
        opened.write(text.replace(last, last + '    "Signum": "signum",\n'))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=str(tmp_path),  # where `-c` looks for packages first
        env=dict(os.environ, TF_CPP_MIN_LOG_LEVEL="2"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert done.returncode == 0, done.stderr.decode()[-4000:]
    assert done.stdout.decode().strip() == "done"


def test_every_optimizer_of_the_catalog_is_a_public_class_with_a_lower_case_name():
    for name, module in catalog.OPTIMIZERS.items():
        optimizer = getattr(keras_optimizers, name)
        assert optimizer.__name__ == name and optimizer.__module__ == "keras_optimizers." + module
        assert getattr(keras_optimizers, name.lower()) is optimizer
