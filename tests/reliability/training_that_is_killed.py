"""A training run that is to be killed, and goes on from what it had saved.

    python tests/reliability/training_that_is_killed.py KIND FOLDER

KIND is one of KINDS below. Before a state is saved, its hash and its number of steps are a line of
FOLDER/saved, and on the disk. After a state is restored, they are a line of FOLDER/restored. So
another process can tell whether what was restored had been saved.
"""

import functools
import hashlib
import os
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

import numpy as np
import tensorflow.compat.v1 as tf

import keras_optimizers
from keras_optimizers.scripts import tensorflow_1

tensorflow_1.graph_mode()
layers = tf.keras.layers
random = np.random.RandomState(3)
INPUTS = random.uniform(-1, 1, (64, 8)).astype("float32")
LABELS = random.uniform(-1, 1, (64, 3)).astype("float32")
STEPS = 1000000  # more than there is time for


def note(folder, name, arrays, step):
    """Append the hash of a state to a list of states, and have it on the disk."""
    state = b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)
    with open(os.path.join(folder, name), "a") as opened:
        opened.write("%s %d\n" % (hashlib.sha256(state).hexdigest(), step))
        opened.flush()
        os.fsync(opened.fileno())


# Keras: a file an epoch, because Keras writes a file in its place, where a kill leaves a torso.


def fit(folder):
    """`fit` with ModelCheckpoint; goes on from the newest file that can be loaded."""

    def state_of(model):
        optimizer = model.optimizer
        step = int(tf.keras.backend.get_value(optimizer.iterations))
        return model.get_weights() + optimizer.get_weights(), step

    model, epoch = None, 0
    names = [name for name in os.listdir(folder) if name.endswith(".h5")]
    for name in sorted(names, reverse=True):
        try:
            model = tf.keras.models.load_model(os.path.join(folder, name))
        except Exception as error:
            note(folder, "torsos", [np.frombuffer(repr(error).encode(), np.uint8)], 0)
            continue
        epoch = int(name[: -len(".h5")])
        model._make_train_function()
        note(folder, "restored", *state_of(model))
        break
    if model is None:
        hidden = layers.Dense(40, activation="tanh", input_shape=(8,))
        model = tf.keras.Sequential([hidden, layers.Dense(3)])
        model.compile(tf.keras.optimizers.Nadam(lr=0.01), "mse")
    for name in sorted(names)[:-5]:
        os.remove(os.path.join(folder, name))

    class Noting(tf.keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            note(folder, "saved", *state_of(self.model))

    saving = tf.keras.callbacks.ModelCheckpoint(os.path.join(folder, "{epoch:07d}.h5"))
    model.fit(
        INPUTS,
        LABELS,
        batch_size=16,
        initial_epoch=epoch,
        epochs=STEPS,
        verbose=0,
        callbacks=[Noting(), saving],
    )


# Sessions and estimators.


def built(global_step=True):
    """The op that makes a step on fixed data."""
    random = functools.partial(tf.random_uniform_initializer, -0.3, 0.3)
    hidden = tf.layers.dense(INPUTS, 40, tf.tanh, kernel_initializer=random(seed=1))
    outputs = tf.layers.dense(hidden, 3, kernel_initializer=random(seed=2))
    optimizer = keras_optimizers.Adam(lr=0.01, decay=0.01, amsgrad=True)
    if global_step:
        optimizer.iterations = tf.train.get_or_create_global_step()
    loss = tf.reduce_mean(tf.square(outputs - LABELS))
    return loss, tf.group(*optimizer.get_updates(loss, tf.trainable_variables())), optimizer


def every_variable():
    return sorted(tf.global_variables(), key=lambda one: one.op.name)


class NotingListener(tf.train.CheckpointSaverListener):
    """Notes all variables as they are when the saver is about to run."""

    def __init__(self, folder):
        self.folder = folder

    def before_save(self, session, global_step_value):
        note(self.folder, "saved", session.run(every_variable()), global_step_value)


class NotingHook(tf.train.SessionRunHook):
    """Notes what a new session begins with, unless it begins from nothing."""

    def __init__(self, folder):
        self.folder, self.variables = folder, []

    def begin(self):
        self.variables = every_variable()

    def after_create_session(self, session, coord):
        step = int(session.run(tf.train.get_global_step()))
        if step:
            note(self.folder, "restored", session.run(self.variables), step)


def saver(folder):
    """A plain session that saves each step with tf.train.Saver."""
    _, step, optimizer = built(global_step=False)
    keeping = tf.train.Saver(max_to_keep=3)
    every = every_variable()
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        newest = tf.train.latest_checkpoint(folder)
        if newest is not None:
            keeping.restore(session, newest)
            note(folder, "restored", session.run(every), session.run(optimizer.iterations))
        tf.get_default_graph().finalize()
        for _ in range(STEPS):
            session.run(step)
            count = int(session.run(optimizer.iterations))
            note(folder, "saved", session.run(every), count)
            keeping.save(session, os.path.join(folder, "model.ckpt"), count, write_meta_graph=False)


def estimator(folder):
    """An estimator that saves every five steps."""

    def model_fn(features, labels, mode):
        loss, step, _ = built()
        return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=step)

    def batches():
        return tf.data.Dataset.from_tensors((INPUTS, LABELS)).repeat()

    config = tf.estimator.RunConfig(
        folder, save_checkpoints_steps=5, log_step_count_steps=None, save_summary_steps=None
    )
    made = tf.estimator.Estimator(model_fn, config=config)
    noting = [NotingListener(folder)]
    made.train(batches, hooks=[NotingHook(folder)], max_steps=STEPS, saving_listeners=noting)


def parameter_server(folder):
    """A worker in this process and a server in another, which dies with it."""
    from tests.reliability.ports import free_ports

    worker, server = ["127.0.0.1:%d" % port for port in free_ports(2)]
    cluster = tf.train.ClusterSpec({"worker": [worker], "ps": [server]})
    subprocess.Popen([sys.executable, os.path.abspath(__file__), "serve", worker, server])
    own = tf.train.Server(cluster, job_name="worker", task_index=0)
    with tf.device(tf.train.replica_device_setter(cluster=cluster)):
        _, step, _ = built()
    saving = tf.train.CheckpointSaverHook(folder, save_steps=5, listeners=[NotingListener(folder)])
    with tf.train.MonitoredTrainingSession(
        own.target,
        checkpoint_dir=folder,
        save_checkpoint_secs=None,
        save_summaries_steps=None,
        save_summaries_secs=None,
        log_step_count_steps=None,
        hooks=[NotingHook(folder)],
        chief_only_hooks=[saving],
    ) as session:
        for _ in range(STEPS):
            session.run(step)


def serve(worker, server):
    """A parameter server, until it is killed."""
    cluster = tf.train.ClusterSpec({"worker": [worker], "ps": [server]})
    tf.train.Server(cluster, job_name="ps", task_index=0).join()


KINDS = {
    "fit": fit,
    "saver": saver,
    "estimator": estimator,
    "parameter_server": parameter_server,
}

if __name__ == "__main__":
    tf.logging.set_verbosity(tf.logging.ERROR)
    if sys.argv[1] == "serve":
        serve(*sys.argv[2:])
    with keras_optimizers.install():
        KINDS[sys.argv[1]](sys.argv[2])
