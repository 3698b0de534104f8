"""The comparison with AWS's models, on models small enough to read."""

import unittest

from botocore.model import ServiceModel

import operations

HEADER = "event_source,event_name,basis,plane,class,touches,recorded,required,optional,sensitive,page,if_unwatched,watched_by\n"
CATALOGUE = HEADER + (
    "bedrock.amazonaws.com,DeleteGuardrail,sdk,control,write,guardrail,management,guardrailIdentifier,guardrailVersion,,"
    "bedrock/latest/APIReference/API_DeleteGuardrail.html,,guardrails/guardrail-deleted\n"
    "bedrock.amazonaws.com,RenderPrompt,documented,runtime,read,flow-or-prompt,AWS::Bedrock::PromptVersion,,,,"
    "bedrock/latest/APIReference/API_agent-runtime_RenderPrompt.html,read-only,\n"
    "bedrock.amazonaws.com,TagResource,sdk,control,tag,tags,management,tags,resourceArn,,"
    "bedrock/latest/APIReference/API_TagResource.html,tagging,\n"
)


def model(**described):
    """A service with the given operations: each a dict of members to the words `required` and `sensitive`."""
    shapes = {"Plain": {"type": "string"}, "Secret": {"type": "string", "sensitive": True}}
    all_operations = {}
    for name, members in described.items():
        all_operations[name] = {"name": name, "http": {"method": "POST", "requestUri": "/"}}
        if members is None:
            continue
        all_operations[name]["input"] = {"shape": f"{name}Request"}
        shapes[f"{name}Request"] = {
            "type": "structure",
            "required": [member for member, words in members.items() if "required" in words],
            "members": {m: {"shape": "Secret" if "sensitive" in words else "Plain"} for m, words in members.items()},
        }
    return ServiceModel({"metadata": {}, "operations": all_operations, "shapes": shapes})


def models():
    """What the catalogue says, exactly."""
    return {
        "bedrock": model(DeleteGuardrail={"guardrailIdentifier": "required", "guardrailVersion": ""}, TagResource={"tags": "required"}),
        "bedrock-agent": model(TagResource={"tags": "required", "resourceArn": "required"}),
    }


class Comparing(unittest.TestCase):
    def said(self, models):
        return operations.differences(operations.read(CATALOGUE), operations.published(models))

    def test_the_same_is_no_difference(self):
        self.assertEqual(self.said(models()), [])

    def test_an_operation_of_two_services_requires_what_both_require(self):
        found = operations.published(models())
        tag = found["bedrock.amazonaws.com", "TagResource"]
        self.assertEqual((tag.required, tag.optional), ({"tags"}, {"resourceArn"}))

    def test_a_new_operation_is_told(self):
        self.assertEqual(
            self.said(models() | {"bedrock-runtime": model(Converse={"modelId": "required"})}),
            ["new: bedrock.amazonaws.com Converse"],
        )

    def test_one_that_is_gone_is_told_and_one_that_never_was_in_an_sdk_is_not(self):
        without = models() | {"bedrock": model(TagResource={"tags": "required"})}
        self.assertEqual(self.said(without), ["gone: bedrock.amazonaws.com DeleteGuardrail"])

    def test_members_that_changed_are_told(self):
        changed = model(
            DeleteGuardrail={"guardrailIdentifier": "sensitive", "force": "required"}, TagResource={"tags": "required"}
        )
        self.assertEqual(
            self.said(models() | {"bedrock": changed}),
            [
                "changed: bedrock.amazonaws.com DeleteGuardrail, required members +force -guardrailIdentifier",
                "changed: bedrock.amazonaws.com DeleteGuardrail, optional members +guardrailIdentifier -guardrailVersion",
                "changed: bedrock.amazonaws.com DeleteGuardrail, sensitive members +guardrailIdentifier",
            ],
        )

    def test_a_page_that_moved_is_told(self):
        rows = operations.read(CATALOGUE.replace("API_DeleteGuardrail", "API_OldGuardrail"))
        self.assertEqual(
            operations.differences(rows, operations.published(models())),
            [
                "changed: bedrock.amazonaws.com DeleteGuardrail, page "
                "+bedrock/latest/APIReference/API_DeleteGuardrail.html -bedrock/latest/APIReference/API_OldGuardrail.html"
            ],
        )

    def test_a_documented_operation_that_the_sdk_got_is_told(self):
        self.assertEqual(
            self.said(models() | {"bedrock-agent-runtime": model(RenderPrompt=None)}),
            ["changed: bedrock.amazonaws.com RenderPrompt is in the SDK now, and its basis is documented"],
        )

    def test_a_service_that_nobody_placed_is_told(self):
        self.assertEqual(operations.strangers(["bedrock", "bedrock-moon", "s3"]), ["bedrock-moon"])


class Writing(unittest.TestCase):
    def test_judgements_stay_and_new_operations_wait_for_theirs(self):
        found = operations.published(models() | {"bedrock-runtime": model(Converse={"modelId": "required", "a": "sensitive"})})
        text = operations.written(operations.renewed(operations.read(CATALOGUE), found))
        lines = text.splitlines()
        self.assertEqual(
            lines[1],
            "bedrock.amazonaws.com,Converse,sdk,?,?,?,?,modelId,a,a,bedrock/latest/APIReference/API_runtime_Converse.html,,",
        )
        self.assertEqual(lines[2], CATALOGUE.splitlines()[1])
        self.assertEqual(operations.differences(operations.read(text), found), [])

    def test_the_committed_catalogue_is_written_as_it_is_read(self):
        text = operations.CATALOGUE.read_text()
        self.assertEqual(operations.written(operations.read(text)), text)


if __name__ == "__main__":
    unittest.main()
