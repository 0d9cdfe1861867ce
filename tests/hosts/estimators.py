"""Which tests need tf.estimator."""

import importlib.util

import pytest

# Estimators are a package of their own, which TensorFlow has left behind after 2.15.
needs_estimators = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow_estimator") is None,
    reason="this TensorFlow has no tf.estimator",
)
