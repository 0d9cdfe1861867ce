"""What is installed beside TensorFlow: which tests need tf.estimator, or Keras 2."""

import importlib.util

import pytest

# Estimators are a package of their own, which TensorFlow has left behind after 2.15.
HAS_ESTIMATORS = importlib.util.find_spec("tensorflow_estimator") is not None
needs_estimators = pytest.mark.skipif(
    not HAS_ESTIMATORS, reason="this TensorFlow has no tf.estimator"
)


def has_keras_2() -> bool:
    """Whether `import keras` gives Keras 2: TensorFlow from 2.16 on brings Keras 3."""
    if importlib.util.find_spec("keras") is None:
        return False
    # Not by importing it: that takes seconds, and prints which backend it uses.
    if importlib.util.find_spec("importlib.metadata") is None:  # Python 3.6 and 3.7
        import pkg_resources

        version = pkg_resources.get_distribution("keras").version
    else:
        from importlib.metadata import version as version_of

        version = version_of("keras")
    return version.startswith("2.")
