"""Peers, tokens and access: the commands, and what a running node makes of them."""

import base64
import datetime
import hashlib
import json
import subprocess
import unittest

import support
from support import (EXIT_CONFIG, EXIT_FAILURE, EXIT_REFUSED, EXIT_USAGE, PATIENCE_S, Node, TestCase,
                     clean_environment, run)

RULES = '[alpn."alknet/echo"]\nidentity_required = true\n'


class Peers(TestCase):
    def setUp(self):
        super().setUp()
        self.node_home = self.home()

    def peers(self):
        return {peer["name"]: peer for peer in self.node_home.json("peer", "list")["peers"]}

    def refused(self, *arguments, expect):
        return self.node_home.error(*arguments, expect=expect)

    def test_are_added_changed_and_removed(self):
        home, bob = self.node_home, self.home("bob")
        self.assertIn("nobody is known", home.run("peer", "list").stdout)
        home.run("peer", "add", "bob", "--key", bob.id, "--scopes", "git:read:*,call:echo",
                 "--expires", "2099-12-31", "--address", "node.example:7")
        added = self.peers()["bob"]
        self.assertEqual(added["keys"], [bob.identity["fingerprint"]])
        self.assertEqual(sorted(added["scopes"]), ["call:echo", "git:read:*"])
        self.assertEqual(added["expires"], "2099-12-31T00:00:00Z")
        self.assertEqual(added["address"], "node.example:7")
        self.assertEqual(added["standing"], "valid")
        home.run("peer", "disable", "bob")
        self.assertEqual(self.peers()["bob"]["standing"], "disabled")
        home.run("peer", "enable", "bob")
        home.run("peer", "name", "bob", "robert")
        home.run("peer", "scopes", "robert", "--remove", "call:echo", "--add", "ssh:shell,sftp:read:*")
        home.run("peer", "renew", "robert", "--expires", "1h")
        renamed = self.peers()["robert"]
        self.assertEqual(renamed["id"], added["id"])
        self.assertEqual(sorted(renamed["scopes"]), ["git:read:*", "sftp:read:*", "ssh:shell"])
        self.assertEqual(renamed["standing"], "expiring")
        home.run("peer", "scopes", "robert", "--set", "git:read:a")
        self.assertEqual(self.peers()["robert"]["scopes"], ["git:read:a"])
        self.assertIn("git:read:a", home.run("peer", "list").stdout)
        home.run("peer", "scopes", "robert", "--set", "git:read:a, sftp:read:* ,call:echo")
        self.assertEqual(sorted(self.peers()["robert"]["scopes"]), ["call:echo", "git:read:a", "sftp:read:*"])
        home.run("peer", "scopes", "robert", "--none", "--add", "git:read:b")
        self.assertEqual(self.peers()["robert"]["scopes"], ["git:read:b"])
        home.run("peer", "scopes", "robert", "--none")
        self.assertEqual(self.peers()["robert"]["scopes"], [])
        self.assertEqual(self.peers()["robert"]["roles"], [])
        for wrong in (("--none", "--set", "a:b"), ("--none", "--remove", "git:read:b"), ("--add", "a b:c"), ()):
            self.refused("peer", "scopes", "robert", *wrong, expect=EXIT_USAGE)
        home.run("peer", "renew", "robert", "--expires", "never")
        self.assertEqual((self.peers()["robert"].get("expires"), self.peers()["robert"]["standing"]), (None, "valid"))
        self.assertIn("is over already",
                      self.refused("peer", "renew", "robert", "--expires", "2020-01-01", expect=EXIT_USAGE)["detail"])
        self.assertNotIn("expires", self.peers()["robert"])
        home.run("peer", "remove", "robert")
        self.assertEqual(self.peers(), {})

    def test_have_roles_that_come_and_go(self):
        home = self.node_home
        home.configure("".join(f'[[role]]\nname = "{name}"\nscopes = ["{name}:use"]\n' for name in "abc"))
        home.run("peer", "add", "bob", "--key", self.home("bob").id, "--roles", "a,b", "--scopes", "git:read")

        def has():
            bob = self.peers()["bob"]
            return sorted(bob["roles"]), sorted(bob["scopes"])
        home.run("peer", "scopes", "bob", "--remove-role", "a")
        self.assertEqual(has(), (["b"], ["b:use", "git:read"]))
        home.run("peer", "scopes", "bob", "--add-role", "c, a", "--remove-role", "b", "--add", "git:write")
        self.assertEqual(has(), (["a", "c"], ["a:use", "c:use", "git:read", "git:write"]))
        home.run("peer", "scopes", "bob", "--add-role", "a")
        self.assertEqual(has()[0], ["a", "c"])
        self.assertIn("does not have the role b",
                      self.refused("peer", "scopes", "bob", "--remove-role", "b", expect=EXIT_USAGE)["detail"])
        self.assertIn("there is no role 'd'",
                      self.refused("peer", "scopes", "bob", "--add-role", "d", expect=EXIT_CONFIG)["detail"])
        self.refused("peer", "scopes", "bob", "--none", "--remove-role", "a", expect=EXIT_USAGE)
        home.run("peer", "scopes", "bob", "--none", "--add-role", "b")
        self.assertEqual(has(), (["b"], ["b:use"]))
        home.run("peer", "scopes", "bob", "--none")
        self.assertEqual(has(), ([], []))

    def test_take_a_key_in_any_form(self):
        identity = self.home("bob").identity
        home = self.node_home
        ssh = self.home("other").run("id", "--ssh").stdout
        self.assertTrue(ssh.startswith("ssh-ed25519 AAAA") and ssh.count("\n") == 1)
        home.run("peer", "add", "other", "--key", ssh.strip() + " someone@somewhere")
        for form in ("node_id", "fingerprint", "z_base_32", "base32", "openssh", "openssh_fingerprint"):
            home.run("peer", "add", "bob", "--key", identity[form])
            kept = identity["openssh_fingerprint" if form.startswith("openssh_") else "fingerprint"]
            self.assertEqual(self.peers()["bob"]["keys"], [kept])
            home.run("peer", "remove", "bob")
        listed = f"256 {identity['openssh_fingerprint']} bob@laptop (ED25519)"
        home.run("peer", "add", "bob", "--key", listed)
        self.assertEqual(self.peers()["bob"]["keys"], [identity["openssh_fingerprint"]])

    def test_that_could_be_mistaken_are_refused(self):
        home, key, other = self.node_home, self.home("a").identity, self.home("b").identity
        home.configure('[[peer]]\nname = "alice"\nkeys = []\n[[peer]]\nname = "carol"\n'
                       f'keys = ["{key["openssh_fingerprint"]}"]\n')
        for name in ("alice", "ALICE", "a1ice", "aIice"):
            self.assertEqual(self.refused("peer", "add", name, "--key", other["node_id"],
                                          expect=EXIT_CONFIG)["id"], "E-PEER-EXISTS")
        taken = self.refused("peer", "add", "bob", "--key", key["node_id"], expect=EXIT_CONFIG)
        self.assertEqual(taken["id"], "E-PEER-EXISTS")
        self.assertIn("carol", taken["detail"])
        for name in ("", "b b", "-b", "b\u043eb", "bob\u200b", "x" * 65):
            self.refused("peer", "add", name, "--key", other["node_id"], expect=EXIT_USAGE)
        self.assertEqual(set(self.peers()), {"alice", "carol"})

    def test_say_what_is_wrong(self):
        home, key = self.node_home, self.home("a").id
        self.assertEqual(self.refused("peer", "add", "bob", "--key", "what", expect=EXIT_USAGE)["id"], "E-KEY-INVALID")
        self.assertEqual(self.refused("peer", "add", "bob", "--key", key, "--scopes", "git",
                                      expect=EXIT_USAGE)["id"], "E-SCOPE-INVALID")
        for past in ("2026-02-30", "1999-12-31", "0s"):
            self.refused("peer", "add", "bob", "--key", key, "--expires", past, expect=EXIT_USAGE)
            self.refused("token", "add", "--scopes", "call:echo", "--expires", past, expect=EXIT_USAGE)
        self.assertIn("there is no role", self.refused("peer", "add", "bob", "--key", key, "--roles", "ops",
                                                       expect=EXIT_CONFIG)["detail"])
        self.assertEqual(self.refused("peer", "remove", "bob", expect=EXIT_CONFIG)["id"], "E-PEER-UNKNOWN")
        home.run("peer", "add", "carol", "--key", key, "--scopes", "git:read")
        self.assertIn("--set", self.refused("peer", "scopes", "carol", expect=EXIT_USAGE)["detail"])
        home.run("peer", "remove", "carol")
        home.configure('[[peer]]\nname = "alice"\nkeys = []\n')
        self.assertIn(f"{home.config}:1", self.refused("peer", "remove", "alice", expect=EXIT_CONFIG)["detail"])
        self.assertEqual(set(self.peers()), {"alice"})

    def test_are_kept_when_the_state_is_damaged(self):
        home = self.node_home
        home.run("peer", "add", "bob", "--key", self.home("bob").id)
        state = home.path / "state.db"
        self.assertEqual(state.stat().st_mode & 0o777, 0o600)
        state.chmod(0o644)
        self.assertEqual(self.refused("peer", "list", expect=EXIT_CONFIG)["id"], "E-STORE-INVALID")
        state.chmod(0o600)
        good = state.read_bytes()
        state.write_bytes(b"x" * len(good))
        self.assertEqual(self.refused("peer", "list", expect=EXIT_CONFIG)["id"], "E-STORE-INVALID")
        self.refused("serve", expect=EXIT_CONFIG)
        state.write_bytes(good)
        self.assertEqual(set(self.peers()), {"bob"})


