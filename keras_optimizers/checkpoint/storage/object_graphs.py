"""TensorFlow's graphs of Python objects: which object holds which, and where the values lie.

A checkpoint of objects holds one as a tensor, saved_model.pb holds another of the same objects, and
keras_metadata.pb says what Keras needs to make them again. All number the objects alike.
"""

import json
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from keras_optimizers.checkpoint.storage.protobuf import (
    Value,
    message,
    nested,
    number,
    text,
    written,
)

# The tensor's name in a checkpoint.
OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
# The name of a variable's attribute.
_VALUE = "VARIABLE_VALUE"
_META_GRAPHS, _OBJECT_GRAPH_DEF = 2, 7


class Node(NamedTuple):
    """An object.

    Attributes:
        children: the numbers of the objects that it holds, by attribute.
        full_name: of a variable, as TensorFlow's graph names it.
        key: the name of the variable's tensor in the checkpoint; "" for other objects.
        slots: of an optimizer: (number of the parameter, name of the role, number of the slot).
        others: what else is written about it, as (field, value) of its message.
    """

    children: Dict[str, int]
    full_name: str = ""
    key: str = ""
    slots: Sequence[Tuple[int, str, int]] = ()
    others: Sequence[Tuple[int, Value]] = ()


class SavedNode(NamedTuple):
    """An object of a SavedModel.

    Attributes:
        children: the numbers of the objects that it holds, by attribute.
        identifier: which kind of object Keras wrote.
        metadata: what Keras says about it; {} for nothing.
        variable: the variable's name; "" for other objects.
    """

    children: Dict[str, int]
    identifier: str
    metadata: Dict[str, Any]
    variable: str


def parse_checkpoint_graph(data: bytes) -> List[Node]:
    """The objects of a checkpoint.

    Raises:
        ValueError: If it is no such graph.
    """
    nodes = []
    for entry in nested(message(data), 1):
        fields = message(entry)
        full_name = key = ""
        others = [(one, value) for one in sorted(set(fields) - {1, 2, 3}) for value in fields[one]]
        for attribute in nested(fields, 2):
            held = message(attribute)
            if text(held, 1) == _VALUE:
                full_name, key = text(held, 2), text(held, 3)
            else:
                others.append((2, attribute))
        slots = [message(slot) for slot in nested(fields, 3)]
        found = [(number(slot, 1), text(slot, 2), number(slot, 3)) for slot in slots]
        nodes.append(Node(_children(fields), full_name, key, found, others))
    _check_numbers(
        [
            [*node.children.values(), *(one for slot in node.slots for one in (slot[0], slot[2]))]
            for node in nodes
        ]
    )
    return nodes


def written_checkpoint_graph(nodes: Sequence[Node]) -> bytes:
    """The objects as a checkpoint holds them: the inverse of `parse_checkpoint_graph`."""
    entries = []
    for node in nodes:
        fields: List[Tuple[int, Value]] = [
            (1, written([(1, child), (2, name)])) for name, child in node.children.items()
        ]
        if node.key:
            fields.append((2, written([(1, _VALUE), (2, node.full_name), (3, node.key)])))
        fields += [(3, written([(1, one), (2, name), (3, slot)])) for one, name, slot in node.slots]
        entries.append((1, written([*fields, *node.others])))
    return written(entries)


def keys_of(node: Node) -> List[str]:
    """The names of the tensors that hold an object's values."""
    attributes = nested({2: [value for field, value in node.others if field == 2]}, 2)
    others = [text(message(attribute), 3) for attribute in attributes]
    return [key for key in (node.key, *others) if key]


def paths(nodes: Sequence[Node]) -> Dict[int, str]:
    """The shortest path to each object that can be reached from the first, by its number."""
    found, waiting = {0: ""}, [0]
    for number_ in waiting:  # grows
        for name, child in nodes[number_].children.items():
            if child not in found:
                found[child] = f"{found[number_]}/{name}".lstrip("/")
                waiting.append(child)
    return found


def at_path(nodes: Sequence[Node], path: str) -> Optional[int]:
    """The number of the object at the end of a path; None where there is none."""
    place: Optional[int] = 0
    for name in path.split("/"):
        place = None if place is None else nodes[place].children.get(name)
    return place


def without_unreachable(nodes: Sequence[Node]) -> List[Node]:
    """The objects that can be reached from the first, numbered anew."""
    kept, waiting = {0: 0}, [0]
    for one in waiting:  # grows
        slots = nodes[one].slots
        for other in [*nodes[one].children.values(), *(n for slot in slots for n in slot[::2])]:
            if other not in kept:
                kept[other] = len(kept)
                waiting.append(other)
    return [
        nodes[one]._replace(
            children={name: kept[child] for name, child in nodes[one].children.items()},
            slots=[(kept[n], role, kept[slot]) for n, role, slot in nodes[one].slots],
        )
        for one in waiting
    ]


def parse_saved_model(data: bytes) -> List[SavedNode]:
    """The objects in saved_model.pb.

    Raises:
        ValueError: If it is no such file.
    """
    nodes = []
    for graph in nested(message(data), _META_GRAPHS)[:1]:
        for objects in nested(message(graph), _OBJECT_GRAPH_DEF):
            for entry in nested(message(objects), 1):
                fields = message(entry)
                identifier, metadata, variable = "", {}, ""
                for held in nested(fields, 4):
                    user_object = message(held)
                    identifier, metadata = text(user_object, 1), _json(text(user_object, 3))
                for held in nested(fields, 7):
                    variable = text(message(held), 6)
                nodes.append(SavedNode(_children(fields), identifier, metadata, variable))
    _check_numbers([[*node.children.values()] for node in nodes])
    return nodes


def parse_keras_metadata(data: bytes) -> Dict[int, Dict[str, Any]]:
    """What keras_metadata.pb says, by the object's number.

    Raises:
        ValueError: If it is no such file.
    """
    entries = [message(entry) for entry in nested(message(data), 1)]
    return {number(entry, 2): _json(text(entry, 5)) for entry in entries}


def list_items(children: Dict[str, int]) -> List[int]:
    """The numbers of the objects in a list, whose children are 0, 1, ..."""
    return [children[str(index)] for index in range(len(children)) if str(index) in children]


def _children(fields: Dict[int, List[Value]]) -> Dict[str, int]:
    children = [message(child) for child in nested(fields, 1)]
    return {text(child, 2): number(child, 1) for child in children}


def _check_numbers(numbers: Sequence[Sequence[int]]) -> None:
    """No object refers to one that is not there.

    Raises:
        ValueError: If one does.
    """
    for held in numbers:
        if any(one >= len(numbers) for one in held):
            raise ValueError("an object refers to another that is not there")


def _json(written: str) -> Dict[str, Any]:
    if not written:
        return {}
    try:
        value = json.loads(written)
    except RecursionError as error:
        raise ValueError("the metadata is nested too deeply") from error
    return value if isinstance(value, dict) else {}
