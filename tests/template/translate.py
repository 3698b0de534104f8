"""Prints the CloudFormation template that SAM makes of ours. It knows nothing of AWS accounts: no network, no credentials.

    python tests/template/translate.py template.yaml > translated.json && cfn-lint translated.json

SAM adds resources and references while it translates, so a template that is sound can become one that is not: `Events: S3`
with a policy on the bucket is circular only afterwards. What CloudFormation will read is what must be checked.
"""

import json
import os
import sys
from pathlib import Path

# The translator writes the partition into ARNs by the Region, and would otherwise ask for one.
os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")

from samtranslator.public.exceptions import InvalidDocumentException
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class NoManagedPolicies:
    """Stands in for the loader that asks IAM: our template names no managed policy by its short name."""

    def load(self):
        return {}


def translate(source):
    """The translated template of a SAM template given as text."""
    template = yaml_parse(source)
    for resource in template.get("Resources", {}).values():
        properties = resource.get("Properties", {})
        if resource.get("Type") == "AWS::Serverless::Function" and isinstance(properties.get("CodeUri"), str):
            # Where `sam package` would have put the code. The translator takes no folder.
            properties["CodeUri"] = {"Bucket": "bucket-of-sam-package", "Key": "code.zip"}
    return transform(template, {}, NoManagedPolicies())


def main(arguments):
    if len(arguments) != 1:
        print("usage: translate.py TEMPLATE", file=sys.stderr)
        return 2
    try:
        translated = translate(Path(arguments[0]).read_text(encoding="utf-8"))
    except OSError as error:
        print(f"{arguments[0]}: {error.strerror}", file=sys.stderr)
        return 2
    except InvalidDocumentException as error:
        for cause in error.causes:
            print(f"{arguments[0]}: {cause.message}", file=sys.stderr)
        return 1
    json.dump(translated, sys.stdout, indent=2, sort_keys=True)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
