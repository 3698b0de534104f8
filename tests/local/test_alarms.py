"""Every alarm of template.yaml, asked about the numbers that it watches. Knows no code of the detector.

What a line means to CloudWatch, and when an alarm rings, is worked out here as AWS documents it, for one period. The alarms on
the ledger are asked about what the real binary writes. What Lambda, SQS, SNS and EventBridge count themselves nobody counts on
this machine, so those alarms are asked about numbers made up here: what AWS would count in trouble, and what it counts on a
good day. That they name a metric, a dimension and a statistic that AWS publishes, tests/template holds; that the trouble is
where the number says (a function that fails, a queue that fills), tests/faults.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import unittest
from pathlib import Path
from typing import Any

import yaml
from example_stack import LOGS, PROJECT, ExampleStack, FunctionOutput, log_key
from local_aws import LocalAws
from local_lambda import FUNCTION_NAME, Answer, LocalLambda

RULE = """
title: A guardrail is looked at
id: 0b5d6a1e-7a55-4a4f-9b43-6f0a4c1f3d11
logsource: {product: aws, service: cloudtrail}
detection:
  selection: {eventSource: bedrock.amazonaws.com, eventName: GetGuardrail}
  condition: selection
level: low
"""

# A metric as CloudWatch knows it: namespace, name, dimensions.
Metric = tuple[str, str, tuple[tuple[str, str], ...]]


class Template(yaml.SafeLoader):
    """CloudFormation's YAML: a tag is a function of what it stands before."""


