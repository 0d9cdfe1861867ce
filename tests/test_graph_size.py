"""A step's graph is smaller than upstream's and, fused, no larger than OptimizerV2's."""

import pytest
import tensorflow.compat.v1 as tf

from keras_optimizers.bench import peers


def operations_of(peer, name, tensors=160):
    """Graph ops that the optimizer and its updates add."""
    with tf.Graph().as_default() as graph:
        parameters = [tf.Variable(tf.zeros([16, 16]), use_resource=True) for _ in range(tensors)]
        gradients = [tf.zeros([16, 16])] * tensors
        before = len(graph.get_operations())
        optimizer = peers.make(peer, name)
        peers.step(peer, optimizer, parameters, gradients=gradients)
        return len(graph.get_operations()) - before


@pytest.mark.parametrize("name", peers.OPTIMIZERS)
def test_the_exact_path_has_at_most_six_tenths_of_upstreams_operations(name):
    assert operations_of(peers.EXACT, name) <= 0.6 * operations_of(peers.UPSTREAM, name)


@pytest.mark.parametrize("name", peers.OPTIMIZERS)
def test_the_fused_path_has_at_most_optimizer_v2s_operations(name):
    assert operations_of(peers.FUSED, name) <= operations_of(peers.OPTIMIZER_V2, name)
