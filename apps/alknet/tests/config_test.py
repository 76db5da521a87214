"""alknet config: what is shown, what differs, and changes that are applied, confirmed and undone."""

import fcntl
import json
import os
import pwd
import re
import signal
import unittest

from support import EXIT_CONFIG, EXIT_FAILURE, EXIT_REFUSED, EXIT_USAGE, Node, TestCase

PEER = '[[peer]]\nname = "bob"\nkeys = ["{}"]\nscopes = ["git:read", "git:write"]\n'
RULES = '[alpn."alknet/echo"]\nidentity_required = true\n'


class ConfigTest(TestCase):
    def setUp(self):
        super().setUp()
        self.node_home = self.home()
        self.node_home.configure("")

    def file(self, text, name="new.toml"):
        file = self.directory / name
        file.write_text(text)
        file.chmod(0o600)
        return file

    def settings(self):
        return {one["path"]: one for one in self.node_home.json("config", "show")["settings"]}

    def refused(self, *arguments, id, expect=EXIT_CONFIG):
        why = self.node_home.error("config", *arguments, expect=expect)
        self.assertEqual(why["id"], id)
        return why["detail"]


class Missing(ConfigTest):
    def test_a_file_that_is_not_there_is_named(self):
        none = self.directory / "none.toml"
        for command in ("check", "diff", "apply"):
            self.assertEqual(self.refused(command, none, id="E-FILE-MISSING"), str(none))
            self.assertIn("next: check the path",
                          self.node_home.run("config", command, none, expect=EXIT_CONFIG).stderr)


class SshUser(ConfigTest):
    def test_commands_need_a_user_of_their_own(self):
        own = pwd.getpwuid(os.geteuid()).pw_name
        mistakes = {"no-such-user": "there is no user 'no-such-user'", own: f"{own} is the node's own user"}
        if os.geteuid() != 0:
            mistakes["root"] = "the node itself is not root"
        for user, why in mistakes.items():
            self.node_home.configure(f'[ssh]\nrun_as = "{user}"\n')
            self.assertIn(why, self.refused("check", id="E-SSH-USER"))
            self.assertIn(why, self.node_home.error("serve", expect=EXIT_CONFIG)["detail"])
            self.node_home.configure("")
            new = self.file(f'[ssh]\nrun_as = "{user}"\n')
            self.assertIn(why, self.refused("apply", new, id="E-SSH-USER"))
        self.node_home.configure("[ssh]\nrun_as_self = true\n")
        self.node_home.run("config", "check")


class Show(ConfigTest):
    def test_says_where_each_value_comes_from(self):
        home, key = self.node_home, self.home("bob").identity["fingerprint"]
        home.configure('[limits]\nidle_timeout = "30s"\n')
        home.run("peer", "add", "bob", "--key", key, "--scopes", "git:read")
        home.run("token", "add", "--peer", "bob")
        shown = self.settings()
        self.assertEqual(shown["limits.idle_timeout"],
                         {"path": "limits.idle_timeout", "value": '"30s"', "line": 2, "origin": f"{home.config}:2"})
        self.assertEqual(shown["limits.streams_max"]["origin"], "default")
        self.assertEqual(shown["peer.bob.scopes"]["value"], '["git:read"]')
        self.assertEqual(shown["peer.bob.scopes"]["origin"], "state.db")
        self.assertNotIn("alk_", json.dumps(shown))

    def test_is_a_configuration_itself(self):
        home = self.node_home
        home.configure(RULES + PEER.format(self.home("bob").id))
        text = home.run("config", "show").stdout
        self.assertIn('[alpn."alknet/echo"]\n', text)
        self.assertEqual(home.json("config", "diff", self.file(text))["differences"], [])

    def test_refuses_what_a_node_would(self):
        self.node_home.configure("[limit]\n")
        self.refused("show", id="E-CONFIG-INVALID")


class Manual(ConfigTest):
    def test_names_every_key_that_is_shown_and_that_init_writes(self):
        home = self.node_home
        manual = home.run("manual", "alknet.toml").stdout.replace("\\-", "-").replace("\\", "")
        written = self.home("fresh").config.read_text()
        named = set(re.findall(r"^(?:# )?(\w+) = ", written, re.MULTILINE))
        tables = set(re.findall(r"^(?:# )?(\[+[\w.]+)", written, re.MULTILINE))
        self.assertGreater(len(named), 40)
        for name in named:
            self.assertIn(name, manual)
        for table in tables:
            self.assertIn(table.strip("["), manual)
        for path in self.settings():
            self.assertIn(path.rpartition(".")[2], named)

    def test_a_slip_of_the_pen_is_named(self):
        self.node_home.configure("[limits]\nidle_timout = '30s'\n")
        self.assertIn("did you mean 'idle_timeout'?", self.refused("show", id="E-CONFIG-INVALID"))


