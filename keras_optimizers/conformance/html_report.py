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
.cells{letter-spacing:.05rem;white-space:nowrap}
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
    verdict = "All conform." if not failed else f"{len(failed)} of {len(found)} comparisons fail."
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
        f"<h1>{_escape(title)}</h1><p><strong>{verdict}</strong></p>",
        _key(),
        _matrix(found),
    ]
    if notable:
        parts.append("<h2>What differs</h2>")
        parts += [_detail(result) for result in notable[:200]]
        if len(notable) > 200:
            parts.append(f"<p>and {len(notable) - 200} more; --json has them all.</p>")
    parts += ["<h2>Where the references come from</h2>", _provenance(found), "</body></html>"]
    return "\n".join(parts) + "\n"


def _key() -> str:
    items = " ".join(
        f'<li><span class="cell {name}">{_SIGNS[name]}</span> {_escape(text)}</li>'
        for name, text in STATUSES.items()
    )
    return f"<ul>{items}</ul>"


def _matrix(found: Sequence[CheckResult]) -> str:
    checks = list(dict.fromkeys(result.check for result in found))
    cells: Dict[Any, List[CheckResult]] = {}
    for result in found:
        cells.setdefault((result.optimizer, result.reference), []).append(result)
    head = "".join(f'<th scope="col">{_escape(c.replace("_", " "))}</th>' for c in checks)
    rows = []
    for (optimizer, reference), of_row in cells.items():
        row = f'<th scope="row">{_escape(optimizer)}<br>{_escape(reference)}</th>'
        for check in checks:
            inside = " ".join(_cell(r) for r in of_row if r.check == check)
            row += f'<td class="cells">{inside or "-"}</td>'
        rows.append(f"<tr>{row}</tr>")
    return (
        f'<div class="wide"><table><thead><tr><th>optimizer</th>{head}</tr></thead>'
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
    width, height, left = 520, 130, 60
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
        f'<text x="{width - 10}" y="{height - 5}" text-anchor="end">step {len(values)}</text>'
        f'<polyline class="curve" points="{" ".join(points)}"/></svg>'
    )


def _provenance(found: Sequence[CheckResult]) -> str:
    rows = []
    for name in dict.fromkeys(result.reference for result in found):
        try:
            facts = references.load_reference(name).facts
        except (ValueError, references.RecordingError):
            facts = {"title": "a recording of one's own"}
        versions = ", ".join(f"{k} {v}" for k, v in (facts.get("versions") or {}).items())
        processor = " ".join((facts.get("processor") or {}).values())
        threads = ", ".join(f"{k} {v}" for k, v in (facts.get("threads") or {}).items())
        cells = [name, facts.get("title", ""), versions, processor, threads]
        cells += [str(facts.get("recorded", "")), str(facts.get("hash", ""))[:12]]
        rows.append("<tr>" + "".join(f"<td>{_escape(str(c))}</td>" for c in cells) + "</tr>")
    head = "<tr><th>name</th><th>what</th><th>versions</th><th>processor</th><th>threads</th>"
    head += "<th>recorded</th><th>hash</th></tr>"
    return f'<div class="wide"><table>{head}{"".join(rows)}</table></div>'


def _escape(text: str) -> str:
    return html.escape(text, quote=True)
