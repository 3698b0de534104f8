"""Tests of invoke.py: what it takes for a failure. Starts neither cargo-lambda nor local AWS."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import unittest
from collections.abc import Iterator
from typing import Any
from unittest import mock

import invoke

GIVEN_BACK = json.dumps({"level": "ERROR", "message": "a notification is given back", "problem": "there was no time left"})


class Answers(unittest.TestCase):
    def test_messages_given_back_are_counted(self) -> None:
        self.assertEqual(invoke.messages_given_back('{"batchItemFailures":[{"itemIdentifier":"1"}]}'), 1)
        for answer in ('{"batchItemFailures":[]}', "null", "", "[1]", '{"batchItemFailures":null}'):
            self.assertEqual(invoke.messages_given_back(answer), 0, answer)

    def test_problems_are_read_from_the_log(self) -> None:
        lines = ["not JSON", "1", '{"level":"INFO","problem":"none"}', GIVEN_BACK, '{"level":"ERROR","message":"other"}']
        self.assertEqual(invoke.problems_in(lines), ["there was no time left"])


class Invoked(unittest.TestCase):
    """The whole of invoke(), with an answer as cargo-lambda gives it."""

    def invoked(self, status: int, stdout: str, stderr: str, lines: list[str]) -> str:
        @contextlib.contextmanager
        def watch(*_: Any) -> Iterator[int]:
            yield 0

        answer = subprocess.CompletedProcess([], status, stdout, stderr)
        stack = mock.Mock(**{"alerts.return_value": [], "findings.return_value": []})
        printed = io.StringIO()
        with (
            mock.patch.multiple(
                invoke,
                LocalAws=mock.MagicMock(),
                ExampleStack=mock.Mock(return_value=stack),
                FunctionOutput=mock.Mock(return_value=mock.Mock(**{"new_lines.return_value": lines})),
                put_named_logs=lambda event, *_: event,
                cargo_lambda_watch=watch,
                cargo_lambda_invoke=lambda *_: answer,
            ),
            contextlib.redirect_stdout(printed),
        ):
            invoke.invoke("{}", b"")
        return printed.getvalue()

    def test_what_cargo_lambda_brings_about_every_time_is_not_shown(self) -> None:
        warned = "WARN AWS_LAMBDA_MAX_CONCURRENCY is set to '1', but the concurrency-tokio feature is not enabled"
        printed = self.invoked(0, "null", "", [warned, "what it wrote"])
        self.assertIn("what it wrote", printed)
        self.assertNotIn("CONCURRENCY", printed)

    def test_no_finding_is_said_where_all_went_well(self) -> None:
        self.assertIn("No finding", self.invoked(0, '{"batchItemFailures":[]}', "", []))

    def test_a_message_given_back_is_a_failure_with_its_problem(self) -> None:
        with self.assertRaisesRegex(invoke.InvokeFailed, "gave 1 of .* back. Its log, above, says why.$"):
            self.invoked(0, '{"batchItemFailures":[{"itemIdentifier":"1"}]}', "", [GIVEN_BACK])

    def test_a_failed_invocation_is_told_with_its_problem(self) -> None:
        with self.assertRaisesRegex(invoke.InvokeFailed, "failed. Its log, above, says why.$"):
            self.invoked(1, "", "Error: NotAudited", [GIVEN_BACK])

    def test_without_a_problem_in_the_log_cargo_lambda_has_the_word(self) -> None:
        with self.assertRaisesRegex(invoke.InvokeFailed, "failed. Error: Crashed$"):
            self.invoked(1, "", "Error: Crashed\nWas this behavior unexpected? Ask us.", [])


if __name__ == "__main__":
    unittest.main()
