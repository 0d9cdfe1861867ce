"""A pytest plugin that installs ours into the host that KERAS_OPTIMIZERS_HOST names."""

import importlib
import os

import tensorflow as tf

import keras_optimizers


def pytest_configure():
    """Before any test module is imported, so that what it imports is ours."""
    name = os.environ["KERAS_OPTIMIZERS_HOST"]
    keras_optimizers.install(tf.keras if name == "tf.keras" else importlib.import_module(name))
