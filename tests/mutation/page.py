"""The results in docs/mutation.md: one row for each module, and the mutants that are explained."""

import os
import re
import textwrap
from typing import Dict, List

from tests.mutation.explained import EXPLAINED

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGE = os.path.join(ROOT, "docs", "mutation.md")
MARK = "<!-- results -->\n"
COLUMNS = ("killed", "too slow", "explained", "survived")


def read() -> str:
    with open(PAGE, encoding="utf-8") as file:
        return file.read()


def rows_of(page: str) -> Dict[str, List[int]]:
    """The counts of the page, by module: mutants, then `COLUMNS`."""
    rows = re.findall(r"^\| `([\w.]+)` \|((?: \d+ \|)+)$", page, re.M)
    return {module: [int(count) for count in re.findall(r"\d+", rest)] for module, rest in rows}


def written(page: str, counts: Dict[str, Dict[str, int]], order: List[str]) -> str:
    """The page with the rows of `counts`, and those that it had of other modules."""
    rows = rows_of(page)
    for module, found in counts.items():
        rows[module] = [sum(found.values()), *(found[name] for name in COLUMNS)]
    lines = ["| module | mutants | %s |" % " | ".join(COLUMNS), "| --- |" + " --- |" * 5]
    for module in (one for one in order if one in rows):
        lines.append("| `%s` | %s |" % (module, " | ".join(map(str, rows[module]))))
    return page.partition(MARK)[0] + MARK + "\n".join(lines) + "\n" + explanations()


def explanations() -> str:
    """Each explained mutant with its reason."""
    text = "\n## Explained\n"
    for module, mutants in EXPLAINED.items():
        text += "\n### %s\n" % module
        for before, after, reason in mutants:
            reason = textwrap.fill(reason, 120, break_on_hyphens=False)
            text += "\n```text\n- %s\n+ %s\n```\n\n%s\n" % (before, after, reason)
    return text
