"""What no linter finds in template.yaml. It knows the translated template and the contracts, and nothing of AWS itself.

    python tests/template/test_template.py

A linter sees that a template can be deployed. That an alarm watches a metric which exists, that a queue waits long enough, or
that a bucket's policy names the trail which the stack makes, it cannot see. Here the translated template is taken apart for
every way of deploying it: parameters and conditions are resolved, as CloudFormation would, and the result is asserted on.
"""

import itertools
import json
import re
import tomllib
import unittest
from pathlib import Path

import botocore
import botocore.loaders
from translate import translate

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = translate((ROOT / "template.yaml").read_text(encoding="utf-8"))
DEPLOY_PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
OPERATIONS_PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
THREATS_PAGE = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")

# The detector's environment and the metrics of its ledger, as the detector has them.
ENVIRONMENT = {
    "LOG_BUCKETS",
    "FINDINGS_TOPIC_ARN",
    "ALERTS_TOPIC_ARN",
    "ALERT_MIN_SEVERITY",
    "ALERT_FORMAT",
    "MAX_UNPACKED_MIB",
    "RULES_URI",
    "OWN_RESOURCES",
    "LOG_LEVEL",
}
LEDGER_METRICS = {
    "Logs", "LogsAudited", "LogsSkipped", "LogsGone", "LogsDamaged", "LogsFailed",
    "Records", "RecordsMatched", "RecordsUnmatched", "RecordsUnreadable",
    "Findings", "FindingsPublished", "FindingsExcepted", "FindingsShadowed", "FindingsSuperseded", "FindingsFailed",
    "AlertsPublished", "ItemsFailed", "RuleFilesRefused", "LedgerImbalance",
}  # fmt: skip

# What CloudWatch has under these names, and the one dimension by which it has it.
METRICS = {
    "BedrockAudit": ("FunctionName", LEDGER_METRICS),
    "AWS/Lambda": ("FunctionName", {"Errors", "Throttles", "AsyncEventsDropped", "DestinationDeliveryFailures"}),
    "AWS/SQS": ("QueueName", {"ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"}),
    "AWS/SNS": (
        "TopicName",
        {"NumberOfMessagesPublished", "NumberOfNotificationsDelivered", "NumberOfNotificationsFailed"},
    ),
    "AWS/Events": ("RuleName", {"InvocationsFailedToBeSentToDlq"}),
}
# The statistic under which AWS's documentation says that a metric means something: a count is added up, a state is not.
# Nothing local publishes these, so what they do cannot be tried here; what the ledger's do is tried in tests/local.
STATES = {"ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible", "RuleFilesRefused"}

# Resource "*" is allowed in these policies alone.
STAR_RESOURCES = {
    "OperationsKey": "in a key's policy it means this key, which has no ARN yet when the policy is written",
}

STACK_ID = "arn:aws:cloudformation:eu-central-1:111122223333:stack/audit/1a2b3c4d-5e6f-11f0-9a8b-0a1b2c3d4e5f"
PSEUDO_PARAMETERS = {
    "AWS::AccountId": "111122223333",
    "AWS::Partition": "aws",
    "AWS::Region": "eu-central-1",
    "AWS::StackId": STACK_ID,
    "AWS::StackName": "audit",
    "AWS::URLSuffix": "amazonaws.com",
}
OWN_BUCKET = "bedrock-audit-logs-111122223333-eu-central-1-1a2b3c4d"
OWN_TRAIL = "arn:aws:cloudtrail:eu-central-1:111122223333:trail/bedrock-audit-1a2b3c4d"
ORGANIZATION_TRAIL = "arn:aws:cloudtrail:us-east-1:444455556666:trail/organization"
TRAIL_KEY = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
RULES_KEY = "arn:aws:kms:eu-central-1:111122223333:key/9876fedc-98fe-76dc-54ba-0987654321fe"
RULES_LAYER = "arn:aws:lambda:eu-central-1:111122223333:layer:rules:1"

WAYS = {
    "own trail": {},
    "own bucket, organization's trail": {
        "OrganizationId": "o-exampleorgid",
        "OrganizationTrailArn": ORGANIZATION_TRAIL,
    },
    "existing bucket": {"LogBucketName": "example-trail"},
    "existing bucket of an organization": {"LogBucketName": "example-trail", "OrganizationId": "o-exampleorgid"},
    "existing bucket of an organization, trail known": {
        "LogBucketName": "example-trail",
        "LogKeyPrefix": "o-exampleorgid/",
        "OrganizationId": "o-exampleorgid",
        "OrganizationTrailArn": ORGANIZATION_TRAIL,
    },
}
OPTIONS = [
    {},
    {"MaximumConcurrency": "10"},
    {"FindingsQueueWanted": "no", "AlertMailAddress": "soc@example.com", "TrailKmsKeyArn": TRAIL_KEY},
    {"FindingsSubscriberAccounts": "444455556666,123456789012", "ReservedConcurrency": "5"},
    {"RulesLayerArn": RULES_LAYER, "MaximumConcurrency": "2"},
    {"RulesBucketWanted": "yes"},
    {"RulesBucketName": "example-rules", "RulesKeyPrefix": "bedrock/audit/", "RulesKmsKeyArn": RULES_KEY},
]

# Where rules beside the built-in ones can be: the parameters, the detector's RULES_URI, and the bucket.
RULES = {
    "nowhere": ({}, None, None),
    "layer": ({"RulesLayerArn": RULES_LAYER}, "/opt/rules", None),
    "own bucket": ({"RulesBucketWanted": "yes"}, "s3://<RulesBucket.Ref>/rules/", "<RulesBucket.Ref>"),
    "own bucket, key": (
        {"RulesBucketWanted": "yes", "RulesKmsKeyArn": RULES_KEY},
        "s3://<RulesBucket.Ref>/rules/",
        "<RulesBucket.Ref>",
    ),
    "existing bucket": ({"RulesBucketName": "example-rules"}, "s3://example-rules/rules/", "example-rules"),
    "existing bucket, prefix and key": (
        {"RulesBucketName": "example-rules", "RulesKeyPrefix": "bedrock/audit/", "RulesKmsKeyArn": RULES_KEY},
        "s3://example-rules/bedrock/audit/",
        "example-rules",
    ),
}

NO_VALUE = object()


class Stack:
    """The template as one choice of parameters makes it. Physical names that only AWS knows stand as <LogicalId.Attribute>."""

    def __init__(self, **chosen):
        self.parameters = {"OperationsMailAddress": "operations@example.com"}
        for name, parameter in TEMPLATE["Parameters"].items():
            if "Default" in parameter:
                self.parameters[name] = str(parameter["Default"])
        self.parameters.update(chosen)
        unknown = self.parameters.keys() - TEMPLATE["Parameters"].keys()
        if unknown:
            raise KeyError(f"no such parameter: {unknown}")
        self.exists = {
            name for name, resource in TEMPLATE["Resources"].items() if self.holds(resource.get("Condition", True))
        }
        self.resources = {name: self.resolve(TEMPLATE["Resources"][name]) for name in sorted(self.exists)}
        self.outputs = {
            name: self.resolve(output["Value"])
            for name, output in TEMPLATE["Outputs"].items()
            if self.holds(output.get("Condition", True))
        }

    def properties(self, name):
        return self.resources[name]["Properties"]

    def of_type(self, *types):
        return {name: resource for name, resource in self.resources.items() if resource["Type"] in types}

    def refused_by(self):
        """The names of the template's Rules that would refuse these parameters."""
        refused = set()
        for name, rule in TEMPLATE["Rules"].items():
            if self.holds(rule.get("RuleCondition", True)):
                if not all(self.holds(assertion["Assert"]) for assertion in rule["Assertions"]):
                    refused.add(name)
        return refused

    def holds(self, condition):
        """Whether a condition is true, given by name or as a function."""
        if isinstance(condition, bool):
            return condition
        if isinstance(condition, str):
            return self.holds(TEMPLATE["Conditions"][condition])
        ((function, argument),) = condition.items()
        if function == "Condition":
            return self.holds(argument)
        if function == "Fn::Not":
            return not self.holds(argument[0])
        if function == "Fn::And":
            return all(self.holds(part) for part in argument)
        if function == "Fn::Or":
            return any(self.holds(part) for part in argument)
        if function == "Fn::Equals":
            return str(self.resolve(argument[0])) == str(self.resolve(argument[1]))
        raise KeyError(f"not a condition: {function}")

    def resolve(self, value):
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((function, argument),) = value.items()
            if function == "Ref" or function.startswith("Fn::"):
                return self.call(function, argument)
        resolved = {key: self.resolve(item) for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item is not NO_VALUE}

    def call(self, function, argument):
        if function == "Ref":
            return self.reference(argument)
        if function == "Fn::GetAtt":
            name, attribute = argument if isinstance(argument, list) else argument.split(".", 1)
            return self.resource(name, attribute)
        if function == "Fn::If":
            return self.resolve(argument[1] if self.holds(argument[0]) else argument[2])
        if function == "Fn::Sub":
            return self.substitute(*(argument if isinstance(argument, list) else [argument, {}]))
        if function == "Fn::Join":
            return argument[0].join(self.resolve(argument[1]))
        if function == "Fn::Split":
            return self.resolve(argument[1]).split(argument[0])
        if function == "Fn::Select":
            return self.resolve(argument[1])[int(argument[0])]
        if function == "Fn::FindInMap":
            name, key, part = map(self.resolve, argument)
            return TEMPLATE["Mappings"][name][key][part]
        raise KeyError(f"not resolved here: {function}")

    def reference(self, name):
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in PSEUDO_PARAMETERS:
            return PSEUDO_PARAMETERS[name]
        if name in self.parameters:
            if TEMPLATE["Parameters"][name]["Type"] == "CommaDelimitedList":
                return self.parameters[name].split(",")
            return self.parameters[name]
        return self.resource(name, "Ref")

    def resource(self, name, attribute):
        if name not in self.exists:
            raise AssertionError(f"{name} is referred to, but does not exist with {self.parameters}")
        return f"<{name}.{attribute}>"

    def substitute(self, text, values):
        def value_of(match):
            name = match.group(1)
            if name in values:
                return self.resolve(values[name])
            if "." in name:
                return self.resource(*name.split(".", 1))
            return self.reference(name)

        return re.sub(r"\$\{([^}]+)\}", value_of, text)


