"""The control socket: commands on one's own node, while it runs and while it does not."""

import json
import os
import signal
import socket
import struct
import subprocess
import threading
import unittest

import support
from support import EXIT_CONFIG, EXIT_UNREACHABLE, EXIT_USAGE, PATIENCE_S, Home, Node, TestCase

RULES = '[alpn."alknet/echo"]\nidentity_required = true\n'


class Control:
    """Another implementation of a caller: frames by hand."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(str(path))

    def send(self, kind, name, payload):
        text = json.dumps({"type": kind, "id": name, "payload": payload}).encode()
        self.socket.sendall(struct.pack(">I", len(text)) + text)

    def ask(self, name, operation, **members):
        self.send("call.requested", name, {"operationId": operation, **members})

    def octets(self, size):
        got = b""
        while len(got) < size:
            part = self.socket.recv(size - len(got))
            if not part:
                raise EOFError
            got += part
        return got

    def next(self):
        event = json.loads(self.octets(struct.unpack(">I", self.octets(4))[0]))
        return event["type"], event["id"], event["payload"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


class ControlSocket(TestCase):
    def test_is_its_owners_alone(self):
        home = self.home()
        with Node(home) as node:
            path = home.path / "control.sock"
            self.assertEqual(path.stat().st_mode & 0o777, 0o600)
            info = home.json("status")
            self.assertEqual(info["node_id"], home.id)
            self.assertEqual(info["process"], node.process.pid)
            self.assertIn(node.bare, [one["address"] for one in info["listeners"]])
            self.assertIn(node.bare, home.run("status").stdout)
            self.assertEqual(home.error("serve", expect=EXIT_CONFIG)["id"], "E-HOME-INVALID")
            node.stop()
            self.assertFalse(path.exists())
        self.assertEqual(home.error("status", expect=EXIT_UNREACHABLE)["id"], "E-NET-NODE-DOWN")

    def test_of_another_user_is_refused(self):
        """The kernel's word counts, whatever the modes of files say."""
        if os.geteuid() != 0:
            return  # only root can become somebody else
        home = self.home()
        with Node(home) as node:
            self.directory.chmod(0o755)
            home.path.chmod(0o711)
            (home.path / "control.sock").chmod(0o666)
            code = ("import socket,os,sys\nos.setuid(65534)\ns=socket.socket(socket.AF_UNIX)\n"
                    f"s.connect({str(home.path / 'control.sock')!r})\nsys.exit(len(s.recv(1)))")
            refused = subprocess.run(["python3", "-c", code], check=False, timeout=PATIENCE_S)
            self.assertEqual(refused.returncode, 0)
            self.assertIn("65534", node.wait_for("control.refused"))
            home.path.chmod(0o700)
            home.run("status")

    def test_of_a_dead_node_is_replaced_and_of_a_live_one_never(self):
        home = self.home()
        with Node(home) as node:
            node.process.kill()
            node.process.wait(PATIENCE_S)
            self.assertTrue((home.path / "control.sock").exists())
            # Nobody listens there: the files are worked on.
            self.assertEqual(home.json("peer", "list"), {"peers": [], "refused": []})
            home.error("status", expect=EXIT_UNREACHABLE)
        with Node(home):
            home.run("status")
            home.error("serve", expect=EXIT_CONFIG)
            home.run("status")

    def test_that_somebody_takes_away_is_made_again(self):
        home = self.home()
        with Node(home) as node:
            path = home.path / "control.sock"
            with Control(path) as control:
                for _ in range(2):
                    path.unlink()
                    self.assertIn(str(path), node.wait_for("control.made_again"))
                    self.assertEqual(path.stat().st_mode & 0o777, 0o600)
                    self.assertEqual(home.json("status")["node_id"], home.id)
                control.ask("1", "/node/info")  # whoever was there stays
                self.assertEqual(control.next()[0], "call.responded")
            # What has come in its place is somebody's, and stays.
            path.unlink()
            node.wait_for("control.made_again")
            path.rename(path.with_name("mine"))
            node.wait_for("control.made_again")
            self.assertTrue(path.exists())
        self.assertFalse(path.exists())

    def test_is_reached_however_long_its_path_is(self):
        deep = self.directory / ("d" * 120) / ("e" * 120)
        deep.mkdir(parents=True)
        home = Home(deep)
        with Node(home):
            self.assertEqual(home.json("status")["home"], str(home.path))
            self.assertEqual(home.json("peer", "list"), {"peers": [], "refused": []})

    def test_speaks_the_call_protocol(self):
        with Node(self.home()) as node, Control(node.home.path / "control.sock") as control:
            control.ask("1", "/services/list", input={})
            kind, name, payload = control.next()
            self.assertEqual((kind, name), ("call.responded", "1"))
            offered = {one["name"]: one for one in payload["output"]["operations"]}
            self.assertEqual(offered["/peers/add"]["kind"], "mutation")
            self.assertEqual(offered["/peers/list"]["scope"], "peers:read")
            for number, (operation, more, code) in enumerate((
                    ("/no/such", {}, "NOT_FOUND"), ("nothing", {}, "INVALID_INPUT"),
                    ("/node/info", {"input": {"stray": 1}}, "INVALID_INPUT"),
                    ("/peers/add", {"input": {"name": 7}}, "INVALID_INPUT"),
                    ("/peers/remove", {"input": {"name": "bob"}}, "NOT_FOUND"))):
                control.ask(str(number), operation, **more)
                kind, name, payload = control.next()
                self.assertEqual((kind, name, payload["code"]), ("call.error", str(number), code))
            control.send("call.later", "x", {})
            control.send("call.aborted", "x", {})
            control.ask("2", "/node/info")
            self.assertEqual(control.next()[0], "call.responded")
            control.socket.sendall(b"\xff\xff\xff\xff")
            kind, name, payload = control.next()
            self.assertEqual((kind, name, payload["code"]), ("call.error", "", "LIMIT"))
            with self.assertRaises(EOFError):
                control.next()
            # Whoever breaks the rules is alone with it.
            node.home.run("status")


