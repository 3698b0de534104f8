"""`make invoke EVENT=…`: one event from events/ through the detector under `cargo lambda`, and what came of it.

    invoke.py --event events/notifications/s3-put.json [--log events/logs/delete-guardrail.json]

Wherever the event speaks of a log in the example bucket, that log is put there first.
Exit status 1 if the function failed or gave a message of the event back.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import program
import report
from example_stack import LOG_BUCKET, LOGS, PROJECT, ExampleStack, FunctionOutput
from local_aws import LocalAws

PACKAGE = "bedrock-audit-detector"
BINARY = "bootstrap"
BEGIN_SECONDS = 30
INVOKE_SECONDS = 120
# cargo-lambda sets a variable of this name for the function, whatever its own environment holds, and the function's
# runtime warns of it every time: it says nothing about the event.
SAID_EVERY_TIME = "AWS_LAMBDA_MAX_CONCURRENCY"


class InvokeFailed(program.Failed):
    """One sentence for the person who typed `make invoke`."""


@dataclass(frozen=True)
class NamedLog:
    """A log that an event speaks of as being there."""

    bucket: str
    key: str
    version: str | None


def named_logs(value: Any) -> Iterator[NamedLog]:
    """Every log that the event names, however deeply it is wrapped."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        with contextlib.suppress(ValueError):
            yield from named_logs(json.loads(value))
    elif isinstance(value, list):
        for item in value:
            yield from named_logs(item)
    elif isinstance(value, dict) and "s3" in value:
        if not value.get("eventName", "").startswith("ObjectRemoved"):
            entry = value["s3"]["object"]
            yield NamedLog(value["s3"]["bucket"]["name"], unquote_plus(entry["key"]), entry.get("versionId"))
    elif isinstance(value, dict) and "detail-type" in value:
        if value["detail-type"] == "Object Created":
            entry = value["detail"]["object"]
            yield NamedLog(value["detail"]["bucket"]["name"], entry["key"], entry.get("version-id"))
    elif isinstance(value, dict) and "s3ObjectKey" in value:
        for key in value["s3ObjectKey"]:
            yield NamedLog(value["s3Bucket"], key, None)
    elif isinstance(value, dict):
        for item in value.values():
            yield from named_logs(item)


def put_named_logs(event: str, log: bytes, stack: ExampleStack) -> str:
    """Makes the event true; returns it with the versions that S3 really gave."""
    logs = []
    # An event that is broken on purpose is the function's to judge.
    with contextlib.suppress(KeyError, TypeError, AttributeError):
        logs += [named for named in named_logs(json.loads(event)) if named.bucket == LOG_BUCKET]
    if any(named.version for named in logs):
        stack.keep_versions()
    for named in logs:
        version = stack.put_log(named.key, log)
        print(f"put s3://{LOG_BUCKET}/{named.key}")
        if named.version and version:
            event = event.replace(named.version, version)
    return event


@contextlib.contextmanager
def cargo_lambda_watch(environment: dict[str, str], output: FunctionOutput) -> Iterator[int]:
    """The port of a `cargo lambda watch` that serves the detector; both end with the block."""
    port = free_port()
    # The release build is there already, and is the one that is deployed.
    command = ["cargo", "lambda", "watch", "--release", "--locked", "--ignore-changes", "--quiet"]
    command += ["--package", PACKAGE, "--bin", BINARY, "--invoke-address", "127.0.0.1", "--invoke-port", str(port)]
    process = subprocess.Popen(
        command,
        cwd=PROJECT,
        # Its own progress is not what somebody wants to read who asked what the function does.
        env={**environment, "RUST_LOG": "warn"},
        stdin=subprocess.DEVNULL,
        stdout=output.file,
        stderr=output.file,
        # Ctrl-C reaches us alone, so that things end in their order.
        start_new_session=True,
    )
    try:
        wait_for(port, process, output)
        yield port
    finally:
        # It ends the function too, which has a process group of its own and so is out of our reach.
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_for(port: int, process: subprocess.Popen[bytes], output: FunctionOutput) -> None:
    until = time.monotonic() + BEGIN_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    said = "\n".join(output.new_lines())
    raise InvokeFailed(f"cargo lambda watch did not begin to serve. It said:\n{said}")


def cargo_lambda_invoke(event: str, port: int, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(event)
        file.flush()
        command = ["cargo", "lambda", "invoke", "--invoke-address", "127.0.0.1", "--invoke-port", str(port)]
        command += [BINARY, "--data-file", file.name]
        try:
            return subprocess.run(
                command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=INVOKE_SECONDS
            )
        except subprocess.TimeoutExpired as error:
            raise InvokeFailed(f"No answer within {INVOKE_SECONDS} seconds.") from error


def problems_in(lines: list[str]) -> list[str]:
    """Why notifications were given back, in the words of the function's log."""
    problems = []
    for line in lines:
        with contextlib.suppress(ValueError):
            entry = json.loads(line)
            if isinstance(entry, dict) and entry.get("level") == "ERROR" and "problem" in entry:
                problems.append(str(entry["problem"]))
    return problems


def messages_given_back(answer: str) -> int:
    """How many messages of a queue the function's answer asks to be delivered again."""
    try:
        value = json.loads(answer)
    except ValueError:
        return 0
    given_back = value.get("batchItemFailures") if isinstance(value, dict) else None
    return len(given_back or [])


def why(lines: list[str], otherwise: str) -> str:
    """Points to the log, which has just been printed, if the problem stands there."""
    return "Its log, above, says why." if problems_in(lines) else otherwise


def invoke(event: str, log: bytes) -> None:
    with LocalAws() as aws:
        stack = ExampleStack(aws)
        event = put_named_logs(event, log, stack)
        output = FunctionOutput()
        environment = stack.environment()
        with cargo_lambda_watch(environment, output) as port:
            try:
                answer = cargo_lambda_invoke(event, port, environment)
            finally:
                lines = output.new_lines()
                report.heading("What the function wrote")
                print("\n".join(line for line in lines if SAID_EVERY_TIME not in line))
        if answer.returncode != 0:
            # What follows sends the reader to cargo-lambda's forum, which did nothing wrong.
            error = answer.stderr.partition("Was this behavior unexpected?")[0].strip()
            raise InvokeFailed(f"The function failed. {why(lines, error)}")
        report.heading("What the function answered")
        print(answer.stdout.strip())
        for number, alert in enumerate(stack.alerts(), start=1):
            report.heading(f"Alert {number}")
            report.alert(alert)
        findings = stack.findings()
        for number, finding in enumerate(findings, start=1):
            report.heading(f"Finding {number} of {len(findings)}")
            report.finding(finding)
        if given_back := messages_given_back(answer.stdout):
            said = why(lines, "Its log does not say why.")
            raise InvokeFailed(f"The function gave {given_back} of the event's messages back. {said}")
        if not findings:
            report.heading("No finding")


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvokeFailed(f"{path} cannot be read: {error.strerror}") from error


def read_event(path: Path) -> str:
    try:
        event = read(path).decode()
        json.loads(event)
    except ValueError as error:
        raise InvokeFailed(f"{path} is not JSON: {error}") from error
    return event


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs one event through the detector under cargo-lambda.")
    parser.add_argument("--event", type=Path, required=True, help="a file of events/notifications")
    parser.add_argument(
        "--log", type=Path, default=LOGS / "delete-guardrail.json", help="the log that the event speaks of"
    )
    options = parser.parse_args()
    return program.run("make invoke", lambda: invoke(read_event(options.event), read(options.log)))


if __name__ == "__main__":
    sys.exit(main())