def every_stack():
    """Each way with each set of options: what must always hold is asserted on all of them."""
    for (way, parameters), options in itertools.product(WAYS.items(), OPTIONS):
        yield f"{way} with {options or 'defaults'}", Stack(**parameters, **options)


def merge_patch(target, change):
    """RFC 7396, with which cases of a proof are written."""
    if not isinstance(change, dict):
        return change
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in change.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def selects(selector, record):
    """Whether an advanced event selector takes a record: what selects is or-ed, what deselects is and-ed, fields are and-ed.

    A record without the field has nothing to be selected by.
    """
    selecting = {"Equals": str.__eq__, "StartsWith": str.startswith, "EndsWith": str.endswith}
    for field in selector["FieldSelectors"]:
        values = as_text(record, field["Field"])
        if field.keys() - {"Field"} - selecting.keys():
            raise KeyError(f"not known here: {field}")
        tests = [(holds, wanted) for name, holds in selecting.items() for wanted in field.get(name, [])]
        if not any(holds(value, wanted) for holds, wanted in tests for value in values):
            return False
    return True


def as_text(record, path):
    """What a record has at a selector's field. A request for several objects names the beginning of their ARNs."""
    if path.startswith("resources."):
        name = path.removeprefix("resources.")
        names = ("ARN", "ARNPrefix") if name == "ARN" else (name,)
        objects = [part for part in record.get("resources", []) if part["type"] == "AWS::S3::Object"]
        return [part[name] for part in objects for name in names if name in part]
    value = record
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if value is None:
        return []
    return ["true" if value is True else "false" if value is False else value]


def as_list(value):
    return value if isinstance(value, list) else [value]


def resource_policies(stack):
    """(resource, policy, name of the policy's resource) for every topic, queue and bucket."""
    for name, resource in stack.of_type("AWS::SQS::QueuePolicy").items():
        for queue in resource["Properties"]["Queues"]:
            yield queue.split(".")[0].strip("<>"), resource["Properties"]["PolicyDocument"], name
    for name, resource in stack.of_type("AWS::SNS::TopicPolicy").items():
        for topic in resource["Properties"]["Topics"]:
            yield topic.split(".")[0].strip("<>"), resource["Properties"]["PolicyDocument"], name
    for name, resource in stack.of_type("AWS::S3::BucketPolicy").items():
        yield resource["Properties"]["Bucket"].split(".")[0].strip("<>"), resource["Properties"]["PolicyDocument"], name


