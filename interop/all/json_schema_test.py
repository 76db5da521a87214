"""The official JSON Schema test suite (draft 2020-12), as it comes with the source of jsonschema."""

import json
import os
import pathlib
import unittest

import harness

SUITE = pathlib.Path(os.environ["ALKNET_INTEROP_BUILD"]) / "json_schema_suite"
# What libs/call/include/alknet/call/schema.hpp does not promise, and must therefore refuse.
NOT_PROMISED = {
    "$anchor", "$dynamicAnchor", "$dynamicRef", "$id", "$vocabulary", "unevaluatedItems", "unevaluatedProperties",
}


def promised(schema):
    """Whether no keyword in it, at any depth, is one that we refuse."""
    if isinstance(schema, list):
        return all(map(promised, schema))
    if not isinstance(schema, dict):
        return True
    reference = schema.get("$ref", "#")
    return (not NOT_PROMISED & schema.keys()
            and not (isinstance(reference, str) and not (reference == "#" or reference.startswith("#/")))
            and all(map(promised, schema.values())))


class JsonSchema(harness.PeerTest):
    peer = "JSON Schema test suite"

    @classmethod
    def version(cls):
        return "draft 2020-12, jsonschema " + (SUITE / "VERSION").read_text().strip()

    def verdicts(self):
        """(where, the group of the suite, our answer) of each group."""
        files = sorted((SUITE / "json/tests/draft2020-12").glob("*.json"))
        self.assertGreater(len(files), 40)
        for file in files:
            answers = harness.run(harness.BIN / "alknet_interop", "schemas", file).stdout.decode().splitlines()
            groups = json.loads(file.read_text())
            self.assertEqual(len(answers), len(groups), file.name)
            for group, answer in zip(groups, answers):
                yield f"{file.name}: {group['description']}", group, json.loads(answer)

    def test_every_verdict_is_right(self):
        checked = 0
        for where, group, answer in self.verdicts():
            for test, valid in zip(group["tests"], answer.get("valid", [])):
                self.assertEqual(valid, test["valid"], f"{where}: {test['description']}")
                checked += 1
        self.assertGreater(checked, 900)

    def test_only_what_is_not_promised_is_refused(self):
        for where, group, answer in self.verdicts():
            if "refused" in answer:
                self.assertFalse(promised(group["schema"]), f"{where}: {answer['refused']}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
