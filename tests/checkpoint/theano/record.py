"""Train a model of convolutions with standalone Keras on Theano, save it, and train on.

    python tests/checkpoint/theano/record.py             # in the environment of `tox -e theano`
    python tests/checkpoint/theano/record.py --compare   # with what is committed

Writes plain.h5 and recurrent.h5, and expected.npz: the predictions when each was saved, and those
after ten more steps.
"""

import argparse
import os
import sys
import tempfile

import numpy as np

FOLDER = os.path.dirname(os.path.abspath(__file__))
SAVE_AFTER, MORE = 5, 10
MODELS = ("plain", "recurrent")


def batch(step):
    """The images and the labels of a step."""
    random = np.random.RandomState(100 + step)
    return random.uniform(-1, 1, (4, 6, 6, 2)), random.uniform(-1, 1, (4, 3))


def build(keras, name):
    """Convolutions, wrapped and nested ones too, and layers beside them.

    Keras 3 has no file of the recurrent model that this package writes.
    """
    layers = keras.layers
    nested = keras.models.Sequential(
        [layers.Conv2D(2, (2, 3), activation="tanh", input_shape=(5, 5, 3))], name="nested"
    )
    given = layers.Input((6, 6, 2))
    value = layers.TimeDistributed(layers.Conv1D(3, 3, padding="same", activation="tanh"))(given)
    value = layers.Conv2D(3, (2, 2), activation="tanh")(value)
    value = nested(value)
    value = layers.Conv2DTranspose(2, (2, 3), activation="tanh")(value)
    value = layers.SeparableConv2D(3, 2, activation="tanh")(value)
    value = layers.Conv2D(2, (2, 2), activation="tanh")(value)
    value = layers.Reshape((2, 3, 3, 1))(value)
    if name == "recurrent":
        value = layers.ConvLSTM2D(2, (3, 3), padding="same", return_sequences=True)(value)
    value = layers.Conv3DTranspose(1, (2, 1, 2), activation="tanh")(value)
    value = layers.Conv3D(2, (2, 2, 1), activation="tanh")(value)
    value = layers.Flatten()(value)
    model = keras.models.Model(given, layers.Dense(3)(value))
    random = np.random.RandomState(7)
    model.set_weights([random.uniform(-0.7, 0.7, one.shape) for one in model.get_weights()])
    return model


def record(folder):
    os.environ["KERAS_BACKEND"] = "theano"
    os.environ["THEANO_FLAGS"] = (
        "cxx=,mode=Mode,optimizer=None,linker=py,device=cpu,floatX=float32,base_compiledir=%s"
        % tempfile.mkdtemp()
    )  # without a compiler, so without a BLAS to link
    import keras

    expected = {}
    for name in MODELS:
        model = build(keras, name)
        model.compile(keras.optimizers.Adam(lr=0.01, amsgrad=True, decay=0.01), "mse")
        for step in range(SAVE_AFTER):
            model.train_on_batch(*batch(step))
        model.save(os.path.join(folder, name + ".h5"))
        expected[name + "_saved"] = model.predict(batch(0)[0])
        for step in range(SAVE_AFTER, SAVE_AFTER + MORE):
            model.train_on_batch(*batch(step))
        expected[name + "_final"] = model.predict(batch(0)[0])
    np.savez(os.path.join(folder, "expected.npz"), **expected)


def differences(folder, other):
    """How far the arrays of two recordings are apart, by name."""
    import h5py

    found = {}
    one, two = (np.load(os.path.join(place, "expected.npz")) for place in (folder, other))
    for name in one.files:
        found[name] = float(np.max(np.abs(one[name] - two[name])))
    for model in MODELS:
        paths = [os.path.join(place, model + ".h5") for place in (folder, other)]
        with h5py.File(paths[0], "r") as mine, h5py.File(paths[1], "r") as others:

            def compare(name, item, model=model, others=others):
                if isinstance(item, h5py.Dataset):
                    found[model + "/" + name] = float(np.max(np.abs(item[()] - others[name][()])))

            mine.visititems(compare)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--compare", action="store_true", help="write nothing here, and compare")
    if not parser.parse_args().compare:
        record(FOLDER)
        return 0
    folder = tempfile.mkdtemp()
    record(folder)
    found = differences(FOLDER, folder)
    worst = max(found, key=found.get)
    print("%d arrays, at most %.2g apart (%s)" % (len(found), found[worst], worst))
    return 1 if found[worst] > 1e-5 else 0


if __name__ == "__main__":
    sys.exit(main())
