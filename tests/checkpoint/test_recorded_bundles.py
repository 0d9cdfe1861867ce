"""Object checkpoints and SavedModel directories of real releases: slots to the bit.

The counterpart of test_recorded_releases.py for what TensorFlow writes itself.
"""

import numpy as np
import pytest

from keras_optimizers.checkpoint import CheckpointError, read
from tests.checkpoint.files import archives, problem
from tests.checkpoint.test_recorded_releases import index_of, recorded, slots_of

# An HDF5 file of the same model by the same release, which tells the order of the parameters.
MODELS = {
    "object-2.4": "tf-2.4",
    "object-2.11": "tf-2.11",
    "object-2.14": "tf-2.14",
    "saved-model-2.0": "tf-2.0",
    "saved-model-2.4": "tf-2.4",
    "saved-model-2.10": "tf-2.10",
    "saved-model-2.11": "tf-2.11",
}
NOT_READ = "item 12: object checkpoints of 2.11 and later, SavedModel directories"


def files_for():
    """Those that are not read yet must fail."""
    for era in MODELS:
        for case in problem.cases_of(era):
            mark = pytest.mark.xfail(strict=True, reason=NOT_READ, raises=CheckpointError)
            yield pytest.param(era, case, marks=[] if era == "object-2.4" else [mark])


@pytest.mark.parametrize("era,case", files_for())
def test_the_slots_are_those_of_their_parameters_to_the_bit(era, case):
    arrays = recorded(era, case)
    class_name = problem.ALL_CASES[case][0]
    model = archives.file_of(MODELS[era], case)
    state = read(archives.file_of(era, case), model=model, class_name=class_name)
    assert state.class_name == class_name
    assert state.iterations == problem.SAVE_AFTER
    indices = {parameter.name: index_of(parameter, arrays) for parameter in state.parameters}
    held = {(role, indices[name]): slot.read() for role, name, slot in state.arrays()}
    expected = slots_of(arrays)
    assert set(held) == set(expected)
    for key, value in expected.items():
        np.testing.assert_array_equal(held[key], value, str(key))
