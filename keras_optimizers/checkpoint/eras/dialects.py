"""The three ways in which eras of Keras describe a model's architecture."""

# Everything up to TensorFlow 2.3; what only later tf.keras 2 knows; Keras 3.
KERAS_2, TF_KERAS_2, KERAS_3 = "keras-2", "tf-keras-2", "keras-3"
