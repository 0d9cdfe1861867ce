"""Train on handwritten digits in several processes with Horovod, resume, compare with one process.

The data are scikit-learn's digits: 1,797 real images of 8 x 8 pixels, which come with the package.

    horovodrun --gloo -np 2 -H localhost:2 python examples/horovod_digits.py
    horovodrun --gloo -np 2 -H localhost:2 python examples/horovod_digits.py --epochs 10
"""

from __future__ import print_function

import argparse
import os
import sys

import horovod.tensorflow.keras as hvd
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

import keras_optimizers

SEED = 1797
BATCH = 64  # of all workers together
REQUIRED_ACCURACY = 0.9


def say(text):
    """Print from rank 0 only."""
    if hvd.rank() == 0:
        print(text, flush=True)


def load_data():
    """Images of shape (n, 8, 8, 1) in [0, 1] and labels; one in five is for the test.

    The training images fill whole batches: every worker then has the same number in each, and
    the mean of the workers' gradients is the gradient of the whole batch.
    """
    digits = load_digits()
    images = (digits.images / 16.0).astype("float32")[..., np.newaxis]
    order = np.random.RandomState(SEED).permutation(len(images))
    images, labels = images[order], digits.target[order]
    test = len(images) // 5
    end = test + (len(images) - test) // BATCH * BATCH
    return (images[test:end], labels[test:end]), (images[:test], labels[:test])


def build_model(make_optimizer):
    """The network, compiled, with the same initial weights every time.

    The optimizer is made last: initial weights depend on how many ops the graph has before them.
    """
    tf.compat.v1.set_random_seed(SEED)
    layers = tf.keras.layers
    model = tf.keras.models.Sequential(
        [
            layers.Conv2D(16, 3, padding="same", activation="relu", input_shape=(8, 8, 1)),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(make_optimizer(), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def alone():
    return keras_optimizers.Adam(lr=2e-3, decay=1e-3)


def together():
    return hvd.DistributedOptimizer(alone())


def fit(model, data, batch, first, last, callbacks=()):
    """Train the epochs from `first` to `last` on batches in a fixed order."""
    model.fit(
        data[0],
        data[1],
        batch_size=batch,
        initial_epoch=first,
        epochs=last,
        shuffle=False,
        verbose=2 if hvd.rank() == 0 else 0,
        callbacks=list(callbacks),
    )


def arrays_of(model):
    return model.get_weights() + model.optimizer.get_weights()


def largest_difference(expected, actual):
    return max(float(np.max(np.abs(one - other))) for one, other in zip(expected, actual))


def train_together(own, epochs, path):
    """Train on this worker's share; rank 0 saves when half of the epochs are over."""
    tf.keras.backend.clear_session()
    model = build_model(together)
    callbacks = [
        hvd.callbacks.BroadcastGlobalVariablesCallback(0),
        hvd.callbacks.MetricAverageCallback(),
    ]
    batch = BATCH // hvd.size()
    fit(model, own, batch, 0, epochs // 2, callbacks)
    if hvd.rank() == 0:
        model.save(path)
    fit(model, own, batch, epochs // 2, epochs, callbacks[1:])
    return model


def go_on(own, epochs, path):
    """Load rank 0's file in every worker, and train the other half."""
    tf.keras.backend.clear_session()
    hvd.allreduce(0.0, name="saved")  # nobody loads before rank 0 has saved
    with keras_optimizers.install():  # so the name "Adam" in the file gives our class
        model = hvd.load_model(path)
    fit(model, own, BATCH // hvd.size(), epochs // 2, epochs)
    return model


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0],
        epilog="example: horovodrun --gloo -np 2 -H localhost:2 python examples/horovod_digits.py",
    )
    default = os.path.join("output", "horovod_digits")
    parser.add_argument("--output", default=default, help="folder for files (%(default)s)")
    parser.add_argument("--epochs", type=int, default=8, help="how many (%(default)s)")
    options = parser.parse_args()
    hvd.init()
    if BATCH % hvd.size():
        parser.error("the batch of %d is not divided by %d workers" % (BATCH, hvd.size()))
    if hvd.rank() == 0 and not os.path.isdir(options.output):
        os.makedirs(options.output)
    path = os.path.join(options.output, "stopped.h5")
    data, test_data = load_data()
    # With two workers, one gets the images 0, 2, 4 ...: both batches together are one whole batch.
    own = tuple(part[hvd.rank() :: hvd.size()] for part in data)

    say("== %d workers, each with %d of %d images" % (hvd.size(), len(own[0]), len(data[0])))
    model = train_together(own, options.epochs, path)
    loss, accuracy = model.evaluate(test_data[0], test_data[1], verbose=0)
    say("test loss %.4f, test accuracy %.4f" % (loss, accuracy))
    expected = arrays_of(model)
    everything = np.concatenate([np.ravel(array).astype("float64") for array in expected])
    gathered = hvd.allgather(everything[np.newaxis], name="everything")
    same = all(row.tobytes() == everything.tobytes() for row in gathered)
    say("the %d workers hold the same bits: %s" % (hvd.size(), "yes" if same else "NO"))

    say("== Stopped after %d epochs, loaded, gone on" % (options.epochs // 2))
    resumed = arrays_of(go_on(own, options.epochs, path))
    equal = all(np.array_equal(one, other) for one, other in zip(expected, resumed))
    say(
        "resumed training equals, to the bit, uninterrupted training: %s"
        % ("yes" if equal else "NO")
    )

    say("== One worker on whole batches, without Horovod")
    tf.keras.backend.clear_session()
    model = build_model(alone)
    fit(model, data, BATCH, 0, options.epochs)
    difference = largest_difference(arrays_of(model), expected)
    say("largest difference from one worker on whole batches: %.1e" % difference)
    return 0 if same and equal and accuracy >= REQUIRED_ACCURACY else 1


if __name__ == "__main__":
    sys.exit(main())
