"""Models that are recorded with their optimizer, and the batches that they are trained on.

Runs under TensorFlow 1.10 (Python 3.6) and 1.15 alike, and needs neither.
"""

import numpy as np

# Models saved by `model.save` after SAVE_AFTER steps and trained to TRAIN_UNTIL.
SAVE_AFTER, TRAIN_UNTIL = 20, 30
MODELS = {
    "sgd": ("SGD", {"lr": 0.05}),
    "sgd_nesterov_decay": ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True, "decay": 0.02}),
    "rmsprop_decay": ("RMSprop", {"decay": 0.05}),
    "adagrad": ("Adagrad", {}),
    "adadelta": ("Adadelta", {}),
    "adam": ("Adam", {}),
    "adam_amsgrad_decay": ("Adam", {"amsgrad": True, "decay": 0.02}),
    "adamax": ("Adamax", {}),
    "nadam": ("Nadam", {}),
}


def batches():
    """Batches for MODELS: three classes of points with six features."""
    random = np.random.RandomState(7)
    centres = random.standard_normal((3, 6))
    for _ in range(TRAIN_UNTIL):
        labels = random.randint(0, 3, 32)
        features = centres[labels] + 0.5 * random.standard_normal((32, 6))
        yield features.astype("float32"), np.eye(3, dtype="float32")[labels]
