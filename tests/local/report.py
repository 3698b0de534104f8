"""What came out of the detector, as plain text. Knows the form of findings, alerts and ledger, and no AWS."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from example_stack import Alert, Finding
from ledger import SUMS

# What a person reads at a glance; whatever is longer is cut where it is shown.
WIDTH = 120
MOST_CHARACTERS = 200
KEPT_CHARACTERS = 160
MOST_ITEMS = 2


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
    print(laid_out(shortened(message.ocsf)))
    print(f"\nCut at each … for reading. The message in the queue is whole: {size(message.ocsf):,} bytes.")


def size(value: Any) -> int:
    """Bytes of the value as the JSON that is sent."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def shortened(value: Any, name: str = "") -> Any:
    """The value without what only a machine reads; a … and the number of bytes stand for all that is cut."""
    if isinstance(value, dict):
        if name == "data":
            return f"… {size(value):,} bytes"
        return {member: shortened(inner, member) for member, inner in value.items()}
    if isinstance(value, list):
        kept = [shortened(item) for item in value[:MOST_ITEMS]]
        if rest := value[MOST_ITEMS:]:
            kept.append(f"… {len(rest)} more, {size(rest):,} bytes")
        return kept
    if isinstance(value, str) and len(value) > MOST_CHARACTERS:
        return f"{value[:KEPT_CHARACTERS]}… {len(value[KEPT_CHARACTERS:].encode()):,} bytes"
    return value


def laid_out(value: Any, indent: str = "", before: int = 0) -> str:
    """JSON for people: what fits on a line is on one. `before` is the room that the member's name takes."""
    flat = json.dumps(value, ensure_ascii=False)
    if not value or not isinstance(value, (dict, list)) or len(indent) + before + len(flat) < WIDTH:
        return flat
    deeper = indent + "  "
    if isinstance(value, dict):
        names = [f"{json.dumps(name, ensure_ascii=False)}: " for name in value]
        lines = [name + laid_out(inner, deeper, len(name)) for name, inner in zip(names, value.values(), strict=True)]
        opening, closing = "{}"
    else:
        lines = [laid_out(inner, deeper) for inner in value]
        opening, closing = "[]"
    return f"{opening}\n{deeper}" + f",\n{deeper}".join(lines) + f"\n{indent}{closing}"


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
    for whole, parts in SUMS.items():
        sum_of_parts = " + ".join(f"{total[part]} {part.removeprefix(whole).lower()}" for part in parts)
        rows.append((whole.lower(), total[whole], f"= {sum_of_parts}"))
    for name, count, sum_of_parts in rows:
        print(f"{name:<9}{count:>4} {sum_of_parts}")