def identity_statements(stack):
    """(resource, statement) of everything that the detector's role may do."""
    for name, resource in stack.of_type("AWS::IAM::Role").items():
        for policy in resource["Properties"]["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                yield name, statement
    for name, resource in stack.of_type("AWS::IAM::RolePolicy").items():
        for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
            yield name, statement


class References(unittest.TestCase):
    def test_nothing_refers_to_a_resource_that_this_way_does_not_make(self):
        # Stack() raises where something does.
        self.assertEqual(len(list(every_stack())), len(WAYS) * len(OPTIONS))

    def test_each_way_makes_its_own_resources(self):
        wakes = {"LogBucket", "Trail", "LogBucketMayInvokeDetector", "ExistingBucketRule", "ExistingBucketMayInvokeDetector",
                 "NotificationQueue", "NotificationQueueSource"}  # fmt: skip
        expected = {
            "own trail": {"LogBucket", "Trail", "LogBucketMayInvokeDetector"},
            "own bucket, organization's trail": {"LogBucket", "LogBucketMayInvokeDetector"},
            "existing bucket": {"ExistingBucketRule", "ExistingBucketMayInvokeDetector"},
        }
        for way, resources in expected.items():
            with self.subTest(way):
                self.assertEqual(Stack(**WAYS[way]).exists & wakes, resources)
                through_queue = {name for name in resources if not name.endswith("MayInvokeDetector")}
                through_queue |= {"NotificationQueue", "NotificationQueueSource"}
                self.assertEqual(Stack(**WAYS[way], MaximumConcurrency="10").exists & wakes, through_queue)


class TheDetector(unittest.TestCase):
    def test_environment_is_the_contract(self):
        for name, stack in every_stack():
            with self.subTest(name):
                variables = stack.properties("Detector")["Environment"]["Variables"]
                expected = set(ENVIRONMENT)
                places = ("RulesLayerArn", "RulesBucketName")
                if stack.parameters["RulesBucketWanted"] == "no" and not any(stack.parameters[place] for place in places):
                    expected.discard("RULES_URI")
                self.assertEqual(set(variables), expected)
                self.assertNotIn("", variables.values())

    def test_environment_names_the_bucket_that_is_read(self):
        for way, parameters in WAYS.items():
            with self.subTest(way):
                variables = Stack(**parameters).properties("Detector")["Environment"]["Variables"]
                self.assertEqual(variables["LOG_BUCKETS"], parameters.get("LogBucketName", OWN_BUCKET))
        stack = Stack()
        self.assertEqual(stack.properties("LogBucket")["BucketName"], OWN_BUCKET)
        variables = stack.properties("Detector")["Environment"]["Variables"]
        self.assertEqual(variables["FINDINGS_TOPIC_ARN"], "<FindingsTopic.Ref>")
        self.assertEqual(variables["ALERTS_TOPIC_ARN"], "<AlertsTopic.Ref>")

    def test_bucket_name_fits_in_every_region(self):
        longest = OWN_BUCKET.replace("eu-central-1", "ap-southeast-99")
        self.assertLessEqual(len(longest), 63)

    def test_runtime(self):
        properties = Stack().properties("Detector")
        self.assertEqual(properties["Runtime"], "provided.al2023")
        self.assertEqual(properties["Architectures"], ["arm64"])
        self.assertEqual(properties["Handler"], "bootstrap")
        metadata = Stack().resources["Detector"]["Metadata"]
        self.assertEqual(metadata["BuildMethod"], "rust-cargolambda")
        self.assertEqual(metadata["BuildProperties"], {"Binary": "bootstrap"})
        self.assertEqual(properties["LoggingConfig"], {"LogFormat": "Text", "LogGroup": "<DetectorLog.Ref>"})

    def test_nothing_is_left_to_sams_shorthand(self):
        # A misspelt parameter of a SAM policy template passes every linter, and an S3 event of SAM becomes a circle.
        function = TEMPLATE["Resources"]["Detector"]["Properties"]
        self.assertEqual(function["Role"], {"Fn::GetAtt": ["DetectorRole", "Arn"]})
        self.assertEqual(list(Stack().of_type("AWS::IAM::Role")), ["DetectorRole"])
        self.assertNotIn("ManagedPolicyArns", Stack().properties("DetectorRole"))

    def test_limits_are_unset_by_default(self):
        self.assertNotIn("ReservedConcurrentExecutions", Stack().properties("Detector"))
        self.assertEqual(Stack(ReservedConcurrency="5").properties("Detector")["ReservedConcurrentExecutions"], "5")


class TheTrail(unittest.TestCase):
    def selectors(self, **parameters):
        return Stack(**parameters).properties("Trail")["AdvancedEventSelectors"]

    def types(self, **parameters):
        fields = [selector["FieldSelectors"] for selector in self.selectors(**parameters)]
        return [field["Equals"][0] for one in fields for field in one if field["Field"] == "resources.type"]

    def test_is_whole(self):
        trail = Stack().properties("Trail")
        for property_name in ("IsLogging", "IsMultiRegionTrail", "IncludeGlobalServiceEvents", "EnableLogFileValidation"):
            self.assertIs(trail[property_name], True, property_name)
        self.assertNotIn("KMSKeyId", trail)
        self.assertEqual(Stack(TrailKmsKeyArn=TRAIL_KEY).properties("Trail")["KMSKeyId"], TRAIL_KEY)

    def test_records_reads_and_writes(self):
        selectors = self.selectors()
        management = [s for s in selectors if {"Field": "eventCategory", "Equals": ["Management"]} in s["FieldSelectors"]]
        self.assertEqual(len(management), 1)
        self.assertEqual(len(management[0]["FieldSelectors"]), 1)
        for selector in selectors:
            if {"Field": "resources.type", "Equals": ["AWS::S3::Object"]} not in selector["FieldSelectors"]:
                self.assertNotIn("readOnly", json.dumps(selector))

    def test_records_network_activity(self):
        fields = [
            {"Field": "eventCategory", "Equals": ["NetworkActivity"]},
            {"Field": "eventSource", "Equals": ["bedrock.amazonaws.com"]},
        ]
        denied = {"Field": "errorCode", "Equals": ["VpceAccessDenied"]}
        for wanted, expected in (("denied", [[*fields, denied]]), ("all", [fields]), ("no", [])):
            of_the_network = [
                selector["FieldSelectors"]
                for selector in self.selectors(NetworkActivityEvents=wanted)
                if "NetworkActivity" in json.dumps(selector)
            ]
            self.assertEqual(of_the_network, expected, wanted)

    def test_data_events(self):
        accepted = {"AgentAlias", "InlineAgent", "KnowledgeBase", "FlowAlias", "Guardrail", "Model", "AsyncInvoke"}
        self.assertEqual(set(self.types(BucketDataEvents="no")), {f"AWS::Bedrock::{name}" for name in accepted})
        self.assertEqual(set(self.types()) - set(self.types(BucketDataEvents="no")), {"AWS::S3::Object"})
        agent_core = {f"AWS::BedrockAgentCore::{name}" for name in ("Gateway", "Runtime", "RuntimeEndpoint")}
        self.assertEqual(set(self.types(AgentCoreDataEvents="yes")) - set(self.types()), agent_core)
        self.assertEqual(set(self.types(MantleDataEvents="yes")) - set(self.types()), {"AWS::BedrockMantle::Project"})
        wanted = {"AgentCoreDataEvents": "yes", "MantleDataEvents": "yes", "OtherDataEvents": "yes"}
        every = self.types(**wanted, BucketDataEvents="no")
        self.assertEqual(len(every), len(set(every)), "a type selected twice is charged twice or refused")
        self.assertNotIn("AWS::Bedrock::Prompt", every)
        self.assertEqual(sum(name.startswith("AWS::Bedrock::") for name in every), 18)
        self.assertEqual(sum(name.startswith("AWS::BedrockAgentCore::") for name in every), 24)

    def test_each_data_selector_has_one_category_and_one_type(self):
        for selector in self.selectors(AgentCoreDataEvents="yes", MantleDataEvents="yes", OtherDataEvents="yes"):
            fields = {field["Field"]: field.get("Equals") for field in selector["FieldSelectors"]}
            if fields["eventCategory"] == ["Data"]:
                self.assertEqual(len(fields["resources.type"]), 1)
                if fields["resources.type"] != ["AWS::S3::Object"]:
                    self.assertEqual(set(fields), {"eventCategory", "resources.type"})


class WhatTheTrailRecordsOfBuckets(unittest.TestCase):
    """The selectors are asked about the records with which the rules prove themselves, as CloudTrail documents that it asks."""

    @staticmethod
    def records(rule, bucket, kind="matches", key=None):
        """(because, record) of a rule's proof, in this bucket."""
        proof = json.loads((ROOT / "rules" / f"{rule}.proof.json").read_text(encoding="utf-8"))
        for case in proof[kind]:
            record = case.get("record") or merge_patch(proof["base"], case.get("change", {}))
            # A case may change the request and leave the resources, which are the same in truth.
            text = json.dumps(record)
            for request in (record["requestParameters"], proof["base"]["requestParameters"]):
                text = text.replace(request["bucketName"], bucket)
                if key and "key" in request:
                    text = text.replace(request["key"], key)
            yield case["because"], json.loads(text)

    @staticmethod
    def trail(**parameters):
        stack = Stack(**parameters)
        text = json.dumps(stack.properties("Trail")["AdvancedEventSelectors"])
        for name, bucket in (("LogBucket", OWN_BUCKET), ("RulesBucket", "own-rules")):
            text = text.replace(f"<{name}.Arn>", f"arn:aws:s3:::{bucket}")
        return json.loads(text)

    def test_every_tampering_that_a_rule_matches_is_recorded(self):
        rules = {"own-rules": {"RulesBucketWanted": "yes"}, "example-rules": {"RulesBucketName": "example-rules"}}
        watched = [("being-watched/delivered-logs-deleted", OWN_BUCKET, {}, None)]
        watched += [("being-watched/delivered-logs-written-by-others", OWN_BUCKET, {}, None)]
        for rule in ("own-house/rule-file-written", "own-house/rule-file-deleted"):
            watched += [(rule, bucket, parameters, "rules/one.yml") for bucket, parameters in rules.items()]
        for rule, bucket, parameters, key in watched:
            recorded = self.trail(**parameters)
            for because, record in self.records(rule, bucket, key=key):
                with self.subTest(rule, because=because, bucket=bucket):
                    self.assertTrue(any(selects(selector, record) for selector in recorded))
                    self.assertFalse(any(selects(s, record) for s in self.trail(**parameters, BucketDataEvents="no")))

    def test_cloudtrails_own_deliveries_are_not_or_they_would_never_end(self):
        deliveries = [
            record
            for because, record in self.records("being-watched/delivered-logs-written-by-others", OWN_BUCKET, "ignores")
            if record["userIdentity"].get("invokedBy") == "cloudtrail.amazonaws.com"
        ]
        self.assertTrue(deliveries)
        for record in deliveries:
            self.assertFalse(any(selects(selector, record) for selector in self.trail()))

    def test_a_caller_without_an_arn_is_recorded_when_it_deletes_and_not_when_it_writes(self):
        # So S3 tells of callers from other accounts, and of services. docs/deploy.md says what is not seen.
        other = {"type": "AWSAccount", "principalId": "AIDAEXAMPLEOTHER00001", "accountId": "444455556666"}
        for rule, recorded in (("delivered-logs-deleted", True), ("delivered-logs-written-by-others", False)):
            for because, record in self.records(f"being-watched/{rule}", OWN_BUCKET):
                taken = any(selects(selector, {**record, "userIdentity": other}) for selector in self.trail())
                self.assertEqual(taken, recorded, because)

    def test_what_the_detector_reads_is_not(self):
        for bucket, key in ((OWN_BUCKET, "AWSLogs/111122223333/CloudTrail/x.json.gz"), ("own-rules", "rules/one.yml")):
            (_, written), *_ = self.records("own-house/rule-file-written", bucket, key=key)
            read = {**written, "eventName": "GetObject", "readOnly": True}
            self.assertFalse(any(selects(selector, read) for selector in self.trail(RulesBucketWanted="yes")))

    def test_other_buckets_are_not(self):
        for rule in ("being-watched/delivered-logs-deleted", "own-house/rule-file-written"):
            for other in ("example-other", f"{OWN_BUCKET}-2", "own-rules-2"):
                for because, record in self.records(rule, other):
                    recorded = any(selects(selector, record) for selector in self.trail(RulesBucketWanted="yes"))
                    self.assertFalse(recorded, f"{because} in {other}")


class TheLogBucket(unittest.TestCase):
    def statement(self, sid, **parameters):
        document = Stack(**parameters).properties("LogBucketPolicy")["PolicyDocument"]
        return next(statement for statement in document["Statement"] if statement["Sid"] == sid)

    def test_admits_the_trail_of_the_stack_and_no_other(self):
        trail = Stack().properties("Trail")
        self.assertTrue(OWN_TRAIL.endswith("/" + trail["TrailName"]))
        for sid in ("TheTrailMayLookAtTheBucket", "TheTrailMayDeliver"):
            self.assertEqual(self.statement(sid)["Condition"]["StringEquals"]["aws:SourceArn"], OWN_TRAIL)
        self.assertEqual(self.statement("TheTrailMayDeliver")["Resource"], ["<LogBucket.Arn>/AWSLogs/111122223333/*"])
        condition = self.statement("TheTrailMayDeliver")["Condition"]["StringEquals"]
        self.assertEqual(condition["s3:x-amz-acl"], "bucket-owner-full-control")

    def test_admits_the_trail_of_the_management_account(self):
        way = WAYS["own bucket, organization's trail"]
        for sid in ("TheTrailMayLookAtTheBucket", "TheTrailMayDeliver"):
            condition = self.statement(sid, **way)["Condition"]["StringEquals"]
            self.assertEqual(condition["aws:SourceArn"], ORGANIZATION_TRAIL)
        self.assertEqual(
            self.statement("TheTrailMayDeliver", **way)["Resource"],
            ["<LogBucket.Arn>/AWSLogs/o-exampleorgid/*", "<LogBucket.Arn>/AWSLogs/444455556666/*"],
        )
        prefixed = self.statement("TheTrailMayDeliver", **way, LogKeyPrefix="trails/")["Resource"]
        self.assertEqual(prefixed[0], "<LogBucket.Arn>/trails/AWSLogs/o-exampleorgid/*")

    def test_notifies_of_what_comes_and_what_goes(self):
        for parameters, kind, target in (
            ({}, "LambdaConfigurations", {"Function": "<Detector.Arn>"}),
            ({"MaximumConcurrency": "10"}, "QueueConfigurations", {"Queue": "<NotificationQueue.Arn>"}),
        ):
            configuration = Stack(**parameters).properties("LogBucket")["NotificationConfiguration"]
            self.assertEqual(set(configuration), {kind})
            suffix = {"S3Key": {"Rules": [{"Name": "suffix", "Value": ".json.gz"}]}}
            self.assertEqual(
                configuration[kind],
                [{"Event": f"s3:{event}:*", "Filter": suffix, **target} for event in ("ObjectCreated", "ObjectRemoved")],
            )

    def test_its_destination_admits_it_before_it_is_made(self):
        for parameters, admits in (
            ({}, "LogBucketMayInvokeDetector"),
            ({"MaximumConcurrency": "10"}, "NotificationQueuePolicy"),
        ):
            stack = Stack(**parameters)
            self.assertEqual(stack.resources["LogBucket"]["Metadata"]["AdmittedBy"], f"<{admits}.Ref>")
            self.assertIn(f'"arn:aws:s3:::{OWN_BUCKET}"', json.dumps(stack.properties(admits)))
            self.assertIn('"111122223333"', json.dumps(stack.properties(admits)), "without the account a bucket can be squatted")

    def test_is_closed_versioned_and_encrypted(self):
        bucket = Stack().properties("LogBucket")
        self.assertEqual(set(bucket["PublicAccessBlockConfiguration"].values()), {True})
        self.assertEqual(len(bucket["PublicAccessBlockConfiguration"]), 4)
        self.assertEqual(bucket["VersioningConfiguration"], {"Status": "Enabled"})
        self.assertEqual(bucket["OwnershipControls"], {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]})
        self.assertIn("BucketEncryption", bucket)

    def test_keeps_trail_files_unless_told_otherwise(self):
        self.assertNotIn("ExpirationInDays", json.dumps(Stack().properties("LogBucket")))
        self.assertIn('"ExpirationInDays": "365"', json.dumps(Stack(TrailRetentionDays="365").properties("LogBucket")))