class Forwarding(TestCase):
    RULES = ('[[forwarding.rules]]\ntarget = "secret.example"\naction = "deny"\n'
             '[[forwarding.rules]]\ntarget = "*.example:1-1023"\nroles = ["ops"]\n'
             '[[role]]\nname = "ops"\nscopes = []\n')

    def check(self, what, *options, peer="bob", expect=EXIT_REFUSED):
        return self.node_home.run("access", "check", "--peer", peer, "--do", what, *options, expect=expect).stdout

    def setUp(self):
        super().setUp()
        home = self.node_home = self.home()
        home.configure(self.RULES)
        home.run("peer", "add", "bob", "--key", self.home("bob").id, "--roles", "ops")
        home.run("peer", "add", "eve", "--key", self.home("eve").id)

    def test_is_explained_with_the_line_that_decides(self):
        file, at = self.node_home.config, ("--at", "192.0.2.7")
        self.assertEqual(self.check("connect db.example:22", *at, expect=0),
                         f"192.0.2.7:22: allowed: by connect *.example:1-1023 at {file}:4\n")
        self.assertEqual(self.check("connect secret.example:22", *at),
                         f"192.0.2.7:22: denied: by connect secret.example:* at {file}:1\n"
                         'to allow it: put [[forwarding.rules]] with target = "secret.example:22", peers = ["bob"] '
                         f"before the rule at {file}:1\n")
        self.assertEqual(self.check("listen 0.0.0.0:8080"),
                         "0.0.0.0:8080: denied: no forwarding rule matches\n"
                         'to allow it: put [[forwarding.rules]] with target = "0.0.0.0/32:8080", peers = ["bob"], '
                         f'claim = "listen" at the end of the rules in {file}\n')
        denied = self.node_home.json("access", "check", "--peer", "bob", "--do", "connect inside.example:22",
                                     "--at", "127.0.0.1", expect=EXIT_REFUSED)
        self.assertFalse(denied["allowed"])
        self.assertEqual([(one["verdict"], one["origin"]) for one in denied["decisions"]], [("egress", f"{file}:4")])

    def test_is_allowed_by_what_it_advises(self):
        for what, rule in (("connect db.example:22", 'target = "db.example:22"\npeers = ["eve"]\n'),
                           ("connect 127.0.0.1:5432", 'target = "127.0.0.1/32:5432"\npeers = ["eve"]\n'),
                           ("listen 127.0.0.1:80", 'target = "127.0.0.1/32:80"\npeers = ["eve"]\nclaim = "listen"\n')):
            at = ("--at", "127.0.0.1" if "127" in what else "192.0.2.7")
            self.node_home.configure(self.RULES)
            advice = self.check(what, *at, peer="eve")
            for part in rule.splitlines():
                self.assertIn(part, advice)
            self.node_home.configure(self.RULES + "[[forwarding.rules]]\n" + rule)
            self.check(what, *at, peer="eve", expect=0)

    def test_begins_with_who_asks(self):
        self.assertIn("alknet peer add zoe", self.check("connect db.example:22", peer="zoe"))
        self.node_home.run("peer", "disable", "bob")
        said = self.check("connect db.example:22")
        self.assertIn("to allow it: alknet peer enable bob\n", said)
        self.assertNotIn("scope", said)
        for wrong in ("connect db.example", "connect", "listen :80", "connect db.example:99999"):
            self.node_home.error("access", "check", "--peer", "bob", "--do", wrong, expect=EXIT_USAGE)

    def test_is_in_the_plan(self):
        new = self.directory / "new.toml"
        new.write_text(self.RULES.replace("deny", "allow"))
        new.chmod(0o600)
        plan = self.node_home.run("config", "diff", new).stdout
        self.assertIn("forwarding widened connect secret.example:*: is denied no more for every known peer", plan)
        self.assertIn("forwarding widened connect secret.example:*: is allowed for every known peer", plan)


