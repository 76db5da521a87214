"""alknet key: a node's key and the next one, and who believes it."""

import json
import shutil
import subprocess
import unittest

import support
from resume_test import Path
from support import (EXIT_REFUSED, EXIT_UNREACHABLE, EXIT_USAGE, PATIENCE_S, Node, TestCase,
                     clean_environment)

SERVED = ("--count", 1)


class KeyTest(TestCase):
    def setUp(self):
        super().setUp()
        self.alice = self.home("alice")
        self.bob = self.home("bob")

    def fingerprint(self, home):
        return home.json("id")["fingerprint"]

    def serve(self, home, *, listen="127.0.0.1:0"):
        node = Node(home, listen=(listen,))
        self.addCleanup(node.__exit__)
        return node

    def know(self, home, name, other, address=None, scopes=()):
        where = ("--address", address) if address else ()
        may = ("--scopes", ",".join(scopes)) if scopes else ()
        home.run("peer", "add", name, "--key", self.fingerprint(other), *where, *may)

    def keys(self, home, name):
        peers = {one["name"]: one["keys"] for one in home.json("peer", "list")["peers"]}
        return peers[name]

    def rotate(self, home, *options):
        done = home.json("key", "rotate", *options)
        return done["from"], done["to"]

    def switch(self, home):
        home.run("key", "switch")

    def mismatch(self, home, *arguments):
        error = home.error("ping", *arguments, *SERVED, expect=EXIT_REFUSED)
        self.assertEqual(error["id"], "E-TLS-KEY-MISMATCH")
        return error


