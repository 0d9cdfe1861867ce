"""The optimizers among a checkpoint's objects: where they are, which one is meant, whose they are.

A checkpoint follows the attributes of Python objects. Keras saves a model whose optimizer is its
attribute `optimizer`; whoever writes `tf.train.Checkpoint(generator=..., generator_optimizer=...)`
chooses the names, and there may be several optimizers.
"""

from typing import Any, Dict, NamedTuple, Optional, Sequence

from keras_optimizers.checkpoint.errors import CheckpointError
from keras_optimizers.checkpoint.matching import Candidate
from keras_optimizers.checkpoint.state import Array
from keras_optimizers.checkpoint.storage import bundles
from keras_optimizers.checkpoint.storage.object_graphs import Node, at_path, paths

VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
# What tells the optimizers of OptimizerV2, of tf.keras 2.11 and later, and of this package.
V2_ITERATIONS = "iter"
ITERATIONS, LIST = "_iterations", "_variables"
REPLACED_ITERATIONS = "replaced_iterations"
OPTIMIZER_V2, TF_KERAS_2_11, OURS = "OptimizerV2", "tf.keras 2.11", "this package"
_TOLD_BY = {
    OPTIMIZER_V2: {V2_ITERATIONS},
    TF_KERAS_2_11: {ITERATIONS, LIST},
    OURS: {"iterations", REPLACED_ITERATIONS},
}
# No part of a model.
_NOT_OF_MODELS = ("save_counter", "keras_api")


class Place(NamedTuple):
    """Where an optimizer is.

    Attributes:
        path: the attributes that lead to it, `model/optimizer`.
        number: of the object.
        kind: whose it is: OPTIMIZER_V2, TF_KERAS_2_11 or OURS.
    """

    path: str
    number: int
    kind: str


class Objects(NamedTuple):
    """A checkpoint's objects and values.

    Attributes:
        tensors: all numbers, by name.
        nodes: the objects.
        optimizers: all that are known.
    """

    prefix: str
    tensors: Dict[str, Array]
    nodes: Sequence[Node]
    optimizers: Sequence[Place]

    def chosen(self, name: Optional[str] = None) -> Place:
        """The optimizer that is meant.

        Arguments:
            name: the attributes that lead to it; None where there is only one.

        Raises:
            CheckpointError: If there is none, or none of that name, or several and no name.
        """
        listed = ", ".join(place.path for place in self.optimizers)
        if name is not None:
            number = at_path(self.nodes, name)
            for place in self.optimizers:
                if place.number == number:
                    return place
            raise CheckpointError(
                f"{self.prefix!r} has no optimizer {name!r}; it has: {listed or 'none'}."
            )
        if len(self.optimizers) == 1:
            return self.optimizers[0]
        if not self.optimizers:
            raise CheckpointError(f"{self.prefix!r} holds no optimizer that is known.")
        raise CheckpointError(
            f"{self.prefix!r} holds {len(self.optimizers)} optimizers: {listed}. Choose one with "
            "--optimizer NAME."
        )

    def value(self, number: int) -> Array:
        """A variable's value.

        Raises:
            CheckpointError: If it is missing.
        """
        key = self.nodes[number].key
        if key not in self.tensors:
            raise CheckpointError(f"Cannot read {self.prefix!r}: it has no tensor {key!r}.")
        return self.tensors[key]

    def variables(self) -> Dict[str, int]:
        """The numbers of the models' variables by path, in the order of the attributes."""
        optimizers = {place.number for place in self.optimizers}
        found: Dict[str, int] = {}
        seen = set()
        waiting = [0]
        while waiting:  # depth first: a layer's variables stay together
            number = waiting.pop()
            if number in seen or number in optimizers:
                continue
            seen.add(number)
            node = self.nodes[number]
            if node.key in self.tensors and self.tensors[node.key].dtype.kind == "f":
                found[node.key[: -len(VALUE)]] = number
            children = [n for name, n in node.children.items() if name not in _NOT_OF_MODELS]
            waiting += reversed(children)
        return found

    def full_names(self) -> Dict[str, str]:
        """The names of all variables in TensorFlow's graph, by path."""
        return {node.key[: -len(VALUE)]: node.full_name for node in self.nodes if node.key}


class ReadObjects(NamedTuple):
    """What is read of a checkpoint, and what is known besides.

    Attributes:
        objects: of the checkpoint.
        optimizer: which of its optimizers.
        candidates: the model's variables in their order, from a file that holds the model; None
            where there is none.
        values: hyperparameters that are known otherwise.
        class_name: the class that the user gave, needed where the checkpoint does not tell.
    """

    objects: Objects
    optimizer: Place
    candidates: Optional[Sequence[Candidate]]
    values: Dict[str, Any]
    class_name: Optional[str]


def kind_of(node: Node) -> Optional[str]:
    """Whose optimizer an object is; None where it is none that is known."""
    for kind, attributes in _TOLD_BY.items():
        if attributes <= set(node.children):
            return kind
    return None


def open_objects(prefix: str, tensors: Optional[Dict[str, Array]] = None) -> Objects:
    """The objects of a checkpoint.

    Arguments:
        tensors: its numbers, where they are known.

    Raises:
        CheckpointError: If it cannot be read.
    """
    nodes = bundles.open_object_graph(prefix)
    places = []
    for number, path in paths(nodes).items() if nodes else ():
        kind = kind_of(nodes[number])
        if kind is not None:
            places.append(Place(path, number, kind))
    tensors = bundles.open_bundle(prefix) if tensors is None else tensors
    return Objects(prefix, tensors, nodes, places)
