"""The report as one page of HTML: no script, nothing from outside, readable in light and dark."""

import html
import math
from typing import Any, Dict, List, Sequence

from keras_optimizers.conformance import references, results
from keras_optimizers.conformance.results import STATUSES, CheckResult

_SIGNS = {
    "equal": "0",
    "explained": "e",
    "documented": "d",
    "skipped": "-",
    "expected": "x",
    "different": "!",
    "unexpected": "?",
}
# So many failing optimizers are named at the top.
_MOST = 12
_STYLE = """
:root{color-scheme:light dark;--text:#1c1c1c;--back:#fff;--line:#c8c8c8;--equal:#cdebc9;
--explained:#e4ecc2;--documented:#cfe0f5;--skipped:#eee;--expected:#f6e3b4;--different:#f2b8b5;
--unexpected:#f2b8b5}
@media(prefers-color-scheme:dark){:root{--text:#e6e6e6;--back:#161616;--line:#444;--equal:#1f4a26;
--explained:#454b1c;--documented:#23405f;--skipped:#2a2a2a;--expected:#574617;--different:#7a2622;
--unexpected:#7a2622}}
body{font:15px/1.45 system-ui,sans-serif;color:var(--text);background:var(--back);
margin:1.5rem auto;max-width:70rem;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}
.wide{overflow-x:auto}table{border-collapse:collapse}
th,td{border:1px solid var(--line);padding:.2rem .45rem;text-align:left;vertical-align:top}
.verdict{font-size:1.2rem;font-weight:bold;border-left:.5rem solid var(--equal);padding:.2rem .7rem}
.verdict.bad{border-color:var(--different)}
.key{list-style:none;padding:0}.key li{margin:.15rem 0}
th span{white-space:nowrap}
.matrix td{min-width:2.5rem}.matrix .cell{margin:.06rem 0}
@media(max-width:45rem){.matrix thead{display:none}.matrix,.matrix tbody,.matrix tr,.matrix th,
.matrix td{display:block;border:0}.matrix tr{border:1px solid var(--line);margin:.5rem 0}
.matrix td::before{content:attr(data-check)": "}}
.cell{display:inline-block;min-width:1.1em;text-align:center;border-radius:3px;font-family:monospace}
.equal{background:var(--equal)}.explained{background:var(--explained)}
.documented{background:var(--documented)}.skipped{background:var(--skipped)}
.expected{background:var(--expected)}.different,.unexpected{background:var(--different);font-weight:bold}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--skipped);padding:.6rem}
code{overflow-wrap:anywhere}svg{display:block;max-width:100%;height:auto}
details{border:1px solid var(--line);border-radius:4px;padding:.3rem .7rem;margin:.4rem 0}
summary{cursor:pointer}.curve{stroke:currentColor;fill:none;stroke-width:1.5}
.axis{stroke:var(--line)}text{fill:currentColor;font-size:11px}
"""


def page(found: Sequence[CheckResult], title: str = "Conformance of optimizers") -> str:
    """All results as a page."""
    failed = results.failures(found)
    notable = sorted(
        (r for r in found if r.status not in ("equal", "skipped")),
        key=lambda r: list(STATUSES).index(r.status),
        reverse=True,
    )
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_escape(title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{_escape(title)}</h1>",
        _verdict(found, failed),
        _key(found),
        _matrix(found),
    ]
    if notable:
        parts.append("<h2>What differs</h2>")
        parts += [_detail(result) for result in notable[:200]]
        if len(notable) > 200:
            parts.append(f"<p>and {len(notable) - 200} more; --json has them all.</p>")
    parts += ["<h2>Where the references come from</h2>", _provenance(found), "</body></html>"]
    return "\n".join(parts) + "\n"


def _verdict(found: Sequence[CheckResult], failed: Sequence[CheckResult]) -> str:
    """How many comparisons fail, and which checks of which optimizers."""
    if not failed:
        return f'<p class="verdict">All {len(found)} comparisons conform.</p>'
    where: Dict[Any, List[str]] = {}
    for result in failed:
        checks = where.setdefault((result.optimizer, result.reference), [])
        if result.check not in checks:
            checks.append(result.check)
    lines = [
        f"<li><strong>{_escape(optimizer)}</strong> against {_escape(reference)}: "
        f"{_escape(', '.join(checks).replace('_', ' '))}</li>"
        for (optimizer, reference), checks in where.items()
    ]
    more = f"<li>and {len(lines) - _MOST} more</li>" if len(lines) > _MOST else ""
    return (
        f'<p class="verdict bad">{len(failed)} of {len(found)} comparisons fail</p>'
        f"<ul>{''.join(lines[:_MOST])}{more}</ul>"
    )


def _key(found: Sequence[CheckResult]) -> str:
    """What the signs mean that occur, and how often they do."""
    count = {name: sum(result.status == name for result in found) for name in STATUSES}
    items = " ".join(
        f'<li><span class="cell {name}">{_SIGNS[name]}</span> '
        f"{count[name]} &times; {_escape(text)}</li>"
        for name, text in STATUSES.items()
        if count[name]
    )
    return f'<ul class="key">{items}</ul>'


