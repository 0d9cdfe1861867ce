"""What was measured, as tables in Markdown and as a picture."""

from typing import Any, Dict, List, Sequence

from keras_optimizers.bench import peers
from keras_optimizers.bench.cases import CASES

Record = Dict[str, Any]

# A ratio of medians says nothing where half the distance of the quartiles is this part of one.
NOISY = 0.1
# So many processes wanted a core, on average over the minute before.
BUSY = 0.5


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "| " + " | ".join("---" for _ in header) + " |"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def _time(timing: Any, clock: str = "median") -> str:
    if timing is None:
        return "-"
    if clock == "cpu":
        return _number(timing["cpu"])
    spread = (timing["upper"] - timing["lower"]) / 2
    return f"{_number(timing['median'])} ± {_number(spread)}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _ratio(record: Record, ours: str, theirs: Sequence[str], clock: str) -> str:
    """How many times as fast `ours` is as the fastest of `theirs`."""
    times = record["milliseconds"]
    others = [times[peer][clock] for peer in theirs if peer in times]
    if ours not in times or not others:
        return "-"
    return f"{min(others) / times[ours][clock]:.2f}"


# Of each ratio: ours, the others, and how the table calls these.
_RATIOS = (
    (peers.EXACT, (peers.UPSTREAM,), "upstream"),
    (peers.FUSED, (peers.OPTIMIZER_V2,), "OptimizerV2"),
    (peers.FUSED, (peers.OPTIMIZER_V2, peers.TF_TRAIN), "fastest peer"),
    (peers.NATIVE, (peers.UPSTREAM,), "upstream"),
    (peers.NATIVE, (peers.EXACT,), "exact"),
    (peers.NATIVE, (peers.OPTIMIZER_V2, peers.TF_TRAIN, peers.FUSED), "fastest of TensorFlow's"),
    (peers.NATIVE, peers.TORCH, "faster of torch's"),
)


def _steps(records: Sequence[Record], chosen: Sequence[str], clock: str) -> str:
    """Milliseconds a step, and the ratios."""
    share = "bandwidth_share" if clock == "median" else "bandwidth_share_cpu"
    with_share = any(share in record for record in records)
    ratios = [one for one in _RATIOS if one[0] in chosen and set(one[1]) & set(chosen)]
    ours = [peer for peer in peers.OURS if peer in chosen] if with_share else []
    unit = "ms" if clock == "median" else "CPU ms"
    header = ["optimizer", *(f"{peer}, {unit}" for peer in chosen)]
    header += [f"{one} : {name}" for one, _, name in ratios]
    header += [f"bandwidth, {peer}" for peer in ours]
    rows = []
    for record in records:
        times = record["milliseconds"]
        row = [record["optimizer"], *(_time(times.get(peer), clock) for peer in chosen)]
        row += [_ratio(record, one, others, clock) for one, others, _ in ratios]
        shares = record.get(share, {})
        row += [f"{shares[p]:.2f}" if p in shares else "-" for p in ours]
        rows.append(row)
    return _table(header, rows)


def _noise(records: Sequence[Record]) -> List[str]:
    """Which optimizers' ratios say nothing, because a peer's own times vary more."""
    found = []
    for record in records:
        spreads = {
            peer: (timing["upper"] - timing["lower"]) / 2 / timing["median"]
            for peer, timing in record["milliseconds"].items()
        }
        worst = max(spreads, key=lambda peer: spreads[peer])
        if spreads[worst] > NOISY:
            found.append(f"{record['optimizer']} ({worst} ± {spreads[worst]:.0%})")
    if not found:
        return []
    return [
        "The machine was too noisy for these ratios: "
        + ", ".join(found)
        + ". Measure again when nothing else runs."
    ]


def _busy(machine: Record) -> List[str]:
    """A sentence where other processes were running before the measurement."""
    load = machine.get("load_before")
    if load is None or load < BUSY:
        return []
    return [
        f"The machine was busy before the measurement began (load average {load:.1f} on "
        f"{machine['cores']} cores): do not trust the ratios. Measure again when nothing else runs."
    ]


def _measured(records: Sequence[Record], chosen: Sequence[str]) -> List[str]:
    """The peers that at least one record has."""
    return [peer for peer in chosen if any(peer in one["milliseconds"] for one in records)]


