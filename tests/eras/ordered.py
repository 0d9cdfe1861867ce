"""Old Keras reads and writes variables in one run without order; here is the order they mean.

The counterpart of tests/recorded/ordering.py for any variables, ref variables too.
"""

import problem  # noqa: F401 (puts tests/recorded on the path)
from ordering import depends_on

_WRITES = ("Assign", "AssignAdd", "AssignVariableOp", "AssignAddVariableOp")


def ops_of(function):
    """All that a run of a backend function runs.

    A nested model has ops on its own input besides, which is not fed then.
    """
    outputs = [getattr(output, "op", output) for output in [*function.outputs, function.updates_op]]
    found, waiting = set(), outputs
    while waiting:
        op = waiting.pop()
        if op not in found:
            found.add(op)
            waiting.extend(tensor.op for tensor in op.inputs)
            waiting.extend(op.control_inputs)
    return found


def order_reads_before_writes(variables, ops):
    """Every write of a variable among `ops` waits for what reads it, unless that itself waits."""
    for variable in variables:
        handle = getattr(variable, "handle", None)
        source = variable._ref() if handle is None else handle
        users = [op for op in source.consumers() if op in ops]
        writes = [op for op in users if op.type in _WRITES and _belongs_to_a_step(op, variable)]
        # The value after a write is read by ops that wait for that write.
        all_writes = [op for op in users if op.type in _WRITES]
        reads = [
            op
            for op in users
            if op.type in ("Identity", "ReadVariableOp")
            and not any(write in op.control_inputs for write in all_writes)
        ]
        for write in writes:
            for read in reads:
                waiting = [read]
                if handle is None:  # a ref variable's read is no copy: who uses it must be done
                    waiting += [
                        op for output in read.outputs for op in output.consumers() if op in ops
                    ]
                for waited in waiting:
                    known = waited is write or waited in write.control_inputs
                    if not known and not depends_on(waited, write):
                        write._add_control_inputs([waited])


def _belongs_to_a_step(op, variable):
    """Not the initializer, and not what `set_value` feeds."""
    return op is not variable.initializer and op.inputs[1].op.type != "Placeholder"
