"""`make bench-cost`: the CPU time that the real detector takes, by records in a file, files, and rules; and what that costs.

    bench_cost.py --bootstrap PATH [--most-files N]

S3 and SNS are answered from memory, without TLS, so that all CPU time is the detector's own. It measures and judges nothing.
Prices are those of docs/cost.md. Exit status 1 only if the detector did not do its work.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import program
import report
from bench_start import BenchFailed, records_of, repeated
from example_stack import LOG_BUCKET, FunctionOutput, log_key
from ledger import last_in
from local_lambda import LoopbackServer, QuickHandler, Sandbox

TOPIC = "arn:aws:sns:eu-central-1:123456789012:FindingsTopic"

# us-east-1, arm64, in US dollars: see docs/cost.md for the day and the pages.
PER_GB_SECOND = 0.0000133334
PER_MILLION_REQUESTS = 0.20
VCPU_AT_MB = 1769
# What an invocation waits for S3 to give a log and for SNS to take findings. An assumption: loopback does not tell.
WAITING_MS = 60
SIZES_MB = (128, 256, 512, 1769)

FILES = (1, 10, 100, 1_000, 10_000)
RULES = (10, 100, 1_000)
# Records and the share of them, in percent, that are Bedrock's.
LOGS = {"small": (20, 5), "typical": (500, 1), "busy": (500, 10), "large": (30_000, 1)}

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Aws:
    """What the detector sees of AWS: objects that can be read, and a topic that takes everything."""

    objects: dict[str, bytes]
    published: int = 0


def edges(aws: Aws) -> type[QuickHandler]:
    class Edges(QuickHandler):
        def do_GET(self) -> None:
            body = aws.objects.get(unquote(urlsplit(self.path).path))
            if body is None:
                self.reply(404, b"<Error><Code>NoSuchKey</Code></Error>")
            else:
                self.reply(200, body, {"ETag": '"e"'})

        def do_POST(self) -> None:
            sent = parse_qs(self.body().decode())
            ids = [value for name, (value, *_) in sent.items() if name.endswith(".Id")]
            aws.published += len(ids)
            taken = "".join(
                f"<member><Id>{entry}</Id><MessageId>{uuid.uuid4()}</MessageId></member>" for entry in ids
            )
            answer = (
                '<PublishBatchResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishBatchResult>'
                f"<Successful>{taken}</Successful><Failed/></PublishBatchResult></PublishBatchResponse>"
            )
            self.reply(200, answer.encode())

    return Edges


@contextmanager
def detector(bootstrap: Path, aws: Aws, rules: Path | None = None) -> Iterator[tuple[Sandbox, FunctionOutput]]:
    server = LoopbackServer(edges(aws))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment = {
        **inherited,
        "AWS_ENDPOINT_URL": f"http://{server.address}",
        "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "LOG_BUCKETS": LOG_BUCKET,
        "FINDINGS_TOPIC_ARN": TOPIC,
        "LOG_LEVEL": "warn",
        **({"RULES_URI": str(rules)} if rules else {}),
    }
    output = FunctionOutput()
    sandbox = Sandbox(bootstrap, environment, output.file, timeout=600)
    try:
        sandbox.wait_until_ready()
        yield sandbox, output
    finally:
        sandbox.stop()
        server.stop()


def cpu_ms(sandbox: Sandbox) -> float:
    """User and system time of the process so far; nothing is finer than a clock tick (10 ms as a rule)."""
    fields = Path(f"/proc/{sandbox.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / TICKS


def log(records: int, share: int) -> bytes:
    bedrock = max(1, records * share // 100)
    invoked = [record for record in records_of("a-busy-hour") if record["eventSource"].startswith("bedrock")]
    other = [record for record in records_of("quiet-day") if not record["eventSource"].startswith("bedrock")]
    mixed = [*repeated(other, records - bedrock), *repeated(invoked, bedrock)]
    return gzip.compress(json.dumps({"Records": mixed}, separators=(",", ":")).encode(), mtime=0)


def notice(keys: list[str]) -> bytes:
    """One notification a log, as S3 sends them, in as few events as an asynchronous invocation may carry."""
    records = [
        {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "eventVersion": "2.1",
         "s3": {"bucket": {"name": LOG_BUCKET}, "object": {"key": key}}}
        for key in keys
    ]  # fmt: skip
    return json.dumps({"Records": records}).encode()


def invoke(sandbox: Sandbox, output: FunctionOutput, keys: list[str]) -> dict[str, Any]:
    answer = sandbox.invoke(notice(keys))
    if answer.failed:
        raise BenchFailed(f"The detector failed: {answer.body.decode(errors='replace')[:500]}")
    ledger = last_in(output.new_lines())
    if not ledger or ledger["LogsAudited"] != len(keys):
        raise BenchFailed(f"Not every log was audited: {ledger}")
    return ledger


def per_file(bootstrap: Path, kind: str, files: int, rules: Path | None = None) -> float:
    """Milliseconds of CPU a file: one invocation each, as S3 wakes a function; the start does not count."""
    keys = [log_key(f"{number:016d}") for number in range(files)]
    body = log(*LOGS[kind])
    aws = Aws({f"/{LOG_BUCKET}/{key}": body for key in keys})
    with detector(bootstrap, aws, rules) as (sandbox, output):
        invoke(sandbox, output, keys[:1])
        before = cpu_ms(sandbox)
        for key in keys:
            invoke(sandbox, output, [key])
        return (cpu_ms(sandbox) - before) / files


def rule(number: int) -> str:
    """A rule such as teams write: a call, and something that its request holds."""
    return (
        f"title: Rule {number}\nid: 00000000-0000-4000-8000-{number:012d}\nlevel: low\n"
        "logsource: {product: aws, service: cloudtrail}\ndetection:\n  selection:\n    eventSource: bedrock.amazonaws.com\n"
        f"    eventName: [InvokeModel, Converse, Call{number}]\n    requestParameters.modelId|contains: model-{number}\n"
        "  condition: selection\n"
    )


def dollars(cpu: float, size: int) -> float:
    """A million files of one invocation each: the CPU time, longer where there is less than one vCPU, and the waiting."""
    seconds = (cpu * max(1.0, VCPU_AT_MB / size) + WAITING_MS) / 1000
    return 1_000_000 * seconds * size / 1024 * PER_GB_SECOND + PER_MILLION_REQUESTS


def show(bootstrap: Path, most_files: int) -> None:
    report.heading("CPU time a file, one invocation each, and a million of them in dollars (Lambda alone)")
    rows = []
    for kind, (records, share) in LOGS.items():
        cpu = per_file(bootstrap, kind, 20 if kind == "large" else 1_000)
        rows.append((
            f"{kind}: {records:,} records, {share} % Bedrock", f"{cpu:.2f} ms",
            *(f"{dollars(cpu, size):.2f}" for size in SIZES_MB),
        ))  # fmt: skip
    report.table(("file", "CPU", *(f"{size} MB" for size in SIZES_MB)), rows)

    report.heading("The same file, more of them (typical)")
    counts = [count for count in FILES if count <= most_files]
    report.table(("files", "CPU a file"), [(count, f"{per_file(bootstrap, 'typical', count):.2f} ms") for count in counts])

    report.heading("The same file, more rules beside the built-in ones (busy)")
    rows = []
    for count in RULES:
        with tempfile.TemporaryDirectory() as folder:
            for number in range(count):
                (Path(folder) / f"{number}.yml").write_text(rule(number))
            rows.append((count, f"{per_file(bootstrap, 'busy', 1_000, Path(folder)):.2f} ms"))
    report.table(("rules", "CPU a file"), rows)


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures what a file costs the detector.")
    parser.add_argument("--bootstrap", type=Path, required=True, help="the function's binary")
    parser.add_argument("--most-files", type=int, default=FILES[-1], help="files in the longest series")
    options = parser.parse_args()
    return program.run("make bench-cost", lambda: show(options.bootstrap, options.most_files))


if __name__ == "__main__":
    sys.exit(main())
