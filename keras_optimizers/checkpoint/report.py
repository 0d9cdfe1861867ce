"""What became of every field in a conversion, for a reader and for a program."""

from typing import Any, Dict, List, NamedTuple

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