class TheExistingBucket(unittest.TestCase):
    def pattern(self, way):
        return Stack(**WAYS[way]).properties("ExistingBucketRule")["EventPattern"]

    def test_rule_sees_what_comes_and_what_goes(self):
        pattern = self.pattern("existing bucket")
        self.assertEqual(pattern["source"], ["aws.s3"])
        self.assertEqual(pattern["detail-type"], ["Object Created", "Object Deleted"])
        self.assertEqual(pattern["detail"]["bucket"], {"name": ["example-trail"]})
        self.assertEqual(pattern["detail"]["reason"], [{"anything-but": ["Lifecycle Expiration"]}, {"exists": False}])

    def test_rule_and_permission_agree_on_the_keys(self):
        expected = {
            "existing bucket": ["AWSLogs/"],
            "existing bucket of an organization": ["AWSLogs/o-exampleorgid/"],
            "existing bucket of an organization, trail known": [
                "o-exampleorgid/AWSLogs/o-exampleorgid/",
                "o-exampleorgid/AWSLogs/444455556666/",
            ],
        }
        for way, folders in expected.items():
            with self.subTest(way):
                keys = self.pattern(way)["detail"]["object"]["key"]
                self.assertEqual(keys, [{"wildcard": f"{folder}*.json.gz"} for folder in folders])
                stack = Stack(**WAYS[way])
                read = next(s for _, s in identity_statements(stack) if s["Sid"] == "ReadDeliveredLogs")
                self.assertEqual(read["Resource"], [f"arn:aws:s3:::example-trail/{folder}*" for folder in folders])
                self.assertEqual(stack.outputs["LogFolder"], folders[0])

    def test_rule_cannot_lose_an_event(self):
        for concurrency, target in (("", "<Detector.Arn>"), ("10", "<NotificationQueue.Arn>")):
            stack = Stack(**WAYS["existing bucket"], MaximumConcurrency=concurrency)
            (only,) = stack.properties("ExistingBucketRule")["Targets"]
            self.assertEqual(only["Arn"], target)
            self.assertEqual(only["DeadLetterConfig"], {"Arn": "<RetryQueue.Arn>"})
            self.assertEqual(only["RetryPolicy"], {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185})
            self.assertIn("<ExistingBucketRule.Arn>", json.dumps(stack.properties("RetryQueuePolicy")))


