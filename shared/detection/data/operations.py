"""What has become of Bedrock's operations: compares operations.csv with the models of the botocore that is installed.

It knows what AWS publishes and nothing of what an operation means: class, what it touches and excuses are for a person. Exit
status: 0 nothing changed, 1 something did, 2 it could not be found out.
"""

import argparse
import csv
import io
import sys
from pathlib import Path
from typing import NamedTuple

CATALOGUE = Path(__file__).with_name("operations.csv")
UNJUDGED = "?"

# Which event source CloudTrail writes for an SDK service. The models do not say it in botocore; Smithy's do, and real records.
EVENT_SOURCES = {
    "agent-registry": "agent-registry.amazonaws.com",
    "agent-registry-control": "agent-registry.amazonaws.com",
    "bedrock": "bedrock.amazonaws.com",
    "bedrock-agent": "bedrock.amazonaws.com",
    "bedrock-agent-runtime": "bedrock.amazonaws.com",
    "bedrock-agentcore": "bedrock-agentcore.amazonaws.com",
    "bedrock-agentcore-control": "bedrock-agentcore.amazonaws.com",
    "bedrock-data-automation": "bedrock.amazonaws.com",
    "bedrock-data-automation-runtime": "bedrock.amazonaws.com",
    "bedrock-runtime": "bedrock.amazonaws.com",
}


# Where AWS documents a service's operations, below https://docs.aws.amazon.com/: what stands before the name.
PAGES = {
    "agent-registry": "agent-registry/latest/APIReference/API_",
    "agent-registry-control": "agent-registry-control/latest/APIReference/API_",
    "bedrock": "bedrock/latest/APIReference/API_",
    "bedrock-agent": "bedrock/latest/APIReference/API_agent_",
    "bedrock-agent-runtime": "bedrock/latest/APIReference/API_agent-runtime_",
    "bedrock-agentcore": "bedrock-agentcore/latest/APIReference/API_",
    "bedrock-agentcore-control": "bedrock-agentcore-control/latest/APIReference/API_",
    "bedrock-data-automation": "bedrock/latest/APIReference/API_data-automation_",
    "bedrock-data-automation-runtime": "bedrock/latest/APIReference/API_data-automation-runtime_",
    "bedrock-runtime": "bedrock/latest/APIReference/API_runtime_",
}


class Published(NamedTuple):
    """What the models say of an operation: words, in no order."""

    required: frozenset
    optional: frozenset
    sensitive: frozenset
    page: frozenset


def published(models):
    """Operations by (event source, event name). `models` are botocore ServiceModels by SDK service."""
    found = {}
    for service, model in sorted(models.items()):
        for name in model.operation_names:
            request = model.operation_model(name).input_shape
            members = request.members if request else {}
            required = frozenset(request.required_members if request else ())
            sensitive = frozenset(member for member, shape in members.items() if shape.metadata.get("sensitive"))
            page = frozenset([f"{PAGES[service]}{name}.html"])
            operation = Published(required, frozenset(members) - required, sensitive, page)
            key = (EVENT_SOURCES[service], name)
            if key in found:
                # A record does not say which of the services it was: required is what all of them require. The page of the first,
                # Bedrock's own where it has one, stands for all.
                other = found[key]
                required = other.required & operation.required
                optional = (other.required | other.optional | operation.required | operation.optional) - required
                operation = Published(required, optional, other.sensitive | operation.sensitive, other.page)
            found[key] = operation
    return found


def read(text):
    """The catalogue's rows, each a dict by column."""
    return list(csv.DictReader(io.StringIO(text)))


def key_of(row):
    return row["event_source"], row["event_name"]


def differences(rows, found):
    """What is new, gone or changed, one sentence each."""
    known = {key_of(row): row for row in rows}
    said = [f"new: {source} {name}" for source, name in sorted(found.keys() - known.keys())]
    for key, row in sorted(known.items()):
        operation = found.get(key)
        name = " ".join(key)
        if operation is None:
            if row["basis"] == "sdk":
                said.append(f"gone: {name}")
            continue
        if row["basis"] != "sdk":
            said.append(f"changed: {name} is in the SDK now, and its basis is {row['basis']}")
        for column, now in operation._asdict().items():
            before = set(row[column].split())
            words = [f"+{word}" for word in sorted(now - before)] + [f"-{word}" for word in sorted(before - now)]
            if words:
                what = column if column == "page" else f"{column} members"
                said.append(f"changed: {name}, {what} {' '.join(words)}")
    return said


def renewed(rows, found):
    """The rows with what the models say. New ones wait for a person's judgement; gone ones stay, as old trails have them."""
    by_key = {key_of(row): dict(row) for row in rows}
    columns = list(rows[0])
    for key, operation in found.items():
        fresh = dict.fromkeys(columns, "")
        fresh |= {"event_source": key[0], "event_name": key[1]}
        fresh |= {column: UNJUDGED for column in ("plane", "class", "touches", "recorded")}
        row = by_key.setdefault(key, fresh)
        row["basis"] = "sdk"
        for column, members in operation._asdict().items():
            row[column] = " ".join(sorted(members))
    return [by_key[key] for key in sorted(by_key)]


def written(rows):
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def strangers(services):
    """SDK services that look like Bedrock's, and of which nobody has said where CloudTrail puts them."""
    return sorted(s for s in services if ("bedrock" in s or "agent-registry" in s) and s not in EVENT_SOURCES)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put into operations.csv what the models say")
    arguments = parser.parse_args()
    try:
        import botocore
        import botocore.session
    except ImportError:
        print("botocore is not installed here: run `make operations`", file=sys.stderr)
        return 2
    session = botocore.session.get_session()
    available = session.get_available_services()
    missing = sorted(EVENT_SOURCES.keys() - set(available))
    if missing:
        print(f"botocore {botocore.__version__} has no {', '.join(missing)}: it is too old", file=sys.stderr)
        return 2
    found = published({service: session.get_service_model(service) for service in EVENT_SOURCES})
    rows = read(CATALOGUE.read_text())
    said = [f"new service: {service}; find out its event source, and add it to {Path(__file__).name}" for service in strangers(available)]
    said += differences(rows, found)
    print(f"botocore {botocore.__version__}: {len(found)} operations, {len(rows)} in the catalogue, {len(said)} differences")
    for line in said:
        print(line)
    if arguments.write:
        CATALOGUE.write_text(written(renewed(rows, found)))
        print(f"written to {CATALOGUE.name}; what is {UNJUDGED} there waits for your judgement, and does not build until it has it")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
