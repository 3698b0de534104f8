"""`make bench-start`: how fast the real detector starts, what it keeps in memory, how large it is.

    bench_start.py --bootstrap PATH [--starts N]

It measures and judges nothing: a slow machine is no error. Exit status 1 only if the detector did not do its work.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import statistics
import sys
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import program
import report
from example_stack import LOGS, ExampleStack, FunctionOutput, log_key
from local_aws import LocalAws
from local_lambda import Sandbox

STARTS = 20
SMALL_RECORDS = 20
TYPICAL_RECORDS = 500

# What issue and README promise.
LIMIT_FIRST_NEXT_MS = 12
LIMIT_FIRST_RESPONSE_MS = 60
LIMIT_MEMORY_MB = 40
LIMIT_BINARY_MB = 10


class BenchFailed(program.Failed):
    """One sentence: why there is nothing to measure."""


@dataclass(frozen=True)
class Start:
    """One start of the detector: milliseconds since exec, and the most memory it ever had, in MB."""

    first_next: float
    first_response: float
    memory: float | None


def records_of(situation: str) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = json.loads((LOGS / f"{situation}.json").read_text())["Records"]
    return records


def repeated(records: list[dict[str, Any]], count: int) -> Iterator[dict[str, Any]]:
    """As many records as asked for, each with an id of its own."""
    for record in itertools.islice(itertools.cycle(records), count):
        yield {**record, "eventID": str(uuid.uuid4())}


def small_log() -> bytes:
    """Twenty records, one of them a finding."""
    deletion = next(record for record in records_of("delete-guardrail") if record["eventName"] == "DeleteGuardrail")
    quiet = repeated(records_of("quiet-day"), SMALL_RECORDS - 1)
    return json.dumps({"Records": [*quiet, deletion]}).encode()


def typical_log() -> bytes:
    return json.dumps({"Records": list(repeated(records_of("a-busy-hour"), TYPICAL_RECORDS))}).encode()


def most_memory(pid: int) -> float | None:
    """The high-water mark of resident memory in MB, where the system tells it."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) * 1024 / 1e6 if found else None


def invoke(sandbox: Sandbox, notice: str, output: FunctionOutput) -> None:
    answer = sandbox.invoke(notice.encode())
    said = "\n".join(output.new_lines()[-10:])
    if answer.failed:
        raise BenchFailed(
            f"The detector failed: {answer.body.decode(errors='replace')}\nThe last that it said:\n{said}"
        )


def measure_start(bootstrap: Path, stack: ExampleStack, small: str, typical: str) -> Start:
    output = FunctionOutput()
    sandbox = Sandbox(bootstrap, stack.environment(), output.file, timeout=60)
    try:
        invoke(sandbox, small, output)
        if len(stack.findings()) != 1:
            raise BenchFailed("The small log should have given one finding.")
        first_next, first_response = sandbox.asked_at, sandbox.answered_at
        if first_next is None or first_response is None:
            raise BenchFailed("The detector answered without having asked for work.")
        invoke(sandbox, typical, output)
        stack.findings()
        return Start(
            (first_next - sandbox.started_at) * 1000,
            (first_response - sandbox.started_at) * 1000,
            most_memory(sandbox.process.pid),
        )
    finally:
        sandbox.stop()


def measure(bootstrap: Path, starts: int) -> list[Start]:
    with LocalAws() as aws:
        stack = ExampleStack(aws)
        stack.put_log(log_key("smallsmallsmalls"), small_log())
        small = stack.notice()
        stack.put_log(log_key("typicaltypicalty"), typical_log())
        typical = stack.notice()
        # One start that does not count: local AWS loads a service when it is first used.
        measure_start(bootstrap, stack, small, typical)
        return [measure_start(bootstrap, stack, small, typical) for _ in range(starts)]


def row(what: str, unit: str, values: Sequence[float], limit: int) -> tuple[str, ...]:
    middle = statistics.median(values)
    return (
        what,
        f"{middle:.1f} {unit}",
        f"{min(values):.1f} to {max(values):.1f}",
        f"{limit} {unit}",
        "yes" if middle <= limit else "NO",
    )


def show(bootstrap: Path, starts: list[Start]) -> None:
    memory = [start.memory for start in starts if start.memory is not None]
    rows = [
        row("exec to first `next`", "ms", [start.first_next for start in starts], LIMIT_FIRST_NEXT_MS),
        row(
            f"exec to first response, {SMALL_RECORDS} records",
            "ms",
            [start.first_response for start in starts],
            LIMIT_FIRST_RESPONSE_MS,
        ),
    ]
    if memory:
        rows.append(row(f"most resident memory, {TYPICAL_RECORDS} records", "MB", memory, LIMIT_MEMORY_MB))
    rows.append(row("size of the binary", "MB", [bootstrap.stat().st_size / 1e6], LIMIT_BINARY_MB))
    report.heading(f"{len(starts)} starts of {bootstrap.name} against local AWS")
    report.table(("what", "median", "range", "limit", "within"), rows)


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures the start of the detector.")
    parser.add_argument("--bootstrap", type=Path, required=True, help="the function's binary")
    parser.add_argument("--starts", type=int, default=STARTS, help=f"how many starts (default {STARTS})")
    options = parser.parse_args()
    return program.run(
        "make bench-start", lambda: show(options.bootstrap, measure(options.bootstrap, options.starts))
    )


if __name__ == "__main__":
    sys.exit(main())
