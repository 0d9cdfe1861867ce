"""A plugin of pytest: the native op comes from the library that NATIVE_LIBRARY names."""

import os

import tensorflow.compat.v1 as tf

from keras_optimizers.lowering.native import library

library._outcome = library._Outcome(tf.load_op_library(os.environ["NATIVE_LIBRARY"]))
