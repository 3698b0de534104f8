"""Judges records by Sigma rules with pySigma and its SQLite backend. Knows nothing of bedrock-audit.

Reads JSON lines: {"rule": TEXT} and {"record": {...}}. Prints one JSON line a rule: {"verdicts": "10-..."}, one character a
record (`-`: the record has no one value for a field that the rule reads, which a row of a table must have), or
{"refused": REASON}.
"""

import json
import re
import sqlite3
import sys

from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection

EVERYTHING = "everything in the record"


class Backend(sqliteBackend):
    """The table below holds texts; numbers are compared as numbers all the same."""

    compare_op_expression = "CAST({field} AS NUMERIC) {operator} {value}"


def values(node, path):
    """All values at a path; a path leads through every member of an array."""
    if isinstance(node, list):
        return [value for item in node for value in values(item, path)]
    if not path:
        return [node]
    if isinstance(node, dict) and path[0] in node:
        return values(node[path[0]], path[1:])
    return []


def text(value):
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)


def everything(node):
    if isinstance(node, dict):
        node = list(node.values())
    if isinstance(node, list):
        return "".join(everything(item) for item in node)
    # Parted by a character that no rule looks for, so that nothing is found across two values.
    return "" if node is None else text(node) + "\x1f"


def empty_list(node, path):
    """Whether the path ends at an empty list, which is something and has no value."""
    if isinstance(node, list):
        return (not path and not node) or any(empty_list(item, path) for item in node)
    return bool(path) and isinstance(node, dict) and path[0] in node and empty_list(node[path[0]], path[1:])


def main():
    rules, records = [], []
    for line in sys.stdin:
        given = json.loads(line)
        if "rule" in given:
            rules.append(given["rule"])
        else:
            records.append(given["record"])

    backend = Backend(collate_nocase=True, fulltext_field=EVERYTHING)
    queries = []
    for rule in rules:
        try:
            collection = SigmaCollection.from_yaml(rule)
            fields = backend.required_fields(collection.rules[0])
            queries.append((backend.convert(collection), fields))
        except Exception as error:  # whatever it is, the caller must know why this rule was not judged
            queries.append((f"{type(error).__name__}: {error}", None))

    fields = sorted({field for _, fields in queries for field in fields or [] if field != EVERYTHING})
    rows, no_row = [], {field: set() for field in fields}
    for number, record in enumerate(records):
        row = []
        for field in fields:
            path = field.split(".")
            found = values(record, path)
            if len(found) > 1 or empty_list(record, path) or any(isinstance(value, dict) for value in found):
                no_row[field].add(number)
                found = []
            row.append(text(found[0]) if found else None)
        rows.append([number, *row, everything(record)])

    table = sqlite3.connect(":memory:")
    table.create_function("REGEXP", 2, lambda regex, value: value is not None and re.search(regex, value) is not None)
    columns = [f"`{field}` TEXT" for field in [*fields, EVERYTHING]]
    table.execute(f"CREATE TABLE logs (number INTEGER, {', '.join(columns)})")
    table.executemany(f"INSERT INTO logs VALUES ({', '.join('?' * (len(fields) + 2))})", rows)

    for converted, fields in queries:
        if fields is None:
            print(json.dumps({"refused": converted}))
            continue
        matched = set()
        for query in converted:
            matched.update(row[0] for row in table.execute(query))
        skipped = set().union(*(no_row.get(field, set()) for field in fields))
        verdicts = ("-" if n in skipped else "1" if n in matched else "0" for n in range(len(records)))
        print(json.dumps({"verdicts": "".join(verdicts)}))


main()
