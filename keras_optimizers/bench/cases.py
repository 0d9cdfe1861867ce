"""What is measured: the shapes of real models, at the sizes where it matters."""

from typing import Any, Dict, List, NamedTuple, Tuple

import numpy as np


class Case(NamedTuple):
    """One shape of work.

    Attributes:
        title: what it is, for a reader.
        shapes: the parameters' shapes.
        batch: rows that a batch touches, where the gradients are those of lookups; else 0.
        rounds: timed rounds, each with every peer in turn.
    """

    title: str
    shapes: List[Tuple[int, ...]]
    batch: int
    rounds: int

    @property
    def size(self) -> int:
        """Parameters in all."""
        return int(sum(np.prod(shape) for shape in self.shapes))


def _resnet50() -> List[Tuple[int, ...]]:
    """The trainable parameters of ResNet-50 (He et al. 2015), 25.6 M in 161 tensors... of Keras."""
    shapes: List[Tuple[int, ...]] = [(7, 7, 3, 64), (64,), (64,), (64,)]
    channels = 64
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(blocks):
            kernels = [(1, 1, channels, width), (3, 3, width, width), (1, 1, width, 4 * width)]
            if block == 0:
                kernels.append((1, 1, channels, 4 * width))
            for kernel in kernels:
                # The kernel, its bias, and scale and offset of the batch normalization.
                shapes += [kernel] + [(kernel[-1],)] * 3
            channels = 4 * width
    return shapes + [(2048, 1000), (1000,)]


def _lstm_language_model() -> List[Tuple[int, ...]]:
    """Two LSTM layers of 650 and a softmax over 10,000 words (Zaremba et al. 2014, medium)."""
    units, words = 650, 10000
    layer: List[Tuple[int, ...]] = [(units, 4 * units), (units, 4 * units), (4 * units,)]
    return [(words, units)] + layer + layer + [(units, words), (words,)]


def _embedding(rows: int) -> Case:
    title = f"embedding {rows:,} x 64, a batch of 2,048 rows"
    return Case(title, [(rows, 64)], 2048, 15)


CASES: Dict[str, Case] = {
    "small": Case("160 tensors of 16 x 16", [(16, 16)] * 160, 0, 60),
    "large": Case("25 M parameters in 6 tensors", [(2048, 2048)] * 6, 0, 11),
    "resnet50": Case("ResNet-50's parameters", _resnet50(), 0, 11),
    "lstm": Case("an LSTM language model's parameters", _lstm_language_model(), 0, 11),
    "embedding": _embedding(500000),
}

# How the cost of a lookup's update grows with the table.
VOCABULARIES = (10**4, 10**5, 10**6)


def vocabulary_case(rows: int) -> Case:
    """The embedding case with another number of rows."""
    return _embedding(rows)


def make_gradients(case: Case) -> List[Any]:
    """NumPy gradients: arrays, or (values, row numbers) of lookups, rows repeated as words are."""
    random = np.random.RandomState(0)
    gradients: List[Any] = []
    for shape in case.shapes:
        if case.batch:
            rows = random.zipf(1.3, size=case.batch) % shape[0]
            values = random.normal(scale=0.01, size=(case.batch,) + shape[1:])
            gradients.append((values.astype("float32"), rows.astype("int32")))
        else:
            gradients.append(random.normal(scale=0.01, size=shape).astype("float32"))
    return gradients
