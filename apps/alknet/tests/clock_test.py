"""The program under a clock that says 1970 or 2040, all the time or for a while: clear errors, nothing lost.

The clock is a library that is preloaded; it reads from a file how far off it is.
"""

import os
import time
import unittest

import support
from call_test import TRANSPORTS, Frames
from support import EXIT_FAILURE, EXIT_OK, EXIT_REFUSED, EXIT_USAGE, Node, TestCase

CLOCK = os.environ["ALKNET_WALL_CLOCK"]
# As seconds since 1970: shortly after a machine without a battery has started, and behind everything.
YEARS = {"1970": 100, "2040": 2_208_988_800}
RULES = '[alpn."alknet/echo"]\nidentity_required = true\n'


class Clock(TestCase):
    def setUp(self):
        super().setUp()
        self.file = self.directory / "clock"
        self.right()
        # Everything that is run here sees that clock.
        before = support.clean_environment
        support.clean_environment = lambda **more: before(
            LD_PRELOAD=CLOCK, ALKNET_TEST_CLOCK=str(self.file), **more)
        self.addCleanup(setattr, support, "clean_environment", before)

    def right(self):
        self.set_to(None)

    def set_to(self, year):
        now = int(time.time())
        new = self.file.with_name("clock.new")
        new.write_text(str(YEARS[year] - now if year else 0), encoding="ascii")
        new.rename(self.file)

    def serve(self, home, **options):
        node = Node(home, **options)
        self.addCleanup(node.__exit__)
        return node

    def state(self, home):
        return (home.config.read_text(), home.json("peer", "list"), home.json("token", "list"),
                home.json("peer", "invitations"))


class AllTheTime(Clock):
    def test_everything_works(self):
        for year in YEARS:
            with self.subTest(year=year):
                self.set_to(year)
                self.everything(year)

    def everything(self, year):
        alice, bob = self.home(f"alice{year}"), self.home(f"bob{year}")
        alice.configure(RULES)
        with Node(alice) as node:
            self.assertEqual(alice.json("status")["fingerprint"], alice.identity["fingerprint"])
            line = alice.run("peer", "invite", "--as", "alice", "--address", node.bare).stdout.splitlines()[0]
            bob.run("peer", "join", line, "--as", "bob")
            for only in ("quic", "tcp"):
                bob.run("ping", "alice", "--count", 1, "--only", only)
            # Terms: one that has begun, and one that ends soon.
            alice.run("peer", "renew", "bob", "--expires", "30d")
            self.assertEqual(alice.json("peer", "list")["peers"][0]["standing"], "valid")
            bob.run("ping", "alice", "--count", 1)
            past = {"1970": "1970-01-01", "2040": "2039-12-31"}[year]
            why = alice.error("peer", "renew", "bob", "--expires", past, expect=EXIT_USAGE)
            self.assertIn("is over already", why["detail"])
            token = alice.json("token", "add", "--scopes", "git:read", "--expires", "1d")
            self.assertEqual([one["id"] for one in alice.json("token", "list")["tokens"]], [token["id"]])
            alice.run("token", "remove", token["id"])
            # A change that waits, kept and undone.
            new = self.directory / f"new{year}.toml"
            new.write_text(RULES + "# kept\n", encoding="ascii")
            new.chmod(0o600)
            alice.run("config", "apply", new, "--confirm", "1h")
            alice.run("config", "confirm")
            self.assertIn("kept", alice.config.read_text())
            # A key that changes.
            alice.run("key", "rotate")
            alice.run("key", "switch")
            bob.run("ping", "alice", "--count", 1)
            alice.run("peer", "remove", "bob")
            bob.error("ping", "alice", "--count", 1, expect=EXIT_REFUSED)
        for home in (alice, bob):
            self.assertTrue(home.json("audit", "verify")["whole"])


