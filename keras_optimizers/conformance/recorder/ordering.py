"""Reads and writes of one variable in one step that have no order between them.

The original reads `iterations` and `m_schedule` and writes them in one run with no order between,
so its results vary from run to run. Recordings have the order that is meant: a step reads every
value before it writes it. A control edge from the read to the write gives that order and changes
nothing else.
"""

from typing import Any, Dict, List, NamedTuple, Sequence, Set

Race = NamedTuple("Race", [("variable", Any), ("read", Any), ("write", Any)])

_NO_ACCESS = ("VarIsInitializedOp", "IsVariableInitialized", "VariableShape", "Shape")
_NO_COPY = ("Identity", "Reshape", "ExpandDims", "Squeeze", "StopGradient", "PreventGradient")


def find_races(updates: Sequence[Any], variables: Sequence[Any]) -> List[Race]:
    """Every read that neither waits for a write of its variable nor is waited for.

    Arguments:
        updates: what a step runs: ops and tensors.
        variables: resource or ref variables.
    """
    step = _needed_by([getattr(update, "op", update) for update in updates])
    needed: Dict[Any, Set[Any]] = {}

    def waits_for(one: Any, other: Any) -> bool:
        if one not in needed:
            needed[one] = _needed_by([one])
        return other in needed[one]

    races = []
    for variable in variables:
        handle = getattr(variable, "handle", None)
        source = _reference(variable) if handle is None else handle
        users = [op for op in source.consumers() if op in step and op.type not in _NO_ACCESS]
        for write in [op for op in users if _writes(op)]:
            for read in [op for op in users if not _writes(op)]:
                if waits_for(read, write):
                    continue
                accesses = [read]
                if handle is None:  # a ref variable's read is no copy: its users must be done
                    accesses += _users_of_the_same_memory(read, step)
                for access in accesses:
                    if access is write or waits_for(access, write) or waits_for(write, access):
                        continue
                    races.append(Race(variable, access, write))
    return races


def put_in_order(updates: Sequence[Any], variables: Sequence[Any]) -> int:
    """Make every write wait for the reads that it races with; the number of edges added.

    Call it before a session has run any of the ops: a session does not see later changes.
    """
    added = 0
    races = find_races(updates, variables)
    for race in races:
        # An edge may have been given already by another one: then this adds nothing.
        if race.write not in _needed_by([race.read]):
            _wait(race.write, race.read)
            added += 1
    return added


def _users_of_the_same_memory(op: Any, step: Set[Any]) -> List[Any]:
    """The ops that read what `op` gives, also through ops that copy nothing."""
    found: List[Any] = []
    for output in op.outputs:
        for user in output.consumers():
            if user in step:
                found.append(user)
                if user.type in _NO_COPY:
                    found += _users_of_the_same_memory(user, step)
    return found


def _writes(op: Any) -> bool:
    return op.type.startswith("Assign") or "Apply" in op.type or "Scatter" in op.type


def _reference(variable: Any) -> Any:
    return variable._ref() if hasattr(variable, "_ref") else variable.op.outputs[0]


def _needed_by(ops: Sequence[Any]) -> Set[Any]:
    """The ops that `ops` wait for, and `ops`."""
    seen, stack = set(), list(ops)  # type: Set[Any], List[Any]
    while stack:
        op = stack.pop()
        if op in seen:
            continue
        seen.add(op)
        stack.extend(op.control_inputs)
        stack.extend(tensor.op for tensor in op.inputs)
    return seen


def _wait(write: Any, read: Any) -> None:
    if hasattr(write, "_add_control_inputs"):
        write._add_control_inputs([read])
    elif hasattr(write, "_add_control_input"):
        write._add_control_input(read)
    else:  # TensorFlow 1.4
        write._control_inputs.append(read)
        write._recompute_node_def()
