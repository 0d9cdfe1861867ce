"""What a run of pytest shares: its plugin reads it, and checks write into it."""

import sys
from typing import Any, List, Set

_PLUGIN = "keras_optimizers.conformance.pytest_plugin"


class Session:
    """The options of the plugin, and what the tests have done since it last looked.

    Attributes:
        reference: of checks that name none; "" for the default.
        recording: whether recordings that tests name are written, instead of compared with.
        results: `CheckResult`s, for the table and the report.
        used: paths of the recordings that were named.
        recorded: those of them that this run has written.
    """

    reference = ""
    recording = False
    results: List[Any] = []
    used: Set[str] = set()
    recorded: Set[str] = set()


def is_kept() -> bool:
    """Whether somebody takes the results: not outside of pytest."""
    return _PLUGIN in sys.modules
