"""Tests of ledger.py: a count that is lost anywhere is seen, whoever reads the function's output."""

from __future__ import annotations

import json
import unittest

from example_stack import FunctionOutput
from ledger import SUMS, DoesNotHold, last_in

RIGHT = {name: len(parts) for name, parts in SUMS.items()} | {part: 1 for parts in SUMS.values() for part in parts}


def line(**change: int) -> str:
    return json.dumps({**RIGHT, **change, "ledger": {}})


class Ledgers(unittest.TestCase):
    def test_the_last_one_is_read_among_other_lines(self) -> None:
        self.assertIsNone(last_in(["no JSON", "[]", "{}"]))
        self.assertEqual(last_in([line(ItemsFailed=1), "{}", line(ItemsFailed=2), "no JSON"]), {**RIGHT, "ItemsFailed": 2})

    def test_each_count_that_is_off_by_one_is_seen(self) -> None:
        for name in RIGHT:
            with self.subTest(name), self.assertRaises(DoesNotHold):
                last_in([line(), line(**{name: RIGHT[name] + 1})])

    def test_who_reads_what_a_function_wrote_sees_it(self) -> None:
        output = FunctionOutput()
        self.addCleanup(output.file.close)
        output.file.write(f"{line()}\n{line(LogsFailed=2)}\n".encode())
        output.file.flush()
        with self.assertRaises(DoesNotHold):
            output.new_lines()


if __name__ == "__main__":
    unittest.main()
