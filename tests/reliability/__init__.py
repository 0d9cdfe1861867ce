"""The long runs behind docs/reliability.md as programs, and short versions of them as tests."""

from keras_optimizers.scripts import tensorflow_1

tensorflow_1.prepare()  # here, because it must be before TensorFlow is imported