class RunningNode(TestCase):
    def pipe(self, client, node):
        """A connection that lives until somebody ends it."""
        process = subprocess.Popen(
            [support.PROGRAM, "pipe", "--home", str(client.path), node.address, "--alpn", "alknet/echo"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=clean_environment())
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        process.stdin.write("hello\n")
        process.stdin.flush()
        self.assertEqual(process.stdout.readline(), "hello\n")
        return process

    def test_knows_what_commands_say(self):
        home, bob, carol = self.home(), self.home("bob"), self.home("carol")
        home.configure(RULES)
        with Node(home) as node:
            ping = ("ping", node.address, "--count", 1)
            bob.error(*ping, expect=EXIT_REFUSED)
            for who in (bob, carol):
                home.run("peer", "add", who.path.name, "--key", who.identity["openssh_fingerprint"],
                         "--scopes", "git:read,git:write")
                node.wait_for("config.reloaded")
            pipes = {who: self.pipe(who, node) for who in (bob, carol)}
            home.run("peer", "add", "dave", "--key", self.home("dave").id)
            node.wait_for("config.reloaded")
            bob.run(*ping)
            # Who loses something is cut, and nobody else.
            home.run("peer", "scopes", "bob", "--remove", "git:write")
            self.assertEqual(pipes[bob].wait(PATIENCE_S), EXIT_REFUSED)
            bob.run(*ping)
            home.run("peer", "disable", "bob")
            node.wait_for("config.reloaded")
            node.wait_for("config.reloaded")
            self.assertEqual(bob.error(*ping, expect=EXIT_REFUSED)["id"], "E-AUTH-REQUIRED")
            pipes[carol].stdin.write("still here\n")
            pipes[carol].stdin.flush()
            self.assertEqual(pipes[carol].stdout.readline(), "still here\n")
            home.run("peer", "remove", "carol")
            self.assertEqual(pipes[carol].wait(PATIENCE_S), EXIT_REFUSED)
            for process in pipes.values():
                process.stdin.close()

    def test_says_which_scope_calls_ask_for(self):
        """Also over TCP, where no other service is left that could say it."""
        home, bob, eve = self.home(), self.home("bob"), self.home("eve")
        home.configure('[alpn."alknet/call"]\nscope = "calls:use"\n')
        home.run("peer", "add", "bob", "--key", bob.id)
        with Node(home) as node:
            for only in ("quic", "tcp"):
                asked = ("call", node.address, "services/list", "--only", only)
                refused = bob.error(*asked, expect=EXIT_REFUSED)
                self.assertEqual((refused["id"], only), ("E-AUTH-SCOPE", only))
                self.assertIn("calls:use", refused["detail"])
                stranger = eve.run(*asked, "--json", expect=EXIT_REFUSED if only == "quic" else EXIT_FAILURE)
                self.assertNotIn("calls:use", stranger.stderr)
            home.run("peer", "scopes", "bob", "--add", "calls:use")
            for only in ("quic", "tcp"):
                bob.run("call", node.address, "services/list", "--only", only)

    def test_has_its_own_resources(self):
        """@ in a scope stands for what the peer's resources are, in alknet.toml and by commands."""
        home, bob, carol = self.home(), self.home("bob"), self.home("carol")
        home.configure('[[role]]\nname = "reader"\nscopes = ["git:read:@"]\n'
                       f'[[peer]]\nname = "carol"\nkeys = ["{carol.id}"]\nroles = ["reader"]\n'
                       'resources = ["git:site", "sftp:home"]\n'
                       '[alpn."alknet/echo"]\nscope = "git:read:site"\n')
        home.run("peer", "add", "bob", "--key", bob.id, "--scopes", "git:read:@,git:list", "--resources", "git:docs/*")
        check = ("access", "check", "--do", "git:read:site", "--peer")
        self.assertIn("allowed: by git:read:site at", home.run(*check, "carol").stdout)
        home.run(*check, "bob", expect=EXIT_REFUSED)
        home.run("access", "check", "--peer", "bob", "--do", "git:read:docs/a")
        home.run("access", "check", "--peer", "carol", "--do", "sftp:read:home", expect=EXIT_REFUSED)
        peers = {one["name"]: one for one in home.json("peer", "list")["peers"]}
        self.assertEqual(peers["bob"]["resources"], ["git:docs/*"])
        self.assertIn("resource git:docs/*", home.run("peer", "list").stdout)
        self.assertIn('resources = ["git:docs/*"]', home.run("config", "show").stdout)
        with Node(home) as node:
            carol.run("ping", node.address, "--count", 1)
            self.assertEqual(bob.error("ping", node.address, "--count", 1, expect=EXIT_REFUSED)["id"], "E-AUTH-SCOPE")
            home.run("peer", "scopes", "bob", "--resources", "git:site")
            bob.run("ping", node.address, "--count", 1)
            pipe = self.pipe(bob, node)
            home.run("peer", "scopes", "bob", "--resources", "git:docs")
            self.assertEqual(pipe.wait(PATIENCE_S), EXIT_REFUSED)
            pipe.stdin.close()
        home.run("peer", "scopes", "bob", "--none")
        peers = {one["name"]: one for one in home.json("peer", "list")["peers"]}
        self.assertEqual((peers["bob"]["resources"], peers["bob"]["scopes"]), ([], []))
        home.run("peer", "add", "dave", "--key", bob.id, "--resources", "git", expect=EXIT_USAGE)
        home.configure('[[peer]]\nname = "x"\nkeys = []\nresources = ["git"]\n')
        self.assertIn("must be SERVICE:RESOURCE", home.run("config", "check", expect=EXIT_CONFIG).stdout)

    def test_asks_for_the_scope_of_a_service(self):
        home, bob, eve = self.home(), self.home("bob"), self.home("eve")
        home.configure('[alpn."alknet/echo"]\nscope = "echo:use"\n')
        home.run("peer", "add", "bob", "--key", bob.id)
        with Node(home) as node:
            ping = ("ping", node.address, "--count", 1)
            refused = bob.error(*ping, expect=EXIT_REFUSED)
            self.assertEqual(refused["id"], "E-AUTH-SCOPE")
            self.assertIn("error: this identity lacks a scope: echo:use\n",
                          bob.run(*ping, expect=EXIT_REFUSED).stderr)
            self.assertIn("echo:use", refused["detail"])
            stranger = eve.error(*ping, expect=EXIT_REFUSED)
            self.assertEqual(stranger["id"], "E-AUTH-REQUIRED")
            self.assertNotIn("echo:use", str(stranger))
            # TLS over TCP has an alert for it and no words; those come from alknet/call.
            for command in (ping, ("pipe", node.address, "--alpn", "alknet/echo")):
                for only in ("quic", "tcp"):
                    done = bob.run(*command, "--only", only, expect=EXIT_REFUSED)
                    self.assertIn("error: this identity lacks a scope: echo:use\n", done.stderr, (command, only))
            self.assertEqual(bob.error("bench", node.address, "--only", "tcp", expect=EXIT_REFUSED)["id"],
                             "E-AUTH-SCOPE")
            stranger = eve.run(*ping, "--only", "tcp", expect=EXIT_FAILURE).stderr
            self.assertNotIn("echo:use", stranger)
            self.assertNotIn("access_denied", stranger)
            access = json.loads(bob.run("call", node.address, "services/access", "service=alknet/echo").stdout)
            self.assertEqual((access["allowed"], access["lacks"]), (False, "echo:use"))
            self.assertEqual(eve.error("call", node.address, "services/access", "service=alknet/echo",
                                       expect=EXIT_REFUSED)["id"], "E-AUTH-REQUIRED")
            home.run("peer", "scopes", "bob", "--add", "echo:*")
            node.wait_for("config.reloaded")
            bob.run(*ping)
            pipe = self.pipe(bob, node)
            home.configure('[alpn."alknet/echo"]\nscope = "other:use"\n')
            self.assertEqual(pipe.wait(PATIENCE_S), EXIT_REFUSED)
            pipe.stdin.close()

    def test_knows_an_ssh_key_from_either_side(self):
        home, other = self.home(), self.home("other")
        home.configure(RULES)
        key = home.path / "id_ed25519"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        public = key.with_name("id_ed25519.pub").read_text().strip()
        home.run("peer", "add", "laptop", "--key", public)
        with Node(home) as node:
            other.error("ping", node.address, "--count", 1, expect=EXIT_REFUSED)
            other.run("ping", node.address, "--count", 1, "--identity", key)
        subprocess.run(["ssh-keygen", "-q", "-p", "-N", "secret", "-f", key], check=True)
        locked = other.error("ping", node.address, "--identity", key, expect=EXIT_USAGE)
        self.assertIn("passphrase", locked["detail"])
        other.error("ping", node.address, "--identity", other.path / "none", expect=EXIT_USAGE)

    def test_reaches_peers_by_their_name(self):
        home, client = self.home(), self.home("client")
        with Node(home) as node:
            client.run("peer", "add", "server", "--key", home.id, "--address", node.bare)
            client.run("ping", "server", "--count", 1)
            client.run("peer", "remove", "server")
            # A digest is no key to dial with, and an authority's word is no stand-in.
            client.run("peer", "add", "server", "--key", home.identity["openssh_fingerprint"],
                       "--address", node.bare)
            self.assertEqual(client.error("ping", "server", expect=EXIT_CONFIG)["id"], "E-PEER-UNKNOWN")

    def test_warns_of_terms_that_end(self):
        home, bob = self.home(), self.home("bob")
        home.configure(RULES)
        home.run("peer", "add", "bob", "--key", bob.id, "--expires", "1h")
        with Node(home) as node:
            self.assertIn("peer=bob", node.wait_for("peer.expiring"))
            bob.run("ping", node.address, "--count", 1)


class OwnTerms(TestCase):
    """A peer renews its own term, with which it may do nothing else once it has ended."""

    CALLS = '[alpn."alknet/call"]\nscope = "call:use"\n'

    def peers(self, home):
        return {peer["name"]: peer for peer in home.json("peer", "list")["peers"]}

    def test_that_have_ended_are_renewed_and_nothing_else(self):
        home, bob, eve = self.home(), self.home("bob"), self.home("eve")
        today = datetime.datetime.now(datetime.timezone.utc).date()
        for days, rules in ((1, RULES), (2, RULES + self.CALLS)):  # a renewal is of one end alone
            ended = today - datetime.timedelta(days=days)
            entry = (f'[[peer]]\nname = "bob"\nkeys = ["{bob.id}"]\nexpires = {ended}\n'
                     'scopes = ["node:read", "call:use"]\n')
            home.configure(rules + entry)
            with Node(home) as node:
                bob.error("renew", node.address, "--only", "quic", expect=EXIT_REFUSED)
                home.configure(rules + entry + 'renew = "90d"\n')
                node.wait_for("config.reloaded")
                self.assertEqual(self.peers(home)["bob"]["standing"], "grace")
                for only in ("quic", "tcp"):
                    for operation in ("node/info", "services/list", "runs/get", "peers/list", "services/access"):
                        refused = bob.error("call", node.address, operation, "--only", only, expect=EXIT_REFUSED)
                        self.assertEqual(refused["id"], "E-AUTH-FORBIDDEN", operation)
                        self.assertIn("alknet renew", refused["detail"])
                    said = bob.error("ping", node.address, "--count", 1, "--only", only, expect=EXIT_REFUSED)
                    self.assertEqual(said["id"], "E-AUTH-FORBIDDEN", only)
                eve.error("renew", node.address, expect=EXIT_REFUSED)
                until = bob.json("renew", node.address, "--only", "tcp")["expires"]
                self.assertEqual(self.peers(home)["bob"]["expires"], until)
                self.assertEqual(self.peers(home)["bob"]["standing"], "valid")
                bob.run("ping", node.address, "--count", 1)
                bob.run("call", node.address, "node/info")
                self.assertEqual(bob.error("renew", node.address, expect=EXIT_FAILURE)["id"], "E-RENEW-EARLY")
            # It is kept, and shown in the audit log; what the file says again counts.
            with Node(home) as node:
                bob.run("ping", node.address, "--count", 1)
                home.configure(rules + entry)
                node.wait_for("config.reloaded")
                bob.error("ping", node.address, "--count", 1, "--only", "quic", expect=EXIT_REFUSED)
            self.assertIn("peer.renewed", home.run("audit", "show", "--peer", "bob").stdout)
            self.assertTrue(home.json("audit", "verify")["whole"])

    def test_that_end_soon_are_renewed_as_their_invitation_says(self):
        home, bob = self.home(), self.home("bob")
        home.configure(RULES)
        with Node(home) as node:
            line = home.json("peer", "invite", "--as", "alice", "--address", node.bare, "--expires", "1h",
                             "--renew", "2h")["invitation"]
            listed = home.json("peer", "invitations")["invitations"][0]
            self.assertEqual(listed["peer_renew"], "2h")
            bob.run("peer", "join", line, "--as", "bob")
            before = self.peers(home)["bob"]
            self.assertEqual((before["standing"], before["renew"], before["expires"]),
                             ("expiring", "2h", listed["peer_expires"]))
            self.assertIn("renewed until ", bob.run("renew", "alice").stdout)
            after = self.peers(home)["bob"]
            self.assertGreater(after["expires"], before["expires"])
            self.assertEqual(after["id"], before["id"])
            # Its owner takes that away again, and lets it have the rest of its term.
            home.run("peer", "renew", "bob", "--renew", "never")
            self.assertEqual(self.peers(home)["bob"]["expires"], after["expires"])
            self.assertEqual(bob.error("renew", "alice", expect=EXIT_REFUSED)["id"], "E-AUTH-SCOPE")
        for wrong in (("--renew", "2h"), ("--expires", "1h", "--renew", "1m"), ("--expires", "5m"),
                      ("--expires", "1h", "--renew", "soon"), ("--expires", "1h", "--renew", "4000d")):
            home.error("peer", "invite", "--address", "a:1", *wrong, expect=EXIT_USAGE)
        home.error("peer", "add", "carol", "--key", self.home("carol").id, "--renew", "1m", expect=EXIT_USAGE)


class Tokens(TestCase):
    def test_are_shown_once(self):
        home = self.home()
        home.run("peer", "add", "bob", "--key", self.home("bob").id)
        made = home.json("token", "add", "--scopes", "call:echo", "--label", "the build", "--expires", "30d")
        self.assertRegex(made["token"], "^alk_[a-z2-7]{52}$")
        self.assertTrue(made["token"].startswith(made["id"]))
        plain = home.run("token", "add", "--peer", "bob").stdout.strip()
        self.assertRegex(plain, "^alk_[a-z2-7]{52}$")
        listed = {token["id"]: token for token in home.json("token", "list")["tokens"]}
        self.assertEqual(listed[made["id"]]["owner"], "API key")
        self.assertEqual(listed[made["id"]]["scopes"], ["call:echo"])
        self.assertEqual(listed[made["id"]]["label"], "the build")
        self.assertEqual(listed[plain[:12]]["owner"], "peer bob")
        self.assertIn(made["id"], home.run("token", "list").stdout)
        secrets = [made["token"][12:].encode(), plain[12:].encode()]
        for file in home.path.iterdir():
            for secret in secrets:
                self.assertNotIn(secret, file.read_bytes(), file)
        home.run("token", "remove", made["id"])
        home.run("peer", "remove", "bob")
        self.assertEqual(home.json("token", "list")["tokens"], [])

    def test_belong_to_somebody_or_say_what_they_may_do(self):
        home = self.home()
        home.error("token", "add", expect=EXIT_USAGE)
        home.error("token", "add", "--peer", "nobody", expect=EXIT_CONFIG)
        home.error("token", "add", "--scopes", "nonsense", expect=EXIT_USAGE)
        home.error("token", "add", "--scopes", "a:b", "--label", "a\nb", expect=EXIT_USAGE)
        home.error("token", "remove", "alk_", expect=EXIT_USAGE)

    def test_are_signed_for_one_node_and_purpose(self):
        home, bob = self.home(), self.home("bob")
        home.run("peer", "add", "bob", "--key", bob.id)
        digest = hashlib.sha256(bytes.fromhex(home.id)).digest()
        for node in ("bob", bob.id, f"alknet://{bob.id}@192.0.2.1"):
            text = home.json("token", "sign", "--for", node, "--purpose", "alknet/call")["token"]
            octets = base64.urlsafe_b64decode(text)
            self.assertEqual((len(text), octets[0], octets[1:9]), (104, 2, digest[:8]))
        first = home.run("token", "sign", "--v1").stdout.strip()
        self.assertEqual((len(first), base64.urlsafe_b64decode(first + "=")[:32]), (139, digest))
        with_bobs_key = run("token", "sign", "--v1", "--identity", bob.path / "node.key").stdout.strip()
        self.assertEqual(base64.urlsafe_b64decode(with_bobs_key + "=")[:32],
                         hashlib.sha256(bytes.fromhex(bob.id)).digest())
        for wrong in (["--for", "bob"], ["--purpose", "x"], ["--v1", "--for", "bob"],
                      ["--for", "bob", "--purpose", "x" * 256]):
            home.error("token", "sign", *wrong, expect=EXIT_USAGE)
        home.error("token", "sign", "--for", "nobody", "--purpose", "x", expect=EXIT_CONFIG)
        home.error("token", "sign", "--v1", "--identity", bob.path / "none", expect=EXIT_USAGE)

    def test_of_the_first_form_are_warned_of(self):
        home = self.home()
        home.configure(RULES + "[tokens]\nsigned_v1 = true\n")
        with Node(home) as node:
            self.assertIn("level=warn", node.wait_for("tokens.signed_v1"))
            home.configure(RULES + '[tokens]\nsigned_v1 = true\nsigned_window = "1m"\n')
            node.wait_for("tokens.signed_v1")
            home.configure(RULES)
            node.wait_for("config.reloaded")
            self.assertNotIn("tokens.signed_v1", node.stop())


class AuthorizedKeys(TestCase):
    def setUp(self):
        super().setUp()
        self.node_home, self.bob = self.home(), self.home("bob")
        self.rules = (RULES + 'scope = "call:echo"\n[identity]\nauthorized_keys = "keys"\n'
                      'authorized_keys_scopes = ["call:echo"]\n')
        self.node_home.configure(self.rules)

    def write(self, text):
        new = self.node_home.path / "keys.new"
        new.write_text(text)
        new.chmod(0o600)
        new.rename(self.node_home.path / "keys")

    def key_of(self, home):
        return home.run("id", "--ssh").stdout.strip()

    def test_come_and_go_while_the_node_runs(self):
        home, bob = self.node_home, self.bob
        with Node(home) as node:
            self.assertIn("there is no", node.wait_for("authorized_keys.refused"))
            bob.error("ping", node.address, "--count", 1, expect=EXIT_REFUSED)
            self.write(f"{self.key_of(bob)} bob@laptop\nrestrict {self.key_of(home)} me\n")
            self.assertIn("line=2", node.wait_for("authorized_keys.refused"))
            node.wait_for("config.reloaded")
            bob.run("ping", node.address, "--count", 1)
            self.write("")
            node.wait_for("config.reloaded")
            bob.error("ping", node.address, "--count", 1, expect=EXIT_REFUSED)
            # Not one octet differs, and others could have written them.
            self.write(f"{self.key_of(bob)} bob@laptop\n")
            node.wait_for("config.reloaded")
            (home.path / "keys").chmod(0o666)
            self.assertIn("others can write", node.wait_for("authorized_keys.refused"))
            node.wait_for("config.reloaded")
            bob.error("ping", node.address, "--count", 1, expect=EXIT_REFUSED)
            (home.path / "keys").chmod(0o600)
            node.wait_for("config.reloaded")
            bob.run("ping", node.address, "--count", 1)
            (home.path / "other").write_text(f"{self.key_of(bob)} bob\n")
            (home.path / "other").chmod(0o600)
            home.configure(self.rules.replace('"keys"', '"other"'))
            node.wait_for("config.reloaded")
            bob.run("ping", node.address, "--count", 1)

    def test_are_listed_with_their_lines(self):
        home, bob = self.node_home, self.bob
        self.write(f"# mine\n{self.key_of(bob)} bob@laptop\ncommand=\"x\" {self.key_of(home)} me\n")
        listed = home.json("peer", "list")
        self.assertEqual([(peer["name"], peer["origin"]) for peer in listed["peers"]],
                         [("bob-laptop", f"{home.path}/keys:2")])
        self.assertEqual(len(listed["refused"]), 1)
        self.assertIn(f"{home.path}/keys:3: the option 'command'", listed["refused"][0])
        self.assertIn("refused: ", home.run("peer", "list").stdout)
        # No fault of alknet.toml, and told all the same.
        self.assertEqual(home.json("config", "check")["refused"], listed["refused"])
        self.assertIn(f"refused: {home.path}/keys:3: the option 'command'", home.run("config", "check").stdout)
        self.assertIn("keys:2", home.error("peer", "remove", "bob-laptop", expect=EXIT_CONFIG)["detail"])
        decision = json.loads(home.run("access", "check", "--peer", "bob-laptop", "--do", "call:echo",
                                       "--json").stdout)
        self.assertTrue(decision["allowed"])
        (home.path / "keys").chmod(0o620)
        listed = home.json("peer", "list")
        self.assertEqual(listed["peers"], [])
        self.assertIn("others can write", listed["refused"][0])


if __name__ == "__main__":
    unittest.main()
