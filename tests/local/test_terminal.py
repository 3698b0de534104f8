"""Tests of the command line on a terminal: what a caller wrote into a record moves no cursor and forges no line."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

BINARY = Path(os.environ["BEDROCK_AUDIT_BOOTSTRAP"]).parents[1] / "debug" / "bedrock-audit"
ACTS = "\r\n\0\x1b[2J\x1b]8;;http://x\x07\x7f\x9b31m\u2028\u202egpj\u2066\u200b\ufeff\U000e0041"
HOSTILE = f"x{ACTS}forged"
RECORD = {
    "eventVersion": "1.11",
    "userIdentity": {"type": HOSTILE, "arn": HOSTILE, "userName": HOSTILE, "accountId": HOSTILE, "accessKeyId": HOSTILE},
    "eventTime": "2026-11-22T09:15:00Z",
    "eventSource": "bedrock.amazonaws.com",
    "eventName": "DeleteGuardrail",
    "awsRegion": HOSTILE,
    "sourceIPAddress": HOSTILE,
    "userAgent": HOSTILE + "u" * 500_000,
    "requestParameters": {"guardrailIdentifier": HOSTILE},
    "eventID": "9dfb369b-ab13-4fae-a276-000000000000",
    "errorCode": HOSTILE,
    "recipientAccountId": HOSTILE,
}
# What a table is coloured with, and nothing else of a terminal's language.
COLOURS = re.compile("\x1b\\[[0-9;]*m")


def on_a_terminal(*arguments: str) -> str:
    """All that the command writes, its errors among it, where both are a terminal."""
    reader, terminal = pty.openpty()
    with subprocess.Popen([BINARY, *arguments], stdin=terminal, stdout=terminal, stderr=terminal) as process:
        os.close(terminal)
        said = b""
        while True:
            try:
                piece = os.read(reader, 65536)
            except OSError:
                # So Linux tells that nobody has the terminal open any more.
                break
            if not piece:
                break
            said += piece
        os.close(reader)
        process.wait()
    # A terminal makes CR LF of every LF.
    return said.decode().replace("\r\n", "\n")


class Terminal(unittest.TestCase):
    def assert_inert(self, said: str) -> None:
        self.assertIn("forged", said)
        left = COLOURS.sub("", said)
        acts = {character for character in left if character in ACTS and not character.isprintable()} - {"\n"}
        self.assertEqual(acts, set(), repr(said)[:2_000])
        for line in left.splitlines():
            self.assertFalse(line.startswith(("forged", "gpj")), repr(line))

    def test_what_a_caller_wrote_does_nothing(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            name = f"log{ACTS}".replace("\0", "").replace("/", "") + "forged.json"
            log = Path(folder, name)
            log.write_text(json.dumps({"Records": [RECORD, {"eventSource": HOSTILE}]}))
            bad = Path(folder, f"bad{ACTS}forged.json".replace("\0", "").replace("/", ""))
            bad.write_text("no log")
            for arguments in (
                ["scan", str(log)],
                ["scan", "--format", "json", str(log)],
                ["scan", str(log), str(bad), f"{folder}/not-there-{name}"],
                ["scan", "--explain", RECORD["eventID"], str(log)],
                ["scan", "--explain", RECORD["eventID"], "--format", "json", str(log)],
            ):
                with self.subTest(arguments[0:2]):
                    self.assert_inert(on_a_terminal(*arguments))


if __name__ == "__main__":
    unittest.main()
