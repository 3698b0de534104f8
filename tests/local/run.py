"""`make run`: a few delivered logs through the real detector, on local AWS, and what arrived, shown.

    run.py --bootstrap PATH

It ends by itself; exit status 1 if an invocation failed or nothing arrived. Prepares nothing: the Makefile does.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import program
import report
from example_stack import LOGS, Alert, ExampleStack, Finding, FunctionOutput, log_key
from ledger import holds, last_in
from local_aws import LocalAws
from local_lambda import FunctionDied, LocalLambda

SITUATIONS = (
    "quiet-day",
    "delete-guardrail",
    "delete-guardrail-denied",
    "logging-switched-off",
    "training-data-from-another-bucket",
    "trail-stopped",
)


class RunFailed(program.Failed):
    """One sentence for the person who typed `make run`."""


@dataclass(frozen=True)
class Visit:
    """One delivered log and what became of it."""

    situation: str
    milliseconds: int
    ledger: Counter[str]
    findings: list[Finding]
    alerts: list[Alert]


def deliver(situation: str, minute: int, stack: ExampleStack, function: LocalLambda, output: FunctionOutput) -> Visit:
    """Puts one log and wakes the function with the notification that S3 wrote for it."""
    # CloudTrail ends a key with sixteen random characters; these tell the situation.
    suffix = situation.replace("-", "")[:16].ljust(16, "0")
    stack.put_log(log_key(suffix, minute), (LOGS / f"{situation}.json").read_bytes())
    notice = stack.notice()
    started = time.perf_counter()
    answer = function.invoke(notice.encode())
    milliseconds = round((time.perf_counter() - started) * 1000)
    lines = output.new_lines()
    if answer.failed:
        said = "\n".join(f"  {line}" for line in lines[-10:])
        raise RunFailed(
            f"The function failed on {situation}.json: {answer.body.decode(errors='replace')}\n"
            f"The last that it said:\n{said}"
        )
    ledger = Counter(last_in(lines) or {})
    return Visit(situation, milliseconds, ledger, stack.findings(), stack.alerts())


def visit_all(bootstrap: Path) -> list[Visit]:
    with LocalAws() as aws:
        stack = ExampleStack(aws)
        output = FunctionOutput()
        with LocalLambda(bootstrap, stack.environment(), output.file) as function:
            try:
                function.sandbox.wait_until_ready()
            except FunctionDied as error:
                said = "\n".join(output.new_lines())
                raise RunFailed(f"{error}. It said:\n{said}") from error
            return [deliver(situation, minute, stack, function, output) for minute, situation in enumerate(SITUATIONS)]


def show(visits: list[Visit]) -> None:
    findings = [finding for visit in visits for finding in visit.findings]
    alerts = [alert for visit in visits for alert in visit.alerts]
    total = sum((visit.ledger for visit in visits), Counter[str]())
    # The longest first: what a person came for is at the end, where the screen stands still.
    if findings:
        report.heading("The first finding, as a machine sees it (FindingsTopic, OCSF)")
        report.finding(findings[0])
    if alerts:
        report.heading("The first alert, as a person sees it (AlertsTopic)")
        report.alert(alerts[0])
    report.heading("Delivered logs: S3 took each and woke the real function with its own notification")
    report.table(
        ("log", "records", "findings", "alerts", "ms"),
        [
            (
                f"{visit.situation}.json",
                visit.ledger["Records"],
                len(visit.findings),
                len(visit.alerts),
                visit.milliseconds,
            )
            for visit in visits
        ],
    )
    if findings:
        report.heading("All findings")
        report.findings(findings)
    report.heading("The ledger of all invocations")
    report.ledger(total)
    check(findings, alerts, total)


def check(findings: list[Finding], alerts: list[Alert], total: Counter[str]) -> None:
    if not findings:
        raise RunFailed(
            "No finding arrived in the queue behind FindingsTopic, though the logs hold reasons for several."
        )
    if not alerts:
        raise RunFailed("No alert arrived in the queue behind AlertsTopic, though the logs hold reasons for one.")
    if total["Logs"] != len(SITUATIONS) or not holds(total):
        raise RunFailed(f"The ledger does not account for {len(SITUATIONS)} logs: {dict(total)}")
    if total["FindingsPublished"] != len(findings):
        raise RunFailed(
            f"The ledger tells of {total['FindingsPublished']} findings published; {len(findings)} arrived."
        )
    print(f"\n{len(findings)} findings and {len(alerts)} alerts arrived from {len(SITUATIONS)} logs. All is well.")


def main() -> int:
    parser = argparse.ArgumentParser(description="Shows the detector at work, from delivered log to finding.")
    parser.add_argument("--bootstrap", type=Path, required=True, help="the function's binary")
    options = parser.parse_args()
    return program.run("make run", lambda: show(visit_all(options.bootstrap)))


if __name__ == "__main__":
    sys.exit(main())
