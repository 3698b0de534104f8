"""`make smoke STACK=…`: sends a test finding through a deployed stack, and waits for it in the stack's findings queue.

    smoke.py --stack NAME [--seconds N]

Where the log bucket is the stack's own, a delivered log is put there. A bucket that was there before is not written to:
the detector is told that a log has been removed from it, which is a finding too, and needs no log.
It knows the template by its outputs. Credentials and Region are the caller's. Exit status 1 if no finding arrived.
"""

from __future__ import annotations

import argparse
import gzip
import json
import secrets
import string
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

LOG = Path(__file__).resolve().parents[2] / "events" / "logs" / "delete-guardrail.json"
WAIT_SECONDS = 180

# Whoever meets the test finding later must see that it is one.
USER_AGENT = "bedrock-audit make smoke (a test; no guardrail was deleted)"


class SmokeFailed(Exception):
    """One sentence: what is missing or did not happen, and where to look."""


@dataclass(frozen=True)
class Stack:
    """What the deployed stack says of itself."""

    function_name: str
    account: str
    region: str
    bucket: str
    bucket_is_its_own: bool
    log_folder: str
    findings_queue: str


def stack_named(name: str, cloudformation: Any) -> Stack:
    try:
        description = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        raise SmokeFailed(f"The stack {name} cannot be looked up: {error}") from error
    outputs = {output["OutputKey"]: output["OutputValue"] for output in description.get("Outputs", [])}
    missing = {"FunctionName", "FunctionArn", "LogBucketName", "LogFolder"} - outputs.keys()
    if missing:
        raise SmokeFailed(
            f"The stack {name} has no output {', '.join(sorted(missing))}. Is it a stack of bedrock-audit?"
        )
    if "FindingsQueueUrl" not in outputs:
        raise SmokeFailed(f"The stack {name} was deployed with FindingsQueueWanted=no: there is no queue to look into.")
    arn = outputs["FunctionArn"].split(":")
    return Stack(
        function_name=outputs["FunctionName"],
        account=arn[4],
        region=arn[3],
        bucket=outputs["LogBucketName"],
        bucket_is_its_own="ExistingBucketRuleName" not in outputs,
        log_folder=outputs["LogFolder"],
        findings_queue=outputs["FindingsQueueUrl"],
    )


def new_key(stack: Stack, now: datetime) -> str:
    """A key as CloudTrail would make it now. Its last part is random, and is how the finding is recognised."""
    random_part = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(16))
    folder = f"{stack.log_folder}{stack.account}/CloudTrail/{stack.region}/{now:%Y/%m/%d}"
    return f"{folder}/{stack.account}_CloudTrail_{stack.region}_{now:%Y%m%dT%H%MZ}_{random_part}.json.gz"


def delivered_log(content: bytes, now: datetime) -> bytes:
    """The example log as if it happened now. Ids of its own: the finding must not be taken for an old one."""
    log = json.loads(content)
    for record in log["Records"]:
        record["eventID"] = str(uuid.uuid4())
        record["requestID"] = str(uuid.uuid4())
        record["eventTime"] = f"{now:%Y-%m-%dT%H:%M:%SZ}"
        record["userAgent"] = USER_AGENT
    return gzip.compress(json.dumps(log).encode())


def removal_event(stack: Stack, key: str, now: datetime) -> dict[str, Any]:
    """What EventBridge sends when a log is deleted."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Object Deleted",
        "source": "aws.s3",
        "account": stack.account,
        "time": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "region": stack.region,
        "resources": [f"arn:aws:s3:::{stack.bucket}"],
        "detail": {
            "version": "0",
            "bucket": {"name": stack.bucket},
            "object": {"key": key},
            "reason": "DeleteObject",
            "deletion-type": "Permanently Deleted",
        },
    }


def put_log(stack: Stack, key: str, now: datetime, s3: Any) -> None:
    try:
        s3.put_object(Bucket=stack.bucket, Key=key, Body=delivered_log(LOG.read_bytes(), now))
    except ClientError as error:
        raise SmokeFailed(f"The test log cannot be put to s3://{stack.bucket}/{key}: {error}") from error
    print(f"Put a test log, which stays there: s3://{stack.bucket}/{key}")


def tell_of_removal(stack: Stack, key: str, now: datetime, lambda_client: Any) -> None:
    event = json.dumps(removal_event(stack, key, now)).encode()
    try:
        answer = lambda_client.invoke(FunctionName=stack.function_name, Payload=event)
    except ClientError as error:
        raise SmokeFailed(f"The detector {stack.function_name} cannot be invoked: {error}") from error
    body = answer["Payload"].read().decode(errors="replace")
    if answer.get("FunctionError"):
        raise SmokeFailed(f"The detector {stack.function_name} failed: {body}")
    print(f"Told the detector that a log was removed (it never existed): s3://{stack.bucket}/{key}")


def wait_for_finding(
    queue: str, mark: str, seconds: float, sqs: Any, clock: Callable[[], float] = time.monotonic
) -> str:
    """The finding that bears the mark. It is taken out of the queue; all others go back at once."""
    until = clock() + seconds
    while (left := until - clock()) > 0:
        wait = max(0, min(10, int(left)))
        answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=wait)
        found: str | None = None
        for message in answer.get("Messages", []):
            handle = message["ReceiptHandle"]
            if mark in message["Body"] and found is None:
                found = str(message["Body"])
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=handle)
            else:
                sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=0)
        if found:
            return found
    raise SmokeFailed(
        f"No finding came into {queue} within {seconds:.0f} seconds. Look at the detector's log, at the retry queue, "
        "and whether something else reads the findings queue."
    )


def smoke(name: str, seconds: float, session: Any) -> str:
    stack = stack_named(name, session.client("cloudformation"))
    now = datetime.now(UTC)
    key = new_key(stack, now)
    if stack.bucket_is_its_own:
        put_log(stack, key, now, session.client("s3"))
    else:
        tell_of_removal(stack, key, now, session.client("lambda"))
    mark = key.rpartition("_")[2]
    return wait_for_finding(stack.findings_queue, mark, seconds, session.client("sqs"))


def main() -> int:
    parser = argparse.ArgumentParser(description="Sends a test finding through a deployed stack of bedrock-audit.")
    parser.add_argument("--stack", required=True, help="name of the stack")
    parser.add_argument(
        "--seconds", type=float, default=WAIT_SECONDS, help=f"how long to wait (default {WAIT_SECONDS})"
    )
    options = parser.parse_args()
    started = time.monotonic()
    try:
        finding = smoke(options.stack, options.seconds, boto3.Session())
    except (SmokeFailed, BotoCoreError, ClientError) as error:
        print(f"make smoke: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"The finding arrived after {time.monotonic() - started:.0f} seconds:\n")
    print(json.dumps(json.loads(finding), indent=2, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
