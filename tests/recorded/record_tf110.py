"""Record how the real TensorFlow 1.10.0 behaves, or compare with what was recorded.

    python tests/recorded/record_tf110.py            # writes tf110.npz, tf110.json, models/*.h5
    python tests/recorded/record_tf110.py --compare  # records again into memory, and compares
    python tests/recorded/record_tf110.py --processor NAME  # on another kind of processor: writes
                                                     # what differs there, to tf110-NAME.npz

Runs on CPython 3.6 with `tensorflow==1.10.0 "h5py<3"`; `tox -e upstream-tf110` does it all.
"""

import argparse
import inspect
import json
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

from tests.recorded import cases, processors  # noqa: E402
from tests.recorded.ordering import order_reads_before_writes  # noqa: E402

K = tf.keras.backend
NO_RECORDING = (
    "processor: no recording has its square roots, so arrays are compared within a tolerance; "
    "add one with --processor NAME"
)


def record_trajectory(name, class_name, arguments):
    """Arrays by key: every parameter and every weight after each step."""
    own, floatx, max_norm = cases.split(arguments)
    K.clear_session()
    K.set_floatx(floatx)
    try:
        constraint = tf.keras.constraints.MaxNorm(max_norm) if max_norm else None
        params = [
            K.variable(value, constraint=constraint if value.ndim == 2 else None)
            for value in cases.initial_values(name, floatx)
        ]
        feeds = [K.placeholder(value.shape) for value in params]
        loss = sum(K.sum(p * feed) for p, feed in zip(params, feeds))
        optimizer = getattr(optimizers, class_name)(**own)
        updates = optimizer.get_updates(loss, params)
        # Three runs, in upstream's intended order: slots and parameters, `m_schedule`,
        # `iterations` (the first of r1.10's updates).
        schedules = [tf.assign(*update) for update in updates if isinstance(update, tuple)]
        rest = [update for update in updates[1:] if not isinstance(update, tuple)]
        session = K.get_session()
        rows = {}
        for gradients in cases.gradients(name, floatx):
            feed_dict = dict(zip(feeds, gradients))
            for stage in (rest, schedules, updates[:1]):
                session.run(stage, feed_dict)
            for kind, values in (
                ("parameter", K.batch_get_value(params)),
                ("weight", optimizer.get_weights()),
            ):
                for index, value in enumerate(values):
                    rows.setdefault("%s/%s_%d" % (name, kind, index), []).append(value)
        return {key: np.stack(values) for key, values in rows.items()}, optimizer.get_config()
    finally:
        K.set_floatx("float32")


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


def record_errors():
    """For every bad input the type and the words of upstream's error."""
    errors = {}
    for name, call in cases.bad_inputs(optimizers, tf.keras, tf).items():
        K.clear_session()
        try:
            call()
        except Exception as error:
            errors[name] = [type(error).__name__, [str(argument) for argument in error.args]]
        else:
            errors[name] = None
    return errors


def record_signatures():
    """`inspect.signature` of all public names and methods."""
    signatures = {}
    for name in cases.PUBLIC_NAMES:
        public = getattr(optimizers, name)
        signatures[name] = str(inspect.signature(public))
        if inspect.isclass(public):
            for method in cases.PUBLIC_METHODS:
                signatures[name + "." + method] = str(inspect.signature(getattr(public, method)))
    return signatures


def record(models):
    """All arrays, all facts; model files go to the folder `models`."""
    arrays, configs = {}, {}
    for name, (class_name, arguments) in sorted(cases.TRAJECTORIES.items()):
        trajectory, configs[name] = record_trajectory(name, class_name, arguments)
        arrays.update(trajectory)
    for name, (class_name, arguments) in sorted(cases.MODELS.items()):
        path = os.path.join(models, name + ".h5")
        arrays.update(record_model(name, class_name, arguments, path))
    facts = {
        "tensorflow": tf.__version__,
        "configs": configs,
        "errors": record_errors(),
        "signatures": record_signatures(),
    }
    return arrays, facts


def datasets(path):
    """All datasets of an HDF5 file, by name."""
    found = {}
    with h5py.File(path, "r") as opened:
        opened.visititems(
            lambda name, item: found.update({name: item[()]}) if hasattr(item, "shape") else None
        )
    return found


def differences(recorded, again, to_the_bit=True):
    """Names that differ between two dicts of arrays: to the bit, or by more than processors do."""
    different = sorted(set(recorded) ^ set(again))
    for name in sorted(set(recorded) & set(again)):
        one, other = np.asarray(recorded[name]), np.asarray(again[name])
        if to_the_bit or one.dtype.kind != "f":
            if one.dtype != other.dtype or one.tobytes() != other.tobytes():
                different.append(name)
        elif processors.far_apart(one, other):
            different.append(name)
    return different


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--compare", action="store_true", help="compare with what is committed")
    parser.add_argument(
        "--processor", metavar="NAME", help="record what differs on this kind of processor"
    )
    options = parser.parse_args()
    if tf.__version__ != "1.10.0":
        parser.error("this records TensorFlow 1.10.0, and this is %s" % tf.__version__)
    arrays_path = os.path.join(FOLDER, "tf110.npz")
    facts_path = os.path.join(FOLDER, "tf110.json")
    models_path = os.path.join(FOLDER, "models")
    if options.processor:
        with tempfile.TemporaryDirectory() as folder:
            arrays, _ = record(folder)
        changed = differences(dict(np.load(arrays_path)), arrays)
        path = os.path.join(FOLDER, "tf110-%s.npz" % options.processor)
        np.savez_compressed(path, **{key: arrays[key] for key in changed})
        print("recorded %d arrays that differ, of %d" % (len(changed), len(arrays)))
        return 0
    if not options.compare:
        if not os.path.isdir(models_path):
            os.makedirs(models_path)
        arrays, facts = record(models_path)
        np.savez_compressed(arrays_path, **arrays)
        with open(facts_path, "w") as opened:
            json.dump(facts, opened, indent=1, sort_keys=True)
            opened.write("\n")
        print("recorded %d arrays of %d cases" % (len(arrays), len(cases.TRAJECTORIES)))
        return 0
    # Trained models multiply matrices, too: their files are equal to the bit on the first kind of
    # processor alone.
    name, recorded = processors.of_this_processor(tf)
    print("processor: as that of %s" % name if name else NO_RECORDING)
    with tempfile.TemporaryDirectory() as folder:
        arrays, facts = record(folder)
        different = differences(recorded, arrays, to_the_bit=name is not None)
        for model in cases.MODELS:
            committed = datasets(os.path.join(models_path, model + ".h5"))
            again = datasets(os.path.join(folder, model + ".h5"))
            changed = differences(committed, again, to_the_bit=name == processors.FIRST)
            different += ["%s.h5:%s" % (model, key) for key in changed]
    with open(facts_path) as opened:
        recorded_facts = json.load(opened)
    facts = json.loads(json.dumps(facts))
    different += [key for key in facts if facts[key] != recorded_facts.get(key)]
    for name in different:
        print("different: %s" % name)
    print(
        "compared %d arrays, %d model files, %d errors, %d signatures: %d differ"
        % (
            len(arrays),
            len(cases.MODELS),
            len(facts["errors"]),
            len(facts["signatures"]),
            len(different),
        )
    )
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
