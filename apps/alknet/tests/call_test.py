"""alknet/call between two real nodes: what peers may call, and how `alknet call` says it."""

import json
import os
import pty
import select
import signal
import subprocess
import unittest

import support
from support import EXIT_REFUSED, EXIT_USAGE, PATIENCE_S, Node, TestCase
from control_test import Control

TRANSPORTS = ("quic", "tcp")


class Frames(Control):
    """A caller by hand, over whatever `alknet pipe` connects."""

    def __init__(self, home, node, transport):
        self.process = subprocess.Popen(
            [support.PROGRAM, "pipe", "--home", str(home.path), node.address, "--alpn", "alknet/call",
             "--only", transport], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, env=support.clean_environment())
        self.socket = self

    def sendall(self, octets):
        self.process.stdin.write(octets)
        self.process.stdin.flush()

    def recv(self, size):
        return self.process.stdout.read(size)

    def close(self):
        for end in (self.process.stdin, self.process.stdout):
            try:
                end.close()
            except BrokenPipeError:
                pass  # what was not yet sent
        self.process.kill()
        self.process.wait(PATIENCE_S)


class Calls(TestCase):
    def setUp(self):
        super().setUp()
        self.node_home = self.home("node")
        self.bob = self.home("bob")

    def admit(self, *scopes):
        self.node_home.run("peer", "add", "bob", "--key", self.bob.id, "--scopes", ",".join(scopes))

    def call(self, node, *arguments, home=None):
        return (home or self.bob).json("call", node.address, *arguments)

    def test_say_the_same_over_each_transport_and_on_the_control_socket(self):
        self.admit("node:read", "peers:manage")
        for loops in (1, 2):
            self.node_home.configure(f"[runtime]\nloops = {loops}\n")
            with Node(self.node_home) as node:
                answers = []
                for transport in TRANSPORTS:
                    only = ("--only", transport)
                    listed = self.call(node, "--list", *only)["operations"]
                    schema = self.call(node, "--schema", "/peers/name", *only)
                    info = self.call(node, "node/info", *only)
                    one = self.call(node, "node/connections", "limit=1", *only)
                    (mine,) = one["connections"]
                    self.assertEqual((mine["service"], mine["transport"]), ("alknet/call", transport))
                    for name in ("uptime_s", "connections", "half_open"):
                        del info[name]
                    answers.append((listed, schema, info))
                self.assertEqual(answers[0], answers[1])
                listed, schema, info = answers[0]
                self.assertEqual(info["node_id"], self.node_home.id)
                names = {one["name"] for one in listed}
                self.assertLessEqual({"/services/list", "/services/schema", "/node/info", "/peers/add"}, names)
                self.assertTrue(names.isdisjoint({"/node/close", "/tokens/list", "/config/reload"}))
                self.assertEqual(schema["input"]["required"], ["name", "new_name"])
                with Control(self.node_home.path / "control.sock") as control:
                    control.ask("1", "/services/schema", input={"name": "/peers/name"})
                    self.assertEqual(control.next()[2]["output"], schema)

    def test_are_listed_exactly_when_they_can_be_called(self):
        """What a peer may not call is refused with the scope it lacks, and its schema is too."""
        self.admit("node:read", "tokens:read")
        with Node(self.node_home) as node, Control(self.node_home.path / "control.sock") as control:
            control.ask("1", "/services/list")
            everything = {one["name"]: one.get("scope") for one in control.next()[2]["output"]["operations"]}
            mine = {one["name"] for one in self.call(node, "--list")["operations"]}
            self.assertEqual(mine, {name for name, scope in everything.items()
                                    if scope in (None, "node:read", "tokens:read")})
            with Frames(self.bob, node, "quic") as frames:
                for number, (name, scope) in enumerate(everything.items()):
                    frames.ask(str(number), "/services/schema", input={"name": name})
                    shown = frames.next()
                    # Nothing takes this: what may not be called is refused before it is looked at.
                    frames.ask(f"c{number}", name, input={"no such member": 1})
                    called = frames.next()
                    if name in mine:
                        self.assertEqual(shown[0], "call.responded", name)
                        self.assertEqual(called[2]["code"], "INVALID_INPUT", name)
                        continue
                    for answer in (shown, called):
                        self.assertEqual(answer[2]["code"], "FORBIDDEN", name)
                        self.assertEqual(answer[2]["details"]["detail"], scope, name)

    def test_of_a_stranger_tell_nothing(self):
        with Node(self.node_home) as node:
            for transport in TRANSPORTS:
                listed = self.call(node, "--list", "--only", transport)["operations"]
                self.assertEqual([one["name"] for one in listed], ["/services/list", "/services/schema"])
                with Frames(self.bob, node, transport) as frames:
                    answers = []
                    for name in ("/node/info", "/no/such"):
                        frames.ask("same", name)
                        answers.append(json.dumps(frames.next()).replace(name, ""))
                    self.assertEqual(answers[0], answers[1])
                    self.assertIn("FORBIDDEN", answers[0])
                    # A frame above 64 KiB is not even read.
                    frames.socket.sendall((64 * 1024 + 1).to_bytes(4, "big"))
                    kind, name, payload = frames.next()
                    self.assertEqual((kind, name, payload["code"]), ("call.error", "", "LIMIT"))
            refused = self.bob.error("call", node.address, "node/info", expect=EXIT_REFUSED)
            self.assertEqual(refused["id"], "E-AUTH-REQUIRED")

    def test_change_the_node_as_the_peer_that_it_is(self):
        self.admit("peers:manage", "peers:read", "node:admin")
        key = self.home("carol").id
        for loops in (1, 2):
            self.node_home.configure(f"[runtime]\nloops = {loops}\n")
            with Node(self.node_home) as node:
                for transport in TRANSPORTS:
                    added = self.call(node, "peers/add", "name=carol", f"keys={key}", "scopes=a:b,c:d",
                                      "--only", transport)
                    self.assertEqual(added["peer"]["scopes"], ["a:b", "c:d"])
                    self.assertIn("carol", {one["name"] for one in self.call(node, "peers/list")["peers"]})
                    self.call(node, "peers/remove", '{"name": "carol"}', "--only", transport)
                # Nobody takes the rule from itself by mistake.
                last = self.bob.error("call", node.address, "peers/remove", "name=bob",
                                      expect=support.EXIT_CONFIG)
                self.assertEqual(last["id"], "E-ACCESS-LAST-ADMIN")
        who = [line for line in self.node_home.run("audit", "show", "--json").stdout.splitlines()
               if "peer.added" in line]
        mine = self.node_home.json("peer", "list")["peers"][0]["id"]
        self.assertNotIn('"by"', who[0])
        self.assertEqual([json.loads(line)["by"] for line in who[1:]], [mine] * 4)

    def test_end_when_their_peer_does(self):
        self.admit("node:read")
        with Node(self.node_home) as node:
            both = [Frames(self.bob, node, transport) for transport in TRANSPORTS]
            for frames in both:
                self.addCleanup(frames.close)
                frames.ask("1", "/node/info")
                self.assertEqual(frames.next()[0], "call.responded")
            self.node_home.run("peer", "remove", "bob")
            for frames in both:
                with self.assertRaises(EOFError):
                    frames.next()

    def test_take_their_input_in_each_form(self):
        self.admit("node:read", "peers:read")
        with Node(self.node_home) as node:
            (self.directory / "in.json").write_text('{"limit": 1}')
            for arguments, options in (
                    (("limit=1",), {}), (("limit:=1",), {}), (('{"limit": 1}',), {}),
                    ((f"@{self.directory}/in.json",), {}), (("-",), {"input": '{"limit": 1}'}),
                    (('{"limit": 7}', "limit=1"), {})):
                done = self.bob.run("call", node.address, "/node/connections", *arguments, **options)
                # Not on a terminal: one line of JSON.
                (line,) = done.stdout.splitlines()
                self.assertEqual(len(json.loads(line)["connections"]), 1, arguments)
            (self.directory / "list.json").write_text("[]")
            for arguments, why in (
                    (("node/connections", "limit=x"), "limit takes a whole number"),
                    (("node/connections", "limt=1"), "takes no limt"),
                    (("node/connections", '{"limit": "1"}'), "/limit: must be a whole number"),
                    (("node/connections", '{"limit": 10001}'), "limit is at most 10000"),
                    (("node/connections", "{"), "the input is no JSON"),
                    (("node/connections", "{}", "{}"), "one INPUT alone"),
                    (("node/connections", "limit=1", "limit=2"), "limit is given twice"),
                    (("node/connections", '{"limit": 1, "limit": 2}'), "the input is no JSON"),
                    (("node/connections", f"@{self.directory}/list.json", "limit=1"), "adds to a JSON object"),
                    (("node/connections", f"@{self.directory}/list.json"), "the input must be an object"),
                    (("node/connections", "@none"), "cannot read none"),
                    (("nothing",), "SERVICE/NAME"), ((), "one of OPERATION"),
                    (("node/info", "--list"), "one of OPERATION")):
                wrong = self.bob.error("call", node.address, *arguments, expect=EXIT_USAGE)
                self.assertIn(why, wrong["detail"])
            none = self.bob.error("call", node.address, "no/such", expect=EXIT_REFUSED)
            self.assertEqual((none["id"], none["detail"]), ("E-CALL-NO-OPERATION", "/no/such"))
            self.assertIn("--list", none["next"])
            lacks = self.bob.error("call", node.address, "node/close", "id=x", expect=EXIT_REFUSED)
            self.assertEqual((lacks["id"], lacks["detail"]), ("E-AUTH-SCOPE", "node:manage"))
            node.stop()
            down = self.bob.error("call", node.address, "node/info", "--only", "tcp",
                                  expect=support.EXIT_UNREACHABLE)
            self.assertNotEqual(down["next"], "")

    def test_of_a_batch_are_answered_line_by_line(self):
        self.admit("node:read")
        with Node(self.node_home) as node:
            lines = ['{"operation": "/node/info", "id": "a"}',
                     '{"operation": "node/connections", "input": {"limit": 1}, "id": {"x": 1}}',
                     '', '{"operation": "node/connections", "input": {"limit": "1"}}', 'nonsense',
                     '{"operation": "node/close", "input": {"id": "x"}, "id": 7}', '{"operation": "nothing", "id": 8}',
                     '{"operation": "services/list", "more": 1}', '[]', "é" * 5, '{"operation": "services/list"}']
            done = self.bob.run("call", node.address, "--batch", "--parallel", 2, input="\n".join(lines),
                                expect=support.EXIT_FAILURE)
            answers = {json.dumps(one["id"]): one for one in map(json.loads, done.stdout.splitlines())}
            self.assertEqual(set(answers), {'"a"', '{"x": 1}', "4", "5", "7", "8", "8", "9", "10", "11"})
            self.assertEqual(answers['"a"']["output"]["node_id"], self.node_home.id)
            self.assertEqual(len(answers['{"x": 1}']["output"]["connections"]), 1)
            self.assertIn("operations", answers["11"]["output"])
            for number, cause, why in (("4", "E-USAGE", "/limit: "), ("5", "E-USAGE", "no JSON"),
                                       ("7", "E-AUTH-SCOPE", "node:manage"), ("9", "E-USAGE", "an object"),
                                       ("10", "E-USAGE", "no JSON")):
                self.assertEqual(answers[number]["error"]["id"], cause, number)
                self.assertIn(why, answers[number]["error"]["detail"])
            # The same operation for each line, more of them than run at a time.
            done = self.bob.run("call", node.address, "node/connections", "--batch",
                                input='{"limit": 1}\n' * 500)
            answers = [json.loads(line) for line in done.stdout.splitlines()]
            self.assertEqual({one["id"] for one in answers}, set(range(1, 501)))
            self.assertTrue(all(len(one["output"]["connections"]) == 1 for one in answers))
            self.assertEqual(self.bob.run("call", node.address, "--batch").stdout, "")
            for arguments in (("--batch", "--list"), ("--batch", "node/info", "x=1"),
                              ("--batch", "node/info", "--subscribe"), ("--parallel", "7", "node/info")):
                self.bob.error("call", node.address, *arguments, expect=EXIT_USAGE)

    def test_have_names_that_shells_complete(self):
        self.admit("node:read")
        script = support.run("completion", "bash").stdout
        lines = []

        def complete(*words):
            lines.append(words)
            quoted = " ".join(f"'{word}'" for word in (support.PROGRAM, *map(str, words)))
            return f"\nCOMP_WORDS=({quoted}); COMP_CWORD={len(words)}\n_alknet\necho ${{COMPREPLY[*]}}\n"

        home = ("--home", self.bob.path)
        with Node(self.node_home) as node:
            host, port = node.bare.split(":")
            parted = ("alknet", ":", f"//{self.node_home.id}", "@", host, ":", port)
            script += complete(*home, "call", *parted, "node/")
            script += complete("call", *parted, *home, "--only", "tcp", "services/l")
            script += complete("call", *parted, *home, "node/info", "li")
            script += complete("call", *parted, "--ba")
            done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True,
                                  timeout=PATIENCE_S, env=support.clean_environment())
            node.stop()
        gone = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True,
                              timeout=PATIENCE_S, env=support.clean_environment())
        self.assertEqual(done.stdout.splitlines(),
                         ["node/connections node/info", "services/list services/list-peers", "", "--batch"])
        self.assertEqual(gone.stdout.splitlines(), ["", "", "", "--batch"])
        self.assertEqual(done.stderr + gone.stderr, "")

    def subscribe(self, node, *arguments):
        process = subprocess.Popen(
            [support.PROGRAM, "call", node.address, "events/watch", "--subscribe", *map(str, arguments),
             "--home", str(self.bob.path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL, env=support.clean_environment())
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        return process

    def test_subscribe_to_what_the_node_decides(self):
        self.admit("events:read", "config:reload")
        for loops in (1, 2):
            self.node_home.configure(f"[runtime]\nloops = {loops}\n")
            with Node(self.node_home) as node:
                for transport in TRANSPORTS:
                    process = self.subscribe(node, "--only", transport)
                    # Nothing says that it watches: the events of this come before and after.
                    seen = []
                    while not seen:
                        self.call(node, "config/reload")
                        if select.select([process.stdout], [], [], 0.2)[0]:
                            seen.append(json.loads(process.stdout.readline()))
                    last = self.call(node, "config/reload")
                    while seen[-1]["output"]["event"] != "config.reloaded":
                        seen.append(json.loads(process.stdout.readline()))
                    numbers = [one["seq"] for one in seen]
                    self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(seen))))
                    self.assertEqual(last, {"reloaded": True})
                    process.send_signal(signal.SIGINT)
                    self.assertEqual(process.wait(PATIENCE_S), 130)
                    # Whoever comes back gets what came meanwhile.
                    again = self.subscribe(node, "--only", transport, "--after", numbers[0] - 1)
                    for expected in seen:
                        self.assertEqual(json.loads(again.stdout.readline()), expected)
                    again.kill()
                wrong = self.bob.error("call", node.address, "config/reload", "--subscribe", expect=EXIT_USAGE)
                self.assertEqual(wrong["id"], "E-CALL-TYPE")
                ahead = self.bob.error("call", node.address, "events/watch", "--subscribe", "--after", 2**60,
                                       expect=EXIT_USAGE)
                self.assertIn("resume_after", ahead["detail"])
                # Of an earlier run: what is missing is told.
                old = self.subscribe(node, "--after", 1)
                self.assertGreaterEqual(json.loads(old.stdout.readline())["missed"], 1)
                # Nobody watches who is not allowed to any more, and a node that stops tells why it ends.
                self.node_home.run("peer", "scopes", "bob", "--remove", "events:read", "--add", "node:read")
                self.assertEqual(old.wait(PATIENCE_S), EXIT_REFUSED)
                self.node_home.run("peer", "scopes", "bob", "--remove", "node:read", "--add", "events:read")

    def on_a_terminal(self, *arguments):
        ours, theirs = pty.openpty()
        with os.fdopen(ours, "rb", buffering=0) as terminal:
            process = subprocess.Popen([support.PROGRAM, *map(str, arguments)], stdout=theirs,
                                       stdin=subprocess.DEVNULL, env=support.clean_environment())
            os.close(theirs)
            text = b""
            while True:
                try:
                    part = terminal.read(4096)
                except OSError:  # the other end is closed
                    break
                if not part:
                    break
                text += part
            self.assertEqual(process.wait(PATIENCE_S), 0)
        return text.decode().replace("\r\n", "\n")

    def test_are_readable_on_a_terminal(self):
        self.admit("node:read")
        with Node(self.node_home) as node:
            home = ("--home", self.bob.path)
            listed = self.on_a_terminal("call", node.address, "--list", *home)
            self.assertRegex(listed, r"/node/info +query +what the node is and has\n")
            info = self.on_a_terminal("call", node.address, "node/info", *home)
            self.assertRegex(info, rf"(?m)^node_id +{self.node_home.id}$")
            self.assertRegex(info, rf"(?m)^listeners:\n  - name +listen-1\n    address +{node.bare}$")
            self.assertRegex(info, r"(?m)^services +alknet/echo, ")
            self.assertEqual(json.loads(self.on_a_terminal("call", node.address, "node/info", "--json", *home))
                             ["node_id"], self.node_home.id)


if __name__ == "__main__":
    unittest.main()
