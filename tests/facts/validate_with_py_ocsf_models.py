#!/usr/bin/env python3
"""A second opinion on findings: validates each of those on stdin (JSON lines) with py-ocsf-models; knows nothing of how they
are made.

The first opinion is tests/ocsf_schema.rs. This one is looser (the model takes unknown keys, and has no actor, src_endpoint,
http_request or is_alert at all), but it was written by others.

Prints `N findings valid`, or one line a violation. Exit status: 0 all valid, 1 a violation, 2 no model to import.
The caller compares N with what it sent: no findings at all are valid too.
"""

import re
import sys

# Where the model asks for more than OCSF 1.5.0 does, or for something else, a valid finding cannot please it. Each such
# place is named here with its reason; an error is forgiven there alone, and how often is said on stderr.
# (path, pydantic's error types, does the value given excuse it?, reason)
QUIRKS = [
    (
        r"(.+\.)?account\.name",
        {"missing"},
        lambda given: "uid" in given,
        "OCSF wants an account's name or its uid; CloudTrail has no account names",
    ),
    (
        r"(.+\.)?api\.service\.(uid|version)",
        {"missing"},
        lambda given: "name" in given,
        "OCSF wants a service's name or its uid, and never a version; CloudTrail has the name alone",
    ),
    (
        r"finding_info\.attacks\[\d+\]\.technique\.name",
        {"missing"},
        lambda given: "uid" in given,
        "OCSF wants a technique's name or its uid; a Sigma tag has the uid alone",
    ),
    (
        # The model's list ends at 30. Those of 1.5.0 go on to 46, and 11 to 19 are new; the first opinion checks the list.
        r"observables\[\d+\]\.type_id",
        {"enum"},
        lambda given: type(given) is int and (11 <= given <= 19 or 31 <= given <= 46),
        "OCSF 1.5.0 has more observable types than the model: user agents (16) and credential ids (19) among them",
    ),
    (
        r"metadata\.(logged|modified|processed)_time",
        {"datetime_type"},
        lambda given: type(given) is int,
        "OCSF's times are integers; the model has datetimes, which belong in the attributes that end in _dt",
    ),
]


def path_of(location):
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return path.removeprefix(".")


def quirk_for(path, error):
    for pattern, types, excuses, reason in QUIRKS:
        if re.fullmatch(pattern, path) and error["type"] in types and excuses(error["input"]):
            return reason
    return None


def main():
    try:
        from pydantic import ValidationError
        from py_ocsf_models.events.findings.detection_finding import DetectionFinding
    except ImportError as error:
        print(f"py-ocsf-models cannot be imported ({error}): run this with a Python that has it", file=sys.stderr)
        return 2

    findings = 0
    violations = 0
    forgiven = {}
    for number, line in enumerate(sys.stdin.buffer, start=1):
        if not line.strip():
            continue
        findings += 1
        try:
            # Strict, so that "3" is no integer and 1 is no boolean.
            DetectionFinding.model_validate_json(line, strict=True)
        except ValidationError as refusal:
            for error in refusal.errors(include_url=False):
                path = path_of(error["loc"])
                reason = quirk_for(path, error)
                if reason:
                    forgiven[reason] = forgiven.get(reason, 0) + 1
                    continue
                violations += 1
                print(f"line {number}: {path or '(finding)'}: {error['msg']}")

    for reason, times in forgiven.items():
        print(f"forgiven {times} times: {reason}", file=sys.stderr)
    if violations:
        return 1
    print(f"{findings} findings valid")
    return 0


if __name__ == "__main__":
    sys.exit(main())
