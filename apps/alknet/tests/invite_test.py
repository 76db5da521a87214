"""Invitations: two homes of different owners, introduced by one line."""

import json
import subprocess
import unittest

import support
from support import (EXIT_CONFIG, EXIT_OK, EXIT_REFUSED, EXIT_UNREACHABLE, EXIT_USAGE, PATIENCE_S, Node, TestCase,
                     clean_environment)

RULES = '[alpn."alknet/echo"]\nscope = "echo:use"\n'


class Invite(TestCase):
    def setUp(self):
        super().setUp()
        self.alice, self.bob = self.home("alice"), self.home("bob")
        self.alice.configure(RULES)

    def invite(self, address, *options, home=None):
        made = (home or self.alice).json("peer", "invite", "--as", "alice", "--address", address, *options)
        self.assertRegex(made["invitation"], "^alkjoin1[a-z2-7]+$")
        return made["invitation"]

    def peers(self, home):
        return {peer["name"]: peer for peer in home.json("peer", "list")["peers"]}

    def invitations(self):
        return self.alice.json("peer", "invitations")["invitations"]

    def joining(self, home, line, *options):
        command = [support.PROGRAM, "peer", "join", line, "--json", "--home", str(home.path), *options]
        process = subprocess.Popen(command,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env=clean_environment())
        for stream in (process.stdout, process.stderr):
            self.addCleanup(stream.close)
        self.addCleanup(process.kill)
        return process

    def test_introduces_two_nodes(self):
        eve = self.home("eve")
        with Node(self.alice) as node:
            line = self.invite(node.bare, "--scopes", "echo:use")
            joined = self.bob.json("peer", "join", line, "--as", "bob")
            self.assertEqual((joined["peer"], joined["known_there_as"], joined["scopes"], joined["address"]),
                             ("alice", "bob", ["echo:use"], node.bare))
            self.assertEqual(self.peers(self.bob)["alice"]["keys"], [self.alice.identity["fingerprint"]])
            self.assertEqual(self.peers(self.bob)["alice"]["scopes"], [])
            self.assertEqual(self.peers(self.alice)["bob"]["keys"], [self.bob.identity["fingerprint"]])
            self.assertEqual(self.peers(self.alice)["bob"]["scopes"], ["echo:use"])
            self.bob.run("ping", "alice", "--count", 1)

            # Somebody else has the line too.
            self.assertEqual(eve.error("peer", "join", line, expect=EXIT_REFUSED)["id"], "E-INVITE-REFUSED")
            self.assertIn(eve.identity["fingerprint"], node.wait_for("invitation.alarm"))
            self.assertEqual(self.peers(eve), {})
            self.assertEqual([(one["standing"], one["alarms"]) for one in self.invitations()], [("used", 1)])
            # Whoever was let in may ask again.
            self.bob.run("peer", "join", line)
            self.assertEqual(set(self.peers(self.alice)), {"bob"})
            self.assertEqual(self.invitations()[0]["alarms"], 1)
            self.alice.run("peer", "remove", "bob")
            self.bob.error("peer", "join", line, expect=EXIT_REFUSED)
            self.assertEqual(self.peers(self.alice), {})

    def test_a_running_node_that_joins_follows_at_once(self):
        self.bob.configure('[alpn."alknet/echo"]\nidentity_required = true\n')
        with Node(self.alice) as alice, Node(self.bob) as bob:
            self.bob.run("peer", "join", self.invite(alice.bare), "--as", "bob")
            self.assertEqual(self.bob.json("status")["peers"], 1)
            self.alice.run("ping", f"alknet://{self.bob.id}@{bob.bare}", "--count", 1)
        added = [one for one in map(json.loads, self.bob.run("audit", "show", "--json").stdout.splitlines())
                 if one["event"] == "peer.added"]
        self.assertIn(self.alice.identity["fingerprint"], str(added))

    def test_leads_to_where_the_node_listens(self):
        with Node(self.alice) as node:
            line = self.alice.json("peer", "invite", "--as", "alice")["invitation"]
            self.assertEqual(self.bob.json("peer", "join", line)["address"], node.bare)
            self.alice.run("peer", "remove", *self.peers(self.alice))
            line = self.alice.json("peer", "invite", "--as", "alice", "--address", "127.0.0.1")["invitation"]
            self.assertEqual(self.bob.json("peer", "join", line)["address"], node.bare)

    def test_through_a_node_and_on_its_files_are_one(self):
        home, bob = self.alice, self.home("carol")

        def everything():
            made = home.json("peer", "invite", "--as", "alice", "--address", "192.0.2.1:7", "--scopes", "git:read",
                             "--name", "carol", "--for", bob.id, "--ttl", "1h")
            listed = self.invitations()
            self.assertEqual([one["id"] for one in listed], [made["id"]])
            self.assertEqual(made["expires"], listed[0]["expires"])
            why = [home.error("peer", *words, expect=code) for words, code in (
                (("invite", "--scopes", "peers:manage"), EXIT_USAGE), (("invite", "--ttl", "0s"), EXIT_USAGE),
                (("invite", "--address", "nowhere:0"), EXIT_USAGE), (("uninvite", "inv-1"), EXIT_USAGE),
                (("confirm", "000000"), EXIT_USAGE))]
            home.run("peer", "uninvite", made["id"])
            self.assertEqual(self.invitations(), [])
            return sorted(made), [one.keys() for one in listed], why

        without = everything()
        with Node(home):
            self.assertEqual(everything(), without)
            made = home.json("peer", "invite", "--address", "192.0.2.1:7")
        # What the node has made is there without it, and the other way round.
        self.assertEqual(self.invitations()[0]["id"], made["id"])
        with Node(home):
            home.run("peer", "uninvite", made["id"])
        self.assertEqual(self.invitations(), [])

    def test_reads_the_line_from_standard_input_and_keeps_no_secret(self):
        with Node(self.alice) as node:
            plain = self.alice.run("peer", "invite", "--scopes", "echo:use", "--address", node.bare,
                                   "--as", "al").stdout
            self.assertEqual(plain.count("\n"), 1)
            for file in self.alice.path.iterdir():
                if file.is_file():
                    self.assertNotIn(plain.strip()[80:].encode(), file.read_bytes(), file)
            self.bob.run("peer", "join", "-", "--name", "alice", input=f"  {plain.upper()}\nmore\n")
            self.bob.run("ping", "alice", "--count", 1)

    def test_of_two_who_come_at_once_lets_one_in(self):
        others = [self.home(f"guest{number}") for number in (2, 3, 4)]
        with Node(self.alice) as node:
            line = self.invite(node.bare, "--scopes", "echo:use")
            processes = [self.joining(home, line) for home in others]
            codes = sorted(process.wait(PATIENCE_S) for process in processes)
            self.assertEqual(codes, [EXIT_OK, EXIT_REFUSED, EXIT_REFUSED])
            self.assertEqual(len(self.peers(self.alice)), 1)
            self.assertEqual(self.invitations()[0]["alarms"], 2)

    def test_asks_for_six_digits_where_much_is_given(self):
        eve = self.home("eve")
        refused = self.alice.error("peer", "invite", "--scopes", "ssh:shell", "--address", "a:1", expect=EXIT_USAGE)
        self.assertIn("--confirm", refused["detail"])
        # Whatever a call can change on a node, and with it all that the caller may do.
        for scope in ("node:admin", "node:manage", "config:reload", "peers:manage", "tokens:manage"):
            refused = self.alice.error("peer", "invite", "--scopes", scope, "--address", "a:1", expect=EXIT_USAGE)
            self.assertIn("--confirm", refused["detail"], scope)
        with Node(self.alice) as node:
            line = self.invite(node.bare, "--scopes", "*:*:*", "--confirm")
            processes = {home: self.joining(home, line, "--as", home.path.name) for home in (eve, self.bob)}
            digits = {home: json.loads(process.stdout.readline())["digits"] for home, process in processes.items()}
            self.assertRegex(digits[self.bob], r"^\d{6}$")
            self.assertEqual(self.peers(self.alice), {})
            waiting = {one["name"]: one["digits"] for one in self.invitations()[0]["waiting"]}
            self.assertEqual(waiting, {"bob": digits[self.bob], "eve": digits[eve]})
            wrong = str((int(digits[self.bob]) + 1) % 1_000_000).zfill(6)
            if wrong != digits[eve]:
                self.alice.error("peer", "confirm", wrong, expect=EXIT_USAGE)
            self.assertEqual(self.peers(self.alice), {})
            self.alice.run("peer", "confirm", digits[self.bob][:3] + " " + digits[self.bob][3:])
            self.assertEqual(processes[self.bob].wait(PATIENCE_S), EXIT_OK)
            self.assertEqual(processes[eve].wait(PATIENCE_S), EXIT_REFUSED)
            self.assertEqual(set(self.peers(self.alice)), {"bob"})
            self.bob.run("ping", "alice", "--count", 1)

    def test_is_good_for_whom_and_while_it_should_be(self):
        eve = self.home("eve")
        with Node(self.alice) as node:
            bobs = self.invite(node.bare, "--for", self.bob.identity["openssh_fingerprint"])
            self.assertEqual(eve.error("peer", "join", bobs, expect=EXIT_REFUSED)["id"], "E-INVITE-REFUSED")
            self.assertIn("another key", node.wait_for("invitation.alarm"))
            taken_back = self.invite(node.bare)
            [good] = [one for one in self.invitations() if "for" not in one]
            self.alice.run("peer", "uninvite", good["id"])
            self.alice.error("peer", "uninvite", good["id"], expect=EXIT_USAGE)
            eve.error("peer", "join", taken_back, expect=EXIT_REFUSED)
            self.assertIn("no such invitation", node.wait_for("invitation.refused"))
            self.bob.run("peer", "join", bobs)
            # Who is known already spends nothing.
            spare = self.invite(node.bare)
            self.assertTrue(self.bob.json("peer", "join", spare)["known_before"])
            eve.run("peer", "join", spare)
            self.assertIn("used", self.alice.run("peer", "invitations").stdout)

    def test_gives_nobody_the_name_of_another(self):
        self.alice.run("peer", "add", "bob", "--key", self.home("first").id)
        self.bob.run("peer", "add", "A1ice", "--key", self.home("second").id)
        with Node(self.alice) as node:
            line = self.invite(node.bare)
            taken = self.bob.error("peer", "join", line, "--as", "B0B", expect=EXIT_CONFIG)
            self.assertEqual(taken["id"], "E-PEER-EXISTS")
            self.assertIn("--name", taken["detail"])
            self.assertEqual([one["standing"] for one in self.invitations()], ["good"])
            joined = self.bob.json("peer", "join", line, "--as", "B0B", "--name", "other")
            self.assertEqual(joined["known_there_as"], "joined-" + self.bob.id[:16])
        self.alice.error("peer", "invite", "--name", "BOB", "--address", "a:1", expect=EXIT_CONFIG)
        self.alice.error("peer", "invite", "--name", "x", "--uses", "2", "--address", "a:1", expect=EXIT_USAGE)

    def test_gives_nobody_a_name_that_brings_rights(self):
        named = ('[[forwarding.rules]]\ntarget = "*.example:443"\npeers = ["gateway"]\n'
                 '[[call.import]]\npeer = "office"\nprefix = "far"\n'
                 '[[access.assert]]\npeer = "auditor"\ndo = "git:write"\nallow = false\n')
        self.alice.configure(RULES + named)
        with Node(self.alice) as node:
            line = self.invite(node.bare, "--uses", "4")
            for name in ("gateway", "0ffice", "AUDITOR"):
                home = self.home(f"guest-{name}")
                joined = home.json("peer", "join", line, "--as", name)
                self.assertEqual(joined["known_there_as"], "joined-" + home.id[:16], name)
            self.bob.run("peer", "join", line, "--as", "gateway2")
            self.assertIn("gateway2", self.peers(self.alice))
            # What the owner calls somebody is what the owner wants.
            carol = self.home("carol")
            carol.run("peer", "join", self.invite(node.bare, "--name", "gateway"))
            self.assertIn("gateway", self.peers(self.alice))
            # The other way round: the inviting node chooses its own name too.
            dave = self.home("dave")
            dave.configure(named)
            posing = self.alice.json("peer", "invite", "--as", "gateway", "--address", node.bare)["invitation"]
            why = dave.error("peer", "join", posing, expect=EXIT_USAGE)
            self.assertIn("the forwarding rule in line 1 of alknet.toml", why["detail"])
            self.assertIn("--name", why["detail"])
            self.assertEqual(self.peers(dave), {})
            dave.run("peer", "join", posing, "--name", "alice")
            self.assertEqual(list(self.peers(dave)), ["alice"])

    def test_fits_what_undoing_a_change_leads_back_to(self):
        """A change of the configuration waits while somebody joins: nobody is lost when it is undone."""
        eve, carol = self.home("eve"), self.home("carol")
        before = RULES + f'[[peer]]\nname = "eve"\nkeys = ["{eve.id}"]\nscopes = ["echo:use"]\n'
        self.alice.configure(before)
        new = self.directory / "new.toml"
        new.write_text(RULES, encoding="ascii")
        new.chmod(0o600)
        with Node(self.alice) as node:
            self.alice.run("config", "apply", new, "--confirm", "1h")
            line = self.invite(node.bare, "--scopes", "echo:use", "--uses", "5")
            self.assertEqual(self.bob.json("peer", "join", line, "--as", "eve")["known_there_as"],
                             "joined-" + self.bob.id[:16])
            eve.error("peer", "join", line, expect=EXIT_REFUSED)
            self.assertIn("were it undone", node.wait_for("invitation.refused"))
            carol.run("peer", "join", line, "--as", "carol")
            for name, key in (("EVE", self.home("other").id), ("other", eve.id)):
                why = self.alice.error("peer", "add", name, "--key", key, expect=EXIT_CONFIG)
                self.assertEqual(why["id"], "E-CONFIG-PENDING")
            self.alice.run("peer", "remove", "carol")
            self.alice.run("config", "undo")
            # Who has joined meanwhile stays, who was removed stays away, and who stood there is back.
            self.assertEqual(set(self.peers(self.alice)), {"joined-" + self.bob.id[:16], "eve"})
            for home, code in ((self.bob, EXIT_OK), (eve, EXIT_OK), (carol, EXIT_REFUSED)):
                home.run("ping", node.address, "--count", 1, "--only", "quic", expect=code)
            self.assertNotIn("config_refused", self.alice.json("status"))
        with Node(self.alice):
            self.assertEqual(set(self.peers(self.alice)), {"joined-" + self.bob.id[:16], "eve"})

    def test_asks_for_six_digits_where_programs_are_reached(self):
        self.alice.configure('[[exec]]\nname = "greeter"\ncommand = ["/bin/true"]\nalpn = "example/greeter"\n'
                             'as_node = true\nscope = "greeter:use"\n[[exec]]\nname = "sums"\n'
                             'command = ["/bin/true"]\noperations = true\nas_node = true\nscope = "sums:call"\n'
                             '[[call.import]]\npeer = "office"\nprefix = "far"\nscope = "office:use"\n'
                             '[alpn."example/greeter"]\nscope = "hello:say"\n')
        for scope in ("greeter:use", "greeter:use:*", "sums:call", "office:use", "hello:say", "exec:use:greeter",
                      "exec:call:sums/add", "import:call:far/x", "ssh:exec"):
            refused = self.alice.error("peer", "invite", "--scopes", scope, "--address", "a:1", expect=EXIT_USAGE)
            self.assertIn("--confirm", refused["detail"], scope)
            self.alice.run("peer", "invite", "--scopes", scope, "--address", "a:1", "--confirm")
        for scope in ("greeter:look", "greeter:use:one", "git:read"):
            self.alice.run("peer", "invite", "--scopes", scope, "--address", "a:1")

    def test_goes_to_the_inviting_node_and_to_no_other(self):
        eve = self.home("eve")
        with Node(eve) as thief:
            line = self.invite(thief.bare)
            self.assertEqual(self.bob.error("peer", "join", line, expect=EXIT_REFUSED)["id"], "E-TLS-KEY-MISMATCH")
            gone = self.invite(f"127.0.0.1:{thief.port}")
        unreachable = self.bob.error("peer", "join", gone, "--timeout", "2s", expect=EXIT_UNREACHABLE)
        self.assertIn("alknet serve", unreachable["detail"])
        self.assertIn("not spent", unreachable["detail"])
        self.assertEqual({one["standing"] for one in self.invitations()}, {"good"})
        self.assertEqual(self.peers(self.bob), {})
        self.alice.error("peer", "join", gone, expect=EXIT_USAGE)

    def test_says_what_is_wrong_with_a_line(self):
        line = self.invite("node.example:1")
        for text in (line[:-1], line[:20], "hello", "alkjoin2" + line[8:], line + "a", "a" * 3000, " "):
            self.assertEqual(self.bob.error("peer", "join", text, expect=EXIT_USAGE)["id"], "E-INVITE-INVALID", text)
        for octets in (b"", b"\xff\xfe\x80\n", b"\0" * 100, b"x" * 100_000, line.encode()[:-4] + b"\xc3\xa9\n"):
            done = self.bob.run("peer", "join", "-", "--json", expect=EXIT_USAGE, input=octets, text=False)
            self.assertEqual(json.loads(done.stderr)["error"]["id"], "E-INVITE-INVALID")

    def test_shows_a_code_to_a_camera(self):
        shown = self.alice.run("peer", "invite", "--address", "node.example:1", "--qr").stdout.splitlines()
        self.assertGreater(len(shown), 20)
        self.assertEqual({len(row) for row in shown[1:]}, {len(shown[1])})
        self.assertEqual(set("".join(shown[1:])), set("█▀▄ "))


if __name__ == "__main__":
    unittest.main()
