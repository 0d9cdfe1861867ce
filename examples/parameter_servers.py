"""Train on digits with two parameter servers and two workers, all processes on this machine.

    python examples/parameter_servers.py                   # asynchronous, Adam
    python examples/parameter_servers.py --synchronous     # SyncReplicasOptimizer, in TFOptimizer
    python examples/parameter_servers.py --kill-a-worker   # the chief is killed and restarted
    python examples/parameter_servers.py --kill-a-worker 1 # the other worker is

On real machines each runs this script's `--job` and `--task` with the addresses of all.
"""

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

JOBS = {"ps": 2, "worker": 2}
BATCH = 50


def build(options, cluster):
    """The graph of a worker: (inputs, labels, loss, accuracy, step, hooks).

    `step` makes one, and is the number of steps that all workers have made by then.
    """
    import tensorflow.compat.v1 as tf

    import keras_optimizers

    worker = "/job:worker/task:%d" % options.task
    with tf.device(tf.train.replica_device_setter(worker_device=worker, cluster=cluster)):
        inputs, labels = tf.placeholder(tf.float32, (None, 64)), tf.placeholder(tf.int32, (None,))
        random = tf.random_normal_initializer(stddev=0.1, seed=1)
        hidden = tf.layers.dense(inputs, 64, tf.nn.relu, kernel_initializer=random)
        logits = tf.layers.dense(hidden, 10, kernel_initializer=random)
        loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)
        right = tf.equal(tf.argmax(logits, 1, output_type=tf.int32), labels)
        accuracy = tf.reduce_mean(tf.cast(right, tf.float32))
        global_step = tf.train.get_or_create_global_step()
        hooks = [tf.train.StopAtStepHook(last_step=options.steps)]
        if options.synchronous:
            workers = JOBS["worker"]
            together = tf.train.SyncReplicasOptimizer(
                tf.train.AdamOptimizer(0.003), workers, total_num_replicas=workers
            )
            optimizer = keras_optimizers.TFOptimizer(together, iterations=global_step)
        else:
            optimizer = keras_optimizers.Adam(lr=0.003)
            optimizer.iterations = global_step  # both workers count the same steps
        updates = optimizer.get_updates(loss, tf.trainable_variables())
        with tf.control_dependencies(updates):
            step = global_step.read_value()  # the count after this worker's step
        if options.synchronous:  # after get_updates, which makes it
            hooks.append(together.make_session_run_hook(options.task == 0))
    return inputs, labels, loss, accuracy, step, hooks


def work(options, cluster, server):
    """Train until all workers together have made the steps; the chief prints the result."""
    import numpy as np
    import tensorflow.compat.v1 as tf
    from sklearn.datasets import load_digits

    tf.disable_eager_execution()  # TensorFlow 2 begins with it
    digits = load_digits()
    images = digits.data / 16
    inputs, labels, loss, accuracy, step, hooks = build(options, cluster)
    chief = options.task == 0
    random = np.random.RandomState(options.task)
    # A worker connects to the servers only, so it does not wait for other workers.
    own = ["/job:ps", "/job:worker/task:%d" % options.task]
    last, made = 0, 0

    def evaluate(step_context):
        test = {inputs: images[1500:], labels: digits.target[1500:]}
        return step_context.session.run([loss, accuracy], test)

    with tf.train.MonitoredTrainingSession(
        master=server.target,
        is_chief=chief,
        checkpoint_dir=options.folder if chief else None,
        save_checkpoint_steps=20,
        save_checkpoint_secs=None,
        hooks=hooks,
        stop_grace_period_secs=2,  # SyncReplicasOptimizer's thread never stops by itself
        config=tf.ConfigProto(device_filters=own),
    ) as session:
        counter = tf.train.get_global_step()
        first = session.run_step_fn(lambda step_context: step_context.session.run(counter))
        print("worker %d begins at step %d" % (options.task, first), flush=True)
        while not session.should_stop():
            rows = random.randint(1500, size=BATCH)
            feed = {inputs: images[rows], labels: digits.target[rows]}
            last = session.run(step, feed)
            made += 1
            time.sleep(options.pause)
            if chief and not session.should_stop():
                result = session.run_step_fn(evaluate)
    print("worker %d made %d steps" % (options.task, made), flush=True)
    if chief:
        print("steps %d loss %.4f accuracy %.4f" % (last, *result), flush=True)


