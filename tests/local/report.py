"""What came out of the detector, as plain text. Knows the form of findings, alerts and ledger, and no AWS."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from example_stack import Alert, Finding

# The sums that DESIGN promises of every ledger, by the names of its metrics.
LEDGER_SUMS = {
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


def heading(text: str) -> None:
    print(f"\n{text}\n{'-' * len(text)}")


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns as wide as they need to be; numbers to the right."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    numbers = [bool(rows) and all(isinstance(row[column], int) for row in rows) for column in range(len(header))]
    for row in cells:
        padded = [
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, numbers, strict=True)
        ]
        print("  ".join(padded).rstrip())


def alert(message: Alert) -> None:
    if message.subject:
        print(f"Subject: {message.subject}\n")
    print(message.text.strip())


def finding(message: Finding) -> None:
    print(json.dumps(message.ocsf, indent=2, ensure_ascii=False))


def findings(messages: Sequence[Finding]) -> None:
    table(
        ("severity", "outcome", "event", "times", "finding"),
        [
            (
                message.attributes.get("severity", ""),
                message.attributes.get("outcome", ""),
                message.attributes.get("event_name", ""),
                message.ocsf.get("count", 1),
                message.ocsf.get("finding_info", {}).get("title", ""),
            )
            for message in messages
        ],
    )


def ledger(total: Counter[str]) -> None:
    """Each sum of the ledger, written out."""
    rows = []
    for whole, parts in LEDGER_SUMS.items():
        sum_of_parts = " + ".join(f"{total[part]} {part.removeprefix(whole).lower()}" for part in parts)
        rows.append((whole.lower(), total[whole], f"= {sum_of_parts}"))
    for name, count, sum_of_parts in rows:
        print(f"{name:<9}{count:>4} {sum_of_parts}")


def ledger_holds(total: Counter[str]) -> bool:
    return all(total[whole] == sum(total[part] for part in parts) for whole, parts in LEDGER_SUMS.items())
