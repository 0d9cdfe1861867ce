"""Put upstream's optimizers in the order they intend: scalars are read before they are written.

Upstream reads `iterations` and `m_schedule` and writes them in one run with no order between, so
its results vary. A control edge from every read to the write removes the race and nothing else.
"""


def order_reads_before_writes(variables):
    """For each resource variable, make its assignments wait for its reads, and for each reader.

    Reads that themselves wait for an assignment (the value "after") are left alone.
    """
    for variable in variables:
        operations = variable.handle.graph.get_operations()
        users = [op for op in operations if variable.handle in list(op.inputs)]
        writes = [
            op
            for op in users
            if op.type in ("AssignVariableOp", "AssignAddVariableOp")
            and op is not variable.initializer
        ]
        for write in writes:
            before = [
                op
                for op in users
                if op.type == "ReadVariableOp"
                and not any(other in op.control_inputs for other in writes)
                and not depends_on(write, op)
            ]
            write._add_control_inputs([op for op in before if op not in write.control_inputs])


def depends_on(op, other):
    """Whether `op` already needs `other` (then the order is there)."""
    seen, stack = set(), [op]
    while stack:
        current = stack.pop()
        if current is other:
            return True
        if current in seen:
            continue
        seen.add(current)
        stack.extend(current.control_inputs)
        stack.extend(tensor.op for tensor in current.inputs)
    return False