class Apply(ConfigTest):
    def test_shows_its_plan_and_keeps_what_it_replaces(self):
        home = self.node_home
        old = PEER.format(self.home("bob").id)
        home.configure(old)
        new = self.file(old.replace('"git:write"', '"git:admin"') + RULES)
        plan = home.run("config", "apply", new, "--dry-run").stdout
        self.assertIn('peer.bob.scopes: ["git:read", "git:write"] (line 4) -> ["git:read", "git:admin"] (line 4)',
                      plan)
        self.assertIn("peer narrowed bob: loses git:write (connections that this no longer allows end)", plan)
        self.assertIn("service narrowed alknet/echo: asks for a known peer", plan)
        self.assertEqual(home.config.read_text(), old)
        applied = home.json("config", "apply", new)
        self.assertTrue(applied["applied"])
        self.assertEqual({effect["kind"] for effect in applied["effects"] if effect["cuts"]},
                         {"peer narrowed", "service narrowed"})
        self.assertEqual(home.config.read_text(), new.read_text())
        self.assertEqual((home.path / "alknet.toml.previous").read_text(), old)
        self.assertFalse(home.json("config", "apply", new)["applied"])

    def test_refuses_what_a_node_would(self):
        home = self.node_home
        bad = self.file('[tls]\ncertificates = [{ chain = "none.pem", key = "none.pem" }]\n')
        self.refused("apply", bad, id="E-CERT-INVALID")
        self.assertIn(f"{bad}:1:1", self.refused("apply", self.file("limit = 1\n"), id="E-CONFIG-INVALID"))
        assertion = '[[access.assert]]\npeer = "bob"\ndo = "git:read"\n'
        self.assertIn(f"{bad}:1: bob must be", self.refused("apply", self.file(assertion), id="E-CONFIG-ASSERTION"))
        self.refused("apply", self.directory / "none", id="E-FILE-MISSING")
        self.refused("apply", self.file(RULES), "--confirm", "1s", id="E-USAGE", expect=EXIT_USAGE)
        self.refused("apply", self.file(RULES), "--confirm", "soon", id="E-USAGE", expect=EXIT_USAGE)
        self.assertEqual(home.config.read_text(), "")

    def test_reads_standard_input(self):
        home = self.node_home
        home.run("config", "apply", "-", input=RULES)
        self.assertEqual(home.config.read_text(), RULES)
        self.assertEqual(home.json("config", "diff", "-", input=RULES)["differences"], [])
        self.assertIn("-: valid", home.run("config", "check", "-", input=RULES).stdout)
        self.assertIn("-:1:1", home.run("config", "check", "-", input="limit = 1\n", expect=EXIT_CONFIG).stdout)
        for text in ("limit = 1\n", "#" * (2 << 20)):
            why = json.loads(home.run("config", "apply", "-", "--json", input=text, expect=EXIT_CONFIG).stderr)["error"]
            self.assertEqual(why["id"], "E-CONFIG-INVALID")
        self.assertEqual(home.config.read_text(), RULES)

    def test_one_at_a_time(self):
        home = self.node_home
        with open(home.path / "config.lock", "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.refused("apply", self.file(RULES), id="E-CONFIG-BUSY")
        home.run("config", "apply", self.file(RULES), "--confirm", "1h")
        self.refused("apply", self.file(""), id="E-CONFIG-PENDING")
        self.assertIn("until 20", self.refused("apply", self.file(RULES), id="E-CONFIG-PENDING"))
        home.run("config", "confirm")
        self.refused("confirm", id="E-CONFIG-NOT-PENDING")
        home.run("config", "apply", self.file(""), "--confirm", "1h")
        home.run("config", "undo")
        self.assertEqual(home.config.read_text(), RULES)
        self.refused("undo", id="E-CONFIG-NOT-PENDING")


class RunningNode(ConfigTest):
    def age_pending(self, seconds):
        """As if the change had been made so long ago."""
        file = self.node_home.path / "alknet.toml.pending"
        lines = []
        for line in file.read_text().splitlines():
            key, _, value = line.partition(" = ")
            lines.append(f"{key} = {int(value) - seconds}" if key in ("made", "deadline") else line)
        file.write_text("\n".join(lines) + "\n")

    def test_goes_over_to_what_is_applied(self):
        home, bob = self.node_home, self.home("bob")
        with Node(home) as node:
            bob.run("ping", node.address, "--count", 1)
            home.run("config", "apply", self.file(RULES))
            node.wait_for("config.reloaded")
            self.assertEqual(home.json("config", "diff")["differences"], [])
            home.configure("[limit]\n")
            node.wait_for("config.rejected")
            # What it runs with is what it accepted last.
            self.assertEqual([one["path"] for one in home.json("config", "diff", self.file(""))["differences"]],
                             ["alpn.alknet/echo.identity_required"])

    def test_does_what_its_files_would(self):
        """Every step with a node and without one: the same is printed, written and refused."""
        said = []
        for running in (False, True):
            home = self.home(f"home-{running}")
            home.configure("")
            node = Node(home) if running else None
            steps = []

            def step(*arguments, expect=0):
                done = home.run("config", *arguments, "--json", expect=expect)
                said = (done.stdout + done.stderr).replace(str(home.path), "HOME")
                steps.append(re.sub(r"until [0-9TZ:-]+", "until then", said))

            step("check")
            step("check", self.file("[limit]\n", "bad.toml"), expect=EXIT_CONFIG)
            step("apply", self.file("[limit]\n", "bad.toml"), expect=EXIT_CONFIG)
            step("diff", self.file(RULES))
            step("apply", self.file(RULES), "--dry-run")
            step("apply", self.file(RULES), "--confirm", "1h")
            step("apply", self.file(""), expect=EXIT_CONFIG)
            step("undo")
            step("undo", expect=EXIT_CONFIG)
            step("apply", self.file(RULES), "--confirm", "1h")
            step("confirm")
            step("apply", self.file(RULES))
            if node:
                # In force when the command ends, and not some time later.
                stranger = self.home("stranger")
                stranger.run("ping", node.address, "--count", 1, expect=EXIT_REFUSED)
                node.stop()
            step("diff")
            events = [json.loads(line) for line in (home.path / "audit.log").read_text().splitlines()]
            steps.append([(one["event"], one["uid"], len(one["revision"])) for one in events if "uid" in one])
            said.append(steps)
        self.assertEqual(*said)
        self.assertEqual([event for event, *_ in said[0][-1]],
                         ["config.applied", "config.undone", "config.applied", "config.confirmed"])

    def test_tells_what_is_in_force_and_what_is_not(self):
        home = self.node_home
        with Node(home) as node:
            revision = home.json("status")["revision"]
            self.assertRegex(revision, "^[0-9a-f]{32}$")
            self.assertNotIn("config_refused", home.json("status"))
            home.configure("[limit]\n")
            node.wait_for("config.rejected")
            status = home.json("status")
            self.assertEqual(status["revision"], revision)
            self.assertIn("alknet.toml:1:2: limit", status["config_refused"])
            self.assertIn("refuses      what its files say", home.run("status").stdout)
            self.assertEqual(home.error("reload", expect=EXIT_CONFIG)["id"], "E-CONFIG-INVALID")
            checks = home.json("doctor", expect=EXIT_FAILURE)["checks"]
            self.assertIn("the node that runs goes on as it was",
                          [one.get("consequence") for one in checks if one["status"] == "fail"][0])
            home.configure(RULES)
            node.wait_for("config.reloaded")
            status = home.json("status")
            self.assertNotEqual(status["revision"], revision)
            self.assertNotIn("config_refused", status)
        self.assertEqual(status["revision"], [json.loads(line)["revision"] for line in (
            home.path / "audit.log").read_text().splitlines() if "config.reloaded" in line][-1])

    def test_says_that_a_change_waits_when_it_is_told_to_read_again(self):
        home = self.node_home
        with Node(home) as node:
            home.run("config", "apply", self.file(RULES), "--confirm", "1h")
            node.wait_for("config.unconfirmed")
            self.assertIn("E-CONFIG-PENDING: a change is undone in", home.run("reload").stdout)
            self.assertIn("id=E-CONFIG-PENDING", node.wait_for("config.unconfirmed"))
            node.send(signal.SIGHUP)
            self.assertIn("id=E-CONFIG-PENDING", node.wait_for("config.unconfirmed"))
            self.assertLessEqual(home.json("status")["undone_in_s"], 3600)
            self.assertIn("unless: alknet config confirm", home.run("status").stdout)
            self.refused("apply", self.file(RULES), id="E-CONFIG-PENDING")
            home.run("config", "confirm")
            self.assertEqual(home.run("reload").stdout, "reloaded\n")
            self.assertNotIn("undone_in_s", home.json("status"))

    def test_is_not_talked_into_a_file_that_is_no_text(self):
        file = self.directory / "latin.toml"
        file.write_bytes(b"# caf\xe9\n")
        with Node(self.node_home):
            self.refused("apply", file, id="E-CONFIG-INVALID")
            self.node_home.run("config", "check", file, expect=EXIT_CONFIG)

    def test_undoes_what_nobody_confirms(self):
        home = self.node_home
        with Node(home) as node:
            home.run("config", "apply", self.file(RULES), "--confirm", "10s")
            node.wait_for("config.unconfirmed")
            node.wait_for("config.undone")
            node.wait_for("config.reloaded")
            self.assertEqual(home.config.read_text(), "")
            home.run("config", "apply", self.file(RULES), "--confirm", "1h")
            node.wait_for("config.unconfirmed")
            home.run("config", "confirm")
        self.assertEqual(home.config.read_text(), RULES)

    def test_that_starts_after_the_deadline_undoes_first(self):
        home = self.node_home
        with Node(home) as node:
            home.run("config", "apply", self.file(RULES), "--confirm", "1h")
            node.wait_for("config.unconfirmed")
            node.process.kill()
            node.process.wait()
        self.age_pending(4000)
        self.assertEqual(home.config.read_text(), RULES)
        with Node(home) as node:
            self.assertIn("said before", node.wait_for("config.undone"))
            self.assertEqual(home.config.read_text(), "")

    def test_that_starts_before_the_deadline_still_waits(self):
        home = self.node_home
        home.run("config", "apply", self.file(RULES), "--confirm", "1h")
        self.age_pending(3595)
        with Node(home) as node:
            node.wait_for("config.undone")
        self.assertEqual(home.config.read_text(), "")


class Admins(ConfigTest):
    def setUp(self):
        super().setUp()
        self.node_home.run("peer", "add", "bob", "--key", self.home("bob").id, "--scopes", "node:*")

    def guarded(self, *arguments):
        why = self.node_home.error(*arguments, expect=EXIT_CONFIG)
        self.assertEqual((why["id"], why["detail"]), ("E-ACCESS-LAST-ADMIN", "bob is the only admin"))

    def test_the_last_one_stays(self):
        home = self.node_home
        self.guarded("peer", "remove", "bob")
        self.guarded("peer", "disable", "bob")
        self.guarded("peer", "scopes", "bob", "--set", "git:read")
        self.guarded("peer", "scopes", "bob", "--none")
        home.run("peer", "name", "bob", "robert")
        home.run("peer", "remove", "robert", "--force")
        home.run("peer", "add", "eve", "--key", self.home("eve").id)
        home.run("peer", "remove", "eve")

    def test_one_of_two_may_go(self):
        home = self.node_home
        home.run("peer", "add", "carol", "--key", self.home("carol").id, "--scopes", "*:*:*")
        home.run("peer", "remove", "carol")
        self.guarded("peer", "remove", "bob")

    def test_one_of_themselves_keeps_its_access(self):
        home, bob = self.node_home, self.home("bob2")
        home.run("peer", "add", "carol", "--key", bob.id, "--scopes", "node:admin,peers:manage,config:manage,git:read")
        with Node(home) as node:
            bob.run("peer", "add", "office", "--key", home.id, "--address", node.bare)
            for words in (("peers/renew", "expires=1h"), ("peers/disable",), ("peers/remove",),
                          ("peers/scopes", '{"set": ["node:admin"]}'), ("peers/scopes", "none=true"),
                          ("peers/scopes", "remove=git:read")):
                why = bob.error("call", "office", words[0], "name=carol", *words[1:], expect=EXIT_CONFIG)
                self.assertEqual(why["id"], "E-ACCESS-OWN", words)
            text = '[alpn."alknet/call"]\nscope = "git:write"\n'
            why = bob.error("call", "office", "config/apply", json.dumps({"text": text}), expect=EXIT_CONFIG)
            self.assertIn("E-ACCESS", why["id"])
            bob.run("call", "office", "peers/renew", "name=carol", "expires=1h", "force=true")

    def test_whose_terms_end_are_missed_in_time(self):
        home = self.node_home
        home.run("peer", "renew", "bob", "--expires", "1h")
        with Node(home) as node:
            self.assertIn("admin=bob", node.wait_for("config.admins_expire"))

    def test_are_guarded_in_files_too(self):
        home = self.node_home
        home.run("peer", "remove", "bob", "--force")
        home.configure(PEER.format(self.home("eve").id).replace("git:write", "node:admin"))
        with Node(home) as node:
            self.guarded("config", "apply", self.file(""))
            self.assertIn("only admin", home.json("config", "apply", self.file(""), "--dry-run")["warning"])
            # The owner of the machine may, and is told.
            home.configure("")
            self.assertIn("admin=bob", node.wait_for("config.no_admin"))
            node.wait_for("config.reloaded")
            home.configure(PEER.format(self.home("zoe").id).replace("git:write", "node:admin"))
            node.wait_for("config.reloaded")
            home.run("config", "apply", self.file(""), "--force")
            node.wait_for("config.no_admin")


if __name__ == "__main__":
    unittest.main()
