"""What is said of a count, and which count fails."""

import unittest

from counts import verdict


class Verdict(unittest.TestCase):
    def test_a_count_that_rises_by_more_than_five_percent_fails(self):
        says, fails = verdict(1051, 1000, same_compiler=True)
        self.assertTrue(fails)
        self.assertIn("RISEN from 1000", says)

    def test_a_count_that_rises_by_less_does_not(self):
        self.assertEqual(verdict(1049, 1000, same_compiler=True), ("ok", False))

    def test_of_another_compiler_a_rise_is_told_and_does_not_fail(self):
        says, fails = verdict(2000, 1000, same_compiler=False)
        self.assertFalse(fails)
        self.assertIn("RISEN from 1000, perhaps by the compiler", says)

    def test_a_count_that_falls_is_to_be_committed_so_that_it_cannot_rise_again_unseen(self):
        says, fails = verdict(900, 1000, same_compiler=True)
        self.assertFalse(fails)
        self.assertIn("commit it", says)


if __name__ == "__main__":
    unittest.main()