class OwnKey(KeyTest):
    def test_there_are_two_until_one_is_left(self):
        before = self.alice.json("id")
        self.assertEqual((before["next"], before["previous"]), (None, []))
        old, new = self.rotate(self.alice)
        during = self.alice.json("id")
        self.assertEqual(during["fingerprint"], old)
        self.assertEqual(during["next"]["fingerprint"], new)
        self.assertIn(f"next         {new}", self.alice.run("id").stdout)
        self.assertEqual(self.alice.error("key", "rotate", expect=EXIT_USAGE)["id"], "E-USAGE")
        self.switch(self.alice)
        after = self.alice.json("id")
        self.assertEqual((after["fingerprint"], after["next"]), (new, None))
        self.assertEqual([one["fingerprint"] for one in after["previous"]], [old])
        self.assertIn(f"previous     {old}", self.alice.run("id").stdout)
        self.alice.error("key", "switch", expect=EXIT_USAGE)
        events = [one["event"] for one in map(json.loads, self.alice.run(
            "audit", "show", "--json").stdout.splitlines())]
        self.assertEqual([one for one in events if one.startswith("key.")],
                         ["key.rotated", "key.switched"])

    def test_the_one_to_come_can_be_forgotten_until_it_was_told(self):
        old, new = self.rotate(self.alice)
        self.alice.run("key", "abandon")
        self.assertEqual(self.alice.json("id")["next"], None)
        self.assertFalse((self.alice.path / "node.key.next").exists())
        _, other = self.rotate(self.alice)
        self.assertNotEqual(other, new)
        node = self.serve(self.bob)
        self.know(self.alice, "bob", self.bob, node.bare)
        self.know(self.bob, "alice", self.alice)
        told = self.serve(self.alice)
        told.wait_for("key.announced")
        self.assertIn("others were told",
                      self.alice.error("key", "abandon", expect=EXIT_USAGE)["detail"])

    def test_a_running_node_goes_over_to_it(self):
        node = self.serve(self.alice)
        self.know(self.bob, "alice", self.alice, node.bare)
        pipes = [subprocess.Popen([support.PROGRAM, "pipe", "alice", "--alpn", "alknet/echo", "--only", only,
                                   "--home", self.bob.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  text=True, env=clean_environment()) for only in ("quic", "tcp")]
        self.say(pipes, "before\n")
        self.assertNotIn("next_key", self.alice.json("status"))
        old, new = self.rotate(self.alice)
        self.assertEqual(self.alice.json("status")["next_key"], new)
        self.assertIn(f"next key     {new}", self.alice.run("status").stdout)
        self.assertIn("the node shows it from now on", self.alice.run("key", "switch").stdout)
        node.wait_for("key.changed")
        status = self.alice.json("status")
        self.assertEqual((status["fingerprint"], status.get("next_key")), (new, None))
        # What there was goes on; what comes, resumed handshakes too, sees the new key.
        self.say(pipes, "after\n")
        for only in ("quic", "tcp"):
            self.assertEqual(self.bob.json("ping", "alice", "--only", only, *SERVED)["peer"], new)
        self.assertEqual(self.keys(self.bob, "alice"), [new])
        for pipe in pipes:
            pipe.stdin.close()
            self.assertEqual(pipe.wait(PATIENCE_S), 0)
            pipe.stdout.close()
        self.assertEqual(self.alice.error("key", "switch", expect=EXIT_USAGE)["id"], "E-USAGE")
        # It is a node like any other: it reads its files again, introduces others, and starts.
        self.alice.run("reload")
        carol = self.home("carol")
        line = self.alice.run("peer", "invite", "--address", node.bare, "--scopes", "node:admin",
                              "--confirm").stdout.splitlines()[0]
        joining = subprocess.Popen([support.PROGRAM, "peer", "join", line, "--as", "carol", "--home", carol.path],
                                   stdout=subprocess.PIPE, text=True, env=clean_environment())
        digits = joining.stdout.readline().rstrip().rpartition(": ")[2].replace(" ", "")
        self.alice.run("peer", "confirm", digits)
        self.assertIn("joined", joining.communicate(timeout=PATIENCE_S)[0])
        node.__exit__()
        self.serve(self.alice, listen=node.bare)
        self.bob.run("ping", "alice", *SERVED)

    def say(self, pipes, line):
        for pipe in pipes:
            pipe.stdin.write(line)
            pipe.stdin.flush()
            self.assertEqual(pipe.stdout.readline(), line)

    def test_a_key_that_somebody_puts_there_is_not_taken(self):
        other = self.home("other")
        node = self.serve(self.alice)
        shutil.copy(other.path / "node.key", self.alice.path / "node.key")
        self.alice.run("reload")
        node.wait_for("config.restart_needed")
        self.assertEqual(self.alice.json("status")["fingerprint"], self.alice.identity["fingerprint"])
        self.bob.run("ping", node.address, *SERVED)

    def test_streams_that_come_back_follow(self):
        node = self.serve(self.alice)
        path = Path(node.port)
        self.addCleanup(path.close)
        self.know(self.bob, "alice", self.alice, f"127.0.0.1:{path.port}")
        pipe = subprocess.Popen([support.PROGRAM, "pipe", "alice", "--alpn", "alknet/echo", "--resume",
                                 "--only", "tcp", "--home", self.bob.path],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=clean_environment())
        self.say([pipe], "before\n")
        _, new = self.rotate(self.alice)
        self.switch(self.alice)
        path.cut()
        self.say([pipe], "after\n")
        pipe.stdin.close()
        self.assertEqual(pipe.wait(PATIENCE_S), 0)
        pipe.stdout.close()
        self.assertEqual(self.keys(self.bob, "alice"), [new])
        self.assertEqual(node.stop().count("event=resume.opened"), 1)

    def test_overlap_has_a_limit(self):
        self.alice.run("key", "rotate", "--overlap", "367d", expect=EXIT_USAGE)
        self.rotate(self.alice, "--overlap", "366d")


class Dialler(KeyTest):
    """Bob knows alice's key, and has not heard of the next."""

    def change_unheard(self):
        """Where alice is reached, and her two keys; she is not running."""
        node = self.serve(self.alice)
        self.know(self.bob, "alice", self.alice, node.bare)
        node.__exit__()
        old, new = self.rotate(self.alice)
        self.switch(self.alice)
        return node.bare, old, new

    def test_believes_what_the_known_key_has_signed(self):
        bare, old, new = self.change_unheard()
        self.serve(self.alice, listen=bare)
        done = self.bob.run("ping", "alice", *SERVED)
        self.assertEqual(done.stderr, "")
        self.assertEqual(self.keys(self.bob, "alice"), [new])
        events = self.bob.run("audit", "show", "--json").stdout
        self.assertIn("peer.key_changed", events)
        # By its old address too, and without asking anybody.
        self.assertEqual(self.bob.json("ping", f"alknet://{old}@{bare}", *SERVED)["peer"], new)

    def test_follows_several_at_once(self):
        node = self.serve(self.alice)
        self.know(self.bob, "alice", self.alice, node.bare)
        bare = node.bare
        node.__exit__()
        for _ in range(3):
            _, new = self.rotate(self.alice)
            self.switch(self.alice)
        self.serve(self.alice, listen=bare)
        for only in ("tcp", "quic"):
            self.bob.run("ping", "alice", "--only", only, *SERVED)
        self.assertEqual(self.keys(self.bob, "alice"), [new])

    def test_a_key_of_alknet_toml_too(self):
        node = self.serve(self.alice)
        self.bob.configure(self.bob.config.read_text() + f"""
[[peer]]
name = "alice"
keys = ["{self.fingerprint(self.alice)}"]
address = "{node.bare}"
""")
        bare = node.bare
        node.__exit__()
        _, new = self.rotate(self.alice)
        self.switch(self.alice)
        self.serve(self.alice, listen=bare)
        self.bob.run("ping", "alice", *SERVED)
        self.assertEqual(self.keys(self.bob, "alice"), [new])

    def test_a_name_that_was_trusted_on_first_use(self):
        node = self.serve(self.alice)
        self.bob.run("ping", node.bare, "--tofu", *SERVED)
        bare = node.bare
        node.__exit__()
        _, new = self.rotate(self.alice)
        self.switch(self.alice)
        self.serve(self.alice, listen=bare)
        done = self.bob.run("ping", bare, *SERVED)
        self.assertEqual(done.stderr, "")
        known = {one["name"]: one["identity"] for one in self.bob.json("known", "list")["known"]}
        self.assertEqual(known, {bare: new})

    def test_believes_no_thief(self):
        node = self.serve(self.alice)
        self.know(self.bob, "alice", self.alice, node.bare)
        self.bob.run("ping", node.bare, "--tofu", *SERVED)
        bare = node.bare
        node.__exit__()
        old, _ = self.rotate(self.alice)
        self.switch(self.alice)
        # Neither a key of his own, nor alice's statement beside it, nor one of his own keys'.
        mallory = self.home("mallory")
        thief = self.serve(mallory, listen=bare)
        self.mismatch(self.bob, "alice")
        self.mismatch(self.bob, bare)
        thief.__exit__()
        shutil.copy(self.alice.path / "node.key.rotations", mallory.path / "node.key.rotations")
        thief = self.serve(mallory, listen=bare)
        self.mismatch(self.bob, "alice")
        thief.__exit__()
        (mallory.path / "node.key.rotations").unlink()
        self.rotate(mallory)
        self.switch(mallory)
        self.serve(mallory, listen=bare)
        self.mismatch(self.bob, "alice")
        self.mismatch(self.bob, bare)
        self.assertEqual(self.keys(self.bob, "alice"), [old])

    def test_a_key_that_was_left_never_comes_back(self):
        before = self.directory / "before"
        shutil.copytree(self.alice.path, before)
        bare, old, new = self.change_unheard()
        node = self.serve(self.alice, listen=bare)
        self.bob.run("ping", "alice", *SERVED)
        node.__exit__()
        # Whoever has the old key shows it, and then signs for another of theirs.
        thief = self.home("thief")
        shutil.copy(before / "node.key", thief.path / "node.key")
        self.assertEqual(self.fingerprint(thief), old)
        node = self.serve(thief, listen=bare)
        self.mismatch(self.bob, "alice")
        node.__exit__()
        self.rotate(thief)
        self.switch(thief)
        self.serve(thief, listen=bare)
        self.mismatch(self.bob, "alice")
        self.mismatch(self.bob, f"alknet://{old}@{bare}")
        self.assertEqual(self.keys(self.bob, "alice"), [new])


class Receiver(KeyTest):
    """Bob's node knows alice, who comes with her new key."""

    def comes_in(self, home, node, expect=0):
        return home.run("bench", f"alknet://{self.bob.id}@{node.bare}", "--down", "--seconds", 1,
                        expect=expect)

    def test_is_told_before_and_after_the_switch(self):
        bob = self.serve(self.bob)
        self.know(self.bob, "alice", self.alice, scopes=("node:bench",))
        self.know(self.alice, "bob", self.bob, bob.bare)
        self.comes_in(self.alice, bob)
        alice = self.serve(self.alice)
        old, new = self.rotate(self.alice)
        alice.wait_for("key.announced")
        self.assertEqual(self.keys(self.bob, "alice"), [old, new])
        self.comes_in(self.alice, bob)
        alice.__exit__()
        before = self.directory / "old.key"
        shutil.copy(self.alice.path / "node.key", before)
        self.switch(self.alice)
        # The first use of the new key ends the old one.
        self.comes_in(self.alice, bob)
        bob.wait_for("config.reloaded")
        self.assertEqual(self.keys(self.bob, "alice"), [new])
        self.alice.run("bench", f"alknet://{self.bob.id}@{bob.bare}", "--down", "--seconds", 1,
                       "--identity", before, expect=EXIT_REFUSED)
        self.comes_in(self.alice, bob)

    def test_is_told_after_the_switch_alone(self):
        bob = self.serve(self.bob)
        self.know(self.bob, "alice", self.alice, scopes=("node:bench",))
        self.know(self.alice, "bob", self.bob, bob.bare)
        _, new = self.rotate(self.alice)
        self.switch(self.alice)
        self.comes_in(self.alice, bob, expect=EXIT_REFUSED)
        self.serve(self.alice).wait_for("key.announced")
        self.comes_in(self.alice, bob)
        bob.wait_for("peer.key_changed")

    def test_is_told_by_a_command(self):
        bob = self.serve(self.bob)
        self.know(self.bob, "alice", self.alice, scopes=("node:bench",))
        self.assertIn("no statement", self.alice.error("key", "announce", expect=EXIT_USAGE)["detail"])
        self.rotate(self.alice)
        self.switch(self.alice)
        self.assertIn("no peer has", self.alice.error("key", "announce", expect=EXIT_USAGE)["detail"])
        self.know(self.alice, "bob", self.bob, bob.bare)
        told = self.alice.json("key", "announce")
        self.assertEqual(told, {"peer": "bob", "told": True, "error": None})
        bob.wait_for("config.reloaded")
        self.comes_in(self.alice, bob)
        bob.__exit__()
        self.alice.run("key", "announce", "--timeout", "200ms", expect=EXIT_UNREACHABLE)

    def test_hears_nothing_of_strangers(self):
        bob = self.serve(self.bob)
        self.know(self.alice, "bob", self.bob, bob.bare)
        self.rotate(self.alice)
        self.switch(self.alice)
        self.serve(self.alice).wait_for("key.announced")
        self.assertIn("no peer has the key that goes", bob.wait_for("peer.key_refused"))
        self.assertEqual(self.bob.json("peer", "list")["peers"], [])

    def test_adding_somebody_anew_forgets_what_was_accepted(self):
        bob = self.serve(self.bob)
        self.know(self.bob, "alice", self.alice)
        self.know(self.alice, "bob", self.bob, bob.bare)
        old, new = self.rotate(self.alice)
        self.serve(self.alice).wait_for("key.announced")
        self.assertEqual(self.keys(self.bob, "alice"), [old, new])
        self.bob.run("peer", "remove", "alice")
        self.bob.run("peer", "add", "alice", "--key", old)
        self.assertEqual(self.keys(self.bob, "alice"), [old])


if __name__ == "__main__":
    unittest.main()
