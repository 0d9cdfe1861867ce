"""Files of Keras 3 whose optimizer is in a LossScaleOptimizer."""

import io
import shutil
import zipfile

import h5py
import numpy as np
import pytest

from keras_optimizers.checkpoint import read
from keras_optimizers.checkpoint.storage import hdf5
from tests.checkpoint import files


def with_loss_scale(path, count, tmp_path):
    """A copy, with the variables that Keras 3's LossScaleOptimizer puts before those of Adam."""
    copy = str(tmp_path / ("scaled" + path[path.rindex(".") :]))
    outer = [np.int64(0), np.float32(0), np.int64(3), np.float32(32768)]
    if path.endswith(".h5"):
        shutil.copyfile(path, copy)
        with h5py.File(copy, "r+") as opened:
            group = opened["optimizer_weights"]
            names = ["scale/%d" % index for index in range(4)] + hdf5.names(group, "weight_names")
            for name, value in zip(names, outer):
                group.create_dataset(name, data=value)
            hdf5.write_names(group, "weight_names", names)
        return copy
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(copy, "w") as written:
        for name in archive.namelist():
            data = archive.read(name)
            if name.endswith(".h5"):
                inside = io.BytesIO(data)
                with h5py.File(inside, "r+") as opened:
                    group = opened["optimizer/vars"]
                    values = outer + [group[str(index)][()] for index in range(count)]
                    for index, value in enumerate(values):
                        if str(index) in group:
                            del group[str(index)]
                        group.create_dataset(str(index), data=value)
                data = inside.getvalue()
            written.writestr(name, data)
    return copy


@pytest.mark.parametrize("era, case", [("keras-3", "adam"), ("keras-3-h5", "functional_adam")])
def test_the_optimizer_in_a_loss_scale_that_no_config_names_is_read(era, case, tmp_path):
    """Keras 3 wraps the optimizer of a model of mixed precision by itself."""
    path = files.source(era, case)
    plain = read(path)
    scaled = read(with_loss_scale(path, 2 + 2 * len(plain.parameters), tmp_path))
    assert "loss_scale" in scaled.left_out and "loss_scale" not in plain.left_out
    assert scaled.iterations == plain.iterations == 20
    for role, name, array in plain.arrays():
        assert np.array_equal(scaled.slots[role][name].read(), array.read())