def _matrix(found: Sequence[CheckResult]) -> str:
    checks = list(dict.fromkeys(result.check for result in found))
    cells: Dict[Any, List[CheckResult]] = {}
    for result in found:
        cells.setdefault((result.optimizer, result.reference), []).append(result)
    head = "".join(f'<th scope="col">{_escape(c.replace("_", " "))}</th>' for c in checks)
    rows = []
    first_failures = sorted(cells.items(), key=lambda pair: not results.failures(pair[1]))
    for (optimizer, reference), of_row in first_failures:
        row = f'<th scope="row">{_escape(optimizer)}<br><span>{_escape(reference)}</span></th>'
        for check in checks:
            inside = " ".join(_cell(r) for r in of_row if r.check == check)
            row += f'<td data-check="{_escape(check.replace("_", " "))}">{inside or "-"}</td>'
        rows.append(f"<tr>{row}</tr>")
    return (
        '<div class="wide"><table class="matrix"><thead><tr><th>optimizer, reference</th>'
        f"{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _cell(result: CheckResult) -> str:
    text = _escape(f"{result.case}: {STATUSES[result.status]}")
    return f'<span class="cell {result.status}" title="{text}">{_SIGNS[result.status]}</span>'


def _detail(result: CheckResult) -> str:
    opened = " open" if result.status in results.FAILED else ""
    title = f"{result.optimizer}, {result.check}, {result.case}, {result.reference}"
    again = f"<p>Again: <code>{_escape(result.reproduce)}</code></p>" if result.reproduce else ""
    return (
        f'<details{opened}><summary><span class="cell {result.status}">'
        f"{_SIGNS[result.status]}</span> {_escape(title)}</summary>"
        f"<pre>{_escape(result.text)}</pre>{_curve(result)}{again}</details>"
    )


def _curve(result: CheckResult) -> str:
    """The largest absolute difference in each step, on a logarithmic scale, as SVG."""
    values = result.absolute
    if len(values) < 2 or not any(values):
        return ""
    width, height, left = 330, 130, 44  # what a phone can show
    logs = [math.log10(v) if 0 < v < float("inf") else None for v in values]
    known = [value for value in logs if value is not None]
    if not known:
        return ""
    low, high = math.floor(min(known)), math.ceil(max(known))
    high = max(high, low + 1)
    points, step = [], (width - left - 10) / (len(values) - 1)
    for index, value in enumerate(logs):
        height_of = height - 20 if value is None else 10 + (high - value) / (high - low) * 90
        if value is None and values[index]:  # NaN on one side
            height_of = 10
        points.append(f"{left + index * step:.1f},{height_of:.1f}")
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img" '
        f'aria-label="largest difference in each step, from 1e{low} to 1e{high}">'
        f'<line class="axis" x1="{left}" y1="10" x2="{left}" y2="{height - 20}"/>'
        f'<line class="axis" x1="{left}" y1="{height - 20}" x2="{width - 10}" y2="{height - 20}"/>'
        f'<text x="4" y="15">1e{high}</text><text x="4" y="104">1e{low}</text>'
        f'<text x="{left}" y="{height - 5}">step 1</text>'
        f'<text x="{(left + width) // 2 - 5}" y="{height - 5}" text-anchor="middle">'
        "largest difference by step</text>"
        f'<text x="{width - 10}" y="{height - 5}" text-anchor="end">step {len(values)}</text>'
        f'<polyline class="curve" points="{" ".join(points)}"/></svg>'
    )


def _provenance(found: Sequence[CheckResult]) -> str:
    rows, titles = [], ("what", "versions", "processor", "threads", "recorded", "hash")
    for name in dict.fromkeys(result.reference for result in found):
        try:
            facts = references.load_reference(name).facts
        except (ValueError, references.RecordingError):
            facts = {"title": "a recording of one's own"}
        versions = ", ".join(f"{k} {v}" for k, v in (facts.get("versions") or {}).items())
        processor = " ".join((facts.get("processor") or {}).values())
        threads = ", ".join(f"{k} {v}" for k, v in (facts.get("threads") or {}).items())
        cells = [facts.get("title", ""), versions, processor, threads]
        cells += [str(facts.get("recorded", "")), str(facts.get("hash", ""))[:12]]
        row = "".join(
            f'<td data-check="{title}">{_escape(str(cell))}</td>'
            for title, cell in zip(titles, cells)
        )
        rows.append(f'<tr><th scope="row"><span>{_escape(name)}</span></th>{row}</tr>')
    head = "".join(f'<th scope="col">{title}</th>' for title in ["name", *titles])
    return (
        f'<div class="wide"><table class="matrix"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _escape(text: str) -> str:
    return html.escape(text, quote=True)
