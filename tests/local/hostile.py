"""`make hostile`: what the most hostile logs cost the real detector, in memory and in CPU time, at its default limits.

    hostile.py --bootstrap PATH [NAME ...]

Each log goes through a detector of its own, from a bucket on loopback to a topic on loopback. Memory does not depend on the
machine, and CPU time hardly: the limits are those of a function of 128 MB, and wide. Exit status 1 if one is exceeded, or if
what was reported of a log is not what should be. What is found in such logs is tested in `tests/hostile_files.rs`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import urllib.parse
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import program
import report
from bench_start import most_memory
from example_stack import FunctionOutput, log_key
from ledger import last_in
from local_aws import local_environment
from local_lambda import LoopbackServer, QuickHandler, Sandbox

MOST_MEMORY_MB = 64
MOST_CPU_SECONDS = 5.0
BUCKET = "hostile-logs"
MIB = 1 << 20

RECORD = {
    "eventVersion": "1.11",
    "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/mallory", "accountId": "111122223333"},
    "eventTime": "2026-11-22T09:15:00Z",
    "eventSource": "bedrock.amazonaws.com",
    "eventName": "DeleteGuardrail",
    "awsRegion": "eu-central-1",
    "sourceIPAddress": "203.0.113.24",
    "userAgent": "aws-cli/2.32.3",
    "requestParameters": {"guardrailIdentifier": "gr4example7k2"},
    "eventID": "9dfb369b-ab13-4fae-a276-000000000000",
    "readOnly": False,
    "eventType": "AwsApiCall",
    "recipientAccountId": "111122223333",
}


def record(number: int, **change: Any) -> bytes:
    """A deletion with an id of its own."""
    event_id = f"9dfb369b-ab13-4fae-a276-{number:012}"
    return json.dumps({**RECORD, "eventID": event_id, **change}, separators=(",", ":")).encode()


def with_member(number: int, member: bytes) -> bytes:
    """A deletion whose request has one more member, written as it is."""
    return record(number).replace(b'"requestParameters":{', b'"requestParameters":{' + member + b",", 1)


def log_of(records: Iterable[bytes]) -> Iterator[bytes]:
    yield b'{"Records":['
    for number, text in enumerate(records):
        yield b"," + text if number else text
    yield b"]}"


def packed(pieces: Iterable[bytes]) -> bytes:
    """One gzip member. Its text is never whole in memory."""
    encoder = zlib.compressobj(6, wbits=31)
    return b"".join([*(encoder.compress(piece) for piece in pieces), encoder.flush()])


def up_to(size: int, one: Callable[[int], bytes]) -> Iterator[bytes]:
    """As many records as have this size together."""
    number = taken = 0
    while taken < size:
        text = one(number)
        yield text
        number, taken = number + 1, taken + len(text) + 1


def zeros(first: bytes) -> bytes:
    """Ten thousand million zeros behind this, in members of a ratio of a thousand."""
    return packed([first]) + packed([b"0" * MIB] * 100) * 100


def blocks(*kinds: str) -> bytes:
    """20 MiB that are nothing but blocks of no text, of these kinds in turn; each is the bits of one, in their order."""
    bits = "".join(kinds) * 8
    turn = bytes(int(bits[at : at + 8][::-1], 2) for at in range(0, len(bits), 8))
    return zlib.compress(b"", wbits=31)[:10] + turn * (20 * MIB // len(turn))


def bits(value: int, count: int) -> str:
    """As deflate writes a number: the lowest bit first."""
    return f"{value:0{count}b}"[::-1]


# A block with deflate's own codes that ends at once.
FIXED = bits(0b010, 3) + "0" * 7
# One with codes of its own: 18 lengths of codes for lengths, of which 18 (zeros) and 1 have one bit each; 256 zeros, the end of the
# block, and one distance; and then the end.
DYNAMIC = (
    bits(0b100, 3) + bits(0, 10) + bits(14, 4) + "".join(bits(int(at in (2, 17)), 3) for at in range(18))
    + "1" + bits(127, 7) + "1" + bits(107, 7) + "0" + "0" + "0"
)  # fmt: skip

# The log unpacks to nearly the limit of 256 MiB.
NEARLY_ALL = 255 * MIB
# Nearly the largest record that is read.
LARGE = 500_000

LOGS: dict[str, Callable[[], bytes]] = {
    "10 GB of zeros": lambda: zeros(b""),
    "10 GB of zeros in a record": lambda: zeros(b'{"Records":[' + record(1) + b',{"x":"'),
    "10 GB of zeros beside Records": lambda: zeros(b'{"x":"'),
    "gzip in gzip in gzip": lambda: packed([packed([packed([b"0" * MIB] * 100)])]),
    "a million empty members": lambda: packed([b'{"Records":[]}']) + packed([]) * 1_000_000,
    "20 MiB of blocks without text": lambda: blocks(FIXED),
    "20 MiB of blocks with codes and without text": lambda: blocks(DYNAMIC),
    "20 MiB of both in turn": lambda: blocks(FIXED, DYNAMIC),
    "one record of 100 MB": lambda: packed(log_of([b'{"x":"' + b"x" * 100_000_000 + b'"}', record(1)])),
    "a million records `{}`": lambda: packed(log_of([b"{}"] * 1_000_000)),
    "a million calls of others": lambda: packed(log_of([b'{"eventSource":"x","eventName":"y"}'] * 1_000_000)),
    "256 MiB of calls of others": lambda: packed(
        log_of(up_to(NEARLY_ALL, lambda n: record(n, eventSource="s3.amazonaws.com", eventName="GetObject")))
    ),
    "256 MiB of records `{}`": lambda: packed([b'{"Records":[{}', *[b",{}" * (MIB // 3)] * 255, b"]}"]),
    "256 MiB of records that are no JSON": lambda: packed(
        log_of(up_to(NEARLY_ALL, lambda n: b'{"eventSource":"bedrock.amazonaws.com","eventName":"DeleteGuardrail",%d}' % n))
    ),
    "256 MiB of brackets": lambda: packed([b'{"x":', *[b"[" * MIB] * 255]),
    "256 MiB of quotes and backslashes": lambda: packed(log_of([b'{"x":"' + b'\\"' * 240_000 + b'"}'] * 555)),
    "records of 10,000 levels": lambda: packed(
        log_of(up_to(NEARLY_ALL, lambda n: with_member(n, b'"x":' + b"[" * 10_000 + b"]" * 10_000)))
    ),
    "records of 240,000 levels": lambda: packed(
        log_of(up_to(NEARLY_ALL, lambda n: with_member(n, b'"x":' + b"[" * 240_000 + b"]" * 240_000)))
    ),
    "records of half characters": lambda: packed(
        log_of(up_to(NEARLY_ALL, lambda n: with_member(n, b'"x":"' + rb"\ud83d" * 80_000 + b'"')))
    ),
    "records of 70,000 values": lambda: packed(
        log_of(up_to(NEARLY_ALL, lambda n: with_member(n, b'"x":[' + b'"",' * 160_000 + b"1]")))
    ),
    "records of 40,000 members": lambda: packed(
        log_of(up_to(NEARLY_ALL, lambda n: with_member(n, b",".join(b'"%d":{}' % at for at in range(40_000)))))
    ),
    "user agents of 500 KB": lambda: packed(log_of(up_to(64 * MIB, lambda n: record(n, userAgent="u" * LARGE)))),
    "user agents of 500 KB, each another": lambda: packed(
        log_of(
            up_to(64 * MIB, lambda n: record(n, userAgent=f"{n}" * 80_000, requestParameters={"guardrailIdentifier": f"{n}"}))
        )
    ),
    "identities of 500 KB": lambda: packed(
        log_of(up_to(64 * MIB, lambda n: record(n, userIdentity={"type": "IAMUser", "arn": f"{n}" + "a" * LARGE})))
    ),
    "eventIDs of 500 KB": lambda: packed(log_of(up_to(64 * MIB, lambda n: record(n, eventID=f"{n}" * 80_000)))),
    "targets of 500 KB": lambda: packed(
        log_of(up_to(64 * MIB, lambda n: record(n, requestParameters={"guardrailIdentifier": f"{n}" + "g" * LARGE})))
    ),
    "fifty long targets each": lambda: packed(
        log_of(
            up_to(128 * MIB, lambda n: record(n, requestParameters={f"x{at}Identifier": f"{n}" + "g" * 1_000 for at in range(50)}))
        )
    ),
    "300,000 actors": lambda: packed(
        log_of(record(n, userIdentity={**RECORD["userIdentity"], "arn": f"arn:aws:iam::111122223333:user/{n}"}) for n in range(300_000))
    ),
    "30,000 findings": lambda: packed(
        log_of(record(n, requestParameters={"guardrailIdentifier": f"gr{n}"}) for n in range(30_000))
    ),
    "30,000 matches of one finding": lambda: packed(log_of(record(n) for n in range(30_000))),
    "300,000 matches of one finding": lambda: packed(log_of(record(n) for n in range(300_000))),
    "256 MiB of matches of one finding": lambda: packed(log_of(up_to(NEARLY_ALL, record))),
    "256 MiB of the shortest matches": lambda: packed(
        log_of(
            up_to(NEARLY_ALL, lambda n: b'{"eventSource":"bedrock.amazonaws.com","eventName":"DeleteGuardrail","eventID":"%d"}' % n)
        )
    ),
    "256 MiB of operations that nobody knows": lambda: packed(
        log_of(up_to(NEARLY_ALL, lambda n: b'{"eventSource":"bedrock.amazonaws.com","eventName":"Do%d","eventID":"%d"}' % (n, n)))
    ),
}


class Edges:
    """S3 and SNS on loopback, as much of them as one log needs."""

    def __init__(self) -> None:
        self.log = b""
        self.findings = 0
        self.messages = 0
        self.server = LoopbackServer(edge_api(self))

    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        topic = "arn:aws:sns:eu-central-1:111122223333"
        return {
            **inherited,
            **local_environment(),
            "AWS_ENDPOINT_URL": f"http://{self.server.address}",
            "LOG_BUCKETS": BUCKET,
            "FINDINGS_TOPIC_ARN": f"{topic}:findings",
            "ALERTS_TOPIC_ARN": f"{topic}:alerts",
        }


def edge_api(edges: Edges) -> type[QuickHandler]:
    class Handler(QuickHandler):
        def do_GET(self) -> None:
            self.reply(200, edges.log)

        def do_POST(self) -> None:
            form = self.body()
            action = "PublishBatch" if b"Action=PublishBatch" in form else "Publish"
            edges.messages += 1
            taken = ""
            if action == "PublishBatch":
                ids = re.findall(rb"PublishBatchRequestEntries\.member\.\d+\.Id=([^&]+)", form)
                edges.findings += len(ids)
                taken = "<Successful>%s</Successful>" % "".join(
                    f"<member><Id>{urllib.parse.unquote(at.decode())}</Id><MessageId>m</MessageId></member>" for at in ids
                )
            answer = (
                f'<{action}Response xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><{action}Result>{taken}'
                f"<MessageId>m</MessageId></{action}Result></{action}Response>"
            )
            self.reply(200, answer.encode(), {"Content-Type": "text/xml"})

    return Handler


@dataclass(frozen=True)
class Cost:
    """What one log cost, and what became of it."""

    name: str
    packed: int
    memory: float
    cpu: float
    ledger: dict[str, Any] = field(default_factory=dict)
    findings: int = 0
    messages: int = 0

    @property
    def within(self) -> bool:
        balanced = self.ledger.get("FindingsPublished", self.findings) == self.findings
        return balanced and self.memory <= MOST_MEMORY_MB and self.cpu <= MOST_CPU_SECONDS


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(bootstrap: Path, name: str) -> Cost:
    edges = Edges()
    edges.log = LOGS[name]()
    output = FunctionOutput()
    sandbox = Sandbox(bootstrap, edges.environment(), output.file, timeout=300)
    try:
        bucket, key = {"name": BUCKET}, {"key": log_key("hostilehostileho")}
        notice = {"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": bucket, "object": key}}]}
        answer = sandbox.invoke(json.dumps(notice).encode())
        lines = output.new_lines()
        if answer.failed:
            raise program.Failed(f"{name}: {answer.body.decode(errors='replace')[:500]}")
        memory = most_memory(sandbox.process.pid)
        if memory is None:
            raise program.Failed("this system does not tell how much memory a process had")
        cpu = cpu_seconds(sandbox.process.pid)
        return Cost(name, len(edges.log), memory, cpu, last_in(lines) or {}, edges.findings, edges.messages)
    finally:
        sandbox.stop()
        edges.server.stop()


def measure_all(bootstrap: Path, names: list[str]) -> int:
    costs = []
    for name in names:
        cost = measure(bootstrap, name)
        costs.append(cost)
        print(f"{name}: {cost.memory:.1f} MB, {cost.cpu:.2f} s", file=sys.stderr)
    report.heading(f"{len(costs)} hostile logs: at most {MOST_MEMORY_MB} MB and {MOST_CPU_SECONDS:.0f} s of CPU time each")
    rows = [
        (cost.name, cost.packed, f"{cost.memory:.1f} MB", f"{cost.cpu:.2f} s", cost.findings, cost.messages, "yes" if cost.within else "NO")
        for cost in costs
    ]
    report.table(("log", "packed bytes", "most memory", "CPU time", "findings", "requests to SNS", "within"), rows)
    return 0 if all(cost.within for cost in costs) else 1


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures what hostile logs cost the detector.")
    parser.add_argument("--bootstrap", type=Path, required=True, help="the function's binary")
    parser.add_argument("names", nargs="*", help="only these logs")
    options = parser.parse_args()
    return program.run("make hostile", lambda: measure_all(options.bootstrap, options.names or list(LOGS)))


if __name__ == "__main__":
    sys.exit(main())
