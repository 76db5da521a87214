"""The audit log: what the node and its commands write down, and how it is read and proven."""

import hashlib
import json
import os
import subprocess
import unittest

import support
from support import EXIT_FAILURE, EXIT_USAGE, PATIENCE_S, Node, TestCase, clean_environment

PRIVATE = '[alpn."alknet/echo"]\nidentity_required = true\n'


class Audit(TestCase):
    def records(self, home, *arguments):
        text = home.run("audit", "show", "--json", *arguments).stdout
        return [json.loads(line) for line in text.splitlines()]

    def events(self, home, *arguments):
        return [record["event"] for record in self.records(home, *arguments)]

    def check_by_hand(self, home):
        """What docs/audit.md says, done again."""
        before, seq = "0" * 64, 0
        for line in (home.path / "audit.log").read_bytes().splitlines():
            record = json.loads(line)
            seq += 1
            self.assertEqual((record["seq"], record["prev"]), (seq, before))
            before = hashlib.sha256(line).hexdigest()
        head = (home.path / "audit.head").read_text()
        self.assertEqual(head, f"alknet-audit-head 1 {seq:020d} {before}\n")
        return f"{seq}:{before}"

    def test_has_every_decision_of_a_node(self):
        home, bob, stranger = self.home(), self.home("bob"), self.home("stranger")
        home.configure(PRIVATE)
        home.run("peer", "add", "bob", "--key", bob.id, "--scopes", "call:echo")
        with Node(home) as node:
            bob.run("ping", node.address, "--count", "1")
            stranger.run("ping", node.address, "--count", "1", "--only", "quic", expect=support.EXIT_REFUSED)
            home.run("peer", "remove", "bob")
            node.wait_for("config.reloaded")
            home.configure("[limits]\nnonsense = 1\n")
            node.wait_for("config.rejected")
            node.stop()
        records = self.records(home)
        events = [record["event"] for record in records]
        for event in ("peer.added", "node.started", "connection.admitted", "connection.refused",
                      "peer.removed", "config.reloaded", "config.rejected", "node.stopped"):
            self.assertIn(event, events)
        by_event = {record["event"]: record for record in records}
        added = by_event["peer.added"]
        self.assertEqual((added["name"], added["scopes"], added["uid"]), ("bob", "call:echo", str(os.getuid())))
        admitted = by_event["connection.admitted"]
        self.assertEqual(admitted["peer"], added["peer"])
        self.assertEqual(admitted["key"], bob.identity["fingerprint"])
        self.assertEqual(admitted["service"], "alknet/echo")
        self.assertTrue(admitted["remote"].startswith("127.0.0.1:"))
        refused = by_event["connection.refused"]
        self.assertEqual(refused["reason"], "E-AUTH-REQUIRED")
        self.assertEqual(refused["key"], stranger.identity["fingerprint"])
        self.assertNotIn("peer", refused)
        # Each says which configuration decided, and a reload says which one it is.
        self.assertEqual(admitted["revision"], by_event["node.started"]["revision"])
        self.assertNotEqual(by_event["config.reloaded"]["revision"], admitted["revision"])
        self.assertEqual(by_event["config.rejected"]["revision"], by_event["config.reloaded"]["revision"])
        self.assertIn("nonsense", by_event["config.rejected"]["detail"])
        head = self.check_by_hand(home)
        report = home.json("audit", "verify", "--head", head)
        self.assertEqual((report["whole"], report["head"]), (True, head))

    def test_is_shown_by_peer_and_time(self):
        home = self.home()
        home.run("peer", "add", "bob", "--key", self.home("bob").id)
        home.run("peer", "add", "carol", "--key", self.home("carol").id)
        home.run("peer", "remove", "bob")
        self.assertEqual(self.events(home, "--peer", "bob"), ["peer.added", "peer.removed"])
        self.assertEqual(self.events(home, "--peer", "carol"), ["peer.added"])
        self.assertEqual(len(self.events(home, "--since", "1h")), 3)
        self.assertEqual(len(self.events(home, "--since", "1970-01-01")), 3)
        self.assertEqual(self.events(home, "--since", "2099-12-31T12:00"), [])
        home.error("audit", "show", "--since", "yesterday", expect=EXIT_USAGE)
        self.assertIn("  peer.added  peer=peer-", home.run("audit", "show").stdout)
        self.assertEqual(home.run("audit", "show", "--peer", "nobody").stdout, "")

    def wait_for_record(self, home, event):
        with subprocess.Popen([support.PROGRAM, "audit", "show", "--follow", "--json", "--home", str(home.path)],
                              stdout=subprocess.PIPE, text=True, env=clean_environment()) as follower:
            self.addCleanup(follower.kill)
            while json.loads(follower.stdout.readline())["event"] != event:
                pass
            follower.kill()
            follower.wait(timeout=PATIENCE_S)

    def test_is_followed(self):
        home = self.home()
        home.run("peer", "add", "bob", "--key", self.home("bob").id)
        with subprocess.Popen([support.PROGRAM, "audit", "show", "--follow", "--json", "--home", str(home.path)],
                              stdout=subprocess.PIPE, text=True, env=clean_environment()) as follower:
            self.addCleanup(follower.kill)
            self.assertEqual(json.loads(follower.stdout.readline())["event"], "peer.added")
            home.run("peer", "remove", "bob")
            self.assertEqual(json.loads(follower.stdout.readline())["event"], "peer.removed")
            follower.kill()
            follower.wait(timeout=PATIENCE_S)

    def test_names_the_revision_that_a_command_began_from(self):
        home, key = self.home(), self.home("bob").id
        for command in (("peer", "add", "bob", "--key", key), ("peer", "disable", "bob"),
                        ("token", "add", "--scopes", "a:b"),
                        ("peer", "invite", "--address", "192.0.2.1:1"), ("peer", "remove", "bob")):
            home.run(*command)
        revisions = [record["revision"] for record in self.records(home)]
        self.assertEqual(len(revisions), 5)
        # An invitation changes nobody's rights yet.
        self.assertEqual(revisions[3], revisions[4])
        self.assertEqual(len(set(revisions)), 4)
        with Node(home) as node:
            node.stop()
        began = [record for record in self.records(home) if record["event"] == "node.started"][0]
        self.assertNotIn(began["revision"], revisions)

    def test_has_tokens_and_invitations_and_no_secret_of_them(self):
        home = self.home()
        token = home.json("token", "add", "--scopes", "call:echo")
        home.run("token", "remove", token["id"])
        line = home.json("peer", "invite", "--scopes", "call:echo", "--address", "127.0.0.1:1")
        home.run("peer", "uninvite", line["id"])
        self.assertEqual(self.events(home), ["token.added", "token.removed", "invitation.made", "invitation.removed"])
        text = (home.path / "audit.log").read_text()
        self.assertIn(token["id"], text)
        self.assertNotIn(token["token"], text)
        self.assertNotIn(line["invitation"], text)

    def test_tells_a_spent_invitation_as_an_alarm(self):
        home, bob, thief = self.home(), self.home("bob"), self.home("thief")
        with Node(home) as node:
            line = home.json("peer", "invite", "--scopes", "call:echo", "--address", node.bare)["invitation"]
            bob.run("peer", "join", line)
            thief.run("peer", "join", line, expect=support.EXIT_REFUSED)
            node.stop()
        alarms = [record for record in self.records(home) if record.get("level") == "alarm"]
        self.assertEqual([alarm["event"] for alarm in alarms], ["invitation.alarm"])
        self.assertEqual(alarms[0]["key"], thief.identity["fingerprint"])
        self.assertIn("invitation.joined", self.events(home))

    def test_shows_where_it_was_changed(self):
        home = self.home()
        for name in ("bob", "carol", "dave"):
            home.run("peer", "add", name, "--key", self.home(name).id)
        self.assertIn("whole: 3 records, 1 to 3", home.run("audit", "verify").stdout)
        head = home.json("audit", "verify")["head"]
        file = home.path / "audit.log"
        text = file.read_text()
        file.write_text(text.replace("carol", "carla"))
        done = home.run("audit", "verify", expect=EXIT_FAILURE)
        self.assertIn("audit.log:3: the line before this one is not the one that stood here", done.stdout)
        self.assertIn("broken", done.stdout)
        self.assertEqual(home.error("audit", "verify", expect=EXIT_FAILURE)["id"], "E-AUDIT-BROKEN")
        # A whole other log in its place passes for one, but not for the one whose head was noted.
        file.unlink()
        (home.path / "audit.head").unlink()
        for name in ("bob", "carol", "dave"):
            home.run("peer", "remove", name)
        self.assertTrue(home.json("audit", "verify")["whole"])
        self.assertIn("is not the one that was noted",
                      home.run("audit", "verify", "--head", head, expect=EXIT_FAILURE).stdout)
        home.error("audit", "verify", "--head", "3", expect=EXIT_USAGE)

    def test_a_change_that_must_be_recorded_and_cannot_be_is_not_made(self):
        home = self.home()
        key = self.home("bob").id
        home.configure("[audit]\nrequired = true\n")
        (home.path / "audit.log").mkdir()
        home.error("peer", "add", "bob", "--key", key, expect=EXIT_FAILURE)
        self.assertEqual(home.json("peer", "list")["peers"], [])
        home.configure("")
        self.assertIn("not in the audit log", home.run("peer", "add", "bob", "--key", key).stderr)
        (home.path / "audit.log").rmdir()
        home.configure("[audit]\nenabled = false\n")
        self.assertEqual(home.run("peer", "remove", "bob").stderr, "")
        self.assertEqual(self.events(home), [])

    def test_a_node_that_must_record_and_cannot_lets_nobody_in(self):
        home, bob = self.home(), self.home("bob")
        home.configure("[audit]\nrequired = true\n")
        with Node(home) as node:
            bob.run("ping", node.address, "--count", "1")
            self.wait_for_record(home, "connection.admitted")
            (home.path / "audit.log").rename(home.path / "kept")
            (home.path / "audit.log").mkdir()
            # The first whose record cannot be written is let in, and then nobody is.
            bob.run("ping", node.address, "--count", "1")
            node.wait_for("audit.failed")
            bob.run("ping", node.address, "--count", "1", "--only", "quic", expect=EXIT_FAILURE)
            (home.path / "audit.log").rmdir()
            (home.path / "kept").rename(home.path / "audit.log")
            node.wait_for("audit.resumed")
            bob.run("ping", node.address, "--count", "1")
        self.assertTrue(home.json("audit", "verify")["whole"])

    def test_outlives_a_node_that_is_killed(self):
        home, bob = self.home(), self.home("bob")
        for _ in range(3):
            with Node(home) as node:
                bob.run("ping", node.address, "--count", "1")
                node.process.kill()
                node.process.wait()
            self.assertTrue(home.json("audit", "verify")["whole"])


if __name__ == "__main__":
    unittest.main()
