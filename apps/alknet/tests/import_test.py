"""Operations of another node among one's own ([[call.import]]), between real nodes."""

import json
import os
import random
import select
import shutil
import subprocess
import time
import unittest

import support
from acceptance_test import Dark, until_its_end
from call_test import TRANSPORTS, Frames
from control_test import Control
from support import EXIT_REFUSED, EXIT_USAGE, OTHER_ID, PATIENCE_S, Node, TestCase

TICKS = support.ROOT / "examples/exec/ticks.py"
# ./dev soak --events 1000000 --cuts 1000
EVENTS = int(os.environ.get("ALKNET_EVENTS", "20000"))
CUTS = int(os.environ.get("ALKNET_CUTS", "12"))
EVENTS_PER_SECOND = max(2000, EVENTS // 200)
WHO = 'user = "nobody"' if os.geteuid() == 0 else "as_node = true"
CALLS = 400
CALLS_PER_SECOND = 100


class Hub(TestCase):
    """A hub that imports from an office, bob, who calls the hub, and a guest, who may nothing there."""

    def setUp(self):
        super().setUp()
        self.office = self.home("office")
        self.hub = self.home("hub")
        self.bob = self.home("bob")
        self.guest = self.home("guest")

    def admit_hub(self, *scopes, more=""):
        texts = ", ".join(f'"{scope}"' for scope in scopes)
        self.office.configure(f'[[peer]]\nname = "hub"\nkeys = ["{self.hub.id}"]\nscopes = [{texts}]\n{more}')

    def configure_hub(self, office, *scopes, transport="quic", more=""):
        texts = ", ".join(f'"{scope}"' for scope in scopes)
        self.hub.configure(
            f'[[peer]]\nname = "office"\nkeys = ["{self.office.id}"]\naddress = "{office.bare}"\n'
            f'transports = ["{transport}"]\n'
            f'[[peer]]\nname = "bob"\nkeys = ["{self.bob.id}"]\nscopes = [{texts}]\n'
            f'[[peer]]\nname = "guest"\nkeys = ["{self.guest.id}"]\n'
            f'[[call.import]]\npeer = "office"\nprefix = "office"\n{more}')

    def call(self, node, *arguments, **options):
        return self.bob.json("call", node.address, *arguments, **options)

    def refusal(self, node, *arguments, expect=EXIT_REFUSED):
        return self.bob.error("call", node.address, *arguments, expect=expect)

    def names(self, node):
        return {one["name"] for one in self.call(node, "--list")["operations"]}


class Imports(Hub):
    def test_are_offered_to_whom_the_importing_node_allows(self):
        self.admit_hub("node:read")
        with Node(self.office) as office:
            for transport in TRANSPORTS:
                self.configure_hub(office, "import:call:office-node/info", "node:read", transport=transport)
                with Node(self.hub) as hub:
                    hub.wait_for("call.imported")
                    self.assertIn("/office-node/info", self.names(hub))
                    self.assertNotIn("/office-node/connections", self.names(hub))
                    self.assertEqual(self.call(hub, "office-node/info")["node_id"], self.office.id)
                    self.assertEqual(self.call(hub, "node/info")["node_id"], self.hub.id)
                    refused = self.refusal(hub, "office-node/connections")
                    self.assertEqual((refused["id"], refused["detail"]),
                                     ("E-AUTH-SCOPE", "import:call:office-node/connections"))
                    # What the office keeps from the hub is not there at all.
                    self.assertEqual(self.refusal(hub, "office-peers/list")["id"], "E-CALL-NO-OPERATION")
                    (peer,) = self.call(hub, "services/list-peers")["peers"]
                    self.assertEqual((peer["name"], peer["prefix"], peer["state"], peer["operations"]),
                                     ("office", "office", "connected", ["/office-node/info"]))
                    schema = self.call(hub, "--schema", "office-node/info")
                    self.assertEqual(schema["output"], self.hub.json("call", office.address, "--schema", "node/info")[
                        "output"])
                    # Nobody who may call nothing of it sees it, unless imports:read shows all of them.
                    self.assertEqual(self.guest.json("call", hub.address, "services/list-peers")["peers"], [])
                    # A stranger learns nothing, not even that there is an office.
                    stranger = self.home(f"stranger-{transport}")
                    refused = stranger.error("call", hub.address, "services/list-peers", expect=EXIT_REFUSED)
                    self.assertEqual(refused["id"], "E-AUTH-REQUIRED")

    def test_that_have_changed_wait_until_somebody_accepts_them(self):
        self.admit_hub("node:read", "metrics:read")
        with Node(self.office) as office:
            self.configure_hub(office, "*:*:*", more='operations = ["node/*", "metrics/*"]\n')
            self.assertEqual(self.hub.json("import", "list")["imports"],
                             [{"prefix": "office", "peer": "office", "operations": []}])
            with Node(self.hub) as hub:
                hub.wait_for("call.imported")
            (imported,) = self.hub.json("import", "list")["imports"]
            found = {one["name"]: one["standing"] for one in imported["operations"]}
            self.assertEqual(found, dict.fromkeys(("/node/info", "/node/connections", "/metrics/list"), "accepted"))
            # One that is new; the hub learns of it when it connects.
            self.admit_hub("node:read", "node:manage", "metrics:read")
            self.office.run("reload")
            with Node(self.hub) as hub:
                self.assertIn("held_back=1", hub.wait_for("call.imported"))
                self.assertNotIn("/office-node/close", self.names(hub))
                self.assertEqual(self.refusal(hub, "office-node/close", "id=1")["id"], "E-CALL-NO-OPERATION")
                (peer,) = self.call(hub, "services/list-peers")["peers"]
                self.assertEqual(peer["held_back"], 1)
                self.assertIn("/node/close  new  ", self.hub.run("import", "list").stdout)
                # What was shown is accepted, and nothing else.
                (shown,) = self.hub.json("import", "list")["imports"]
                self.assertIn(f"alknet import accept office {shown['waiting']}", self.hub.run("import", "list").stdout)
                self.hub.run("import", "accept", "office", expect=EXIT_USAGE)
                refused = self.hub.error("import", "accept", "office", "0" * 64, expect=EXIT_USAGE)
                self.assertIn("alknet import list", refused["detail"])
                self.assertNotIn("/office-node/close", self.names(hub))
                accept = ("import", "accept", "office", shown["waiting"])
                self.assertEqual(self.hub.run(*accept).stdout, "accepted 1 of office\n")
                # In force when it is answered.
                self.assertIn("/office-node/close", self.names(hub))
                self.assertIn("nothing waits", self.hub.error(*accept, expect=EXIT_USAGE)["detail"])
                self.hub.error("import", "remove", "office", expect=EXIT_USAGE)
                self.hub.error("import", "accept", "other", shown["waiting"], expect=EXIT_USAGE)
                audited = self.hub.run("audit", "show", "--json").stdout
                self.assertIn("import.accepted", audited)
            self.hub.configure("")
            self.assertIn("office  not in alknet.toml any more", self.hub.run("import", "list").stdout)
            self.assertEqual(self.hub.json("import", "remove", "office")["operations"], 4)
            self.assertEqual(self.hub.json("import", "list")["imports"], [])

    def test_follow_a_reload(self):
        """What is as it was keeps its connection; what is gone answers no more; all without a restart."""
        self.admit_hub("*:*:*")
        with Node(self.office) as office:
            self.configure_hub(office, "*:*:*", more='operations = ["node/info"]\n')
            peers = self.hub.config.read_text().split("[[call.import]]")[0]
            first, second = ('[[call.import]]\npeer = "office"\n'
                             f'prefix = "{prefix}"\noperations = ["node/info"]\n' for prefix in ("office", "other"))
            with Node(self.hub) as hub:
                hub.wait_for("call.imported")
                (kept,) = self.links()
                self.assertEqual(self.refusal(hub, "other-node/info")["id"], "E-CALL-NO-OPERATION")
                plan = self.apply(peers + first + second)
                self.assertIn(("import begun", "other"), {(one["kind"], one["subject"]) for one in plan["effects"]})
                hub.wait_for("call.imported")
                self.assertEqual(self.call(hub, "other-node/info")["node_id"], self.office.id)
                self.assertIn(kept, self.links())
                plan = self.apply(peers + second)
                self.assertIn(("import ended", "office", True),
                              {(one["kind"], one["subject"], one["cuts"]) for one in plan["effects"]})
                self.assertEqual(self.refusal(hub, "office-node/info")["id"], "E-CALL-NO-OPERATION")
                self.assertEqual(self.call(hub, "other-node/info")["node_id"], self.office.id)
                self.apply(peers + second.replace("node/info", "node/connections"))
                hub.wait_for("call.imported")
                self.assertEqual(self.refusal(hub, "other-node/info")["id"], "E-CALL-NO-OPERATION")
                self.assertNotIn("restart_needed", hub.stop())

    def apply(self, text):
        new = self.directory / "new.toml"
        new.write_text(text)
        return self.hub.json("config", "apply", new)

    def links(self):
        """The office's connections of the hub."""
        with Control(self.office.path / "control.sock") as control:
            control.ask("1", "/node/connections")
            return [one["id"] for one in control.next()[2]["output"]["connections"] if one.get("peer") == "hub"]

    def test_of_several_peers_are_those_of_the_first_that_is_there(self):
        self.lab = self.home("lab")
        self.admit_hub("node:read")
        self.lab.configure(self.office.config.read_text())
        with Node(self.lab) as lab:
            with Node(self.office) as office:
                # A connection over TCP ends with its process, and not after some silence.
                self.configure_hub(office, "*:*:*", transport="tcp")
                text = self.hub.config.read_text().replace('peer = "office"\nprefix = "office"',
                                                           'peers = ["office", "lab"]\nprefix = "any"')
                self.hub.configure(f'[[peer]]\nname = "lab"\nkeys = ["{self.lab.id}"]\naddress = "{lab.bare}"\n'
                                   f'transports = ["tcp"]\n{text}')
                with Node(self.hub) as hub:
                    hub.wait_for("call.imported")
                    hub.wait_for("call.imported")
                    self.assertEqual(self.call(hub, "any-node/info")["node_id"], self.office.id)
                    answers = []
                    self.ask_on(hub, {CALLS // 4: office.process.kill}, answers, operation="any-node/info")
                    office.process.wait(PATIENCE_S)
                    failed = [one["error"] for one in answers if "error" in one]
                    self.assertEqual((len(answers), failed), (CALLS, []))
                    whose = [one["output"]["node_id"] for one in answers]
                    self.assertEqual({self.office.id, self.lab.id}, set(whose))
                    states = {one["name"]: (one["state"], "problem" in one)
                              for one in self.call(hub, "services/list-peers")["peers"]}
                    self.assertEqual(states, {"office": ("away", True), "lab": ("connected", False)})
                    lab.stop()
                    refused = self.refusal(hub, "any-node/info", expect=support.EXIT_UNREACHABLE)
                    self.assertEqual((refused["id"], refused["detail"]), ("E-CALL-IMPORT-AWAY", "office, lab"))

    def test_end_when_their_caller_does(self):
        """An abort, a caller who goes and a deadline reach what runs two nodes away."""
        dark = Dark()
        self.addCleanup(dark.listener.close)
        self.admit_hub("node:paths", more=dark.peer())
        with Node(self.office) as office:
            for transport in TRANSPORTS:
                self.configure_hub(office, "*:*:*", transport=transport)
                with Node(self.hub) as hub, Frames(self.bob, hub, transport) as frames:
                    hub.wait_for("call.imported")
                    frames.ask("slow", "/office-node/paths", input={"peer": "dark"})
                    with dark.accept() as begun:
                        frames.send("call.aborted", "slow", {})
                        until_its_end(begun)
                    frames.ask("late", "/office-node/paths", input={"peer": "dark"}, timeout_ms=300)
                    with dark.accept() as begun:
                        until_its_end(begun)
                    self.assertEqual(frames.next()[2]["code"], "TIMEOUT")
                    gone = Frames(self.bob, hub, transport)
                    gone.ask("slow", "/office-node/paths", input={"peer": "dark"})
                    with dark.accept() as begun:
                        gone.close()
                        until_its_end(begun)

    def test_end_with_a_peer_that_is_removed(self):
        self.admit_hub("node:read")
        with Node(self.office) as office:
            self.configure_hub(office, "*:*:*")
            with Node(self.hub) as hub:
                hub.wait_for("call.imported")
                self.call(hub, "office-node/info")
                with Control(self.office.path / "control.sock") as control:
                    control.ask("1", "/node/connections")
                    (connection,) = control.next()[2]["output"]["connections"]
                    self.assertEqual(connection["peer"], "hub")
                config = self.hub.config.read_text()
                self.hub.configure(config.replace(self.office.id, OTHER_ID))
                self.hub.run("reload")
                self.assertEqual(self.refusal(hub, "office-node/info", expect=support.EXIT_UNREACHABLE)["id"],
                                 "E-CALL-IMPORT-AWAY")
                hub.wait_for("call.import_away")
                self.hub.configure(config)
                self.hub.run("reload")
                hub.wait_for("call.imported")
                self.call(hub, "office-node/info")

    def ask_on(self, hub, at, answers, operation="office-node/info"):
        """A batch at a fixed pace, beside which things happen at their numbers."""
        batch = subprocess.Popen(
            [support.PROGRAM, "call", hub.address, operation, "--batch", "--timeout", "2s", "--parallel",
             "1000", "--home", str(self.bob.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=support.clean_environment())
        self.addCleanup(batch.kill)
        due = time.monotonic()
        for number in range(1, CALLS + 1):
            batch.stdin.write(b"{}\n")
            batch.stdin.flush()
            due += 1 / CALLS_PER_SECOND
            while select.select([batch.stdout], [], [], max(0, due - time.monotonic()))[0]:
                answers.append(json.loads(batch.stdout.readline()))
            if number in at:
                at[number]()
        batch.stdin.close()
        answers += [json.loads(line) for line in batch.stdout]
        batch.stdout.close()
        batch.wait(PATIENCE_S)

    def test_each_call_ends_when_the_far_node_is_killed_and_started_again(self):
        self.admit_hub("node:read")
        for transport in TRANSPORTS:
            with Node(self.office) as first:
                self.configure_hub(first, "*:*:*", transport=transport)
                with Node(self.hub) as hub:
                    hub.wait_for("call.imported")
                    nodes = []

                    def kill(first=first):
                        first.process.kill()
                        first.process.wait(PATIENCE_S)

                    def start(first=first, nodes=nodes):
                        nodes.append(Node(self.office, listen=(first.bare,)))

                    answers = []
                    self.ask_on(hub, {CALLS // 4: kill, CALLS // 2: start}, answers)
                    self.assertEqual(sorted(one["id"] for one in answers), list(range(1, CALLS + 1)))
                    self.assertTrue(all(("output" in one) != ("error" in one) for one in answers))
                    failures = {one["error"]["id"] for one in answers if "error" in one}
                    self.assertLessEqual(failures, {"E-CALL-IMPORT-AWAY", "E-TIMEOUT"})
                    with nodes[0]:
                        hub.wait_for("call.imported")
                        self.assertEqual(self.call(hub, "office-node/info")["node_id"], self.office.id)
                        self.assertIn("/office-node/info", self.names(hub))

    def test_of_two_nodes_from_one_another_come_to_an_end(self):
        """Neither offers what the other has imported, unless it is told so, and then so far."""
        self.admit_hub("*:*:*")
        with Node(self.office) as office:
            pass
        port = office.bare
        for hops in (0, 1):
            self.configure_hub(office, "*:*:*", more=f"hops = {hops}\n")
            with Node(self.hub) as hub:
                self.admit_hub("*:*:*", more=f'address = "{hub.bare}"\n[[call.import]]\npeer = "hub"\nprefix = "hub"\n'
                                             f"hops = {hops}\n")
                with Node(self.office, listen=(port,)) as again:
                    again.wait_for("call.imported")
                    hub.wait_for("call.imported")
                    names = self.names(hub)
                    deep = {name for name in names if name.startswith("/office-hub-")}
                    self.assertEqual({name for name in deep if name.startswith("/office-hub-office-hub")}, set())
                    if hops == 0:
                        self.assertEqual(deep, set())
                    self.assertEqual(self.call(hub, "office-node/info")["node_id"], self.office.id)
                    self.hub.configure("")
            self.hub.run("import", "remove", "office")
            self.office.configure("")
            self.office.run("import", "remove", "hub")
            self.admit_hub("*:*:*")


class Subscriptions(Hub):
    """Numbered events from a program behind one node, through another one, to a caller of that."""

    def close_connection(self, home, peer):
        with Control(home.path / "control.sock") as control:
            control.ask("1", "/node/connections")
            for one in control.next()[2]["output"]["connections"]:
                if one.get("peer") == peer and one["service"] == "alknet/call":
                    control.ask("2", "/node/close", input={"id": one["id"]})
                    control.next()

    def cut(self, how, hub, frames):
        if how == 0:
            frames.close()
        elif how == 1:
            self.close_connection(self.hub, "bob")
        else:
            self.close_connection(self.office, "hub")

    def take(self, frames, seen, most):
        """Reads so many of what is left, and says whether the end has come."""
        taken = 0
        while most is None or taken < most:
            try:
                kind, _, payload = frames.next()
            except (EOFError, OSError):
                return False
            if kind == "call.heartbeat":
                continue
            if kind == "call.completed":
                return True
            if kind == "call.error":
                self.assertIn(payload["code"], ("UNAVAILABLE", "ABORTED"))
                return False
            self.assertEqual(payload["seq"], seen["last"] + 1 + payload.get("missed", 0))
            self.assertEqual(payload["output"], {"tick": payload["seq"]})
            seen["last"] = payload["seq"]
            seen["missed"] += payload.get("missed", 0)
            seen["count"] += 1
            taken += 1
        return False

    def test_give_each_event_once_or_say_how_many_are_missing(self):
        target = self.directory / "ticks.py"
        self.directory.chmod(0o755)
        shutil.copy(TICKS, target)
        target.chmod(0o644)
        command = json.dumps(["/usr/bin/python3", "-u", str(target), str(EVENTS), "1000", str(EVENTS_PER_SECOND)])
        program = f'[[exec]]\nname = "ticks"\ncommand = {command}\noperations = true\n{WHO}\n'
        draw = random.Random(EVENTS + CUTS)
        self.admit_hub("*:*:*", more=program)
        with Node(self.office) as office:
            office.wait_for("exec.offered")
            self.configure_hub(office, "*:*:*", more='operations = ["ticks/*"]\n')
            with Node(self.hub) as hub:
                hub.wait_for("call.imported")
                seen = {"last": 0, "missed": 0, "count": 0}
                for number in range(CUTS):
                    frames = Frames(self.bob, hub, TRANSPORTS[number % 2])
                    frames.ask("1", "/office-ticks/watch", resume_after=seen["last"])
                    if self.take(frames, seen, draw.randrange(2 * EVENTS // CUTS)):
                        frames.close()
                        break
                    how = draw.randrange(3)
                    self.cut(how, hub, frames)
                    if how != 0:
                        self.take(frames, seen, None)  # what was on its way
                        frames.close()
                    if how == 2:
                        hub.wait_for("call.imported")
                with Frames(self.bob, hub, "quic") as frames:
                    frames.ask("1", "/office-ticks/watch", resume_after=seen["last"])
                    self.assertTrue(self.take(frames, seen, None), "it comes to its end")
                self.assertEqual(seen["last"], EVENTS)
                self.assertEqual(seen["count"] + seen["missed"], EVENTS)


if __name__ == "__main__":
    unittest.main()