def take_part(options):
    """Run one task of the cluster."""
    import tensorflow.compat.v1 as tf

    from keras_optimizers.tensorflow_private import silence_deprecation_warnings

    silence_deprecation_warnings()
    tf.logging.set_verbosity(tf.logging.ERROR)
    cluster = tf.train.ClusterSpec(options.cluster)
    server = tf.train.Server(cluster, job_name=options.job, task_index=options.task)
    if options.job == "ps":
        server.join()
    work(options, cluster, server)
    sys.stdout.flush()
    os._exit(0)  # TensorFlow's server cannot be stopped otherwise


class Cluster:
    """All tasks as processes of this machine, which end with the `with` block."""

    def __init__(self, options):
        sockets = [socket.socket() for _ in range(sum(JOBS.values()))]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        addresses = ["127.0.0.1:%d" % one.getsockname()[1] for one in sockets]
        for one in sockets:
            one.close()
        self.addresses = {"ps": addresses[: JOBS["ps"]], "worker": addresses[JOBS["ps"] :]}
        self.options, self.processes = options, {}

    def start(self, job, task):
        command = [sys.executable, os.path.abspath(__file__), "--job", job, "--task", str(task)]
        command += ["--cluster", json.dumps(self.addresses), "--folder", self.options.folder]
        command += ["--steps", str(self.options.steps), "--pause", str(self.options.pause)]
        command += ["--synchronous"] if self.options.synchronous else []
        self.processes[job, task] = subprocess.Popen(command)

    def __enter__(self):
        for task in range(JOBS["ps"]):
            self.start("ps", task)
        self.start("worker", 0)
        # The chief makes the variables. Workers that start earlier look again after 30 seconds.
        while (
            newest_checkpoint(self.options.folder) is None
            and self.processes["worker", 0].poll() is None
        ):
            time.sleep(0.1)
        for task in range(1, JOBS["worker"]):
            self.start("worker", task)
        return self

    def __exit__(self, *exception):
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
            process.wait()

    def wait_for_workers(self):
        """0 if all workers have ended well, 1 as soon as one has not."""
        workers = [process for (job, _), process in self.processes.items() if job == "worker"]
        while True:
            ended = [process.poll() for process in workers]
            if any(ended) or None not in ended:
                return 1 if any(ended) else 0
            time.sleep(0.1)


def newest_checkpoint(folder):
    """The step of the checkpoint from which a restarted worker goes on; None: there is none yet."""
    # TensorFlow writes this file last: it never names a checkpoint that is not complete.
    path = os.path.join(folder, "checkpoint")
    if not os.path.exists(path):
        return None
    with open(path) as opened:
        return int(re.match(r'model_checkpoint_path: ".*-(\d+)"', opened.read()).group(1))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=400, help="of all workers (%(default)s)")
    parser.add_argument("--folder", help="folder for checkpoints (a new one)")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between two steps")
    parser.add_argument("--synchronous", action="store_true")
    parser.add_argument(
        "--kill-a-worker",
        type=int,
        nargs="?",
        const=0,
        choices=range(JOBS["worker"]),
        metavar="TASK",
        help="kill this worker in the middle and restart it; without TASK the chief, 0",
    )
    parser.add_argument("--job", choices=sorted(JOBS), help="run one task (see --cluster)")
    parser.add_argument("--task", type=int, default=0)
    parser.add_argument("--cluster", type=json.loads, help='{"ps": [ADDRESS...], "worker": [...]}')
    options = parser.parse_args()
    if options.job:
        return take_part(options)
    options.folder = options.folder or tempfile.mkdtemp()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that all tasks end
    if options.kill_a_worker is not None:
        options.pause = options.pause or 0.02
    with Cluster(options) as cluster:
        if options.kill_a_worker is not None:
            killed = options.kill_a_worker
            while (newest_checkpoint(options.folder) or 0) < options.steps // 4:
                time.sleep(0.1)
            worker = cluster.processes["worker", killed]
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait()
            saved = newest_checkpoint(options.folder)
            print("killed worker %d, saved is step %d" % (killed, saved), flush=True)
            cluster.start("worker", killed)
        return cluster.wait_for_workers()


if __name__ == "__main__":
    sys.exit(main())
