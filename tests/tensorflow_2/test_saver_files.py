"""`tf.train.Saver` files go from TensorFlow 1.15 to TensorFlow 2, and back."""

import os

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import keras_optimizers
from keras_optimizers.tensorflow_private import KERAS, RELEASE
from tests.checkpoint.files import problem
from tests.training import K

pytestmark = pytest.mark.skipif(RELEASE.first == (1, 15), reason="between TensorFlow 1 and 2")

SOURCES = os.path.join(problem.FOLDER, "sources")
CASES = ["sgd_nesterov_decay", "rmsprop_decay", "adagrad", "adadelta", "adam_amsgrad_decay"]
CASES += ["adam_clipnorm", "adamax", "nadam", "functional_adam"]


def compiled(case):
    """A model that has not been trained, and its kind."""
    class_name, arguments, kind = problem.CASES[case]
    K.clear_session()
    model = problem.build(KERAS, kind)
    with keras_optimizers.use_host(KERAS):
        optimizer = getattr(keras_optimizers, class_name)(**arguments)
    model.compile(optimizer, "categorical_crossentropy")
    model._make_train_function()
    return model, kind


@pytest.mark.parametrize("written_by", ["saver-1.15-v1", "saver-ours"])
@pytest.mark.parametrize("case", CASES)
def test_a_file_of_tensorflow_1_is_restored_and_training_goes_on(case, written_by):
    path = os.path.join(SOURCES, written_by, case)
    recorded = np.load(path + ".npz")
    model, kind = compiled(case)
    tf.train.Saver().restore(K.get_session(), path)
    for index, value in enumerate(model.get_weights()):
        np.testing.assert_array_equal(value, recorded["saved_%d" % index])
    assert K.get_value(model.optimizer.iterations) == problem.SAVE_AFTER
    problem.train(model, kind, problem.SAVE_AFTER, problem.TRAIN_UNTIL)
    for index, value in enumerate(model.get_weights()):
        np.testing.assert_allclose(value, recorded["final_%d" % index], rtol=0, atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_a_file_that_is_written_here_has_the_variables_of_tensorflow_1s(case, tmp_path):
    model, kind = compiled(case)
    problem.train(model, kind, 0, 2)
    path = tf.train.Saver().save(K.get_session(), str(tmp_path / case), write_meta_graph=False)
    here = tf.train.load_checkpoint(path)
    there = tf.train.load_checkpoint(os.path.join(SOURCES, "saver-ours", case))
    assert here.get_variable_to_shape_map() == there.get_variable_to_shape_map()
    assert here.get_variable_to_dtype_map() == there.get_variable_to_dtype_map()
