"""What `keras-optimizers run` gives a script of TensorFlow 1 where TensorFlow 2 is installed."""
