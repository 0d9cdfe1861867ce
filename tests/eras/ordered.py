"""Old Keras reads and writes variables in one run without order: the order that it means."""

import os
import sys

sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

# Our package is not installed in the environments of other packages; this part needs none of them.
from keras_optimizers.conformance.recorder.ordering import put_in_order


def order_reads_before_writes(variables, function):
    """In a backend function's run, every write of a variable waits for what reads it."""
    put_in_order([*function.outputs, function.updates_op], variables)
