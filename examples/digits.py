"""Train a small convolutional network on handwritten digits, resume it, compare optimizers.

The data are scikit-learn's digits: 1,797 real images of 8 x 8 pixels, which come with the package.

    python examples/digits.py
    python examples/digits.py --output results --epochs 10
"""

from __future__ import print_function

import argparse
import os
import sys

import matplotlib
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

matplotlib.use("Agg")
import matplotlib.pyplot as plt

SEED = 1797
BATCH = 32
OPTIMIZERS = ["sgd", "rmsprop", "adagrad", "adadelta", "adam", "adamax", "nadam"]
REQUIRED_ACCURACY = 0.95


def heading(text):
    print("\n== " + text, flush=True)


def load_data():
    """Images of shape (n, 8, 8, 1) in [0, 1] and their labels, one in five kept for the test."""
    digits = load_digits()
    images = (digits.images / 16.0).astype("float32")[..., np.newaxis]
    order = np.random.RandomState(SEED).permutation(len(images))
    images, labels = images[order], digits.target[order]
    test = len(images) // 5
    return (images[test:], labels[test:]), (images[:test], labels[:test])


def build_model():
    """The network, with the same initial weights every time."""
    tf.keras.backend.clear_session()
    tf.set_random_seed(SEED)
    layers = tf.keras.layers
    return tf.keras.models.Sequential(
        [
            layers.Conv2D(16, 3, padding="same", activation="relu", input_shape=(8, 8, 1)),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


def compile_model(model, optimizer):
    model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def train(train_data, test_data, epochs, output):
    """Train with the usual callbacks; the accuracy of the best saved model on the test images."""
    best = os.path.join(output, "best.h5")
    model = compile_model(build_model(), tf.keras.optimizers.Adam(lr=2e-3, decay=1e-4))
    np.random.seed(SEED)  # Keras shuffles with this generator
    model.fit(
        train_data[0],
        train_data[1],
        batch_size=BATCH,
        epochs=epochs,
        validation_split=0.1,
        verbose=1,
        callbacks=[
            tf.keras.callbacks.ModelCheckpoint(best, monitor="val_loss", save_best_only=True),
            tf.keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=2),
        ],
    )
    loss, accuracy = tf.keras.models.load_model(best).evaluate(
        test_data[0], test_data[1], verbose=0
    )
    print("test loss %.4f, test accuracy %.4f" % (loss, accuracy))
    return accuracy


def warm_up(epoch):
    """A learning rate schedule: small in the first two epochs."""
    return 5e-4 if epoch < 2 else 2e-3


def fit_range(model, data, first, last):
    """Train the epochs from `first` to `last` on batches in a fixed order."""
    model.fit(
        data[0],
        data[1],
        batch_size=BATCH,
        initial_epoch=first,
        epochs=last,
        shuffle=False,
        verbose=1,
        callbacks=[tf.keras.callbacks.LearningRateScheduler(warm_up)],
    )


def resume(train_data, output, epochs=4):
    """Train once uninterrupted and once resumed; whether both end with the same bits."""
    path = os.path.join(output, "stopped.h5")
    print("without a stop")
    model = compile_model(build_model(), tf.keras.optimizers.Adam(lr=2e-3, decay=1e-3))
    fit_range(model, train_data, 0, epochs)
    expected = model.get_weights() + model.optimizer.get_weights()

    print("stopped, saved, loaded, gone on")
    model = compile_model(build_model(), tf.keras.optimizers.Adam(lr=2e-3, decay=1e-3))
    fit_range(model, train_data, 0, epochs // 2)
    model.save(path)
    tf.keras.backend.clear_session()
    model = tf.keras.models.load_model(path)
    fit_range(model, train_data, epochs // 2, epochs)
    actual = model.get_weights() + model.optimizer.get_weights()

    equal = all(np.array_equal(one, other) for one, other in zip(expected, actual))
    largest = max(float(np.max(np.abs(one - other))) for one, other in zip(expected, actual))
    print(
        "resumed training %s uninterrupted training: %d arrays of parameters and optimizer state, "
        "largest difference %g"
        % ("equals, to the bit," if equal else "DIFFERS from", len(expected), largest)
    )
    return equal


def compare(train_data, test_data, output, epochs=5):
    """Train with every optimizer at its defaults; a table and a picture of the losses."""
    figure, axes = plt.subplots(figsize=(8, 5))
    styles = ["-", "--", "-.", ":"]
    print("%-10s %12s %14s" % ("optimizer", "train loss", "test accuracy"))
    for index, name in enumerate(OPTIMIZERS):
        losses = []
        record = tf.keras.callbacks.LambdaCallback(
            on_batch_end=lambda batch, logs, losses=losses: losses.append(logs["loss"])
        )
        model = compile_model(build_model(), name)
        np.random.seed(SEED)
        history = model.fit(
            train_data[0],
            train_data[1],
            batch_size=BATCH,
            epochs=epochs,
            verbose=0,
            callbacks=[record],
        )
        _, accuracy = model.evaluate(test_data[0], test_data[1], verbose=0)
        print("%-10s %12.4f %14.4f" % (name, history.history["loss"][-1], accuracy), flush=True)
        window = 15  # single batches are noisy
        smooth = np.convolve(losses, np.ones(window) / window, mode="valid")
        steps = np.arange(window, len(losses) + 1)
        style = styles[index % len(styles)]
        axes.plot(steps, smooth, style, label="%s (%.3f)" % (name, accuracy), linewidth=1.6)
    axes.set_yscale("log")
    axes.set_xlabel("training step (batches of %d)" % BATCH)
    axes.set_ylabel("training loss, mean of the last 15 steps")
    axes.set_title("Seven optimizers on the digits, at their defaults")
    axes.grid(True, which="both", alpha=0.25)
    axes.legend(title="optimizer (test accuracy)", fontsize=9)
    path = os.path.join(output, "optimizers.png")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    return path


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0],
        epilog="example: python examples/digits.py --output results --epochs 10",
    )
    default = os.path.join("output", "digits")
    parser.add_argument("--output", default=default, help="folder for files (%(default)s)")
    parser.add_argument("--epochs", type=int, default=8, help="of the first part (%(default)s)")
    options = parser.parse_args()
    if not os.path.isdir(options.output):
        os.makedirs(options.output)
    train_data, test_data = load_data()

    heading("Training with Adam, checkpoints, and a falling learning rate")
    accuracy = train(train_data, test_data, options.epochs, options.output)
    heading("Stopping and going on")
    equal = resume(train_data, options.output)
    heading("Seven optimizers")
    picture = compare(train_data, test_data, options.output)

    print("\nThe loss curves are in %s, the models beside them." % picture)
    if accuracy < REQUIRED_ACCURACY:
        print("The accuracy %.4f is below %.2f." % (accuracy, REQUIRED_ACCURACY))
        return 1
    if not equal:
        print("Resumed training differs from uninterrupted training.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
