"""Tests of report.py: what is cut for reading, and that the cut is told."""

from __future__ import annotations

import contextlib
import io
import json
import unittest
from typing import Any

import report
from example_stack import Finding


class Shortened(unittest.TestCase):
    def test_the_record_itself_is_cut_with_its_bytes(self) -> None:
        shown = report.shortened({"evidences": [{"uid": "1", "data": {"eventName": "é"}}]})
        self.assertEqual(shown, {"evidences": [{"uid": "1", "data": "… 18 bytes"}]})

    def test_long_lists_and_long_texts_are_cut_with_their_bytes(self) -> None:
        self.assertEqual(report.shortened(["a", "b", "c", "d"]), ["a", "b", "… 2 more, 9 bytes"])
        self.assertEqual(report.shortened("x" * 201), "x" * 160 + "… 41 bytes")

    def test_what_is_short_stays(self) -> None:
        value: dict[str, Any] = {"a": [1, None], "b": {"c": "text"}, "d": True, "e": {}, "data": "text"}
        self.assertEqual(report.shortened(value), value)

    def test_the_size_of_the_whole_is_told(self) -> None:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            report.finding(Finding({"data": {"a": 1}}, {}))
        self.assertIn("whole: 16 bytes", printed.getvalue())


class LaidOut(unittest.TestCase):
    def test_it_is_still_the_same_json(self) -> None:
        value = {"a": ["x" * 50, {"b": "y" * 100, "c": []}, 1], "d": {"e": "z" * 200}, "f": {}, "g": {"h": 1}}
        text = report.laid_out(value)
        self.assertEqual(json.loads(text), value)
        self.assertIn('\n  "g": {"h": 1}\n', text)

    def test_no_line_that_could_be_broken_is_too_long(self) -> None:
        value = {"name": [{"key": "v" * 30, "other": "w" * 30} for _ in range(5)], "more": list(range(60))}
        self.assertLessEqual(max(map(len, report.laid_out(value).splitlines())), report.WIDTH)


if __name__ == "__main__":
    unittest.main()
