"""A step's graph is smaller than upstream's and, fused, no larger than OptimizerV2's."""

import pytest
import tensorflow.compat.v1 as tf

from keras_optimizers.bench import peers


def operations_of(peer, name, tensors=160, without_variables=False):
    """Graph ops that the optimizer and its updates add.

    Arguments:
        without_variables: leave out those that make, initialize and read new variables.
    """
    with tf.Graph().as_default() as graph:
        parameters = [tf.Variable(tf.zeros([16, 16]), use_resource=True) for _ in range(tensors)]
        gradients = [tf.zeros([16, 16])] * tensors
        before = len(graph.get_operations())
        optimizer = peers.make(peer, name)
        peers.step(peer, optimizer, parameters, gradients=gradients)
        added = set(graph.get_operations()[before:])
        if without_variables:
            for variable in tf.global_variables():
                added -= operations_of_a_variable(variable)
        return len(added)


def operations_of_a_variable(variable):
    """The ops that come with a variable."""
    graph, beginning = variable.graph, variable.op.name + "/"
    made = {op for op in variable.handle.consumers() if op.name.startswith(beginning)}
    stack = [variable.op, variable.initializer, *made]
    found = set()
    while stack:
        operation = stack.pop()
        if operation not in found:
            found.add(operation)
            stack += [tensor.op for tensor in operation.inputs if tensor.op.graph is graph]
    return found


@pytest.mark.parametrize("name", peers.OPTIMIZERS)
def test_the_exact_path_has_at_most_six_tenths_of_upstreams_operations(name):
    assert operations_of(peers.EXACT, name) <= 0.6 * operations_of(peers.UPSTREAM, name)


@pytest.mark.parametrize("name", peers.OPTIMIZERS)
def test_the_fused_path_has_at_most_optimizer_v2s_operations(name):
    assert operations_of(peers.FUSED, name) <= operations_of(peers.OPTIMIZER_V2, name)


@pytest.mark.usefixtures("native_op")
@pytest.mark.parametrize("name", peers.OPTIMIZERS)
def test_the_native_path_has_at_most_a_fifth_of_optimizer_v2s_operations(name):
    """Beside the variables, which both make: those are nearly all ops that remain."""
    native, theirs = (
        operations_of(peer, name, without_variables=True)
        for peer in (peers.NATIVE, peers.OPTIMIZER_V2)
    )
    assert native <= 0.2 * theirs
