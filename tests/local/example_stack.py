"""The stack in miniature on local AWS: the log bucket, the topics, and a queue behind each to see what arrives.

It knows the detector by its environment variables and by what it publishes, never by its code.
"""

from __future__ import annotations

import gzip
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger import ledgers_in
from local_aws import REGION, LocalAws

PROJECT = Path(__file__).resolve().parents[2]
LOGS = PROJECT / "events" / "logs"
LOG_BUCKET = "bedrock-audit-example-logs"

# The account whose trail it is; not the one that local AWS runs as, just as a log archive account audits others.
AUDITED_ACCOUNT = "111122223333"


@dataclass(frozen=True)
class Finding:
    """One message of FindingsTopic: what a machine receives."""

    ocsf: dict[str, Any]
    attributes: dict[str, str]


@dataclass(frozen=True)
class Alert:
    """One message of AlertsTopic: what a person receives."""

    subject: str
    text: str


class ExampleStack:
    """Bucket, topics and queues, and the two ends of the flow: a log goes in, findings and alerts come out."""

    def __init__(self, aws: LocalAws) -> None:
        self._aws = aws
        self._s3, self._sns, self._sqs = (aws.client(service) for service in ("s3", "sns", "sqs"))
        self._findings_topic, self._findings = self._topic_with_queue("FindingsTopic", raw=True)
        # Not raw: only the envelope carries the subject, and the subject is what a mail client shows.
        self._alerts_topic, self._alerts = self._topic_with_queue("AlertsTopic", raw=False)
        self._notices = self._sqs.create_queue(QueueName="LogNotices")["QueueUrl"]
        self._create_log_bucket()

    def environment(self) -> dict[str, str]:
        """All that the detector needs to run against this stack, and nothing of the caller's AWS settings."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {
            **inherited,
            **self._aws.environment(),
            "LOG_BUCKETS": LOG_BUCKET,
            "FINDINGS_TOPIC_ARN": self._findings_topic,
            "ALERTS_TOPIC_ARN": self._alerts_topic,
        }

    def put_log(self, key: str, content: bytes) -> str | None:
        """Puts a delivered log, gzipped as CloudTrail does; the object's version, if the bucket keeps versions."""
        answer = self._s3.put_object(Bucket=LOG_BUCKET, Key=key, Body=gzip.compress(content, mtime=0))
        version: str | None = answer.get("VersionId")
        return version

    def keep_versions(self) -> None:
        self._s3.put_bucket_versioning(Bucket=LOG_BUCKET, VersioningConfiguration={"Status": "Enabled"})

    def notice(self) -> str:
        """The notification that S3 itself wrote for the log put last."""
        bodies = [message["Body"] for message in self._receive(self._notices)]
        if len(bodies) != 1:
            raise RuntimeError(f"S3 was expected to write one notification and wrote {len(bodies)}")
        return str(bodies[0])

    def findings(self) -> list[Finding]:
        """What has arrived since the last look."""
        return [
            Finding(
                json.loads(message["Body"]),
                {name: value["StringValue"] for name, value in message.get("MessageAttributes", {}).items()},
            )
            for message in self._receive(self._findings)
        ]

    def alerts(self) -> list[Alert]:
        """What has arrived since the last look."""
        envelopes = [json.loads(message["Body"]) for message in self._receive(self._alerts)]
        return [Alert(envelope.get("Subject", ""), envelope["Message"]) for envelope in envelopes]

    def _topic_with_queue(self, name: str, raw: bool) -> tuple[str, str]:
        topic: str = self._sns.create_topic(Name=name)["TopicArn"]
        queue: str = self._sqs.create_queue(QueueName=f"{name}Queue")["QueueUrl"]
        attributes = {"RawMessageDelivery": "true"} if raw else {}
        self._sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=self._arn(queue), Attributes=attributes)
        return topic, queue

    def _create_log_bucket(self) -> None:
        self._s3.create_bucket(Bucket=LOG_BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        self._s3.put_bucket_notification_configuration(
            Bucket=LOG_BUCKET,
            NotificationConfiguration={
                "QueueConfigurations": [{"QueueArn": self._arn(self._notices), "Events": ["s3:ObjectCreated:*"]}]
            },
        )
        # S3 announces itself with an s3:TestEvent.
        list(self._receive(self._notices))

    def _arn(self, queue: str) -> str:
        answer = self._sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
        return str(answer["Attributes"]["QueueArn"])

    def _receive(self, queue: str) -> Iterator[dict[str, Any]]:
        """Empties a queue."""
        while messages := self._sqs.receive_message(
            QueueUrl=queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages"):
            for message in messages:
                self._sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                yield message


class FunctionOutput:
    """What the function writes, kept in a file without a name and read as it grows."""

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile()
        self._read = 0

    def new_lines(self) -> list[str]:
        """The lines written since the last look. Every ledger among them must hold."""
        written = os.pread(self.file.fileno(), os.fstat(self.file.fileno()).st_size - self._read, self._read)
        self._read += len(written)
        lines = written.decode(errors="replace").splitlines()
        list(ledgers_in(lines))
        return lines


def log_key(suffix: str, minute: int = 0) -> str:
    """A key as CloudTrail makes them; `suffix` keeps two logs of the same minute apart."""
    stem = f"{AUDITED_ACCOUNT}_CloudTrail_{REGION}_20261122T09{minute:02d}Z"
    return f"AWSLogs/{AUDITED_ACCOUNT}/CloudTrail/{REGION}/2026/11/22/{stem}_{suffix}.json.gz"
