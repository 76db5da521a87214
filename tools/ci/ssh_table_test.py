#!/usr/bin/env python3
"""The table of SSH must notice what README.md says and no run shows."""

import unittest

import ssh_table

FEATURES = ssh_table.read_features("# words\nexec\there\ta\tone\tyes\nexec\tthere\tb\ttwo\tsome\n"
                                   "exec\tthere\tb\ttwo_more\tmore\nforward\tthere\tb\ttwo\tsome\n")
TABLE = "|  | here | there |\n| --- | --- | --- |\n| exec | yes | some, more |\n| forward |  | some |\n"
README = "before\n" + ssh_table.MARKS[0] + TABLE + ssh_table.MARKS[1] + "behind\n"
KNOWN = {"one", "two", "two_more"}
RUN = {("a", "1"): {"one": True}, ("b", "1"): {"two": True, "two_more": True}}


class Table(unittest.TestCase):
    def test_as_it_is(self):
        self.assertEqual(ssh_table.render(FEATURES), TABLE)
        self.assertEqual(ssh_table.check(FEATURES, README, KNOWN), [])
        self.assertEqual(ssh_table.check_run(FEATURES, RUN), [])

    def test_another_table(self):
        self.assertIn("is not that", ssh_table.check(FEATURES, README.replace("some |", "none |", 1), KNOWN)[0])

    def test_no_marks(self):
        self.assertIn("marks", ssh_table.check(FEATURES, "before\n" + TABLE, KNOWN)[0])

    def test_no_such_test(self):
        self.assertIn("two_more", ssh_table.check(FEATURES, README, {"one", "two"})[0])

    def test_cases_of_files(self):
        known = ssh_table.cases_of(['    def test_one(self):\nSCRIPTS = ("exit-status", "connect")\n'])
        self.assertLessEqual({"one", "exit_status", "connect"}, known)

    def test_a_case_that_failed(self):
        self.assertIn("'exec'", ssh_table.check_run(FEATURES, {**RUN, ("a", "1"): {"one": False}})[0])

    def test_a_case_that_was_not_run(self):
        self.assertEqual(len(ssh_table.check_run(FEATURES, {**RUN, ("b", "1"): {"two": True}})), 1)

    def test_a_peer_that_took_no_part(self):
        self.assertEqual(ssh_table.check_run(FEATURES, {("a", "1"): {"one": True}}), [])


if __name__ == "__main__":
    unittest.main()
