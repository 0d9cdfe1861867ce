"""Parameter servers: real processes on this machine, and what crosses between them."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import keras_optimizers
from tests.training import CLASS_NAMES, configured, same_bits

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
EXAMPLE = os.path.join(ROOT, "examples", "parameter_servers.py")
BENCHMARKS = os.path.join(ROOT, "benchmarks")
ENVIRONMENT = dict(os.environ, PYTHONPATH=ROOT, TF_CPP_MIN_LOG_LEVEL="2")


def run(*command):
    """Standard output of a Python script; a failure shows what it said."""
    done = subprocess.run(
        [sys.executable, *command],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    return done.stdout.decode()


@pytest.fixture(scope="module")
def traffic():
    """Rows of the benchmark, by optimizer and whose it is."""
    script = os.path.join(BENCHMARKS, "parameter_server_traffic.py")
    rows = json.loads(run(script, "--json"))["rows"]
    return {(row["optimizer"], row["of"]): row for row in rows}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ours", "ours, fused"])
@pytest.mark.parametrize("name", ["SGD", "RMSprop", "Adam"])
def test_only_parameters_go_down_and_gradients_up(traffic, name, kind):
    row = traffic[name, kind]
    assert (row["parameters"], row["gradients"]) == (4, 4)
    assert (row["slots"], row["new values"]) == (0, 0)
    assert row["coefficients"] <= 1 and row["control"] <= 4
    assert row["tensors"] == sum(
        row[column] for column in ("parameters", "gradients", "coefficients", "control")
    )
    assert row["tensors"] < traffic[name, "tf.train"]["tensors"]


@pytest.mark.slow
def test_the_benchmark_sees_what_upstream_sends(traffic):
    row = traffic["Adam", "upstream"]
    assert row["tensors"] == 51 and row["slots"] == 8 and row["parameters"] == 8


def steps(optimizer, session_of, count=5):
    """Values of parameters and weights after some steps on one model."""
    random = np.random.RandomState(3)
    parameters = [
        tf.get_variable(
            "parameter_%d" % index,
            initializer=random.standard_normal(shape).astype("float32"),
            use_resource=index != 1,  # a ref variable, too
        )
        for index, shape in enumerate([(6, 5), (5, 4), (4, 3), (4, 3), (4, 3)])
    ]
    inputs = tf.placeholder(tf.float32, (None, 6))
    hidden = tf.tanh(tf.matmul(tf.matmul(inputs, parameters[0]), parameters[1]))
    outputs = tf.add_n([tf.matmul(hidden, parameter) for parameter in parameters[2:]])
    step = tf.group(*optimizer().get_updates(tf.reduce_mean(tf.square(outputs)), parameters))
    # Not the slots of one run's temporaries; names are equal in both graphs.
    variables = sorted(tf.global_variables(), key=lambda variable: variable.name)
    with session_of() as session:
        session.run(tf.global_variables_initializer())
        for _ in range(count):
            session.run(step, {inputs: random.standard_normal((7, 6))})
        return session.run(variables)


@pytest.fixture(scope="module")
def servers():
    """A worker's server in this process, two parameter servers in their own."""
    sys.path.insert(0, BENCHMARKS)
    import parameter_server_traffic

    with parameter_server_traffic.Cluster() as cluster:
        cluster = tf.train.ClusterSpec(cluster.addresses)
        yield tf.train.Server(cluster, job_name="worker", task_index=0)
    sys.path.remove(BENCHMARKS)


@pytest.mark.slow
@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_a_worker_with_two_servers_gets_the_bits_of_a_local_session(class_name, servers):
    with tf.Graph().as_default():
        expected = steps(lambda: configured(class_name), tf.Session)
    place = tf.train.replica_device_setter(
        worker_device="/job:worker/task:0", cluster=servers.server_def.cluster
    )
    with tf.Graph().as_default(), tf.device(place):
        found = steps(lambda: configured(class_name), lambda: tf.Session(servers.target))
        devices = {variable.device for variable in tf.global_variables()}
        assert devices == {"/job:ps/task:0", "/job:ps/task:1"}
    same_bits(expected, found)


def outcome(text):
    return re.search(r"steps (\d+) loss ([\d.]+) accuracy ([\d.]+)", text).groups()


@pytest.mark.slow
@pytest.mark.parametrize("way", [[], ["--synchronous"]])
def test_two_workers_train_together(way, tmp_path):
    text = run(EXAMPLE, "--folder", str(tmp_path), *way)
    assert "worker 0 begins" in text and "worker 1 begins" in text
    _, loss, accuracy = outcome(text)
    assert float(loss) < 0.8 and float(accuracy) > 0.8
    saved = tf.train.load_checkpoint(str(tmp_path))
    # Asynchronous workers may each be in a step when the last one is reached.
    assert 400 <= saved.get_tensor("global_step") <= 402
    names = list(saved.get_variable_to_shape_map())
    slots = [name for name in names if "Variable" in name or "Adam" in name]
    assert any(np.any(saved.get_tensor(name)) for name in slots)


@pytest.mark.slow
def test_a_killed_chief_restores_its_checkpoint_and_goes_on(tmp_path):
    text = run(EXAMPLE, "--folder", str(tmp_path), "--kill-a-worker")
    saved = int(re.search(r"killed worker 0, saved is step (\d+)", text).group(1))
    begins = [int(step) for step in re.findall(r"worker 0 begins at step (\d+)", text)]
    # The other worker may have gone on in between.
    assert begins[0] == 0 and saved <= begins[1] < 400
    assert float(outcome(text)[2]) > 0.8


def test_where_no_device_names_a_task_the_graph_has_no_op_for_transport():
    parameter = tf.get_variable("parameter", initializer=np.ones((2, 2), "float32"))
    keras_optimizers.Adam().get_updates(tf.reduce_sum(tf.square(parameter)), [parameter])
    names = [op.name for op in tf.get_default_graph().get_operations()]
    assert not any(name.endswith("coefficients") for name in names)
