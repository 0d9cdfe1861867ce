"""The committed checkpoints that real packages wrote (see tests/eras), and what they hold."""

import json
import os
import sys

import numpy as np

FOLDER = os.path.dirname(os.path.abspath(__file__))
ERAS = os.path.join(os.path.dirname(FOLDER), "eras")
SOURCES = os.path.join(ERAS, "sources")
sys.path.insert(0, ERAS)

import archives  # noqa: E402
import problem  # noqa: E402

from keras_optimizers.checkpoint.architecture.layers import layer_configs  # noqa: E402
from keras_optimizers.checkpoint.storage import hdf5  # noqa: E402

TF110 = os.path.join(os.path.dirname(FOLDER), "recorded", "models")
TF110_CASES = sorted(name[: -len(".h5")] for name in os.listdir(TF110) if name.endswith(".h5"))

# Eras whose files need no TensorFlow.
PLAIN_ERAS = sorted(
    name for name, era in problem.KERAS_ERAS.items() if era.ending in (".h5", ".keras")
)
PLAIN = [(era, case) for era in PLAIN_ERAS for case in problem.cases_of(era)]
FORMAT_OF = {
    "tf-keras-1.10": "tf-keras-1.10",
    "tf-keras-1.15-v1": "tf-keras-1.10",
    "ours": "tf-keras-1.10",
    "keras-2.2": "keras-2.2",
    "keras-2.3": "keras-2.3",
    "optimizer-v2-1.15": "optimizer-v2",
    "optimizer-v2-2.15": "optimizer-v2",
    "tf-keras-2.15": "tf-keras-2.11",
    "keras-3": "keras-3",
    "keras-3-h5": "keras-3",
}
DROPS_ITERATIONS = ("tf-keras-1.10", "keras-2.2", "tf-keras-1.15-v1", "ours")
UNCOUNTED = ("RMSprop", "Adagrad", "Adadelta")


# Single files that single releases wrote, in one archive each.
RELEASES = sorted(
    name
    for name, era in problem.RELEASE_ERAS.items()
    if era.ending in (".h5", ".keras") and archives.is_recorded(name)
)


def of_release(era, case):
    """Path of a checkpoint that a release of RELEASES wrote."""
    return archives.file_of(era, case)


def arrays_of_release(era, case, kind):
    """The arrays `kind`_0, `kind`_1, ... that were recorded with it."""
    held = np.load(archives.recorded_of(era, case))
    count = len([name for name in held.files if name.startswith(kind + "_")])
    return [held["%s_%d" % (kind, index)] for index in range(count)]


def source(era, case):
    """Path of a checkpoint."""
    return os.path.join(SOURCES, era, case + problem.KERAS_ERAS[era].ending)


# A layer that only the Python code of its own era builds.
LAMBDA = {"class_name": "Lambda", "config": {"name": "own", "function": ["4wEA", None, None]}}


def add_layers(path, *added):
    """Add layers, as configs have them, to the end of the model in an HDF5 file."""
    import h5py

    with h5py.File(path, "r+") as opened:
        config = json.loads(hdf5.text(opened.attrs["model_config"]))
        config["config"] = [*layer_configs(config), *added]
        opened.attrs["model_config"] = json.dumps(config).encode()


def arrays(era, case, kind):
    """The arrays `kind`_0, `kind`_1, ... that were recorded with a checkpoint."""
    held = np.load(os.path.join(SOURCES, era, case + ".npz"))
    count = len([name for name in held.files if name.startswith(kind + "_")])
    return [held["%s_%d" % (kind, index)] for index in range(count)]


def counts_steps(era, case):
    """Whether the file says how many steps were done."""
    class_name = problem.CASES[case][0]
    return not (era in DROPS_ITERATIONS and class_name in UNCOUNTED)


def optimizer_v2(class_name):
    """A class of OptimizerV2, which Keras 2.11 to 2.15 call legacy."""
    from tensorflow.keras import optimizers

    return getattr(getattr(optimizers, "legacy", optimizers), class_name)
