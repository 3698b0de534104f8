"""Tests of smoke.py. S3 and SQS are local AWS, CloudFormation and Lambda a few lines here: no account is touched."""

from __future__ import annotations

import gzip
import io
import json
import sys
import unittest
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1] / "local")]

import smoke  # noqa: E402
from botocore.exceptions import ClientError  # noqa: E402
from local_aws import LocalAws  # noqa: E402

OUTPUTS = {
    "FunctionName": "bedrock-audit-Detector",
    "FunctionArn": "arn:aws:lambda:eu-central-1:111122223333:function:bedrock-audit-Detector",
    "LogBucketName": "bedrock-audit-example-logs",
    "LogFolder": "AWSLogs/",
}


class FakeCloudFormation:
    """One stack with these outputs."""

    def __init__(self, outputs: dict[str, str]) -> None:
        self.outputs = outputs

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        if StackName != "bedrock-audit":
            raise ClientError({"Error": {"Code": "ValidationError", "Message": "does not exist"}}, "DescribeStacks")
        outputs = [{"OutputKey": key, "OutputValue": value} for key, value in self.outputs.items()]
        return {"Stacks": [{"Outputs": outputs}]}


class FakeLambda:
    """Does with the event what the test says."""

    def __init__(self, function: Callable[[dict[str, Any]], None], error: str | None = None) -> None:
        self.function, self.error = function, error

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        self.function(json.loads(Payload))
        return {"Payload": io.BytesIO(b"null"), **({"FunctionError": self.error} if self.error else {})}


class FakeSession:
    def __init__(self, clients: dict[str, Any]) -> None:
        self.clients = clients

    def client(self, service: str) -> Any:
        return self.clients[service]


class SmokeTest(unittest.TestCase):
    aws: LocalAws

    @classmethod
    def setUpClass(cls) -> None:
        cls.aws = cls.enterClassContext(LocalAws())

    def setUp(self) -> None:
        self.s3, self.sqs = self.aws.client("s3"), self.aws.client("sqs")
        self.queue = self.sqs.create_queue(QueueName=f"Findings-{self._testMethodName}")["QueueUrl"]
        self.outputs = {**OUTPUTS, "FindingsQueueUrl": self.queue}

    def session(self, **clients: Any) -> FakeSession:
        return FakeSession({"cloudformation": FakeCloudFormation(self.outputs), "sqs": self.sqs, **clients})

    def arrives(self, body: str) -> None:
        self.sqs.send_message(QueueUrl=self.queue, MessageBody=body)

    def bodies(self) -> list[str]:
        answer = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10)
        return [message["Body"] for message in answer.get("Messages", [])]

    def test_a_log_is_put_into_the_stacks_own_bucket(self) -> None:
        self.s3.create_bucket(
            Bucket=OUTPUTS["LogBucketName"], CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        stack = smoke.stack_named("bedrock-audit", FakeCloudFormation(self.outputs))
        now = datetime.now(UTC)
        key = smoke.new_key(stack, now)
        smoke.put_log(stack, key, now, self.s3)
        self.assertRegex(
            key,
            r"^AWSLogs/111122223333/CloudTrail/eu-central-1/\d{4}/\d\d/\d\d/"
            r"111122223333_CloudTrail_eu-central-1_\d{8}T\d{4}Z_[A-Za-z0-9]{16}\.json\.gz$",
        )
        body = self.s3.get_object(Bucket=stack.bucket, Key=key)["Body"].read()
        records = json.loads(gzip.decompress(body))["Records"]
        examples = json.loads(smoke.LOG.read_bytes())["Records"]
        self.assertEqual([record["eventName"] for record in records], [record["eventName"] for record in examples])
        self.assertFalse({record["eventID"] for record in records} & {record["eventID"] for record in examples})

    def test_a_bucket_that_was_there_before_is_not_written_to(self) -> None:
        self.outputs["ExistingBucketRuleName"] = "bedrock-audit-ExistingBucketRule"

        def detector(event: dict[str, Any]) -> None:
            self.assertEqual(event["detail-type"], "Object Deleted")
            self.arrives(json.dumps({"unmapped": {"log": event["detail"]["object"]}}))

        finding = smoke.smoke("bedrock-audit", 5, self.session(**{"lambda": FakeLambda(detector)}))
        self.assertIn("CloudTrail", json.loads(finding)["unmapped"]["log"]["key"])
        self.assertEqual(self.bodies(), [])

    def test_other_findings_stay_in_the_queue(self) -> None:
        self.arrives("somebody else's")
        self.arrives("bears the-mark")
        self.assertEqual(smoke.wait_for_finding(self.queue, "the-mark", 5, self.sqs), "bears the-mark")
        self.assertEqual(self.bodies(), ["somebody else's"])

    def test_silence_is_a_failure(self) -> None:
        with self.assertRaisesRegex(smoke.SmokeFailed, "No finding came"):
            smoke.wait_for_finding(self.queue, "the-mark", 0.2, self.sqs)

    def test_a_failing_detector_is_a_failure(self) -> None:
        self.outputs["ExistingBucketRuleName"] = "bedrock-audit-ExistingBucketRule"
        session = self.session(**{"lambda": FakeLambda(lambda event: None, error="Unhandled")})
        with self.assertRaisesRegex(smoke.SmokeFailed, "failed: null"):
            smoke.smoke("bedrock-audit", 1, session)

    def test_what_the_stack_lacks_is_named(self) -> None:
        with self.assertRaisesRegex(smoke.SmokeFailed, "cannot be looked up"):
            smoke.smoke("another", 1, self.session())
        del self.outputs["FindingsQueueUrl"]
        with self.assertRaisesRegex(smoke.SmokeFailed, "FindingsQueueWanted=no"):
            smoke.smoke("bedrock-audit", 1, self.session())
        del self.outputs["LogFolder"]
        with self.assertRaisesRegex(smoke.SmokeFailed, "no output LogFolder"):
            smoke.smoke("bedrock-audit", 1, self.session())

    def test_the_template_has_these_outputs(self) -> None:
        template = (Path(__file__).resolve().parents[2] / "template.yaml").read_text()
        outputs = template[template.index("\nOutputs:") :]
        for name in (*self.outputs, "ExistingBucketRuleName"):
            self.assertIn(f"\n  {name}:\n", outputs)


if __name__ == "__main__":
    unittest.main()