class ForAWhile(Clock):
    """A home of today."""

    def setUp(self):
        super().setUp()
        self.alice, self.bob, self.carol = self.home("alice"), self.home("bob"), self.home("carol")
        self.alice.configure(RULES)
        self.alice.run("peer", "add", "bob", "--key", self.bob.id, "--scopes", "git:read", "--expires", "365d")
        self.alice.run("peer", "add", "carol", "--key", self.carol.id)
        self.alice.run("token", "add", "--peer", "bob", "--expires", "30d")

    def ping(self, home, node, *, known=True):
        # Of a stranger TCP cannot tell a refusal from a failure.
        for only, refused in (("quic", EXIT_REFUSED), ("tcp", EXIT_FAILURE)):
            home.run("ping", node.address, "--count", 1, "--only", only, expect=EXIT_OK if known else refused)

    def test_a_node_that_starts_in_1970_serves_and_is_told_the_time(self):
        before = self.state(self.alice)
        self.set_to("1970")
        node = self.serve(self.alice)
        self.ping(self.bob, node)
        self.ping(self.carol, node)
        self.assertEqual(self.state(self.alice), before)
        self.right()
        self.ping(self.bob, node)
        self.assertEqual(self.state(self.alice), before)
        node.stop()
        self.assertTrue(self.alice.json("audit", "verify")["whole"])

    def test_in_2040_terms_are_over_until_the_clock_is_right(self):
        before = self.state(self.alice)
        self.set_to("2040")
        node = self.serve(self.alice)
        self.ping(self.bob, node, known=False)
        self.ping(self.carol, node)
        shown = {one["name"]: one["standing"] for one in self.alice.json("peer", "list")["peers"]}
        self.assertEqual(shown, {"bob": "expired", "carol": "valid"})
        self.assertIn("expired", self.alice.run("access", "check", "--peer", "bob", "--do", "git:read",
                                                expect=EXIT_REFUSED).stdout)
        self.right()
        self.ping(self.bob, node)
        self.assertEqual(self.state(self.alice), before)
        node.stop()
        self.assertTrue(self.alice.json("audit", "verify")["whole"])

    def test_a_token_that_has_expired_opens_no_stream(self):
        token = self.alice.json("token", "add", "--scopes", "node:read", "--expires", "30d")["token"]

        def answer(transport):
            # Carol herself may nothing here: the token alone decides.
            with Frames(self.carol, node, transport) as frames:
                frames.ask("1", "/node/info", auth_token=token)
                kind, _, payload = frames.next()
                return kind, payload.get("code"), payload.get("details", {}).get("cause")

        node = self.serve(self.alice)
        for transport in TRANSPORTS:
            self.right()
            self.assertEqual(answer(transport)[0], "call.responded")
            self.set_to("2040")
            self.assertEqual(answer(transport), ("call.error", "FORBIDDEN", "E-TOKEN-INVALID"))
        self.right()
        self.assertEqual(answer(TRANSPORTS[0])[0], "call.responded")
        node.stop()

    def test_a_change_that_waits_is_undone(self):
        new = self.directory / "new.toml"
        new.write_text("", encoding="ascii")
        new.chmod(0o600)
        for year in YEARS:
            self.right()
            self.alice.run("config", "apply", new, "--confirm", "1h")
            self.assertEqual(self.alice.config.read_text(), "")
            self.set_to(year)
            with Node(self.alice) as node:
                node.wait_for("config.undone")
                self.assertEqual(self.alice.config.read_text(), RULES)

    def test_invitations_say_whose_clock_has_ended_them(self):
        node = self.serve(self.alice)
        eve = self.home("eve")

        def invite():
            return self.alice.run("peer", "invite", "--as", "alice", "--address", node.bare).stdout.splitlines()[0]
        line = invite()
        self.set_to("2040")  # of both: it is over, and says so
        why = eve.error("peer", "join", line, expect=EXIT_REFUSED)
        self.assertEqual(why["id"], "E-INVITE-REFUSED")
        self.assertIn("by the clock here it has ended", why["detail"])
        self.right()
        eve.run("peer", "join", line)
        self.set_to("1970")
        line = invite()
        self.right()
        why = self.home("mallory").error("peer", "join", line, expect=EXIT_REFUSED)
        self.assertIn("by the clock here it has ended", why["detail"])


if __name__ == "__main__":
    unittest.main()
