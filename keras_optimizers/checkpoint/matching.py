"""Which slot belongs to which parameter: by name where there are names, else by order and shape."""

from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from keras_optimizers.checkpoint.errors import CheckpointError
from keras_optimizers.checkpoint.state import Array, Parameter, Shape


class Candidate(NamedTuple):
    """A variable of the model, maybe trained.

    `trainable` is what the file says about it; None where it says nothing.
    """

    name: str
    array: Array
    trainable: Optional[bool] = None

    def as_parameter(self, name: Optional[str] = None) -> Parameter:
        """It as a trained parameter."""
        name = self.name if name is None else name
        return Parameter(name, self.array.shape, self.array.dtype.name, self.array)


def trained(candidates: Sequence[Candidate]) -> List[Candidate]:
    """Those that are not known to be held fixed."""
    return [candidate for candidate in candidates if candidate.trainable is not False]


def with_slots_though_fixed(
    candidates: Optional[Sequence[Candidate]], parameters: Sequence[Parameter]
) -> Dict[str, str]:
    """What a conversion loses where the file has slots of variables that its config holds fixed.

    Keras 3.0 trains a layer whose constructor was given `trainable=False`; any Keras keeps the
    slots of a layer that was fixed after `compile`. A model that is built from the config has
    fewer trained variables than the file has slots, so its loader takes none of them.
    """
    fixed = {one.name for one in candidates or [] if one.trainable is False}
    names = [parameter.name for parameter in parameters if parameter.name in fixed]
    if not names:
        return {}
    shown = ", ".join(names[:4]) + (" ..." if len(names) > 4 else "")
    return {
        "trainable": f"the model's config holds {shown} fixed, and the file has slots of them: a "
        "model built from this config takes no slots at all. Build the model in code with these "
        "layers trainable, compile it, and load the optimizer's state there"
    }


def match_in_order(
    shapes: Sequence[Shape], candidates: Sequence[Candidate], path: str
) -> List[Candidate]:
    """The candidates that slots of `shapes` belong to, both in the order of training.

    The trained ones where their shapes are those; otherwise the one way to leave candidates out
    such that the shapes agree.

    Raises:
        CheckpointError: If there is no such way, or more than one.
    """
    shapes = [tuple(shape) for shape in shapes]
    expected = trained(candidates)
    if [candidate.array.shape for candidate in expected] == shapes:
        return expected
    ways = _ways(shapes, candidates)
    if len(ways) == 1:
        return [candidates[index] for index in ways[0]]
    found = ", ".join(f"{one.name} {one.array.shape}" for one in expected[:6])
    reason = "fit in no order" if not ways else "fit in more than one way"
    raise CheckpointError(
        f"Cannot read {path!r}: the optimizer's {len(shapes)} slots and the model's "
        f"{len(expected)} trainable weights {reason} (slots {list(shapes[:6])} ..., weights "
        f"{found} ...). Was the model frozen or changed between compile and save?"
    )


def _ways(shapes: Sequence[Shape], candidates: Sequence[Candidate]) -> List[Tuple[int, ...]]:
    """At most two ways to choose candidates, in order, with these shapes."""
    # counts[i][j]: how many ways (at most 2) the shapes from i on fit the candidates from j on.
    rows, columns = len(shapes), len(candidates)
    if rows > columns or rows * columns > 25000000:
        return []
    counts = [[0] * (columns + 1) for _ in range(rows)] + [[1] * (columns + 1)]
    for row in range(rows - 1, -1, -1):
        for column in range(columns - 1, -1, -1):
            fits = candidates[column].array.shape == shapes[row]
            number = counts[row][column + 1] + (counts[row + 1][column + 1] if fits else 0)
            counts[row][column] = min(number, 2)
    if not counts[0][0]:
        return []
    way: List[int] = []
    column = 0
    for row in range(rows):
        while candidates[column].array.shape != shapes[row] or not counts[row + 1][column + 1]:
            column += 1
        way.append(column)
        column += 1
    return [tuple(way)] * counts[0][0]


def sorted_by_name(candidates: Sequence[Candidate]) -> List[Candidate]:
    """In the order of the names that their files have: Keras 2.0.0 to 2.0.5 trained in it."""
    return sorted(candidates, key=lambda one: one.name + ":0")


def unique_names(candidates: Sequence[Candidate]) -> List[str]:
    """Their names; where two are equal, with a number behind the later ones."""
    seen: dict = {}
    names = []
    for candidate in candidates:
        number = seen[candidate.name] = seen.get(candidate.name, 0) + 1
        names.append(candidate.name if number == 1 else f"{candidate.name}#{number}")
    return names
