"""What a node shows of itself while it runs: metrics/list, log/tail, audit/tail, node/paths."""

import json
import unittest

from call_test import TRANSPORTS, Frames
from control_test import Control
from support import EXIT_CONFIG, EXIT_REFUSED, EXIT_USAGE, OTHER_ID, Node, TestCase

TAILS_MAX = 16


class Views(TestCase):
    def setUp(self):
        super().setUp()
        self.node_home = self.home("node")
        self.bob = self.home("bob")

    def admit(self, *scopes):
        self.node_home.run("peer", "add", "bob", "--key", self.bob.id, "--scopes", ",".join(scopes))

    def call(self, node, *arguments):
        return self.bob.json("call", node.address, *arguments)

    def control(self):
        return Control(self.node_home.path / "control.sock")

    def test_metrics_are_what_was_counted(self):
        self.admit("metrics:read")
        with Node(self.node_home) as node:
            for transport in TRANSPORTS:
                self.call(node, "metrics/list", "--only", transport)
            listed = self.call(node, "metrics/list")["metrics"]
            by_name = {one["name"]: one for one in listed}
            opened = by_name["alknet_connections_opened_total"]
            self.assertEqual((opened["type"], opened["labels"]), ("counter", ["alpn", "transport"]))
            counted = {tuple(one["values"]): one["value"] for one in opened["series"]}
            for transport in TRANSPORTS:
                self.assertGreaterEqual(counted["alknet/call", transport], 1)
            seconds = by_name["alknet_handshake_seconds"]
            self.assertEqual(seconds["type"], "histogram")
            for one in seconds["series"]:
                self.assertEqual(len(one["buckets"]), len(seconds["bounds"]) + 1)
                self.assertEqual(sum(one["buckets"]), one["count"])
            some = self.call(node, "metrics/list", "prefix=alknet_call")["metrics"]
            self.assertEqual({one["name"] for one in some},
                             {name for name in by_name if name.startswith("alknet_call")})
            with self.control() as control:
                control.ask("1", "/metrics/list")
                self.assertEqual({one["name"] for one in control.next()[2]["output"]["metrics"]}, set(by_name))

    def test_the_log_is_followed_by_whoever_may(self):
        self.admit("log:read")
        with Node(self.node_home) as node:
            with self.control() as control:
                # All that was logged so far, which is more than one event.
                control.ask("1", "/log/tail", input={"last": 1024, "event": "conn."})
                with Frames(self.bob, node, "quic") as frames:
                    frames.ask("2", "/log/tail", input={"event": "conn.", "level": "info", "last": 1})
                    mine = frames.next()[2]["output"]
                    self.assertEqual((mine["event"], mine["fields"]["alpn"]), ("conn.open", "alknet/call"))
                    kind, _, first = control.next()
                    self.assertEqual((kind, first["output"]), ("call.responded", mine))
                    with Frames(self.bob, node, "tcp") as more:
                        more.ask("3", "/services/list")
                        more.next()
                    both = [frames.next()[2], control.next()[2]]
                    self.assertEqual(both[0]["output"], both[1]["output"])
                    self.assertEqual(both[0]["output"]["fields"]["transport"], "tcp")
                    self.assertGreater(both[0]["seq"], first["seq"])
            wrong = self.bob.error("call", node.address, "log/tail", "--subscribe", "level=loud", expect=EXIT_USAGE)
            self.assertIn("level is", wrong["detail"])
            lacks = self.bob.error("call", node.address, "audit/tail", "--subscribe", expect=EXIT_REFUSED)
            self.assertEqual((lacks["id"], lacks["detail"]), ("E-AUTH-SCOPE", "audit:read"))

    def test_the_audit_log_is_followed_and_resumed(self):
        self.admit("audit:read")
        with Node(self.node_home) as node, self.control() as control:
            control.ask("1", "/audit/tail", input={"last": 1024})
            seen = [control.next()[2]]
            self.assertEqual((seen[0]["seq"], seen[0]["output"]["event"]), (1, "peer.added"))
            # Also what commands write, who then tell the node.
            self.node_home.run("peer", "add", "carol", "--key", OTHER_ID)
            while seen[-1]["output"]["event"] != "config.reloaded" or "carol" not in json.dumps(seen):
                seen.append(control.next()[2])
            self.assertEqual([one["seq"] for one in seen], list(range(1, len(seen) + 1)))
            self.assertTrue(all("missed" not in one for one in seen))
            shown = [json.loads(line) for line in
                     self.node_home.run("audit", "show", "--json").stdout.splitlines()]
            self.assertEqual([one["output"] for one in seen], shown[:len(seen)])
            with Frames(self.bob, node, "tcp") as frames:
                frames.ask("2", "/audit/tail", resume_after=2)
                for expected in seen[2:]:
                    self.assertEqual(frames.next()[2], expected)
                frames.ask("3", "/audit/tail", resume_after=2**40)
                while True:
                    kind, number, payload = frames.next()
                    if number == "3":
                        break
                self.assertEqual((kind, payload["code"]), ("call.error", "INVALID_INPUT"))

    def test_the_audit_log_is_followed_by_so_many(self):
        with Node(self.node_home), self.control() as control:
            for number in range(TAILS_MAX):
                control.ask(str(number), "/audit/tail", input={"last": 1})
                self.assertEqual(control.next()[0], "call.responded")
            control.ask("one too many", "/audit/tail")
            kind, number, payload = control.next()
            self.assertEqual((kind, number, payload["code"]), ("call.error", "one too many", "LIMIT"))

    def test_ways_to_a_peer_are_looked_at(self):
        other = self.home("other")
        self.admit("node:paths")
        with Node(self.node_home) as node, Node(other) as there:
            self.node_home.run("peer", "add", "other", "--key", other.id, "--address", there.bare)
            shown = self.call(node, "node/paths", "peer=other")
            self.assertEqual(shown["peer"], "other")
            ways = {one["way"]: one for one in shown["ways"]}
            working = [one for one in ways.values() if one["outcome"] == "connected"]
            self.assertEqual({one["remote"] for one in working}, {there.bare})
            self.assertEqual(len(working), 2)
            self.assertIn(shown["chosen"], ways)
            for peer in ("nobody", "bob"):
                refused = self.bob.error("call", node.address, "node/paths", f"peer={peer}", expect=EXIT_CONFIG)
                self.assertEqual(refused["id"], "E-PEER-UNKNOWN")


if __name__ == "__main__":
    unittest.main()
