"""What somebody may do: assertions, and what access check explains."""

import json
import unittest

from support import EXIT_CONFIG, EXIT_REFUSED, EXIT_USAGE, Node, TestCase

RULES = '[alpn."alknet/echo"]\nidentity_required = true\n'


class Assertions(TestCase):
    RULE = '[[access.assert]]\npeer = "bob"\ndo = "git:read:website"\n'
    BAN = '[[access.assert]]\npeer = "eve"\ndo = "node:admin"\nallow = false\n'

    def refused(self, home, *arguments, says):
        why = home.error(*arguments, expect=EXIT_CONFIG)
        self.assertEqual(why["id"], "E-CONFIG-ASSERTION")
        self.assertIn(says, why["detail"])

    def test_stop_commands_that_would_break_them(self):
        home, bob, eve = self.home(), self.home("bob"), self.home("eve")
        home.run("peer", "add", "bob", "--key", bob.id, "--scopes", "git:read:website")
        home.configure(self.RULE + self.BAN)
        before = home.run("peer", "list").stdout
        says = f"{home.config}:1: bob must be allowed git:read:website, and is not: "
        self.refused(home, "peer", "remove", "bob", says=says + "unknown peer")
        self.refused(home, "peer", "disable", "bob", says=says + "disabled")
        self.refused(home, "peer", "name", "bob", "robert", says=says + "unknown peer")
        self.refused(home, "peer", "scopes", "bob", "--remove", "git:read:website", says=says + "no grant")
        self.refused(home, "peer", "add", "eve", "--key", eve.id, "--scopes", "*:*:*",
                     says=f"{home.config}:4: eve must not be allowed node:admin, and is: allowed: by *:*:*")
        self.assertEqual(home.run("peer", "list").stdout, before)
        home.run("peer", "add", "eve", "--key", eve.id, "--scopes", "git:read:website")
        home.run("peer", "renew", "bob", "--expires", "1h")

    def test_are_checked_with_the_file(self):
        home = self.home()
        home.configure(self.RULE)
        checked = home.run("config", "check", expect=EXIT_CONFIG).stdout
        self.assertIn(f"{home.config}:1:1: access.assert: bob must be allowed git:read:website, and is not: "
                      "unknown peer", checked)
        self.refused(home, "serve", says="bob must be allowed")
        other = home.path / "other.toml"
        other.write_text(self.RULE + '[[peer]]\nname = "bob"\nkeys = []\nscopes = ["git:read:*"]\n')
        other.chmod(0o600)
        home.run("config", "check", other)
        other.write_text(self.RULE + '[[peer]]\nname = "bob"\nkeys = []\n')
        self.assertIn("no grant", home.run("config", "check", other, expect=EXIT_CONFIG).stdout)

    def test_keep_a_running_node_as_it_was(self):
        home, bob = self.home(), self.home("bob")
        peer = f'[[peer]]\nname = "bob"\nkeys = ["{bob.id}"]\nscopes = ["git:read:website"]\n'
        home.configure(RULES + self.RULE + peer)
        with Node(home) as node:
            home.configure(RULES + self.RULE + peer.replace("git:read", "git:write"))
            rejected = node.wait_for("config.rejected")
            self.assertIn("E-CONFIG-ASSERTION", rejected)
            self.assertIn("no scope covers it", rejected)
            bob.run("ping", node.address, "--count", 1)
            home.configure(RULES + self.RULE + peer.replace("website", "*"))
            node.wait_for("config.reloaded")


