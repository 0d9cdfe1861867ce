"""Where slots and updates run: on the device of their parameter, whatever that is."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import keras_optimizers
from tests.training import CLASS_NAMES, K, configured, same_bits

SHAPES = [(4, 3), (3, 3), (3, 3), (3, 3), (3, 2)]  # three of one shape: they are stacked


def chain(devices):
    """(placeholder, parameters, loss): a product of matrices, each on its device."""
    inputs = tf.placeholder(tf.float32, (None, 4))
    random = np.random.RandomState(1)
    parameters, value = [], inputs
    for index, (shape, device) in enumerate(zip(SHAPES, devices)):
        with tf.device(device):
            start = random.standard_normal(shape).astype("float32")
            parameters.append(
                tf.get_variable("matrix_%d" % index, initializer=start, use_resource=True)
            )
            value = tf.tanh(tf.matmul(value, parameters[-1]))
    return inputs, parameters, tf.reduce_mean(tf.square(value))


def device_of(op):
    """As the placer sees it: the device of the op that it is colocated with comes first."""
    graph = op.graph
    for group in op.colocation_groups():
        name = group.decode()[len("loc:@") :]
        if name != op.name:
            return device_of(graph.get_operation_by_name(name))
    if op.type == "ReadVariableOp" and not op.device:  # TensorFlow 2 leaves it to the placer
        return device_of(op.inputs[0].op)
    return op.device


def users_of(variable):
    """The ops that read or write a resource variable."""
    return [op for op in variable.handle.consumers() if op.type != "VarIsInitializedOp"]


def is_write(op):
    return op.type.startswith(("Assign", "ResourceApply", "KerasOptimizersStep"))


def slots_of(optimizer):
    return [variable for variable in optimizer.weights if variable.shape.ndims]


@pytest.mark.parametrize("options", [{}, {"fused": True}], ids=["exact", "fused"])
@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_slots_and_updates_of_a_gpu_parameter_are_on_that_gpu_and_the_graph_runs_on_a_cpu(
    class_name, options
):
    with tf.device("/gpu:0"):
        inputs, parameters, loss = chain([""] * len(SHAPES))
        optimizer = configured(class_name, **options)
        updates = optimizer.get_updates(loss, parameters)
    slots = slots_of(optimizer)
    assert len(slots) >= len(parameters)
    for variable in parameters + slots:
        assert variable.device.upper().endswith("GPU:0"), variable.name
        for op in users_of(variable):
            assert device_of(op).upper().endswith("GPU:0"), (op.name, device_of(op))
    step = tf.group(*updates)
    with tf.Session(config=tf.ConfigProto(allow_soft_placement=True)) as session:
        session.run(tf.global_variables_initializer())
        session.run(step, {inputs: np.ones((2, 4))})
        assert session.run(optimizer.iterations) == 1


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_a_gpu_parameter_of_an_optimizer_made_outside_takes_its_slots_along(class_name):
    optimizer = configured(class_name)
    _, parameters, loss = chain(["/gpu:0", "/cpu:0", "/gpu:1", "/gpu:0", ""])
    optimizer.get_updates(loss, parameters)
    slots = slots_of(optimizer)
    for index, slot in enumerate(slots):
        if slot.shape == parameters[index % len(parameters)].shape:
            assert slot.device == parameters[index % len(parameters)].device
    # Scalars stay where the optimizer was made: no device was asked for.
    assert optimizer.iterations.device == ""


@pytest.mark.parametrize("resource", [True, False])
@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_a_device_in_force_where_updates_are_built_moves_no_slot(class_name, resource):
    optimizer = configured(class_name)
    parameters = []
    for index, device in enumerate(["", "/cpu:1", "/cpu:2"]):
        with tf.device(device):
            start = np.ones((3, 3), "float32") * (index + 1)
            parameters.append(
                tf.get_variable("matrix_%d" % index, initializer=start, use_resource=resource)
            )
    loss = tf.add_n([tf.reduce_sum(tf.square(parameter)) for parameter in parameters])
    with tf.device("/cpu:3"):
        updates = optimizer.get_updates(loss, parameters)
    for index, slot in enumerate(slots_of(optimizer)):
        assert slot.device == parameters[index % 3].device, slot.name
    writes = [op for op in tf.get_default_graph().get_operations() if is_write(op)]
    assert not [op.name for op in writes if device_of(op).endswith(":3")]
    with tf.Session(config=tf.ConfigProto(device_count={"CPU": 4})) as session:
        session.run(tf.global_variables_initializer())
        session.run(updates)
        assert session.run(optimizer.iterations) == 1


@pytest.mark.parametrize("options", [{}, {"fused": True}], ids=["exact", "fused"])
@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_with_several_devices_only_values_of_the_model_and_scalars_travel(class_name, options):
    devices = ["/cpu:1", "/cpu:2", "/cpu:2", "/cpu:2", "/cpu:3"]
    inputs, parameters, loss = chain(devices)
    optimizer = configured(class_name, **options)
    step = tf.group(*optimizer.get_updates(loss, parameters))
    feed = {inputs: np.ones((2, 4))}
    told = tf.RunMetadata()
    with tf.Session(config=tf.ConfigProto(device_count={"CPU": 4})) as session:
        session.run(tf.global_variables_initializer())
        session.run(step, feed, tf.RunOptions(output_partition_graphs=True), told)
    nodes = {node.name: node for graph in told.partition_graphs for node in graph.node}
    homes = {variable.op.name: variable.device for variable in parameters + slots_of(optimizer)}
    used = 0
    for node in nodes.values():
        for name in node.input:
            name = name.partition(":")[0].lstrip("^")
            home = homes.get(name)
            if home is not None:  # no copy of a variable's handle is on another device
                used += 1
                assert node.device.endswith(home.rsplit(":", 2)[-2] + ":" + home[-1]), node.name
    assert used >= 2 * len(parameters)
    sent = [nodes[n.input[0].partition(":")[0]] for n in nodes.values() if n.op == "_Send"]
    slot_names = {slot.op.name for slot in slots_of(optimizer)}
    for node in sent:
        assert not (node.op == "ReadVariableOp" and node.input[0] in slot_names), node.name


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_devices_do_not_change_the_bits(class_name):
    results = []
    for devices in ([""] * 5, ["/cpu:1", "/cpu:2", "/cpu:2", "/cpu:0", "/cpu:3"]):
        with tf.Graph().as_default():
            inputs, parameters, loss = chain(devices)
            step = tf.group(*configured(class_name).get_updates(loss, parameters))
            with tf.Session(config=tf.ConfigProto(device_count={"CPU": 4})) as session:
                session.run(tf.global_variables_initializer())
                for _ in range(3):
                    session.run(step, {inputs: np.ones((2, 4))})
                results.append(session.run(parameters))
    same_bits(*results)


def test_multi_gpu_model_trains_as_one_replica_with_soft_placement(monkeypatch):
    # The function wants to see GPUs; its graph then runs on CPUs by soft placement.
    from tensorflow.python.keras.utils import multi_gpu_utils

    names = ["/device:CPU:0", "/device:GPU:0", "/device:GPU:1"]
    monkeypatch.setattr(multi_gpu_utils, "_get_available_devices", lambda: names)
    layers = tf.keras.layers
    results = []
    for several in (False, True):
        K.clear_session()
        K.set_session(tf.Session(config=tf.ConfigProto(allow_soft_placement=True)))
        with tf.device("/cpu:0"):
            model = tf.keras.Sequential(
                [layers.Dense(3, activation="tanh", input_shape=(4,)), layers.Dense(1)]
            )
            random = np.random.RandomState(3)
            model.set_weights([random.standard_normal(v.shape) for v in model.get_weights()])
        trained = tf.keras.utils.multi_gpu_model(model, gpus=2) if several else model
        trained.compile(keras_optimizers.Adam(lr=0.01), "mse")
        features = random.standard_normal((16, 4)).astype("float32")
        for _ in range(4):
            trained.train_on_batch(features, features.sum(axis=1, keepdims=True))
        if several:
            replicas = {op.device for op in tf.get_default_graph().get_operations()}
            assert {"/device:GPU:0", "/device:GPU:1"} <= replicas
            for slot in slots_of(trained.optimizer):
                assert "CPU:0" in slot.device or slot.shape == (1,), slot.name
        results.append(model.get_weights())
    for one, other in zip(*results):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