def _start(records: Sequence[Record], chosen: Sequence[str]) -> str:
    header = ["tensors", "optimizer"]
    for title in ("ops", "build, s", "first step, s"):
        header += [f"{peer}: {title}" for peer in chosen]
    rows = []
    for record in records:
        row = [str(record["tensors"]), record["optimizer"]]
        for key in ("graph_ops", "build_seconds", "first_step_seconds"):
            values = record[key]
            row += [
                "-"
                if p not in values
                else f"{values[p]:,}"
                if key == "graph_ops"
                else _number(values[p])
                for p in chosen
            ]
        rows.append(row)
    return _table(header, rows)


def _by_peer(
    records: Sequence[Record], chosen: Sequence[str], clock: str, key: str, *first: str
) -> str:
    rows = []
    for record in records:
        values = record[key]
        cells = [
            "-"
            if p not in values
            else _time(values[p], clock)
            if isinstance(values[p], dict)
            else _number(values[p])
            for p in chosen
        ]
        rows.append(
            [
                f"{record[name]:,}" if isinstance(record[name], int) else str(record[name])
                for name in first
            ]
            + cells
        )
    return _table([*first, *chosen], rows)


def markdown(results: Record) -> str:
    """All that was measured, as Markdown."""
    chosen, clock = results["peers"], results["clock"]
    here = [peer for peer in chosen if peer not in peers.TORCH]
    parts = _busy(results["machine"])
    for name, records in results["cases"].items():
        steps = _steps(records, _measured(records, chosen), clock)
        parts += [f"### {CASES[name].title}", steps, *_noise(records)]
        speeds = [r["bandwidth_gigabytes_per_second"] for r in records if "bandwidth_share" in r]
        if speeds:
            slowest, fastest = min(speeds), max(speeds)
            parts.append(f"The plain loop in place moved {slowest:.0f} to {fastest:.0f} GB/s.")
    extras = results["extras"]
    if "start" in extras:
        parts += ["### Graph and start", _start(extras["start"], here)]
    if "state" in extras:
        title = "### get_weights and set_weights of 2,000 slots, ms"
        parts += [title, _by_peer(extras["state"], here, clock, "milliseconds", "call")]
    if "memory" in extras:
        title = "### Temporary memory of a step of 25 M parameters (100 MB), peak, MB"
        parts += [title, _by_peer(extras["memory"], here, clock, "peak_megabytes", "optimizer")]
    if "vocabulary" in extras:
        title = "### A lookup's update by rows of the table, ms"
        table = _by_peer(extras["vocabulary"], here, clock, "milliseconds", "rows", "optimizer")
        parts += [title, table]
    if "fit" in extras:
        title = "### An epoch of model.fit, 8 batches of a text model, ms"
        parts += [title, _by_peer(extras["fit"], here, clock, "milliseconds", "optimizer")]
    return "\n\n".join(parts) + "\n"


def plot(results: Record, path: str) -> None:
    """Bars of speed relative to upstream, a panel a case, written to `path`.

    Raises:
        ImportError: Without matplotlib; the text says how to install it.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise ImportError(
            "Plots need matplotlib, which is not installed: pip install 'keras-optimizers[plots]'"
        ) from error
    matplotlib.use("Agg")
    from matplotlib import pyplot, ticker

    cases = results["cases"]
    figure, axes = pyplot.subplots(
        len(cases), 1, figsize=(11, 2.8 * len(cases)), squeeze=False, constrained_layout=True
    )
    shown = [peer for peer in results["peers"] if peer != peers.UPSTREAM]
    for axis, (name, records) in zip(axes[:, 0], cases.items()):
        width = 0.8 / len(shown)
        for index, peer in enumerate(shown):
            pairs = [
                (place, record["milliseconds"])
                for place, record in enumerate(records)
                if peer in record["milliseconds"] and peers.UPSTREAM in record["milliseconds"]
            ]
            axis.bar(
                [place + (index - (len(shown) - 1) / 2) * width for place, _ in pairs],
                [times[peers.UPSTREAM]["median"] / times[peer]["median"] for _, times in pairs],
                width,
                label=peer,
            )
        axis.axhline(1, color="black", linewidth=0.8)
        axis.set_yscale("log")
        axis.yaxis.set_major_formatter(ticker.ScalarFormatter())
        low, high = axis.get_ylim()
        within_a_decade = high / low < 20
        axis.yaxis.set_minor_formatter(
            ticker.ScalarFormatter() if within_a_decade else ticker.NullFormatter()
        )
        axis.tick_params(axis="y", which="minor", labelsize=7)
        axis.set_ylabel("times as fast")
        axis.set_xticks(range(len(records)))
        axis.set_xticklabels([record["optimizer"].replace(" ", "\n") for record in records])
        axis.set_title(f"{CASES[name].title} (upstream = 1)", fontsize=10)
    axes[0, 0].legend(ncol=len(shown), fontsize=8)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