class Access(TestCase):
    def check(self, home, peer, scope, expect=0):
        done = home.run("access", "check", "--peer", peer, "--do", scope, "--json", expect=expect)
        return json.loads(done.stdout)

    def test_names_the_line_that_decides(self):
        home = self.home()
        home.configure('[[role]]\nname = "ops"\nscopes = ["node:status"]\n'
                       '[[peer]]\nname = "alice"\nkeys = []\nroles = ["ops"]\n'
                       'scopes = [\n  "call:echo",\n  "git:read:*",\n]\n')
        allowed = self.check(home, "alice", "git:read:site")
        self.assertEqual((allowed["verdict"], allowed["rule"], allowed["origin"], allowed["changes"]),
                         ("allowed", "git:read:*", f"{home.config}:10", []))
        by_role = self.check(home, "alice", "node:status")
        self.assertEqual((by_role["role"], by_role["origin"]), ("ops", f"{home.config}:3"))
        denied = self.check(home, "alice", "git:write:site", EXIT_REFUSED)
        self.assertEqual(denied["verdict"], "no grant")
        self.assertEqual(denied["changes"], [f'add the scope "git:write:site" (peer alice, {home.config}:4)'])
        text = home.run("access", "check", "--peer", "alice", "--do", "git:read:site").stdout
        self.assertEqual(text, f"allowed: by git:read:* at {home.config}:10\n")
        for scope in ("git:*", "nonsense"):
            self.assertEqual(home.error("access", "check", "--peer", "alice", "--do", scope,
                                        expect=EXIT_USAGE)["id"], "E-SCOPE-INVALID")

    def test_knows_who_is_meant_by_name_id_and_key(self):
        home, identity = self.home(), self.home("bob").identity
        key = identity["fingerprint"]
        unknown = self.check(home, key, "git:read", EXIT_REFUSED)
        self.assertEqual(unknown["changes"][0], f"alknet peer add NAME --key {key}")
        self.assertEqual(self.check(home, "no name", "git:read", EXIT_REFUSED)["changes"][0],
                         "alknet peer add NAME --key KEY")
        home.run("peer", "add", "bob", "--key", identity["openssh_fingerprint"], "--scopes", "git:read")
        [bob] = home.json("peer", "list")["peers"]
        for who in ("bob", bob["id"], key, identity["openssh"], identity["openssh_fingerprint"]):
            self.check(home, who, "git:read")
            self.assertEqual(self.check(home, who, "git:write", EXIT_REFUSED)["changes"],
                             ["alknet peer scopes bob --add git:write"])

    def test_names_the_assertion_that_stands_in_the_way(self):
        home = self.home()
        home.configure('[[access.assert]]\npeer = "bob"\ndo = "git:write"\nallow = false\n'
                       '[[access.assert]]\npeer = "eve"\ndo = "git:write"\nallow = false\n')
        home.run("peer", "add", "bob", "--key", self.home("bob").id)
        denied = self.check(home, "bob", "git:write", EXIT_REFUSED)
        self.assertEqual(denied["forbidden_by"],
                         [f"[[access.assert]] at {home.config}:1: bob must not be allowed git:write"])
        text = home.run("access", "check", "--peer", "eve", "--do", "git:write", expect=EXIT_REFUSED).stdout
        self.assertIn(f"which is refused by [[access.assert]] at {home.config}:5: eve must not", text)
        self.assertEqual(self.check(home, "bob", "git:read", EXIT_REFUSED)["forbidden_by"], [])
        # It is so: the suggested command is refused.
        command = denied["changes"][0].split()[1:]
        self.assertEqual(home.error(*command, expect=EXIT_CONFIG)["id"], "E-CONFIG-ASSERTION")

    def test_suggests_what_allows_it(self):
        home, key = self.home(), self.home("bob").id
        for _ in range(5):
            answer = json.loads(home.run("access", "check", "--peer", "bob", "--do", "git:read", "--json",
                                         expect=EXIT_REFUSED).stdout)
            for change in answer["changes"]:
                self.assertTrue(change.startswith("alknet "), change)
                home.run(*change.replace("KEY", key).split()[1:])
            self.check(home, "bob", "git:read")
            home.run("peer", "disable", "bob")
            if answer["verdict"] == "disabled":
                break
        self.assertEqual(answer["verdict"], "disabled")


if __name__ == "__main__":
    unittest.main()
