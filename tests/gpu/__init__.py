"""Tests for machines with a GPU; `ci/gpu` runs them, without tests/conftest.py."""

import tensorflow.compat.v1 as tf

if not tf.__version__.startswith("1."):
    tf.disable_v2_behavior()
