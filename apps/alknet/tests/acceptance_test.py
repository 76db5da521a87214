"""What callers may rely on, between two real nodes: aborts, slow readers, bad tokens, ends of nodes."""

import hashlib
import json
import select
import signal
import socket
import subprocess
import time
import unittest

import support
from call_test import TRANSPORTS, Frames
from support import EXIT_FAILURE, OTHER_ID, PATIENCE_S, Node, TestCase

RECORDS = 10_000
CALLS = 400
CALLS_PER_SECOND = 100


class Dark:
    """Somebody who takes connections, and says nothing until it hangs up."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(PATIENCE_S)
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"

    def peer(self):
        return f'[[peer]]\nname = "dark"\nkeys = ["{OTHER_ID}"]\naddress = "{self.address}"\ntransports = ["tcp"]\n'

    def accept(self):
        connection, _ = self.listener.accept()
        connection.settimeout(PATIENCE_S)
        return connection

    def hang_up(self, connection):
        self.listener.close()
        connection.close()


def until_its_end(connection):
    """What comes first is a hello."""
    try:
        while connection.recv(4096):
            pass
    except ConnectionResetError:
        pass


class Acceptance(TestCase):
    def setUp(self):
        super().setUp()
        self.node_home = self.home("node")
        self.bob = self.home("bob")

    def admit(self, *scopes, more=""):
        texts = ", ".join(f'"{scope}"' for scope in scopes)
        self.node_home.configure(f'[[peer]]\nname = "bob"\nkeys = ["{self.bob.id}"]\nscopes = [{texts}]\n{more}')

    def test_an_abort_ends_what_runs_there_and_what_that_has_begun(self):
        dark = Dark()
        self.addCleanup(dark.listener.close)
        self.admit("node:paths", "node:read", more=dark.peer())
        with Node(self.node_home) as node:
            for transport in TRANSPORTS:
                with Frames(self.bob, node, transport) as frames:
                    frames.ask("slow", "/node/paths", input={"peer": "dark"})
                    with dark.accept() as begun:
                        frames.send("call.aborted", "slow", {})
                        until_its_end(begun)
                    frames.ask("next", "/node/info")
                    self.assertEqual(frames.next()[:2], ("call.responded", "next"))
                # The same when the caller goes.
                frames = Frames(self.bob, node, transport)
                frames.ask("slow", "/node/paths", input={"peer": "dark"})
                with dark.accept() as begun:
                    frames.close()
                    until_its_end(begun)

    def test_a_call_that_runs_is_answered_by_a_node_that_stops(self):
        for transport in TRANSPORTS:
            dark = Dark()
            self.admit("node:paths", more=dark.peer())
            with Node(self.node_home) as node, Frames(self.bob, node, transport) as frames:
                frames.ask("slow", "/node/paths", input={"peer": "dark"})
                begun = dark.accept()
                node.send(signal.SIGTERM)
                path = str(self.node_home.path / "control.sock")
                try:
                    while True:  # until nobody listens there
                        with socket.socket(socket.AF_UNIX) as control:
                            control.connect(path)
                except OSError:
                    pass
                dark.hang_up(begun)
                kind, name, payload = frames.next()
                self.assertEqual((kind, name, payload["output"]["peer"]), ("call.responded", "slow", "dark"))
                node.stop()

    def write_audit_log(self):
        """As docs/audit.md says."""
        prev = "0" * 64
        with (self.node_home.path / "audit.log").open("wb") as log:
            for seq in range(1, RECORDS + 1):
                line = json.dumps({"seq": seq, "prev": prev, "time": "2027-01-15T08:00:00.000Z", "event": "test.event",
                                   "detail": f"number {seq}"}, separators=(",", ":")).encode()
                prev = hashlib.sha256(line).hexdigest()
                log.write(line + b"\n")
        head = self.node_home.path / "audit.head"
        head.write_text(f"alknet-audit-head 1 {seq:020} {prev}\n")
        for file in (head, head.with_name("audit.log")):
            file.chmod(0o600)
        self.assertEqual(self.node_home.json("audit", "verify")["records"], RECORDS)

    def test_a_slow_reader_loses_nothing(self):
        self.write_audit_log()
        self.admit("audit:read", "node:read")
        with Node(self.node_home) as node:
            for transport in TRANSPORTS:
                with Frames(self.bob, node, transport) as slow:
                    slow.ask("all", "/audit/tail", resume_after=0)
                    seen = [slow.next()[2]]
                    # Nobody else waits for it.
                    for _ in range(3):
                        self.bob.json("call", node.address, "node/info", "--only", transport)
                    while seen[-1]["seq"] < RECORDS:
                        seen.append(slow.next()[2])
                self.assertEqual([one["seq"] for one in seen], list(range(1, RECORDS + 1)))
                self.assertTrue(all(one["output"]["detail"] == f"number {one['seq']}" and "missed" not in one
                                    for one in seen))

    def test_a_bad_token_is_worth_less_than_none(self):
        self.admit("node:read")
        with Node(self.node_home) as node:
            for transport in TRANSPORTS:
                with Frames(self.bob, node, transport) as frames:
                    frames.ask("1", "/node/info", auth_token="alk_" + "a" * 52)
                    kind, name, payload = frames.next()
                    self.assertEqual((kind, name, payload["code"]), ("call.error", "1", "FORBIDDEN"))
                    with self.assertRaises(EOFError):
                        while True:  # perhaps why, and then the end
                            self.assertEqual(frames.next()[:2], ("call.error", ""))
                self.assertIn("node_id", self.bob.json("call", node.address, "node/info", "--only", transport))

    def test_a_signed_token_opens_one_stream_once(self):
        """Whoever sees it go by has nothing of it; nor is it worth anything at another node or for another purpose."""
        self.admit("node:read")
        stranger, other = self.home("stranger"), self.home("other")
        with Node(self.node_home) as node:

            def signed(address=node.address, purpose="alknet/call"):
                return self.bob.json("token", "sign", "--for", address, "--purpose", purpose)["token"]

            def answer(token, transport):
                with Frames(stranger, node, transport) as frames:
                    frames.ask("1", "/node/info", auth_token=token)
                    return frames.next()

            elsewhere = f"alknet://{other.id}@127.0.0.1:1"
            for transport in TRANSPORTS:
                # A node accepts signatures from the second after its start on.
                for _ in range(1000):
                    token = signed()
                    if answer(token, transport)[0] == "call.responded":
                        break
                for bad in (token, signed(elsewhere), signed(purpose="http"), token[:-2], token + "AA"):
                    kind, name, payload = answer(bad, transport)
                    self.assertEqual((kind, name, payload["code"], payload["details"]["cause"]),
                                     ("call.error", "1", "FORBIDDEN", "E-TOKEN-INVALID"))
                self.assertEqual(answer(signed(), transport)[0], "call.responded")

    def test_a_detached_call_goes_on_without_its_caller(self):
        self.admit("node:paths")
        for transport in TRANSPORTS:
            dark = Dark()
            self.admit("node:paths", more=dark.peer())
            with Node(self.node_home) as node:
                with Frames(self.bob, node, transport) as frames:
                    frames.ask("1", "/node/paths", input={"peer": "dark"}, detach=True)
                    run = frames.next()[2]["output"]["run"]
                    begun = dark.accept()
                with Frames(self.home(f"carol-{transport}"), node, transport) as frames:
                    frames.ask("1", "/runs/get", input={"run": run})
                    self.assertEqual(frames.next()[2]["code"], "FORBIDDEN")
                with Frames(self.bob, node, transport) as frames:
                    frames.ask("1", "/runs/get", input={"run": run})
                    self.assertEqual(frames.next()[2]["output"]["state"], "running")
                    frames.ask("2", "/runs/wait", input={"run": run})
                    dark.hang_up(begun)
                    done = frames.next()[2]["output"]
                    self.assertEqual((done["state"], done["output"]["peer"]), ("done", "dark"))

    def test_a_shared_stream_carries_as_much_of_a_subscription_as_there_is_credit_for(self):
        self.write_audit_log()
        self.admit("audit:read", "node:read")
        with Node(self.node_home) as node:
            for transport in TRANSPORTS:
                with Frames(self.bob, node, transport) as frames:
                    frames.ask("all", "/audit/tail", resume_after=0, credit=2)
                    self.assertEqual([frames.next()[2]["seq"] for _ in range(2)], [1, 2])
                    for number in range(3, 6):
                        # Nothing else is between: items wait for credit, and calls for nobody.
                        frames.ask("call", "/node/info")
                        self.assertEqual(frames.next()[:2], ("call.responded", "call"))
                        frames.send("call.credit", "all", {"credit": 1})
                        kind, name, payload = frames.next()
                        self.assertEqual((kind, name, payload["seq"]), ("call.responded", "all", number))

    def ask_on(self, node, asked, answers):
        """A batch at a fixed pace, which the killing and starting of the node happens beside."""
        due = time.monotonic()
        batch = subprocess.Popen(
            [support.PROGRAM, "call", node.address, "node/info", "--batch", "--timeout", "2s", "--parallel", "1000",
             "--home", str(self.bob.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=support.clean_environment())
        self.addCleanup(batch.kill)
        for number in range(1, CALLS + 1):
            batch.stdin.write(b"{}\n")
            batch.stdin.flush()
            due += 1 / CALLS_PER_SECOND
            while select.select([batch.stdout], [], [], max(0, due - time.monotonic()))[0]:
                answers.append(json.loads(batch.stdout.readline()))
            asked(number, answers)
        batch.stdin.close()
        answers += [json.loads(line) for line in batch.stdout]
        batch.stdout.close()
        return batch.wait(PATIENCE_S)

    def test_each_call_ends_when_the_node_is_killed_and_started_again(self):
        self.admit("node:read")
        with Node(self.node_home) as first:
            nodes = [first]

            def kill_and_start(number, answers):
                if number == CALLS // 4:
                    self.assertTrue(any("output" in one for one in answers))
                    first.process.kill()
                    first.process.wait(PATIENCE_S)
                if number == CALLS // 2:
                    nodes.append(Node(self.node_home, listen=(first.bare,)))

            answers = []
            code = self.ask_on(first, kill_and_start, answers)
            self.assertEqual(code, EXIT_FAILURE)
            self.assertEqual(sorted(one["id"] for one in answers), list(range(1, CALLS + 1)))
            self.assertTrue(all(("output" in one) != ("error" in one) for one in answers))
            with nodes[1] as again:
                listed = self.bob.json("call", again.address, "--list")["operations"]
                self.assertIn("/node/info", {one["name"] for one in listed})


if __name__ == "__main__":
    unittest.main()
