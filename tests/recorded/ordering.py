"""Upstream's optimizers in the order they intend, wherever in the graph their ops are."""

from keras_optimizers.conformance.recorder.ordering import put_in_order


def order_reads_before_writes(variables):
    """Every write of a variable, but for its initializer, waits for the reads that it races with.

    Reads that themselves wait for a write (the value "after") are left alone.
    """
    initializers = [variable.initializer for variable in variables]
    operations = variables[0].graph.get_operations()
    put_in_order([op for op in operations if op not in initializers], variables)
