"""The optimizers of Keras 2 as TensorFlow 1.10 had them, for TensorFlow 1.15 in graph mode.

`import keras_optimizers as optimizers` stands in for
`from tensorflow.python.keras import optimizers`.
"""

from keras_optimizers.adadelta import Adadelta
from keras_optimizers.adagrad import Adagrad
from keras_optimizers.adam import Adam
from keras_optimizers.adamax import Adamax
from keras_optimizers.base import Optimizer
from keras_optimizers.hosts import install, uninstall
from keras_optimizers.nadam import Nadam
from keras_optimizers.registry import deserialize, get, serialize
from keras_optimizers.rmsprop import RMSprop
from keras_optimizers.sgd import SGD
from keras_optimizers.tf_optimizer import TFOptimizer

__version__ = "0.1.0"

# The reference module's aliases.
sgd = SGD
rmsprop = RMSprop
adagrad = Adagrad
adadelta = Adadelta
adam = Adam
adamax = Adamax
nadam = Nadam

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "Adamax",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "TFOptimizer",
    "adadelta",
    "adagrad",
    "adam",
    "adamax",
    "deserialize",
    "get",
    "install",
    "nadam",
    "rmsprop",
    "serialize",
    "sgd",
    "uninstall",
]