class TheRules(unittest.TestCase):
    """Rules beside the built-in ones: not the Rules of the template, which refuse parameters."""

    @staticmethod
    def permissions(stack):
        """What the role has through its policy for rules, by the statements' names."""
        policies = stack.properties("DetectorRole")["Policies"]
        documents = [policy["PolicyDocument"] for policy in policies if policy["PolicyName"] == "rules"]
        return {statement["Sid"]: statement for document in documents for statement in document["Statement"]}

    def test_the_detector_looks_where_they_are(self):
        for place, (parameters, uri, bucket) in RULES.items():
            with self.subTest(place):
                stack = Stack(**parameters)
                self.assertEqual(stack.refused_by(), set())
                detector = stack.properties("Detector")
                self.assertEqual(detector["Environment"]["Variables"].get("RULES_URI"), uri)
                self.assertEqual(detector.get("Layers"), [RULES_LAYER] if place == "layer" else None)
                self.assertEqual(stack.outputs.get("RulesUri"), uri if bucket else None)
                self.assertEqual(stack.outputs.get("RulesBucketName"), bucket)

    def test_rules_about_tampering_know_what_the_stack_is_made_of(self):
        def own(**parameters):
            return Stack(**parameters).properties("Detector")["Environment"]["Variables"]["OWN_RESOURCES"].split(",")

        stack = own()
        self.assertEqual(stack, ["pattern:*audit*", "<OperationsKey.Ref>"])
        there = own(LogBucketName="example-trail", RulesBucketName="example-rules", RulesKmsKeyArn=RULES_KEY)
        rules_key = "9876fedc-98fe-76dc-54ba-0987654321fe"
        self.assertEqual(there, [stack[0], "example-trail", "example-rules", stack[1], rules_key])
        self.assertEqual(own(TrailKmsKeyArn=TRAIL_KEY), [*stack, "1234abcd-12ab-34cd-56ef-1234567890ab"])

    def test_only_a_bucket_of_its_own_is_made(self):
        for place, (parameters, _, _) in RULES.items():
            with self.subTest(place):
                made = Stack(**parameters).exists & {"RulesBucket", "RulesBucketPolicy"}
                self.assertEqual(made, {"RulesBucket", "RulesBucketPolicy"} if place.startswith("own bucket") else set())

    def test_own_bucket_is_retained_closed_versioned_and_encrypted(self):
        stack = Stack(RulesBucketWanted="yes")
        for name in ("RulesBucket", "RulesBucketPolicy"):
            self.assertEqual(stack.resources[name]["DeletionPolicy"], "Retain", name)
            self.assertEqual(stack.resources[name]["UpdateReplacePolicy"], "Retain", name)
        bucket = stack.properties("RulesBucket")
        self.assertNotIn("BucketName", bucket, "a fixed name is in the next stack's way")
        self.assertEqual(len(bucket["PublicAccessBlockConfiguration"]), 4)
        self.assertEqual(set(bucket["PublicAccessBlockConfiguration"].values()), {True})
        self.assertEqual(bucket["OwnershipControls"], {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]})
        self.assertEqual(bucket["VersioningConfiguration"], {"Status": "Enabled"})
        self.assertNotIn("Expiration", json.dumps(bucket), "an expired rule would be a rule that nobody took away")
        (encryption,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        self.assertEqual(encryption, {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}})

    def test_own_bucket_is_encrypted_with_the_key_that_is_given(self):
        bucket = Stack(RulesBucketWanted="yes", RulesKmsKeyArn=RULES_KEY).properties("RulesBucket")
        (encryption,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        by_default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": RULES_KEY}
        self.assertEqual(encryption, {"ServerSideEncryptionByDefault": by_default, "BucketKeyEnabled": True})

    def test_own_bucket_is_reached_over_tls_only_and_its_policy_allows_nobody_anything(self):
        document = Stack(RulesBucketWanted="yes").properties("RulesBucketPolicy")["PolicyDocument"]
        (statement,) = document["Statement"]
        self.assertEqual((statement["Effect"], statement["Principal"], statement["Action"]), ("Deny", "*", "s3:*"))
        self.assertEqual(statement["Resource"], ["<RulesBucket.Arn>", "<RulesBucket.Arn>/*"])
        self.assertEqual(statement["Condition"], {"Bool": {"aws:SecureTransport": "false"}})

    def test_the_detector_may_list_and_read_the_prefix_and_nothing_else(self):
        ours = {"aws:ResourceAccount": "111122223333"}
        for place, (parameters, uri, bucket) in RULES.items():
            with self.subTest(place):
                stack = Stack(**parameters)
                expected = {}
                if bucket:
                    prefix = stack.parameters["RulesKeyPrefix"]
                    self.assertEqual(uri, f"s3://{bucket}/{prefix}", "S3 is asked for the very prefix that is allowed")
                    expected = {
                        "ListRules": ("s3:ListBucket", f"arn:aws:s3:::{bucket}", {"s3:prefix": prefix, **ours}),
                        "ReadRules": ("s3:GetObject", f"arn:aws:s3:::{bucket}/{prefix}*", ours),
                    }
                if "RulesKmsKeyArn" in parameters:
                    through_s3 = {"kms:ViaService": "s3.eu-central-1.amazonaws.com"}
                    expected["DecryptRules"] = ("kms:Decrypt", RULES_KEY, through_s3)
                permissions = self.permissions(stack)
                self.assertEqual(
                    {sid: (s["Action"], s["Resource"], s["Condition"]) for sid, s in permissions.items()},
                    {sid: (action, resource, {"StringEquals": when}) for sid, (action, resource, when) in expected.items()},
                )
                others = [s for _, s in identity_statements(stack) if s["Sid"] not in permissions]
                without = [statement for _, statement in identity_statements(Stack())]
                self.assertEqual(others, without, "where rules are changes no other permission")

    def test_the_permission_is_there_before_the_detector_looks(self):
        # The function refers to its role; a policy apart from it could come later than the first start.
        for place, (parameters, _, bucket) in RULES.items():
            with self.subTest(place):
                self.assertEqual(bool(self.permissions(Stack(**parameters))), bucket is not None)
                self.assertEqual(list(Stack(**parameters).of_type("AWS::IAM::RolePolicy")), ["DetectorMayReadLogs"])


class WhatFails(unittest.TestCase):
    def test_visibility_is_six_timeouts_and_patience_is_a_day(self):
        for timeout in TEMPLATE["Parameters"]["TimeoutSeconds"]["AllowedValues"]:
            stack = Stack(TimeoutSeconds=str(timeout), MaximumConcurrency="10")
            for name in ("RetryQueue", "NotificationQueue"):
                self.assertEqual(stack.properties(name)["VisibilityTimeout"], 6 * timeout, name)
            receives = stack.properties("RetryQueue")["RedrivePolicy"]["maxReceiveCount"]
            self.assertEqual(receives * 6 * timeout, 86400)
            self.assertGreaterEqual(receives, 5)
            self.assertLessEqual(receives, 1000)

    def test_every_source_reports_single_failures(self):
        sources = Stack(MaximumConcurrency="10").of_type("AWS::Lambda::EventSourceMapping")
        self.assertEqual(set(sources), {"NotificationQueueSource", "RetryQueueSource"})
        for name, source in sources.items():
            self.assertEqual(source["Properties"]["FunctionResponseTypes"], ["ReportBatchItemFailures"], name)
            self.assertEqual(source["Properties"]["FunctionName"], "<Detector.Ref>", name)
        self.assertEqual(sources["NotificationQueueSource"]["Properties"]["ScalingConfig"], {"MaximumConcurrency": "10"})

    def test_the_way_ends_in_the_parked_queue(self):
        stack = Stack(MaximumConcurrency="10")
        (configured,) = stack.of_type("AWS::Lambda::EventInvokeConfig").values()
        self.assertEqual(configured["Properties"]["DestinationConfig"]["OnFailure"]["Destination"], "<RetryQueue.Arn>")
        self.assertEqual(configured["Properties"]["MaximumRetryAttempts"], 2)
        self.assertEqual(configured["Properties"]["MaximumEventAgeInSeconds"], 21600)
        ways = {"NotificationQueue": "<RetryQueue.Arn>", "RetryQueue": "<ParkedQueue.Arn>"}
        for name, target in ways.items():
            self.assertEqual(stack.properties(name)["RedrivePolicy"]["deadLetterTargetArn"], target)
        self.assertNotIn("RedrivePolicy", stack.properties("ParkedQueue"))

    def test_every_subscription_has_somewhere_to_leave_what_it_cannot_deliver(self):
        subscriptions = Stack(AlertMailAddress="soc@example.com").of_type("AWS::SNS::Subscription")
        self.assertEqual(set(subscriptions), {"FindingsQueueSubscription", "AlertsMail", "OperationsMail"})
        for name, subscription in subscriptions.items():
            redrive = subscription["Properties"]["RedrivePolicy"]
            self.assertEqual(redrive, {"deadLetterTargetArn": "<UndeliveredQueue.Arn>"}, name)
        allowed = json.dumps(Stack().properties("UndeliveredQueuePolicy"))
        for topic in ("FindingsTopic", "AlertsTopic", "OperationsTopic"):
            self.assertIn(f"<{topic}.Ref>", allowed)

    def test_every_queue_keeps_for_14_days(self):
        for name, queue in Stack(MaximumConcurrency="10").of_type("AWS::SQS::Queue").items():
            self.assertEqual(queue["Properties"]["MessageRetentionPeriod"], 1209600, name)


class WhatStays(unittest.TestCase):
    RETAINED = {"AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::SQS::Queue", "AWS::Logs::LogGroup"}

    def test_what_must_be_retained_is(self):
        for name, resource in TEMPLATE["Resources"].items():
            if resource["Type"] in self.RETAINED:
                self.assertEqual(resource.get("DeletionPolicy"), "Retain", name)
                self.assertEqual(resource.get("UpdateReplacePolicy"), "Retain", name)

    def test_retained_resources_are_never_in_the_way_of_the_next_stack(self):
        # A fixed name could not be given again while the retained resource lives.
        for name, resource in TEMPLATE["Resources"].items():
            if resource["Type"] in self.RETAINED - {"AWS::S3::Bucket"}:
                self.assertFalse({"QueueName", "LogGroupName"} & resource["Properties"].keys(), name)


class Secrecy(unittest.TestCase):
    def test_every_policy_denies_plain_connections(self):
        for name, stack in every_stack():
            with self.subTest(name):
                guarded = set()
                for resource, document, policy in resource_policies(stack):
                    denies = [
                        statement
                        for statement in document["Statement"]
                        if statement["Effect"] == "Deny"
                        and statement["Principal"] == "*"
                        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
                    ]
                    self.assertEqual(len(denies), 1, policy)
                    expected = {"Topic": "sns:Publish", "Queue": "sqs:*", "Bucket": "s3:*"}
                    kind = next(kind for kind in expected if resource.endswith(kind))
                    self.assertEqual(denies[0]["Action"], expected[kind], policy)
                    for target in as_list(denies[0]["Resource"]):
                        self.assertTrue(target.startswith(f"<{resource}."), policy)
                    guarded.add(resource)
                self.assertEqual(guarded, set(stack.of_type("AWS::SNS::Topic", "AWS::SQS::Queue", "AWS::S3::Bucket")))

    def test_everything_is_encrypted_at_rest(self):
        stack = Stack(MaximumConcurrency="10")
        for name, queue in stack.of_type("AWS::SQS::Queue").items():
            self.assertIs(queue["Properties"]["SqsManagedSseEnabled"], True, name)
        for name, topic in stack.of_type("AWS::SNS::Topic").items():
            self.assertIn("KmsMasterKeyId", topic["Properties"], name)

    def test_alarms_can_publish_to_their_encrypted_topic(self):
        stack = Stack()
        self.assertEqual(stack.properties("OperationsTopic")["KmsMasterKeyId"], "<OperationsKey.Arn>")
        service = {"Service": "cloudwatch.amazonaws.com"}
        key = stack.properties("OperationsKey")["KeyPolicy"]["Statement"]
        (uses,) = [statement for statement in key if statement["Principal"] == service]
        self.assertEqual(uses["Action"], ["kms:Decrypt", "kms:GenerateDataKey*"])
        topic = stack.properties("OperationsTopicPolicy")["PolicyDocument"]["Statement"]
        (publishes,) = [statement for statement in topic if statement["Principal"] == service]
        self.assertEqual(publishes["Action"], "sns:Publish")
        pattern = publishes["Condition"]["ArnLike"]["aws:SourceArn"]
        self.assertEqual(pattern, "arn:aws:cloudwatch:eu-central-1:111122223333:alarm:audit-*")
        for name, alarm in stack.of_type("AWS::CloudWatch::Alarm").items():
            self.assertTrue(alarm["Properties"]["AlarmName"].startswith("audit-"), name)

    def test_services_are_admitted_for_a_named_source_only(self):
        # Otherwise another customer's bucket, rule or topic could make the service act on ours.
        for name, stack in every_stack():
            with self.subTest(name):
                for _, document, policy in resource_policies(stack):
                    for statement in document["Statement"]:
                        if statement["Effect"] == "Allow" and "Service" in statement["Principal"]:
                            self.assert_names_its_source(statement["Condition"], policy)
                for permission in stack.of_type("AWS::Lambda::Permission").values():
                    source = permission["Properties"]
                    condition = {"aws:SourceArn": source["SourceArn"], "aws:SourceAccount": source.get("SourceAccount")}
                    self.assert_names_its_source({"StringEquals": condition}, source["Principal"])
                key = stack.properties("OperationsKey")["KeyPolicy"]["Statement"]
                (uses,) = [statement for statement in key if "Service" in statement["Principal"]]
                self.assertEqual(uses["Condition"], {"StringEquals": {"aws:SourceAccount": "111122223333"}})

    def assert_names_its_source(self, condition, where):
        self.assertLessEqual(condition.keys(), {"StringEquals", "ArnEquals", "ArnLike"}, where)
        demanded = {name: value for operator in condition.values() for name, value in operator.items()}
        for source in as_list(demanded["aws:SourceArn"]):
            self.assertNotIn(source, ("*", None, ""), where)
            # The ARN of a bucket names no account, and its name can be another's tomorrow.
            if source.startswith("arn:aws:s3:::"):
                self.assertEqual(demanded.get("aws:SourceAccount"), "111122223333", where)

    def test_nobody_outside_may_subscribe_unless_named(self):
        self.assertNotIn("sns:Subscribe", json.dumps(Stack().properties("FindingsTopicPolicy")))
        stack = Stack(FindingsSubscriberAccounts="444455556666,123456789012")
        statement = stack.properties("FindingsTopicPolicy")["PolicyDocument"]["Statement"][0]
        self.assertEqual(statement["Principal"], {"AWS": ["444455556666", "123456789012"]})
        self.assertEqual(statement["Action"], "sns:Subscribe")


class LeastPrivilege(unittest.TestCase):
    def test_the_detector_may_do_this_and_nothing_else(self):
        stack = Stack(MaximumConcurrency="10", TrailKmsKeyArn=TRAIL_KEY)
        allowed = {}
        for _, statement in identity_statements(stack):
            self.assertEqual(statement["Effect"], "Allow")
            for action, resource in itertools.product(as_list(statement["Action"]), as_list(statement["Resource"])):
                allowed.setdefault(action, []).append(resource)
        self.assertEqual(
            allowed,
            {
                "logs:CreateLogStream": ["<DetectorLog.Arn>"],
                "logs:PutLogEvents": ["<DetectorLog.Arn>"],
                "s3:GetObject": ["arn:aws:s3:::<LogBucket.Ref>/AWSLogs/*"],
                "s3:GetObjectVersion": ["arn:aws:s3:::<LogBucket.Ref>/AWSLogs/*"],
                "s3:ListBucket": ["arn:aws:s3:::<LogBucket.Ref>"],
                "kms:Decrypt": [TRAIL_KEY],
                "sns:Publish": ["<FindingsTopic.Ref>", "<AlertsTopic.Ref>"],
                "sqs:SendMessage": ["<RetryQueue.Arn>"],
                "sqs:ReceiveMessage": ["<RetryQueue.Arn>", "<NotificationQueue.Arn>"],
                "sqs:DeleteMessage": ["<RetryQueue.Arn>", "<NotificationQueue.Arn>"],
                "sqs:GetQueueAttributes": ["<RetryQueue.Arn>", "<NotificationQueue.Arn>"],
            },
        )
        self.assertNotIn("kms:Decrypt", json.dumps([statement for _, statement in identity_statements(Stack())]))

    # What each call of the detector to AWS is allowed by, and where. A key that encrypts what is read comes with the reading.
    CALLS = {
        "get_object": {"s3:GetObject", "s3:GetObjectVersion", "kms:Decrypt"},
        "head_object": {"s3:GetObject"},
        "list_objects_v2": {"s3:ListBucket"},
        "publish": {"sns:Publish"},
        "publish_batch": {"sns:Publish"},
    }
    # What Lambda itself does with the role, as its documentation asks for: the function's log, the on-failure destination of
    # asynchronous invocations, and queues that are event sources. In no code of ours.
    LAMBDA = {
        "logs:CreateLogStream": {"<DetectorLog.Arn>"},
        "logs:PutLogEvents": {"<DetectorLog.Arn>"},
        "sqs:SendMessage": {"<RetryQueue.Arn>"},
        "sqs:ReceiveMessage": {"<RetryQueue.Arn>", "<NotificationQueue.Arn>"},
        "sqs:DeleteMessage": {"<RetryQueue.Arn>", "<NotificationQueue.Arn>"},
        "sqs:GetQueueAttributes": {"<RetryQueue.Arn>", "<NotificationQueue.Arn>"},
    }

    @staticmethod
    def calls():
        """The operations that the detector's sources call, of all that the services which it has a client of know."""
        manifest = tomllib.loads((ROOT / "functions" / "detector" / "Cargo.toml").read_text(encoding="utf-8"))
        clients = [name.removeprefix("aws-sdk-") for name in manifest["dependencies"] if name.startswith("aws-sdk-")]
        loader = botocore.loaders.Loader()
        operations = {
            botocore.xform_name(operation)
            for service in clients
            for operation in loader.load_service_model(service, "service-2")["operations"]
        }
        code = [path.read_text(encoding="utf-8") for path in (ROOT / "functions" / "detector" / "src").rglob("*.rs")]
        return {name for text in code for name in re.findall(r"\.\s*([a-z0-9_]+)\(\)", text) if name in operations}

    def test_every_call_is_allowed_and_everything_allowed_is_called(self):
        calls = self.calls()
        self.assertEqual(calls, set(self.CALLS), "a call without a row here, or a row without its call")
        stack = Stack(MaximumConcurrency="10", TrailKmsKeyArn=TRAIL_KEY, RulesBucketWanted="yes", RulesKmsKeyArn=RULES_KEY)
        allowed = {}
        for _, statement in identity_statements(stack):
            for action, resource in itertools.product(as_list(statement["Action"]), as_list(statement["Resource"])):
                allowed.setdefault(action, set()).add(resource)
        for action, resources in self.LAMBDA.items():
            self.assertEqual(allowed.pop(action), resources, action)
        self.assertEqual(set(allowed), set().union(*self.CALLS.values()))
        self.assertEqual(allowed["kms:Decrypt"], {TRAIL_KEY, RULES_KEY})

    def test_objects_are_read_in_buckets_of_this_account_alone(self):
        # A notification may name what it likes, and a bucket's name may be somebody else's by tomorrow.
        for name, stack in every_stack():
            with self.subTest(name):
                read = [statement for _, statement in identity_statements(stack) if "s3:" in json.dumps(statement["Action"])]
                for statement in read:
                    account = statement["Condition"]["StringEquals"]["aws:ResourceAccount"]
                    self.assertEqual(account, "111122223333", statement["Sid"])
                buckets = {arn.removeprefix("arn:aws:s3:::").split("/")[0] for s in read for arn in as_list(s["Resource"])}
                variables = stack.properties("Detector")["Environment"]["Variables"]
                own = {stack.parameters["LogBucketName"] or "<LogBucket.Ref>"}
                own |= {variables["RULES_URI"].split("/")[2]} if "s3://" in variables.get("RULES_URI", "") else set()
                self.assertEqual(buckets, own)

    def test_no_statement_has_every_resource(self):
        for name, stack in every_stack():
            with self.subTest(name):
                statements = list(identity_statements(stack))
                statements += [(policy, s) for _, document, policy in resource_policies(stack) for s in document["Statement"]]
                for key, resource in stack.of_type("AWS::KMS::Key").items():
                    statements += [(key, s) for s in resource["Properties"]["KeyPolicy"]["Statement"]]
                for policy, statement in statements:
                    self.assertFalse({"NotAction", "NotResource", "NotPrincipal"} & statement.keys(), policy)
                    if policy not in STAR_RESOURCES:
                        self.assertNotIn("*", as_list(statement["Resource"]), policy)

    def test_no_statement_allows_everybody(self):
        for name, stack in every_stack():
            with self.subTest(name):
                for _, document, policy in resource_policies(stack):
                    for statement in document["Statement"]:
                        if statement["Effect"] == "Allow":
                            self.assertNotEqual(statement["Principal"], "*", policy)
                            self.assertNotIn("*", as_list(statement["Action"]), policy)


class Alarms(unittest.TestCase):
    # The end of the alarm's name, and what it watches.
    EXPECTED = {
        "detector-errors": ["Errors"],
        "detector-throttled": ["Throttles"],
        "items-failed": ["ItemsFailed"],
        "retry-queue-old": ["ApproximateAgeOfOldestMessage"],
        "notification-queue-old": ["ApproximateAgeOfOldestMessage"],
        "parked-queue-not-empty": ["ApproximateNumberOfMessagesVisible"],
        "async-events-dropped": ["AsyncEventsDropped"],
        "failed-events-lost": ["DestinationDeliveryFailures"],
        "events-lost": ["InvocationsFailedToBeSentToDlq"],
        "findings-not-delivered": ["NumberOfNotificationsFailed"],
        "alerts-not-delivered": ["NumberOfNotificationsFailed"],
        "findings-unheard": ["NumberOfMessagesPublished", "NumberOfNotificationsDelivered"],
        "alerts-unheard": ["NumberOfMessagesPublished", "NumberOfNotificationsDelivered"],
        "findings-unread": ["ApproximateAgeOfOldestMessage"],
        "undelivered-queue-not-empty": ["ApproximateNumberOfMessagesVisible"],
        "ledger-imbalance": ["LedgerImbalance"],
        "rule-files-refused": ["RuleFilesRefused"],
        "no-log-audited": ["LogsAudited"],
    }
    # Those that exist in one way only.
    CONDITIONAL = {"notification-queue-old", "events-lost", "findings-unread"}

    @staticmethod
    def metrics(alarm):
        """(namespace, name, dimensions) of each metric that an alarm reads."""
        if "Metrics" not in alarm:
            return [(alarm["Namespace"], alarm["MetricName"], alarm["Dimensions"])]
        metrics = [part["MetricStat"]["Metric"] for part in alarm["Metrics"] if "MetricStat" in part]
        return [(metric["Namespace"], metric["MetricName"], metric["Dimensions"]) for metric in metrics]

    def alarms(self, **parameters):
        found = Stack(**parameters).of_type("AWS::CloudWatch::Alarm").values()
        return {alarm["Properties"]["AlarmName"].removeprefix("audit-"): alarm["Properties"] for alarm in found}

    def test_all_are_there_and_watch_what_they_should(self):
        alarms = self.alarms(**WAYS["existing bucket"], MaximumConcurrency="10")
        self.assertEqual(
            {name: [metric for _, metric, _ in self.metrics(alarm)] for name, alarm in alarms.items()}, self.EXPECTED
        )
        self.assertEqual(set(self.alarms(FindingsQueueWanted="no")), self.EXPECTED.keys() - self.CONDITIONAL)

    def test_every_alarm_goes_to_operations(self):
        for name, stack in every_stack():
            with self.subTest(name):
                for alarm in stack.of_type("AWS::CloudWatch::Alarm").values():
                    properties = alarm["Properties"]
                    self.assertEqual(properties["AlarmActions"], ["<OperationsTopic.Ref>"])
                    self.assertIn(properties.get("OKActions", ["<OperationsTopic.Ref>"]), [["<OperationsTopic.Ref>"]])
                    self.assertIsNot(properties.get("ActionsEnabled"), False)

    def test_every_metric_exists(self):
        for name, stack in every_stack():
            with self.subTest(name):
                for alarm in stack.of_type("AWS::CloudWatch::Alarm").values():
                    for namespace, metric, dimensions in self.metrics(alarm["Properties"]):
                        dimension, metrics = METRICS[namespace]
                        self.assertIn(metric, metrics)
                        self.assertEqual([part["Name"] for part in dimensions], [dimension])

    def test_every_metric_is_that_of_a_resource_of_the_stack(self):
        alarms = self.alarms(**WAYS["existing bucket"], MaximumConcurrency="10")
        watched = {
            name: {part["Value"] for _, _, dimensions in self.metrics(alarm) for part in dimensions}
            for name, alarm in alarms.items()
        }
        detector = {"<Detector.Ref>"}
        self.assertEqual(
            watched,
            {
                "detector-errors": detector,
                "detector-throttled": detector,
                "items-failed": detector,
                "async-events-dropped": detector,
                "failed-events-lost": detector,
                "ledger-imbalance": detector,
                "rule-files-refused": detector,
                "no-log-audited": detector,
                "retry-queue-old": {"<RetryQueue.QueueName>"},
                "notification-queue-old": {"<NotificationQueue.QueueName>"},
                "parked-queue-not-empty": {"<ParkedQueue.QueueName>"},
                "undelivered-queue-not-empty": {"<UndeliveredQueue.QueueName>"},
                "findings-unread": {"<FindingsQueue.QueueName>"},
                "events-lost": {"<ExistingBucketRule.Ref>"},
                "findings-not-delivered": {"<FindingsTopic.TopicName>"},
                "findings-unheard": {"<FindingsTopic.TopicName>"},
                "alerts-not-delivered": {"<AlertsTopic.TopicName>"},
                "alerts-unheard": {"<AlertsTopic.TopicName>"},
            },
        )

    def test_silence_is_an_alarm(self):
        for hours in TEMPLATE["Parameters"]["HoursWithoutLog"]["AllowedValues"]:
            alarm = self.alarms(HoursWithoutLog=str(hours))["no-log-audited"]
            self.assertEqual(alarm["TreatMissingData"], "breaching")
            self.assertEqual(alarm["EvaluationPeriods"] * 300, hours * 3600)
            self.assertEqual({part["MetricStat"]["Period"] for part in alarm["Metrics"] if "MetricStat" in part}, {300})
            self.assertEqual((alarm["ComparisonOperator"], alarm["Threshold"]), ("LessThanThreshold", 1))
            self.assertEqual(alarm["Metrics"][0]["Expression"], "FILL(audited, 0)")
        # CloudWatch evaluates at most one day.
        self.assertLessEqual(max(TEMPLATE["Parameters"]["HoursWithoutLog"]["AllowedValues"]), 24)

    def test_messages_that_nobody_receives_are_an_alarm(self):
        for name in ("findings-unheard", "alerts-unheard"):
            for parameters in ({}, {"AlertMailAddress": "security@example.com"}, {"FindingsQueueWanted": "no"}):
                alarm = self.alarms(**parameters)[name]
                self.assertEqual(alarm["Metrics"][0]["Expression"], "IF(FILL(published, 0) > 0 AND FILL(delivered, 0) < 1, 1, 0)")
                self.assertEqual(alarm["OKActions"], ["<OperationsTopic.Ref>"])

    def test_only_silence_breaches_by_missing_data(self):
        for name, alarm in self.alarms(**WAYS["existing bucket"], MaximumConcurrency="10").items():
            # Without a ledger nobody knows better than the last one whether a rule file is wrong.
            expected = {"no-log-audited": "breaching", "rule-files-refused": "ignore"}.get(name, "notBreaching")
            self.assertEqual(alarm["TreatMissingData"], expected, name)

    def test_expressions_use_the_metrics_that_they_declare(self):
        for name, alarm in self.alarms().items():
            for part in alarm.get("Metrics", []):
                if "Expression" in part:
                    declared = {other["Id"] for other in alarm["Metrics"] if "MetricStat" in other}
                    self.assertEqual(set(re.findall(r"\b[a-z]+\b", part["Expression"])), declared, name)

    def test_the_page_explains_every_alarm(self):
        for name, alarm in self.alarms(**WAYS["existing bucket"], MaximumConcurrency="10").items():
            self.assertIn(f"\n### `{name}`", OPERATIONS_PAGE)
            self.assertTrue(alarm["AlarmDescription"].endswith(f"docs/operations.md, alarm {name}."), name)

    def test_what_is_said_to_tell_of_an_attack_exists(self):
        rules = {path.stem for family in ("own-house", "being-watched") for path in (ROOT / "rules" / family).glob("*.yml")}
        alarms = set(self.alarms(**WAYS["existing bucket"], MaximumConcurrency="10"))
        named = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", THREATS_PAGE))
        self.assertLessEqual(named, rules | alarms)
        own_house = {path.stem for path in (ROOT / "rules" / "own-house").glob("*.yml")}
        self.assertLessEqual(own_house, named, "a rule against an attack that nobody thought about")

    def test_counts_are_added_up_and_states_are_not(self):
        for name, alarm in self.alarms(**WAYS["existing bucket"], MaximumConcurrency="10").items():
            statistics = [alarm["Statistic"]] if "Statistic" in alarm else []
            statistics += [part["MetricStat"]["Stat"] for part in alarm.get("Metrics", []) if "MetricStat" in part]
            for (_, metric, _), statistic in zip(self.metrics(alarm), statistics, strict=True):
                self.assertEqual(statistic, "Maximum" if metric in STATES else "Sum", name)


class Parameters(unittest.TestCase):
    def test_the_page_explains_every_parameter(self):
        for name in TEMPLATE["Parameters"]:
            self.assertIn(f"| `{name}` |", DEPLOY_PAGE)

    def test_the_page_states_every_default(self):
        for name, parameter in TEMPLATE["Parameters"].items():
            (row,) = [line for line in DEPLOY_PAGE.splitlines() if line.startswith(f"| `{name}` |")]
            default = str(parameter["Default"]) if "Default" in parameter else "required"
            self.assertEqual(row.split("|")[2].strip().strip("`"), default or "empty", name)

    def test_the_console_shows_every_parameter_once(self):
        groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
        shown = [name for group in groups for name in group["Parameters"]]
        self.assertEqual(sorted(shown), sorted(TEMPLATE["Parameters"]))

    def test_values_are_checked_before_anything_is_made(self):
        samples = {
            "OperationsMailAddress": (["a@example.com"], ["", "a", "a@b", "a b@example.com"]),
            "AlertMailAddress": (["", "soc@example.com"], ["soc", "soc@", "a@b.c d"]),
            "FindingsSubscriberAccounts": (["", "444455556666"], ["44445555666", "444455556666x"]),
            "LogBucketName": (["", "my-trail", "a.b.c"], ["ab", "My-Trail", "-trail", "s3://trail", "trail/"]),
            "LogKeyPrefix": (["", "o-exampleorgid/", "a/b/"], ["a", "/a/", "a*/", "/"]),
            "OrganizationId": (["", "o-exampleorgid"], ["exampleorgid", "o-", "o-Example"]),
            "OrganizationTrailArn": (["", ORGANIZATION_TRAIL], ["organization", "arn:aws:s3:::trail"]),
            "TrailKmsKeyArn": (["", TRAIL_KEY], ["alias/trail", TRAIL_KEY.replace("key/", "alias/")]),
            "ReservedConcurrency": (["", "1", "10", "1000"], ["0", "-1", "ten"]),
            "MaximumConcurrency": (["", "2", "9", "10", "999", "1000"], ["0", "1", "1001", "-1"]),
            "RulesBucketName": (["", "my-rules", "a.b.c"], ["ab", "My-Rules", "-rules", "s3://rules", "rules/"]),
            "RulesKeyPrefix": (["rules/", "a/b/"], ["", "rules", "/rules/", "ru*es/", "rules?/", "${x}/", "/"]),
            "RulesKmsKeyArn": (["", RULES_KEY], ["alias/rules", RULES_KEY.replace("key/", "alias/")]),
            "RulesLayerArn": (["", RULES_LAYER], [RULES_LAYER.removesuffix(":1"), "rules"]),
        }
        patterns = {name for name, parameter in TEMPLATE["Parameters"].items() if "AllowedPattern" in parameter}
        self.assertEqual(set(samples), patterns)
        for name, (right, wrong) in samples.items():
            pattern = TEMPLATE["Parameters"][name]["AllowedPattern"]
            for value in right:
                self.assertRegex(value, pattern, name)
            for value in wrong:
                self.assertNotRegex(value, pattern, name)

    def test_every_parameter_is_limited(self):
        for name, parameter in TEMPLATE["Parameters"].items():
            self.assertTrue({"AllowedPattern", "AllowedValues", "MinValue"} & parameter.keys(), name)

    def test_contradictions_are_refused(self):
        for way, parameters in WAYS.items():
            self.assertEqual(Stack(**parameters).refused_by(), set(), way)
        organization = {"OrganizationId": "o-exampleorgid"}
        cases = [
            ({**organization}, "OrganizationBucketNeedsItsTrail"),
            ({"OrganizationTrailArn": ORGANIZATION_TRAIL}, "OrganizationTrailNeedsItsOrganization"),
            ({"LogKeyPrefix": "trails/"}, "OwnTrailHasNoPrefix"),
            ({"LogBucketName": "example-trail", "AgentCoreDataEvents": "yes"}, "DataEventsNeedTheOwnTrail"),
            ({"LogBucketName": "example-trail", "MantleDataEvents": "yes"}, "DataEventsNeedTheOwnTrail"),
            ({**organization, "OrganizationTrailArn": ORGANIZATION_TRAIL, "OtherDataEvents": "yes"}, "DataEventsNeedTheOwnTrail"),
            ({"LogBucketName": "example-trail", "TrailRetentionDays": "30"}, "RetentionNeedsTheOwnBucket"),
            ({"AlertFormat": "chat", "AlertMailAddress": "soc@example.com"}, "ChatAlertsAreNotForMailboxes"),
            ({"RulesBucketWanted": "yes", "RulesBucketName": "example-rules"}, "RulesBucketIsOneOfTwo"),
            ({"RulesBucketWanted": "yes", "RulesLayerArn": RULES_LAYER}, "RulesAreInOnePlace"),
            ({"RulesBucketName": "example-rules", "RulesLayerArn": RULES_LAYER}, "RulesAreInOnePlace"),
            ({"RulesKmsKeyArn": RULES_KEY}, "RulesKeyNeedsItsBucket"),
        ]
        for parameters, rule in cases:
            self.assertEqual(Stack(**parameters).refused_by(), {rule}, parameters)
        self.assertEqual({rule for _, rule in cases}, set(TEMPLATE["Rules"]))


class Outputs(unittest.TestCase):
    def test_what_scripts_read(self):
        everywhere = {"FunctionName", "FunctionArn", "LogBucketName", "LogFolder", "FindingsTopicArn", "AlertsTopicArn",
                      "OperationsTopicArn", "RetryQueueUrl", "RetryQueueArn", "ParkedQueueUrl", "ParkedQueueArn",
                      "UndeliveredQueueUrl", "DetectorRoleArn", "DetectorLogName"}  # fmt: skip
        for name, stack in every_stack():
            with self.subTest(name):
                self.assertLessEqual(everywhere, stack.outputs.keys())
                self.assertEqual("FindingsQueueUrl" in stack.outputs, stack.parameters["FindingsQueueWanted"] == "yes")
                # By this output a script tells whose bucket it is.
                self.assertEqual("ExistingBucketRuleName" in stack.outputs, stack.parameters["LogBucketName"] != "")

    def test_a_log_put_into_the_folder_can_be_read(self):
        for way, parameters in WAYS.items():
            with self.subTest(way):
                stack = Stack(**parameters)
                bucket, folder = stack.outputs["LogBucketName"], stack.outputs["LogFolder"]
                read = next(s for _, s in identity_statements(stack) if s["Sid"] == "ReadDeliveredLogs")
                self.assertIn(f"arn:aws:s3:::{bucket}/{folder}*", read["Resource"])


if __name__ == "__main__":
    unittest.main()