class Credentials(TestCase):
    def call(self, node, operation, token):
        with Control(node.home.path / "control.sock") as control:
            control.ask("1", operation, input={}, auth_token=token)
            kind, _, payload = control.next()
            return kind, payload.get("code")

    def test_ends_what_its_callers_leave_behind(self):
        """Who closes a socket looks like one who says no more, and 64 may connect at a time."""
        home = self.home()
        with Node(home):
            for _ in range(100):
                with Control(home.path / "control.sock") as control:
                    control.ask("1", "/events/watch", input={}, credit=0)
                    control.ask("2", "/node/info", input={})
                    while control.next()[1] != "2":
                        pass
            home.run("status")

    def test_of_this_home_is_called_as_any_other(self):
        home = self.home()
        self.assertEqual(home.error("call", ".", "node/info", expect=EXIT_UNREACHABLE)["id"], "E-NET-NODE-DOWN")
        with Node(home):
            self.assertEqual(home.json("call", ".", "node/info")["node_id"], home.id)
            names = [one["name"] for one in home.json("call", ".", "--list")["operations"]]
            self.assertIn("/peers/add", names)
            # Each stands in the document of the protocol, with all that it takes.
            written = (support.ROOT / "docs/protocol/call.md").read_text()
            for name in names:
                if name not in ("/peers/disable", "/peers/enable"):  # with /peers/remove in one row
                    self.assertIn(f"`{name}`", written)
                for member in home.json("call", ".", "--schema", name)["input"].get("properties", {}):
                    self.assertIn(f"`{member}`", written, name)
            quiet = home.error("call", ".", "events/watch", "--timeout", "1s", expect=EXIT_USAGE)
            self.assertEqual(quiet["id"], "E-CALL-TYPE")
            self.assertIn("--subscribe", quiet["detail"])

    def test_one_key_is_one_peer_by_every_way(self):
        home, bob = self.home(), self.home("bob")
        home.run("peer", "add", "bob", "--key", bob.id, "--scopes", "peers:read")
        bearer = home.json("token", "add", "--peer", "bob")["token"]
        peer = home.json("peer", "list")["peers"][0]["id"]
        with Node(home) as node:
            bob.run("ping", node.address, "--count", 1, "--only", "quic")
            bob.run("ping", node.address, "--count", 1, "--only", "tcp")
            # A token is less than the socket gives, and nothing falls back to what that gives.
            self.assertEqual(self.call(node, "/peers/list", bearer), ("call.responded", None))
            self.assertEqual(self.call(node, "/tokens/list", bearer), ("call.error", "FORBIDDEN"))
            self.assertEqual(self.call(node, "/peers/list", bearer[:-1]), ("call.error", "FORBIDDEN"))
            # A node accepts signatures from the second after its start on.
            for _ in range(1000):
                signed = bob.json("token", "sign", "--for", node.address, "--purpose", "alknet/call")["token"]
                if self.call(node, "/peers/list", signed)[0] == "call.responded":
                    break
            self.assertEqual(self.call(node, "/peers/list", signed), ("call.error", "FORBIDDEN"), "it was used")
            node.stop()
        records = [json.loads(line) for line in (home.path / "audit.log").read_text().splitlines()]
        known = [(one["event"], one.get("transport"), one["peer"]) for one in records
                 if one["event"] in ("connection.admitted", "token.accepted") and "peer" in one]
        self.assertEqual(set(known), {("connection.admitted", "quic", peer), ("connection.admitted", "tcp", peer),
                                      ("token.accepted", None, peer)})
        self.assertEqual(sum(event == "token.accepted" for event, *_ in known), 3)