def function_of(loader: yaml.SafeLoader, name: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        return {name: node.value}
    return {name: loader.construct_sequence(node, deep=True)}


Template.add_multi_constructor("!", function_of)


def all_alarms() -> dict[str, dict[str, Any]]:
    """Properties of all alarms, by the end of their names."""
    template = yaml.load((PROJECT / "template.yaml").read_text(encoding="utf-8"), Loader=Template)
    alarms = [resource["Properties"] for resource in template["Resources"].values() if resource["Type"] == "AWS::CloudWatch::Alarm"]
    return {alarm["AlarmName"]["Sub"].removeprefix("${AWS::StackName}-"): alarm for alarm in alarms}


def is_on_the_ledger(alarm: dict[str, Any]) -> bool:
    return any(namespace == "BedrockAudit" for namespace, _, _ in watched(alarm))


def watched(alarm: dict[str, Any]) -> list[Metric]:
    """The metrics that an alarm reads. The detector is the function that runs here."""
    parts = [part["MetricStat"]["Metric"] for part in alarm.get("Metrics", []) if "MetricStat" in part] or [alarm]
    return [
        (part["Namespace"], part["MetricName"], tuple((one["Name"], value_of(one["Value"])) for one in part["Dimensions"]))
        for part in parts
    ]


def value_of(value: Any) -> str:
    return FUNCTION_NAME if value == {"Ref": "Detector"} else str(value)


def published(lines: list[str]) -> dict[Metric, list[float]]:
    """What CloudWatch takes from lines of embedded metrics: the values that a directive names, under its dimensions."""
    points: dict[Metric, list[float]] = {}
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        for directive in entry.get("_aws", {}).get("CloudWatchMetrics", []) if isinstance(entry, dict) else []:
            for names in directive["Dimensions"]:
                dimensions = tuple((name, entry[name]) for name in names)
                for metric in directive["Metrics"]:
                    key = (directive["Namespace"], metric["Name"], dimensions)
                    points.setdefault(key, []).append(entry[metric["Name"]])
    return points


def rings(alarm: dict[str, Any], points: dict[Metric, list[float]]) -> bool | None:
    """Whether a period with these values breaches; None where the alarm stays as it was."""
    if "Metrics" in alarm:
        stats = {part["Id"]: part for part in alarm["Metrics"] if "MetricStat" in part}
        named = {
            name: statistic(points.get(metric, []), part["MetricStat"]["Stat"])
            for (name, part), metric in zip(stats.items(), watched(alarm), strict=True)
        }
        (expression,) = [part["Expression"] for part in alarm["Metrics"] if "Expression" in part]
        value = worked_out(expression, named)
    else:
        (metric,) = watched(alarm)
        value = statistic(points.get(metric, []), alarm["Statistic"])
    if value is None:
        return {"breaching": True, "notBreaching": False, "ignore": None}[alarm["TreatMissingData"]]
    compare = {
        "GreaterThanThreshold": float.__gt__,
        "GreaterThanOrEqualToThreshold": float.__ge__,
        "LessThanThreshold": float.__lt__,
    }
    return bool(compare[alarm["ComparisonOperator"]](value, float(alarm["Threshold"])))


def statistic(values: list[float], name: str) -> float | None:
    return float({"Sum": sum, "Maximum": max}[name](values)) if values else None


def worked_out(expression: str, named: dict[str, float | None]) -> float:
    """A metric-math expression, as far as the template uses them."""
    filled = re.sub(r"FILL\((\w+), 0\)", lambda found: str(named[found[1]] or 0.0), expression)
    number = r"(\d+(?:\.\d+)?)"
    if re.fullmatch(number, filled):
        return float(filled)
    choice = re.fullmatch(rf"IF\({number} > {number} AND {number} < {number}, {number}, {number}\)", filled)
    if choice is None:
        raise ValueError(f"not known here: {expression}")
    more, than, less, below, then, otherwise = map(float, choice.groups())
    return then if more > than and less < below else otherwise


# What AWS would count: in trouble, and on a good day. A metric that is not named has no value.
Counts = dict[str, list[float]]
HOUR, DAY = 3_600.0, 86_400.0
AWS_COUNTS: dict[str, tuple[Counts, Counts]] = {
    "detector-errors": ({"Errors": [0, 1]}, {"Errors": [0, 0]}),
    "detector-throttled": ({"Throttles": [3]}, {"Throttles": [0]}),
    "retry-queue-old": (
        {"ApproximateAgeOfOldestMessage": [60, HOUR + 300]},
        {"ApproximateAgeOfOldestMessage": [0, 240]},
    ),
    "notification-queue-old": (
        {"ApproximateAgeOfOldestMessage": [HOUR + 60]},
        {"ApproximateAgeOfOldestMessage": [120]},
    ),
    "parked-queue-not-empty": (
        {"ApproximateNumberOfMessagesVisible": [0, 1]},
        {"ApproximateNumberOfMessagesVisible": [0]},
    ),
    "async-events-dropped": ({"AsyncEventsDropped": [1]}, {"AsyncEventsDropped": [0]}),
    "failed-events-lost": ({"DestinationDeliveryFailures": [1]}, {"DestinationDeliveryFailures": [0]}),
    "events-lost": ({"InvocationsFailedToBeSentToDlq": [1]}, {"InvocationsFailedToBeSentToDlq": [0]}),
    "findings-not-delivered": ({"NumberOfNotificationsFailed": [1]}, {"NumberOfNotificationsFailed": [0]}),
    "alerts-not-delivered": ({"NumberOfNotificationsFailed": [1]}, {"NumberOfNotificationsFailed": [0]}),
    "findings-unheard": (
        {"NumberOfMessagesPublished": [2]},
        {"NumberOfMessagesPublished": [2], "NumberOfNotificationsDelivered": [1, 1]},
    ),
    "alerts-unheard": (
        {"NumberOfMessagesPublished": [1], "NumberOfNotificationsDelivered": [0]},
        {"NumberOfNotificationsDelivered": [1]},
    ),
    "findings-unread": (
        {"ApproximateAgeOfOldestMessage": [11 * DAY + 60]},
        {"ApproximateAgeOfOldestMessage": [10 * DAY]},
    ),
    "undelivered-queue-not-empty": (
        {"ApproximateNumberOfMessagesVisible": [2]},
        {"ApproximateNumberOfMessagesVisible": [0]},
    ),
}


def under_its_dimensions(alarm: dict[str, Any], counts: Counts) -> dict[Metric, list[float]]:
    return {metric: counts[metric[1]] for metric in watched(alarm) if metric[1] in counts}


class CountedByAws(unittest.TestCase):
    alarms = {name: alarm for name, alarm in all_alarms().items() if not is_on_the_ledger(alarm)}

    def test_each_is_tried_here(self) -> None:
        self.assertEqual(self.alarms.keys(), AWS_COUNTS.keys())

    def test_each_rings_in_trouble_and_not_on_a_good_day(self) -> None:
        for name, alarm in self.alarms.items():
            trouble, good_day = AWS_COUNTS[name]
            with self.subTest(name):
                self.assertLessEqual(trouble.keys() | good_day.keys(), {metric for _, metric, _ in watched(alarm)})
                self.assertIs(rings(alarm, under_its_dimensions(alarm, trouble)), True)
                self.assertIs(rings(alarm, under_its_dimensions(alarm, good_day)), False)
                self.assertIs(rings(alarm, {}), False, "AWS publishes nothing of what is not used")


class OnTheLedger(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        bootstrap = os.environ.get("BEDROCK_AUDIT_BOOTSTRAP")
        if bootstrap is None:
            raise RuntimeError("BEDROCK_AUDIT_BOOTSTRAP is not set: run by `make test`, which builds the binary")
        cls.bootstrap = Path(bootstrap)
        cls.stack = ExampleStack(cls.enterClassContext(LocalAws()))
        cls.alarms = {name: alarm for name, alarm in all_alarms().items() if is_on_the_ledger(alarm)}

    def period(self, *events: str, **environment: str) -> tuple[list[Answer], list[str]]:
        """The answers of a fresh function to these events, and all that it wrote."""
        output = FunctionOutput()
        self.addCleanup(output.file.close)
        with LocalLambda(self.bootstrap, {**self.stack.environment(), **environment}, output.file) as function:
            answers = [function.invoke(event.encode()) for event in events]
            return answers, output.new_lines()

    def ringing(self, lines: list[str]) -> set[str]:
        points = published(lines)
        return {name for name, alarm in self.alarms.items() if rings(alarm, points)}

    def a_log(self, suffix: str) -> str:
        self.stack.put_log(log_key(suffix.ljust(16, "0")), (LOGS / "quiet-day.json").read_bytes())
        return self.stack.notice()

    def rules(self, **files: str) -> str:
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        for name, text in files.items():
            (folder / f"{name}.yml").write_text(text)
        return str(folder)

    def test_each_is_tried_here(self) -> None:
        tried = {"items-failed", "rule-files-refused", "ledger-imbalance", "no-log-audited"}
        self.assertEqual(set(self.alarms), tried)

    def test_a_log_that_is_audited_rings_none(self) -> None:
        answers, lines = self.period(self.a_log("one"))
        self.assertFalse(answers[0].failed)
        self.assertEqual(self.ringing(lines), set())
        every = {metric for alarm in self.alarms.values() for metric in watched(alarm)}
        self.assertLessEqual(every, published(lines).keys(), "an alarm on a metric that is not written never rings")

    def test_a_message_that_is_given_back_rings_items_failed(self) -> None:
        records = [
            {"messageId": "m1", "eventSource": "aws:sqs", "body": self.a_log("two")},
            {"messageId": "m2", "eventSource": "aws:sqs", "body": '{"nonsense": true}'},
        ]
        answers, lines = self.period(json.dumps({"Records": records}))
        self.assertFalse(answers[0].failed, "to Lambda it is an answer and no error, so its own metric says nothing")
        self.assertEqual(self.ringing(lines), {"items-failed"})

    def test_an_invocation_that_fails_is_an_error_to_lambda_and_a_failed_item(self) -> None:
        notice = json.loads(self.a_log("three"))
        notice["Records"][0]["s3"]["bucket"]["name"] = "somebody-elses"
        answers, lines = self.period(json.dumps(notice))
        self.assertTrue(answers[0].failed, "this is what Lambda counts as Errors, which detector-errors watches")
        self.assertEqual(self.ringing(lines), {"items-failed", "no-log-audited"})

    def test_a_wrong_rule_file_rings_until_it_is_mended(self) -> None:
        wrong = RULE.replace("condition: selection", "condition: selektion")
        _, lines = self.period(self.a_log("four"), self.a_log("five"), RULES_URI=self.rules(good=RULE, wrong=wrong))
        self.assertEqual(self.ringing(lines), {"rule-files-refused"})
        _, lines = self.period(self.a_log("six"), RULES_URI=self.rules(good=RULE))
        self.assertEqual(self.ringing(lines), set())
        self.assertIsNone(rings(self.alarms["rule-files-refused"], {}), "without a ledger it stays as it was")

    def test_a_start_without_its_rules_judges_nothing_and_rings(self) -> None:
        answers, lines = self.period(self.a_log("nine"), RULES_URI="s3://no-such-bucket-of-rules/")
        self.assertTrue(answers[0].failed)
        self.assertEqual(self.ringing(lines), {"items-failed", "no-log-audited"})

    def test_an_hour_without_a_log_rings_even_if_the_detector_is_busy(self) -> None:
        other = json.loads(self.a_log("seven"))
        digest = other["Records"][0]["s3"]["object"]
        digest["key"] = digest["key"].replace("CloudTrail", "CloudTrail-Digest")
        test_event = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "example"}
        _, lines = self.period(json.dumps(other), json.dumps(test_event))
        self.assertEqual(self.ringing(lines), {"no-log-audited"})
        self.assertEqual(self.ringing([]), {"no-log-audited"})

    def test_a_ledger_that_does_not_hold_rings(self) -> None:
        # Only a defect makes the binary lose count, and none is known; that the count moves then is tried in ledger.rs.
        _, lines = self.period(self.a_log("eight"))
        (ledger,) = [line for line in lines if "CloudWatchMetrics" in line]
        self.assertEqual(self.ringing([ledger]), set())
        self.assertEqual(self.ringing([json.dumps({**json.loads(ledger), "LedgerImbalance": 1})]), {"ledger-imbalance"})


if __name__ == "__main__":
    unittest.main()
