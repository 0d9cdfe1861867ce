"""What a mistyped word was probably meant to be."""

import difflib
import re
from typing import Iterable


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """ " Did you mean 'keras-3'?" for "keras3"; "" where none of `words` is like `word`.

    Capitals, hyphens, underscores and spaces do not count.
    """
    plain = {_plain(one): one for one in words}
    near = difflib.get_close_matches(_plain(word), list(plain), 1)
    return f" Did you mean {plain[near[0]]!r}?" if near else ""


def _plain(word: str) -> str:
    return re.sub(r"[-_ ]", "", word.lower())
