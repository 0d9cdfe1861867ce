"""Which tensors cross between tasks in one step with parameter servers: upstream, tf.train, ours.

    python benchmarks/parameter_server_traffic.py
    python benchmarks/parameter_server_traffic.py --optimizer Adam --details
    python benchmarks/parameter_server_traffic.py --json

Two parameter servers and a worker run as processes of their own on this machine. The model has four
matrices, two on each server. What crosses is counted in the graphs that TensorFlow made for the
tasks (`RunMetadata.partition_graphs`): every `_Recv` whose sender is another task.

In the rows "global step" the optimizer counts TensorFlow's global step, as a
MonitoredTrainingSession needs it; it is on another server than the hyperparameters.
"""

import argparse
import collections
import json
import os
import socket
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

SERVERS = 2
SHAPES = [(8, 16), (16, 12), (12, 10), (10, 4)]
OPTIMIZERS = ("SGD", "RMSprop", "Adam")
KINDS = ("upstream", "tf.train", "ours", "ours, fused", "ours, global step")
DIRECTIONS = ("ps -> worker", "worker -> ps", "ps -> ps")
COLUMNS = (
    "tensors",
    *DIRECTIONS,
    "parameters",
    "gradients",
    "slots",
    "new values",
    "coefficients",
    "control",
    "bytes",
)
BATCH = 5
LARGEST_COEFFICIENTS = 64  # bytes; the smallest matrix has 160


def free_ports(count):
    """Ports of 127.0.0.1 on which nothing listens."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Cluster:
    """Parameter servers as processes; they end with the `with` block."""

    def __init__(self, workers=1):
        ports = free_ports(SERVERS + workers)
        addresses = ["127.0.0.1:%d" % port for port in ports]
        self.addresses = {"ps": addresses[:SERVERS], "worker": addresses[SERVERS:]}
        self._processes = []

    def __enter__(self):
        for index in range(SERVERS):
            command = [sys.executable, os.path.abspath(__file__), "--serve", str(index)]
            command += ["--cluster", json.dumps(self.addresses)]
            self._processes.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
        return self

    def __exit__(self, *exception):
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait()


def serve(index, addresses):
    """Be a parameter server until terminated."""
    import tensorflow.compat.v1 as tf

    tf.train.Server(tf.train.ClusterSpec(addresses), job_name="ps", task_index=index).join()


def training_step(kind, name, parameters, loss):
    """The op that makes one step."""
    import tensorflow.compat.v1 as tf

    import keras_optimizers
    from keras_optimizers.tensorflow_private import HOST_OPTIMIZERS as upstream

    if kind == "tf.train":
        made = {
            "SGD": lambda: tf.train.MomentumOptimizer(0.01, 0.9),
            "RMSprop": lambda: tf.train.RMSPropOptimizer(0.01),
            "Adam": lambda: tf.train.AdamOptimizer(0.01),
        }[name]()
        return made.minimize(loss, var_list=parameters)
    options = {"SGD": {"lr": 0.01, "momentum": 0.9}}.get(name, {"lr": 0.01})
    if kind == "ours, fused":
        options["fused"] = True
    module = upstream if kind == "upstream" else keras_optimizers
    if kind == "ours, global step":
        global_step = tf.train.get_or_create_global_step()
    optimizer = getattr(module, name)(**options)
    if kind == "ours, global step":
        optimizer.iterations = global_step
    return tf.group(*optimizer.get_updates(loss, parameters))


def measure(kind, name, server):
    """What crosses in a step: a list of (class, from, to, name, bytes)."""
    import numpy as np
    import tensorflow.compat.v1 as tf

    with tf.Graph().as_default() as graph:
        place = tf.train.replica_device_setter(
            worker_device="/job:worker/task:0", cluster=server.server_def.cluster
        )
        with tf.device(place):
            random = np.random.RandomState(1)
            parameters = [
                tf.get_variable(
                    "matrix_%d" % index,
                    initializer=random.standard_normal(shape).astype("float32"),
                    use_resource=True,
                )
                for index, shape in enumerate(SHAPES)
            ]
            inputs = hidden = tf.placeholder(tf.float32, (BATCH, SHAPES[0][0]))
            for parameter in parameters:
                hidden = tf.tanh(tf.matmul(hidden, parameter))
            loss = tf.reduce_mean(tf.square(hidden))
            step = training_step(kind, name, parameters, loss)
        with tf.Session(server.target) as session:
            session.run(tf.global_variables_initializer())
            feed = {inputs: random.standard_normal((BATCH, SHAPES[0][0]))}
            told = tf.RunMetadata()
            session.run(step, feed, tf.RunOptions(output_partition_graphs=True), told)
        return crossing(told.partition_graphs, graph, {p.op.name for p in parameters})


def crossing(partitions, graph, parameters):
    """The `_Recv` nodes that other tasks send, each with what it is.

    Arguments:
        partitions: what each device runs.
        graph: that they were made from; it knows the shapes.
        parameters: their names.
    """
    import tensorflow.compat.v1 as tf

    nodes = {node.name: node for partition in partitions for node in partition.node}
    senders = {
        node.attr["tensor_name"].s: node for node in nodes.values() if node.op.endswith("Send")
    }
    found = []
    for node in nodes.values():
        if not node.op.endswith("Recv"):
            continue
        ends = [node.attr[end].s.decode() for end in ("send_device", "recv_device")]
        ends = ["%s:%d" % (d.job, d.task) for d in map(tf.DeviceSpec.from_string, ends)]
        if ends[0] == ends[1]:
            continue
        name, _, index = senders[node.attr["tensor_name"].s].input[0].partition(":")
        size = size_of(name, int(index or 0), node.attr["tensor_type"].type, graph)
        kind = what_is(nodes[name], size, ends, nodes, parameters)
        found.append((kind, ends[0], ends[1], name, 0 if kind == "control" else size))
    return found


def size_of(name, index, dtype, graph):
    """Bytes of a tensor; a scalar's where the graph has been rewritten."""
    import tensorflow.compat.v1 as tf

    size = tf.DType(dtype).size
    try:
        count = graph.get_tensor_by_name("%s:%d" % (name, index)).shape.num_elements()
    except (KeyError, ValueError):
        count = 1
    return size * (1 if count is None else count)


