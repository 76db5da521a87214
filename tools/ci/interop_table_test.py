#!/usr/bin/env python3
"""The interop table must notice every way in which a run can be less than whole."""

import pathlib
import tempfile
import unittest

import interop_table

EXPECTED = {"a": 2, "b": 1}
WHOLE = "a\t1\techo\tok\na\t1\tresume\tok\nb\t2\techo\tok\n"


class Table(unittest.TestCase):
    def problems(self, text):
        with tempfile.TemporaryDirectory() as directory:
            pathlib.Path(directory, "x.tsv").write_text(text)
            return " ".join(interop_table.check(interop_table.read_rows(directory), EXPECTED))

    def test_whole(self):
        self.assertEqual(self.problems(WHOLE), "")

    def test_missing_peer(self):
        self.assertIn("1 rows, not 2", self.problems("a\t1\techo\tok\na\t1\tresume\tok\n"))

    def test_missing_case(self):
        self.assertIn("a: 1 of 1", self.problems(WHOLE.replace("a\t1\tresume\tok\n", "")))

    def test_failed_case(self):
        self.assertIn("b: 1 of 2", self.problems(WHOLE + "b\t2\tpush\tFAILED\n"))

    def test_case_that_failed_once(self):
        self.assertIn("b: 0 of 1", self.problems(WHOLE + "b\t2\techo\tFAILED\n"))

    def test_unknown_peer(self):
        self.assertIn("c is not", self.problems(WHOLE + "c\t2\techo\tok\n"))

    def test_nothing(self):
        self.assertIn("0 rows", self.problems(""))


if __name__ == "__main__":
    unittest.main()
