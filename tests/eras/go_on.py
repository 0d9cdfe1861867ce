"""Load checkpoints with a target era's own loader, and train the last 10 steps.

    python tests/eras/go_on.py TARGET JOBS.json

TARGET is one of TARGETS below; the jobs are a list of {"case", "file", "output", "options"}. An
output is an .npz of the model's values at the end, or of the `error`; with what the loader told,
and the state that the optimizer had after loading.
"""

import json
import logging
import os
import sys
import traceback
import warnings

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import eras
import numpy as np
import problem

TARGETS = {
    # target: (environment, format, ending)
    "ours": ("tf115", "keras-optimizers", ".h5"),
    "tf-keras-1.10": ("tf110", "tf-keras-1.10", ".h5"),
    "keras-2.2": ("keras224", "keras-2.2", ".h5"),
    "keras-2.3": ("keras231", "keras-2.3", ".h5"),
    "optimizer-v2-1.15": ("tf115", "optimizer-v2", ".h5"),
    "optimizer-v2-2.15": ("tf215", "optimizer-v2", ".h5"),
    "tf_keras": ("keras3", "optimizer-v2", ".h5"),
    "tf-keras-2.15": ("tf215", "tf-keras-2.11", ".h5"),
    "keras-3": ("keras3", "keras-3", ".keras"),
    "keras-3-state": ("keras3", "keras-3", ".weights.h5"),
    "saver-ours": ("tf115", "saver", ""),
    "saver-tf-train": ("tf115", "saver-tf-train", ""),
    "object-1.15": ("tf115", "checkpoint", ""),
    "object-2.11": ("tf211", "checkpoint-2.11", ""),
    "object-2.15": ("tf215", "checkpoint-2.11", ""),
}


def load(target, path, case, options, trains_fixed=False):
    """The model with the optimizer's state, as the target's own loader makes it.

    Arguments:
        options: hyperparameters that the migration reported, for files that hold none.
        trains_fixed: whether the migration reported that the layer `fixed` is trained.
    """
    class_name, _, kind = problem.ALL_CASES[case]
    if target == "ours":
        sys.path.insert(0, eras.ROOT)
        import keras_optimizers

        with keras_optimizers.install():
            return eras.keras_of(target).models.load_model(path)
    if target == "tf_keras":
        import tf_keras

        return tf_keras.models.load_model(path)
    if target == "keras-3-state":
        return with_state(path, kind)
    if target in ("object-2.11", "object-2.15"):
        return with_objects(target, path, class_name, kind, options, trains_fixed)
    if target in ("saver-ours", "object-1.15"):
        era = "saver-ours" if target == "saver-ours" else "optimizer-v2-1.15"
        model = problem.build(eras.keras_of(era), kind)
        eras.compile_model(era, model, class_name, options)
        if target == "object-1.15":
            model.load_weights(path)
            model._make_train_function()
            return model
        import tensorflow as tf

        model._make_train_function()
        session = eras.keras_of(era).backend.get_session()
        tf.compat.v1.train.Saver().restore(session, path)
        return model
    model = eras.keras_of(target).models.load_model(path)
    if target in ("tf-keras-1.10", "keras-2.2", "keras-2.3"):
        eras.put_in_order(target, model)
    return model


def with_state(path, kind):
    """What the snippet that `migrate` prints does; the model's values are in the file, too."""
    import h5py
    import keras

    model = problem.build(keras, kind)
    with h5py.File(path, "r") as state:
        config = json.loads(state.attrs["keras_optimizers_config"])
        optimizer = keras.optimizers.deserialize(config)
        optimizer.build(model.trainable_variables)
        optimizer.load_own_variables(state["optimizer/vars"])
    model.compile(optimizer, loss="categorical_crossentropy")
    model.load_weights(path)
    return model


def with_objects(target, path, class_name, kind, options, trains_fixed):
    """A model that restores a checkpoint of objects, every one of them."""
    era = {"object-2.11": "tf-2.11", "object-2.15": "tf-2.15"}[target]
    keras = eras.keras_of(era)
    model = problem.build(keras, kind)
    if trains_fixed:
        model.get_layer("fixed").trainable = True
    options = dict(options)
    options.pop("schedule_decay", None)  # fixed there
    schedule = options.pop("learning_rate_schedule", None)
    if schedule is not None:
        options["lr"] = keras.optimizers.schedules.deserialize(schedule)
    eras.compile_model(era, model, class_name, options)
    model.optimizer.build(model.trainable_variables)
    model.load_weights(path).assert_consumed()
    return model


class Told(logging.Handler):
    """Collects what is logged: tf.keras tells of lost optimizer state by its logger."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.messages = []

    def emit(self, record):
        self.messages.append(record.getMessage())

    def listen(self):
        """To the loggers that TensorFlow and Keras use in all these releases."""
        for name in (None, "tensorflow", "absl"):
            logger = logging.getLogger(name)
            if self not in logger.handlers:
                logger.addHandler(self)


def named(prefix, values):
    """Arrays by name, as they are written."""
    return {"%s_%d" % (prefix, index): value for index, value in enumerate(values)}


def run(target, job):
    """Arrays: what was loaded, and the model's values after the last step."""
    case = job["case"]
    if target == "saver-tf-train":
        import tf_train

        state, values = tf_train.go_on(case, job["file"], job["options"])
        return dict(named("loaded", state), **named("final", values))
    if target == "tf_keras":
        import tf_keras

        tf_keras.backend.clear_session()
    else:
        eras.clear("keras-3" if target == "keras-3-state" else target)
    model = load(target, job["file"], case, job["options"], job["trains_fixed"])
    arrays = named("loaded", eras.state_arrays(model))
    problem.train(model, problem.ALL_CASES[case][2], problem.SAVE_AFTER, problem.TRAIN_UNTIL)
    arrays.update(named("final", problem.layer_weights(model)))
    return arrays


def main():
    target = sys.argv[1]
    with open(sys.argv[2]) as opened:
        jobs = json.load(opened)
    logged = Told()
    for job in jobs:
        told, logged.messages = [], []
        logged.listen()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                arrays = run(target, job)
            except Exception as error:
                arrays = {"error": np.array("%s: %s" % (type(error).__name__, error))}
                if os.environ.get("VERBOSE"):
                    traceback.print_exc()
            told = [str(one.message) for one in caught] + logged.messages
            told = [one for one in told if "optimizer" in one.lower()]
        np.savez_compressed(job["output"], warnings=np.array(told, dtype=str), **arrays)


if __name__ == "__main__":
    main()