def what_is(origin, size, ends, nodes, parameters):
    """The class of a tensor."""
    if origin.op == "Const" and any(name.startswith("^") for name in origin.input):
        return "control"  # a dummy that tells that something is done
    variable = variable_of(origin, nodes)
    if variable in parameters:
        return "parameters"
    if size <= LARGEST_COEFFICIENTS:
        return "coefficients"
    if variable is not None:
        return "slots"
    gradient = ends[0].startswith("worker") and origin.name.startswith("gradients")
    return "gradients" if gradient else "new values"


def variable_of(node, nodes):
    """The variable that a node reads, or None."""
    if node.op not in ("ReadVariableOp", "Identity", "VariableV2"):
        return None
    while node.op in ("ReadVariableOp", "Identity"):
        node = nodes[node.input[0].partition(":")[0]]
    return node.name if node.op in ("VarHandleOp", "VariableV2") else None


def table(rows):
    """Markdown."""
    lines = ["| optimizer | of | " + " | ".join(COLUMNS) + " |"]
    lines.append("| --- | --- |" + " ---: |" * len(COLUMNS))
    for row in rows:
        cells = [str(row[column]) for column in COLUMNS]
        lines.append("| %s | %s | %s |" % (row["optimizer"], row["of"], " | ".join(cells)))
    return "\n".join(lines)


def summary(name, kind, found):
    """One row of the table."""
    counted = collections.Counter(one[0] for one in found)
    counted.update("%s -> %s" % (one[1][:-2], one[2][:-2]) for one in found)
    row = {column: counted[column] for column in COLUMNS}
    row.update(tensors=len(found), bytes=sum(one[4] for one in found), optimizer=name, of=kind)
    return row


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--optimizer", action="append", choices=OPTIMIZERS)
    parser.add_argument("--details", action="store_true", help="list every tensor of ours")
    parser.add_argument("--json", action="store_true", help="rows and tensors as JSON")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--cluster", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        serve(options.serve, options.cluster)
    import tensorflow.compat.v1 as tf

    from keras_optimizers.tensorflow_private import silence_deprecation_warnings

    silence_deprecation_warnings()
    rows, tensors = [], {}
    with Cluster() as cluster:
        specification = tf.train.ClusterSpec(cluster.addresses)
        server = tf.train.Server(specification, job_name="worker", task_index=0)
        for name in options.optimizer or OPTIMIZERS:
            for kind in KINDS:
                found = measure(kind, name, server)
                rows.append(summary(name, kind, found))
                tensors["%s, %s" % (name, kind)] = found
    if options.json:
        print(json.dumps({"rows": rows, "tensors": tensors}))
    else:
        print(table(rows))
    for label, found in tensors.items():
        if options.details and not options.json and "ours" in label:
            print("\n%s:" % label)
            for one in sorted(found):
                print("  %-12s %s -> %s  %s (%d bytes)" % one)
    sys.stdout.flush()
    os._exit(0)  # TensorFlow's server has no other end


if __name__ == "__main__":
    main()
