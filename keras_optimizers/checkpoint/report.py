"""What became of every field in a conversion, for a reader and for a program."""

from typing import Any, Dict, List, NamedTuple, Sequence

# What can become of a field, from best to worst.
COPIED = "copied"
RECOMPUTED = "recomputed"  # another form of the same quantity: nothing is lost
UNUSED = "left out, unused"  # nothing reads it, here or there
DEFAULTED = "defaulted"  # the source does not hold it, and the next steps depend on it
APPROXIMATE = "approximate"  # the target computes something else
LOST = "lost"  # the target has no place for it, and the next steps depend on it

STATUSES = (COPIED, RECOMPUTED, UNUSED, DEFAULTED, APPROXIMATE, LOST)
# With these a strict conversion is refused: training would not go on as it would have.
INEXACT = (DEFAULTED, APPROXIMATE, LOST)


class Entry(NamedTuple):
    """One field and what became of it."""

    field: str
    status: str
    explanation: str


class Report:
    """The entries of one conversion, in the order of the fields.

    Examples:
        >>> from keras_optimizers.checkpoint import Report
        >>> report = Report()
        >>> report.add("lr", "copied", "0.01")
        >>> report.add("clipnorm", "lost", "1: saver-tf-train does not clip")
        >>> [entry.field for entry in report.inexact]
        ['clipnorm']
        >>> print(report)
          field     what became of it
          lr        copied             0.01
          clipnorm  lost               1: saver-tf-train does not clip
        <BLANKLINE>
        not exact: see the fields that are defaulted, approximate or lost
    """

    def __init__(self) -> None:
        self.entries: List[Entry] = []
        self.notes: List[str] = []

    def add(self, field: str, status: str, explanation: str = "") -> None:
        """Say what became of `field`; what is said twice is kept once."""
        if status not in STATUSES:
            raise ValueError(f"Unknown status {status!r}.")
        entry = Entry(field, status, explanation)
        if entry not in self.entries:
            self.entries.append(entry)

    def note(self, sentence: str) -> None:
        """A remark about the conversion as a whole."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    @property
    def inexact(self) -> List[Entry]:
        """What makes training go on otherwise than it would have."""
        return [entry for entry in self.entries if entry.status in INEXACT]

    def as_json(self) -> Dict[str, Any]:
        """Plain values, for `--json` and `--report`."""
        return {
            "exact": not self.inexact,
            "fields": [entry._asdict() for entry in self.entries],
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        return as_text_of_fields(self.as_json())

    def __repr__(self) -> str:
        inexact = ", ".join(entry.field for entry in self.inexact)
        verdict = f"not exact in {inexact}" if inexact else "exact"
        return f"<Report of {len(self.entries)} fields: {verdict}>"


def as_text_of_fields(described: Dict[str, Any]) -> str:
    """The values of `Report.as_json` for a reader: a table, the notes, and whether it is exact."""
    rows = [[one["field"], one["status"], one["explanation"]] for one in described["fields"]]
    lines = [columns(["field", "what became of it", ""], rows), ""]
    lines += [f"note: {note}" for note in described["notes"]]
    if described["exact"]:
        lines.append("exact: training goes on as it would have")
    else:
        lines.append("not exact: see the fields that are defaulted, approximate or lost")
    return "\n".join(lines)


def columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table for a terminal."""
    table: List[Sequence[str]] = [header, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    return "\n".join(
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
        for row in table
    )
