"""Train and save models with the real TensorFlow 1.10.0, or compare with the files there are.

    python tests/recorded/record_tf110.py            # writes models/*.h5 and models.npz
    python tests/recorded/record_tf110.py --compare  # trains again into a folder, and compares

Runs on CPython 3.6 with `tensorflow==1.10.0 "h5py<3"`; `tox -e upstream-tf110` does it all. The
steps of the optimizers are recorded in `keras_optimizers/conformance/recordings`.
"""

import argparse
import os
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import h5py
import numpy as np
import tensorflow as tf
from tensorflow.python.keras import optimizers

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(os.path.dirname(FOLDER)))

from tests.recorded import cases  # noqa: E402
from tests.recorded.ordering import order_reads_before_writes  # noqa: E402

K = tf.keras.backend
# Share of an array's scale by which another processor may differ.
TOLERANCE = 2e-5


def record_model(name, class_name, arguments, path):
    """Train a Dense-BN-Dense model, save it to `path` on the way; the weights at the end."""
    K.clear_session()
    tf.set_random_seed(1)
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [
            layers.Dense(8, activation="relu", input_shape=(6,)),
            layers.BatchNormalization(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    optimizer = getattr(optimizers, class_name)(**arguments)
    model.compile(optimizer, "categorical_crossentropy")
    model._make_train_function()
    scalars = [optimizer.iterations]
    if hasattr(optimizer, "m_schedule"):
        scalars.append(optimizer.m_schedule)
    order_reads_before_writes(scalars)
    random = np.random.RandomState(3)
    model.set_weights(
        [0.5 * random.standard_normal(w.shape) for w in model.get_weights()[:-3]]
        + [np.ones(w.shape) for w in model.get_weights()[-3:]]
    )
    for step, (features, labels) in enumerate(cases.batches()):
        if step == cases.SAVE_AFTER:
            model.save(path)
        model.train_on_batch(features, labels)
    return {
        "model/%s/final_%d" % (name, index): value
        for index, value in enumerate(model.get_weights())
    }


def record(models):
    """The weights at the end of every model; the files go to the folder `models`."""
    arrays = {}
    for name, (class_name, arguments) in sorted(cases.MODELS.items()):
        path = os.path.join(models, name + ".h5")
        arrays.update(record_model(name, class_name, arguments, path))
    return arrays


def datasets(path):
    """All datasets of an HDF5 file, by name."""
    found = {}
    with h5py.File(path, "r") as opened:
        opened.visititems(
            lambda name, item: found.update({name: item[()]}) if hasattr(item, "shape") else None
        )
    return found


def differences(recorded, again):
    """Names of arrays that differ by more than another processor explains."""
    different = sorted(set(recorded) ^ set(again))
    for name in sorted(set(recorded) & set(again)):
        one, other = np.asarray(recorded[name]), np.asarray(again[name])
        if one.dtype != other.dtype or one.shape != other.shape:
            different.append(name)
        elif one.dtype.kind != "f":
            different += [] if one.tobytes() == other.tobytes() else [name]
        elif one.size and np.max(np.abs(one - other)) > TOLERANCE * np.max(np.abs(one)):
            different.append(name)
    return different


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--compare", action="store_true", help="compare with what is committed")
    options = parser.parse_args()
    if tf.__version__ != "1.10.0":
        parser.error("this records TensorFlow 1.10.0, and this is %s" % tf.__version__)
    arrays_path = os.path.join(FOLDER, "models.npz")
    models_path = os.path.join(FOLDER, "models")
    if not options.compare:
        np.savez_compressed(arrays_path, **record(models_path))
        print("recorded %d models" % len(cases.MODELS))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        arrays = record(folder)
        different = differences(dict(np.load(arrays_path)), arrays)
        for model in cases.MODELS:
            committed = datasets(os.path.join(models_path, model + ".h5"))
            again = datasets(os.path.join(folder, model + ".h5"))
            different += ["%s.h5:%s" % (model, key) for key in differences(committed, again)]
    for name in different:
        print("different: %s" % name)
    print("compared %d models: %d arrays differ" % (len(cases.MODELS), len(different)))
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
