"""The ledger that the function writes at the end of an invocation: its counts, and whether they add up. Knows no AWS."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

# The sums that must hold in every ledger, by the names of its metrics.
SUMS = {
    "Logs": ("LogsAudited", "LogsSkipped", "LogsGone", "LogsDamaged", "LogsFailed"),
    "Records": ("RecordsMatched", "RecordsUnmatched", "RecordsUnreadable"),
    "Findings": (
        "FindingsPublished",
        "FindingsExcepted",
        "FindingsShadowed",
        "FindingsSuperseded",
        "FindingsFailed",
    ),
}


class DoesNotHold(Exception):
    """A defect of the detector: it lost count."""


def holds(counts: Mapping[str, int]) -> bool:
    return all(counts[whole] == sum(counts[part] for part in parts) for whole, parts in SUMS.items())


def ledgers_in(lines: Iterable[str]) -> Iterator[dict[str, int]]:
    """The counts of each ledger among these lines of the function's output: its metrics, by name. All of them must hold."""
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and "ledger" in entry:
            counts = {name: int(value) for name, value in entry.items() if isinstance(value, (int, float))}
            if not holds(counts):
                raise DoesNotHold(line)
            yield counts


def last_in(lines: Iterable[str]) -> dict[str, int] | None:
    """The counts of the last ledger among these lines."""
    counts = None
    for counts in ledgers_in(lines):
        pass
    return counts
