"""Run a program of TensorFlow 1 on TensorFlow 2, as `keras-optimizers run` does.

Unlike that command it leaves it to the program to install the optimizers.
"""

import runpy
import sys

from keras_optimizers.scripts import tensorflow_1

if __name__ == "__main__":
    sys.argv = sys.argv[1:]
    tensorflow_1.prepare()
    with tensorflow_1.in_place_of_tensorflow():
        runpy.run_path(sys.argv[0], run_name="__main__")
