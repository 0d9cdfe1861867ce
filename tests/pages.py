"""The pages of README and docs, for the tests that follow them."""

import glob
import os
import re
import shutil
from typing import List, NamedTuple

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGES = sorted(
    os.path.relpath(path, ROOT)
    for pattern in ("*.md", "docs/*.md", "docs/hosts/*.md")
    for path in glob.glob(os.path.join(ROOT, pattern))
)
SCRIPT = """
import sys
import numpy as np
import tensorflow as tf
model = tf.keras.Sequential([tf.keras.layers.Dense(1, input_shape=(4,))])
model.compile(tf.keras.optimizers.Adam(lr=0.01), "mse")
assert "keras_optimizers" in type(model.optimizer).__module__ or "--any" in sys.argv
model.train_on_batch(np.ones((32, 4)), np.ones((32, 1)))
"""


class Block(NamedTuple):
    """A fenced block of a page; `line` is the number of its first line."""

    page: str
    line: int
    language: str
    text: str


def read(path: str) -> str:
    with open(os.path.join(ROOT, path), encoding="utf-8") as opened:
        return opened.read()


def blocks_of(page: str) -> List[Block]:
    """The fenced blocks of a page, in their order; the indentation of lists is taken off."""
    text = read(page)
    fenced = re.finditer(r"^( *)```(.*)\n((?:.*\n)*?)\1```$", text, re.MULTILINE)
    return [
        Block(
            page,
            text.count("\n", 0, found.start()) + 2,
            found.group(2),
            re.sub("^" + found.group(1), "", found.group(3), flags=re.MULTILINE),
        )
        for found in fenced
    ]


def prepare(folder: object) -> None:
    """The files that the pages' commands name."""
    sources = os.path.join(ROOT, "tests", "eras", "sources")
    shutil.copy(os.path.join(sources, "tf-keras-1.10", "adam.h5"), str(folder / "old.h5"))
    (folder / "train.py").write_text(SCRIPT)
