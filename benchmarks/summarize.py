"""Writes the short tables of the pages from the files beside it.

    python benchmarks/summarize.py

docs/performance.md: from results.json and results.md; `benchmarks/run` calls it when it has
measured. docs/hosts/tensorflow-2.md: from each tensorflow-RELEASE.json, which is measured by
`keras-optimizers bench --json benchmarks/tensorflow-RELEASE.json` where that release is installed.
"""

import glob
import json
import os
import re
import textwrap
from typing import Any, Dict, List, Sequence

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGE = os.path.join(ROOT, "docs", "performance.md")
TENSORFLOW_2_PAGE = os.path.join(ROOT, "docs", "hosts", "tensorflow-2.md")
RESULTS = os.path.join(ROOT, "benchmarks", "results")
TENSORFLOW_2 = os.path.join(ROOT, "benchmarks", "tensorflow-*.json")
TITLES = {
    "small": "160 small tensors",
    "large": "25 M parameters in 6 tensors",
    "resnet50": "ResNet-50's parameters",
    "lstm": "an LSTM language model's parameters",
    "embedding": "embedding 500,000 x 64",
}
PEERS = ("OptimizerV2", "tf.train")
# On lookups the peers leave out the decay of untouched rows: they compute something else.
NOT_THE_SAME_ON_LOOKUPS = ("SGD momentum", "SGD Nesterov", "Adadelta")


def ratios(
    records: Sequence[Dict[str, Any]], ours: str, others: Sequence[str], without: Sequence[str] = ()
) -> str:
    """For each optimizer: the time of the fastest of `others`, divided by the time of `ours`."""
    found = []
    for record in records:
        milliseconds = record["milliseconds"]
        theirs = [milliseconds[peer]["median"] for peer in others if peer in milliseconds]
        if theirs and ours in milliseconds and record["optimizer"] not in without:
            ratio = min(theirs) / milliseconds[ours]["median"]
            shown = f"{ratio:.0f}" if ratio >= 20 else f"{ratio:.2f}"
            found.append(f"{record['optimizer']} {shown}")
    return ", ".join(found)


def plain_table(cases: Dict[str, Any]) -> str:
    """The paths of TensorFlow's own ops."""
    rows = ["| | exact : upstream | fused : OptimizerV2 | fused : the fastest peer |"]
    rows.append("| --- | --- | --- | --- |")
    for name, records in cases.items():
        without = NOT_THE_SAME_ON_LOOKUPS if name == "embedding" else ()
        cells = [TITLES[name], ratios(records, "exact", ["upstream"])]
        cells.append(ratios(records, "fused", ["OptimizerV2"], without))
        cells.append("" if name == "embedding" else ratios(records, "fused", PEERS))
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def native_table(cases: Dict[str, Any]) -> str:
    """The native op, and its share of the bandwidth."""
    rows = [
        "| | native : upstream | native : exact | native : the fastest of OptimizerV2, tf.train, "
        "fused |",
        "| --- | --- | --- | --- |",
    ]
    for name, records in cases.items():
        cells = [TITLES[name]]
        cells += [ratios(records, "native", [other]) for other in ("upstream", "exact")]
        cells.append("" if name == "embedding" else ratios(records, "native", [*PEERS, "fused"]))
        rows.append("| " + " | ".join(cells) + " |")
    shares = ", ".join(
        f"{record['optimizer']} {record['bandwidth_share']['native']:.2f}"
        for record in cases["large"]
    )
    said = f"Share of the bandwidth of the plain loop, 25 M parameters: {shares}."
    return "\n".join(rows) + "\n\n" + textwrap.fill(said, 118, break_long_words=False)


def techniques_table(results: str) -> str:
    """The clock's ratios of what benchmarks/techniques.py printed."""
    part = results.split("## `benchmarks/techniques.py`")[1].split("\n## ")[0].split("\nWith `")[0]
    lines = [line.strip("| \n").split(" | ") for line in part.splitlines() if line.startswith("|")]
    groups: Dict[Any, List[str]] = {}
    for cells in lines[2:]:
        groups.setdefault((cells[0], cells[1]), []).append(f"{cells[2]} {cells[-1]}")
    rows = ["| technique | where | without : with |", "| --- | --- | --- |"]
    rows += [
        f"| {name} | {where} | {', '.join(found)} |" for (name, where), found in groups.items()
    ]
    return "\n".join(rows)


def profile_tables(results: str) -> str:
    """What benchmarks/native_profile.py printed."""
    return results.split("## `benchmarks/native_profile.py`\n\n")[1].split("\n\n## ")[0].strip()


def tensorflow_2_table() -> str:
    """The releases of TensorFlow 2 that were measured."""
    columns = ["exact : `optimizer_v1`", "native : `optimizer_v1`"]
    columns += ["fused : the fastest peer", "native : the fastest peer"]
    rows = ["| | | " + " | ".join(columns) + " |", "| --- | --- |" + " --- |" * len(columns)]
    for path in sorted(glob.glob(TENSORFLOW_2)):
        with open(path, encoding="utf-8") as opened:
            results = json.load(opened)
        for name, records in results["cases"].items():
            cells = [results["tensorflow"], TITLES[name]]
            cells += [ratios(records, ours, ["upstream"]) for ours in ("exact", "native")]
            peers = [] if name == "embedding" else PEERS
            cells += [ratios(records, ours, peers) for ours in ("fused", "native")]
            rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def write_tables(path: str, tables: Dict[str, str]) -> None:
    """Put each table between the comments that name it."""
    with open(path, encoding="utf-8") as opened:
        page = opened.read()
    for name, table in tables.items():
        begin, end = f"<!-- {name} -->\n", f"\n<!-- /{name} -->"
        pattern = re.escape(begin) + ".*" + re.escape(end)
        if not re.search(pattern, page, re.DOTALL):
            raise SystemExit(f"{path} has no {begin.strip()} with its end")
        replacement = begin + table + end
        page = re.sub(pattern, lambda _: replacement, page, flags=re.DOTALL)  # noqa: B023
    with open(path, "w", encoding="utf-8") as opened:
        opened.write(page)


def main() -> None:
    """Write the tables."""
    with open(RESULTS + ".json", encoding="utf-8") as opened:
        cases = json.load(opened)["cases"]
    with open(RESULTS + ".md", encoding="utf-8") as opened:
        results = opened.read()
    tables = {
        "plain": plain_table(cases),
        "native": native_table(cases),
        "profile": profile_tables(results),
        "techniques": techniques_table(results),
    }
    write_tables(PAGE, tables)
    write_tables(TENSORFLOW_2_PAGE, {"speed": tensorflow_2_table()})


if __name__ == "__main__":
    main()