class Commands(TestCase):
    def everything(self, home, key):
        """The answers of a row of commands, without what chance decides."""
        answers = []
        for arguments in (
                ("peer", "list"), ("peer", "add", "bob", "--key", key, "--scopes", "a:b,c:d:e",
                                   "--expires", "2099-01-01", "--address", "node.example:7"),
                ("peer", "name", "bob", "robert"), ("peer", "disable", "robert"), ("peer", "enable", "robert"),
                ("peer", "scopes", "robert", "--remove", "a:b", "--add", "f:g"),
                ("peer", "renew", "robert", "--expires", "2098-01-01"), ("peer", "list"),
                ("token", "add", "--peer", "robert", "--label", "of robert"), ("token", "list"),
                ("peer", "remove", "robert"), ("peer", "list")):
            answer = home.json(*arguments)
            for one in [answer.get("peer", {}), answer, *answer.get("peers", []), *answer.get("tokens", [])]:
                for chance in ("id", "token"):
                    one.pop(chance, None)
            answers.append(answer)
            answers.append(home.run(*arguments[:2]).stdout if arguments[1] == "list" and arguments[0] == "peer" else "")
        for arguments, expect in ((("peer", "add", "x", "--key", "what"), EXIT_USAGE),
                                  (("peer", "remove", "x"), EXIT_CONFIG),
                                  (("peer", "add", "a b", "--key", key), EXIT_USAGE),
                                  (("token", "remove", "x"), EXIT_USAGE)):
            answers.append(home.error(*arguments, expect=expect))
        return answers

    def test_say_the_same_with_and_without_a_node(self):
        key = self.home("bob").id
        without = self.everything(self.home("without"), key)
        home = self.home("with")
        with Node(home) as node:
            self.assertEqual(self.everything(home, key), without)
            self.assertIn("config.reloaded", node.stop())
        # What the node wrote is what stands in the files.
        self.assertEqual(home.json("peer", "list"), {"peers": [], "refused": []})

    def test_are_in_force_when_they_end(self):
        home, bob = self.home(), self.home("bob")
        home.configure(RULES)
        with Node(home) as node:
            home.run("peer", "add", "bob", "--key", bob.id)
            bob.run("ping", node.address, "--count", 1)
            pipe = subprocess.Popen(
                [support.PROGRAM, "pipe", "--home", str(bob.path), node.address, "--alpn", "alknet/echo"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                env=support.clean_environment())
            self.addCleanup(pipe.stdin.close)
            self.addCleanup(pipe.stdout.close)
            self.addCleanup(pipe.kill)
            pipe.stdin.write(b"x\n")
            pipe.stdin.flush()
            self.assertEqual(pipe.stdout.readline(), b"x\n")
            home.run("peer", "remove", "bob")
            # The node has closed the connection: this is no newcomer's refusal.
            self.assertEqual(home.json("status")["peers"], 0)
            self.assertNotEqual(pipe.wait(PATIENCE_S), 0)
            bob.error("ping", node.address, "--count", 1, expect=support.EXIT_REFUSED)

    def test_show_and_close_connections(self):
        home, bob = self.home(), self.home("bob")
        for loops in (1, 2):
            home.configure(f"[runtime]\nloops = {loops}\n")
            with Node(home) as node:
                home.run("peer", "add", "bob", "--key", bob.id)
                pipes = []
                for transport in ("quic", "tcp"):
                    pipe = subprocess.Popen(
                        [support.PROGRAM, "pipe", "--home", str(bob.path), node.address, "--alpn", "alknet/echo",
                         "--only", transport], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                        stderr=subprocess.DEVNULL, env=support.clean_environment())
                    self.addCleanup(pipe.stdin.close)
                    self.addCleanup(pipe.stdout.close)
                    self.addCleanup(pipe.kill)
                    pipe.stdin.write(b"x\n")
                    pipe.stdin.flush()
                    self.assertEqual(pipe.stdout.readline(), b"x\n")
                    pipes.append(pipe)
                status = home.json("status")
                both = {one["transport"]: one for one in status["open"]}
                self.assertEqual(set(both), {"quic", "tcp"})
                self.assertEqual(status["connections"], 2)
                for one in both.values():
                    self.assertEqual((one["service"], one["fingerprint"], one["bytes_received"]),
                                     ("alknet/echo", bob.identity["fingerprint"], 2))
                    self.assertEqual(one["peer"], home.json("peer", "list")["peers"][0]["id"])
                    self.assertIn(one["id"], home.run("status").stdout)
                with Control(home.path / "control.sock") as control:
                    control.ask("1", "/node/connections", input={"limit": 1})
                    output = control.next()[2]["output"]
                    self.assertEqual((output["total"], len(output["connections"])), (2, 1))
                    for wrong in ({"limit": 10001}, {"limit": -1}):
                        control.ask("2", "/node/connections", input=wrong)
                        self.assertEqual(control.next()[2]["code"], "INVALID_INPUT")
                    for wrong in ({"id": "none"}, {"id": ""}, {}):
                        control.ask("3", "/node/close", input=wrong)
                        self.assertEqual(control.next()[2]["code"], "INVALID_INPUT")
                    control.ask("4", "/node/close", input={"id": both["tcp"]["id"]})
                    self.assertEqual(control.next()[2]["output"]["closed"], both["tcp"]["id"])
                pipes[1].wait(PATIENCE_S)
                pipes[0].stdin.write(b"y\n")
                pipes[0].stdin.flush()
                self.assertEqual(pipes[0].stdout.readline(), b"y\n")
                home.run("peer", "remove", "bob")
                pipes[0].wait(PATIENCE_S)

    def test_of_many_at_once_all_count(self):
        home = self.home()
        keys = [self.home(f"peer{i}").id for i in range(4)]

        def add_all():
            threads = [threading.Thread(target=home.run, args=("peer", "add", f"p{i}", "--key", key))
                       for i, key in enumerate(keys)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return {peer["name"] for peer in home.json("peer", "list")["peers"]}

        everybody = {f"p{i}" for i in range(4)}
        self.assertEqual(add_all(), everybody)
        for name in everybody:
            home.run("peer", "remove", name)
        with Node(home):
            self.assertEqual(add_all(), everybody)

    def test_reload_says_how_it_went(self):
        home = self.home()
        with Node(home) as node:
            home.run("reload")
            node.wait_for("config.reloaded")
            home.configure("[limits]\nnonsense = 1\n")
            bad = home.error("reload", expect=EXIT_CONFIG)
            self.assertEqual(bad["id"], "E-CONFIG-INVALID")
            self.assertIn("nonsense", bad["detail"])
            # Nothing can be checked together with a file that says nothing.
            home.error("peer", "add", "bob", "--key", home.id, expect=EXIT_CONFIG)
            home.configure("")
            home.run("reload")
            self.assertEqual(home.json("peer", "list"), {"peers": [], "refused": []})
            # A node that is told to stop lets its callers go.
            with Control(home.path / "control.sock") as control:
                node.send(signal.SIGTERM)
                with self.assertRaises((EOFError, ConnectionResetError)):
                    control.next()
                node.stop()

    def test_with_a_node_that_does_not_answer_change_nothing(self):
        home = self.home()
        with Node(home) as node:
            # Its socket is gone, and it does not run to make another.
            node.send(signal.SIGSTOP)
            (home.path / "control.sock").unlink()
            failed = home.error("peer", "list", expect=EXIT_UNREACHABLE)
            self.assertEqual(failed["id"], "E-STORE-BUSY")
            self.assertIn("control.sock", failed["detail"])
            node.send(signal.SIGCONT)
            node.wait_for("control.made_again")
            home.run("peer", "list")
            node.stop()
        home.run("peer", "list")


if __name__ == "__main__":
    unittest.main()
