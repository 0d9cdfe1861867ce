"""`tf.train.Saver` files go from TensorFlow 1.15 to TensorFlow 2, and back.

Each side restores what the real other one has written; `tests/eras/matrix.py --record` writes that.
"""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import keras_optimizers
from keras_optimizers.tensorflow_private import KERAS, RELEASE
from tests.checkpoint.files import archives, problem
from tests.training import K

ON_1_15 = RELEASE.first == (1, 15)
# (who has written the file, whose optimizer restores it)
PAIRS = [("saver-1.15-v1", "ours"), ("saver-ours", "ours")]
if ON_1_15:
    PAIRS = [("saver-ours-2.15", "ours"), ("saver-ours-2.15", "saver-1.15-v1")]
CASES = ["sgd_nesterov_decay", "rmsprop_decay", "adagrad", "adadelta", "adam_amsgrad_decay"]
CASES += ["adam_clipnorm", "adamax", "nadam", "functional_adam"]


def compiled(case, era="ours"):
    """A model that has not been trained, with an era's optimizer, and its kind."""
    class_name, arguments, kind = problem.CASES[case]
    K.clear_session()
    model = problem.build(KERAS, kind)
    if era == "ours":
        with keras_optimizers.use_host(KERAS):
            optimizer = getattr(keras_optimizers, class_name)(**arguments)
        model.compile(optimizer, "categorical_crossentropy")
        model._make_train_function()
    else:
        import eras

        eras.compile_model(era, model, class_name, arguments)  # the original's races are gone
    return model, kind


@pytest.mark.parametrize("written_by, restored_by", PAIRS)
@pytest.mark.parametrize("case", CASES)
def test_a_file_of_the_other_tensorflow_is_restored_and_training_goes_on(
    case, written_by, restored_by
):
    recorded = np.load(archives.recorded_of(written_by, case))
    model, kind = compiled(case, restored_by)
    tf.train.Saver().restore(K.get_session(), archives.file_of(written_by, case))
    for index, value in enumerate(model.get_weights()):
        np.testing.assert_array_equal(value, recorded["saved_%d" % index])
    assert K.get_value(model.optimizer.iterations) == problem.SAVE_AFTER
    problem.train(model, kind, problem.SAVE_AFTER, problem.TRAIN_UNTIL)
    for index, value in enumerate(model.get_weights()):
        np.testing.assert_allclose(value, recorded["final_%d" % index], rtol=0, atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_a_file_that_is_written_here_has_the_variables_of_the_other_tensorflows(case, tmp_path):
    model, kind = compiled(case)
    problem.train(model, kind, 0, 2)
    path = tf.train.Saver().save(K.get_session(), str(tmp_path / case), write_meta_graph=False)
    here = tf.train.load_checkpoint(path)
    for written_by, _ in PAIRS:
        there = tf.train.load_checkpoint(archives.file_of(written_by, case))
        assert here.get_variable_to_shape_map() == there.get_variable_to_shape_map()
        assert here.get_variable_to_dtype_map() == there.get_variable_to_dtype_map()
