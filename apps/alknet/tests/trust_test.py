"""Whom the program believes that is named by host alone: known_nodes, first use, and what changed."""

import json
import os
import pty
import re
import shlex
import signal
import socket
import ssl
import subprocess
import threading
import unittest

import support
from support import EXIT_CONFIG, EXIT_REFUSED, EXIT_USAGE, Node, PATIENCE_S, TestCase, clean_environment


class Terminal:
    """The program, on a terminal of its own."""

    def __init__(self, *arguments):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(support.PROGRAM, [support.PROGRAM, *map(str, arguments)], clean_environment())
        self.said = ""
        self.end = threading.Timer(PATIENCE_S, os.kill, (self.pid, signal.SIGKILL))
        self.end.start()

    def read(self):
        try:
            piece = os.read(self.fd, 4096).decode()
        except OSError:  # the other end has gone
            piece = ""
        self.said += piece
        return piece

    def wait_for(self, text):
        while text not in self.said:
            if not self.read():
                raise AssertionError(f"it ended without {text!r}: {self.said}")

    def answer(self, text):
        os.write(self.fd, text.encode() + b"\n")

    def finish(self):
        """Its exit code."""
        while self.read():
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def close(self):
        self.end.cancel()
        os.close(self.fd)


class TrustTest(TestCase):
    def setUp(self):
        super().setUp()
        self.server = self.home("server")
        self.client = self.home("client")
        self.node = Node(self.server)
        self.addCleanup(lambda: self.node.__exit__())
        self.name = self.node.bare

    def replace_node(self, name="another"):
        """The node's address is another one's from now on."""
        self.node.__exit__()
        self.server = self.home(name)
        self.node = Node(self.server, listen=(self.name,))

    def ping(self, *arguments, **options):
        return self.client.json("ping", self.name, "--count", 1, *arguments, **options)

    def refused(self, *arguments):
        return self.client.error("ping", self.name, "--count", 1, *arguments, expect=EXIT_REFUSED)

    def known(self):
        return {one["name"]: one["identity"] for one in self.client.json("known", "list")["known"]}

    @property
    def file(self):
        return self.client.path / "known_nodes"

    def on_terminal(self, *arguments):
        terminal = Terminal(*arguments, "--home", self.client.path)
        self.addCleanup(terminal.close)
        return terminal


class FirstUse(TrustTest):
    def test_needs_somebody_who_agrees(self):
        error = self.refused()
        self.assertEqual(error["id"], "E-TLS-UNVERIFIED")
        self.assertIn("ed25519:" + self.server.id, error["detail"])
        self.assertIn("--tofu", error["next"])
        # Without a terminal there is nobody to ask.
        done = self.client.run("ping", self.name, expect=EXIT_REFUSED, start_new_session=True)
        self.assertIn("--tofu", done.stderr)
        self.assertEqual(self.known(), {})

    def test_is_remembered(self):
        shown = self.ping("--tofu")
        self.assertEqual((shown["verified_by"], shown["peer"]), ("known", "ed25519:" + self.server.id))
        self.assertEqual(self.known(), {self.name: "ed25519:" + self.server.id})
        self.assertEqual(self.client.run("known", "list").stdout, f"{self.name} ed25519:{self.server.id}\n")
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)
        for transport in ("quic", "tcp"):
            self.assertEqual(self.ping("--only", transport)["verified_by"], "known")
        done = self.client.run("pipe", self.name, "--alpn", "alknet/echo", input="hello")
        self.assertEqual(done.stdout, "hello")
        ways = self.client.json("paths", self.name)["ways"]
        self.assertEqual({way["outcome"] for way in ways}, {"connected"})

    def test_asks_on_the_terminal(self):
        terminal = self.on_terminal("ping", self.name, "--count", 1)
        terminal.wait_for("(yes/no)? ")
        self.assertIn("ed25519:" + self.server.id, terminal.said)
        terminal.answer("no")
        self.assertEqual(terminal.finish(), EXIT_REFUSED)
        self.assertEqual(self.known(), {})
        terminal = self.on_terminal("ping", self.name, "--count", 1)
        terminal.wait_for("(yes/no)? ")
        terminal.answer("yes")
        self.assertEqual(terminal.finish(), 0)
        self.assertIn("verified by what it was when it was first trusted", terminal.said)
        self.assertEqual(self.known(), {self.name: "ed25519:" + self.server.id})
        terminal = self.on_terminal("ping", self.name, "--count", 1)
        self.assertEqual(terminal.finish(), 0)
        self.assertNotIn("yes/no", terminal.said)

    def test_can_be_interrupted_while_it_asks(self):
        terminal = self.on_terminal("ping", self.name)
        terminal.wait_for("(yes/no)? ")
        os.write(terminal.fd, b"\x03")  # Ctrl-C
        self.assertEqual(terminal.finish(), 130)
        self.assertNotIn("first", self.file.read_text())

    def test_of_a_program_that_was_killed_is_forgotten(self):
        terminal = self.on_terminal("ping", self.name)
        terminal.wait_for("(yes/no)? ")
        self.assertIn(f"{self.name} first ", self.file.read_text())
        terminal.kill()
        self.ping("--tofu")
        self.assertEqual(self.file.read_text(), f"alknet-known-nodes 1\n{self.name} ed25519:{self.server.id}\n")

    def test_two_that_see_different_keys_both_fail(self):
        terminal = self.on_terminal("ping", self.name)
        terminal.wait_for("(yes/no)? ")
        self.replace_node()
        error = self.refused("--tofu")
        self.assertEqual(error["id"], "E-TLS-KEY-MISMATCH")
        self.assertIn("two first contacts", error["detail"])
        terminal.answer("yes")
        self.assertEqual(terminal.finish(), EXIT_REFUSED)
        self.assertIn("two first contacts", terminal.said)
        self.assertEqual(self.known(), {})
        self.ping("--tofu")  # now that there is one alone


class Changed(TrustTest):
    def setUp(self):
        super().setUp()
        self.ping("--tofu")
        self.before = "ed25519:" + self.server.id

    def test_key_stops_everything(self):
        self.replace_node()
        now = "ed25519:" + self.server.id
        for arguments in ((), ("--tofu",), ("--only", "quic"), ("--only", "tcp")):
            error = self.refused(*arguments)
            self.assertEqual(error["id"], "E-TLS-KEY-MISMATCH")
            for part in (self.before, now, f"{self.file} line 2", "alknet known remove"):
                self.assertIn(part, error["detail"])
        self.assertEqual(self.known(), {self.name: self.before})

    def test_key_is_explained_and_can_be_forgotten(self):
        self.replace_node()
        now = "ed25519:" + self.server.id
        done = self.client.run("ping", self.name, expect=EXIT_REFUSED)
        self.assertRegex(done.stderr, rf"warning: {re.escape(self.name)} is NOT what it was")
        self.assertIn(f"before  {self.before}\n", done.stderr)
        self.assertIn(f"now     {now}\n", done.stderr)
        self.assertIn(f"known   {self.file}, line 2\n", done.stderr)
        command = next(line for line in done.stderr.splitlines() if line.startswith("  alknet known remove"))
        subprocess.run([support.PROGRAM, *shlex.split(command)[1:]], check=True, timeout=PATIENCE_S,
                       env=clean_environment(), capture_output=True)
        self.assertEqual(self.known(), {})
        self.ping("--tofu")
        self.assertEqual(self.known(), {self.name: now})

    def test_from_authorities_to_a_key_is_refused(self):
        self.file.write_text(f"alknet-known-nodes 1\n{self.name} ca\n")
        self.file.chmod(0o600)
        error = self.refused("--tofu")
        self.assertEqual(error["id"], "E-TLS-KEY-MISMATCH")
        self.assertIn("is known as ca", error["detail"])
        self.assertEqual(self.known(), {self.name: "ca"})

    def test_certificate_can_be_what_is_known(self):
        shown = self.client.json("probe", self.name)
        fingerprint = shown["tcp"]["certificate"]["fingerprint"]
        self.file.write_text(f"alknet-known-nodes 1\n{self.name} {fingerprint}\n")
        self.file.chmod(0o600)
        for transport in ("quic", "tcp"):
            self.assertEqual(self.ping("--only", transport)["peer"], fingerprint)
        self.replace_node()
        self.assertEqual(self.refused("--tofu")["id"], "E-TLS-KEY-MISMATCH")

    def test_to_a_certificate_is_refused(self):
        """As by a filter that opens TLS: also where the node is pinned by its address."""
        own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        own.load_cert_chain(self.server.path / "cert.pem", self.server.path / "cert-key.pem")
        own.set_alpn_protocols(["alknet/echo"])
        self.node.__exit__()
        with socket.create_server(("127.0.0.1", self.node.port)) as listener:
            def serve():
                while True:
                    try:
                        client, _ = listener.accept()
                    except OSError:
                        return
                    client.settimeout(PATIENCE_S)
                    try:
                        with own.wrap_socket(client, server_side=True) as opened:
                            opened.recv(1)
                    except OSError:  # it is refused, which is what is tested
                        client.close()
            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            self.assertEqual(self.refused("--tofu")["id"], "E-NET-TLS-OPENED")
            error = self.client.error("ping", self.node.address, expect=EXIT_REFUSED)
            self.assertEqual(error["id"], "E-NET-TLS-OPENED")
            self.assertIn("x509-sha256:", error["detail"])
            listener.shutdown(socket.SHUT_RDWR)
        thread.join(PATIENCE_S)


class File(TrustTest):
    def test_that_is_broken_lets_nobody_in(self):
        self.file.write_text("alknet-known-nodes 1\nwhat is this\n")
        self.file.chmod(0o600)
        error = self.client.error("ping", self.name, "--tofu", expect=EXIT_CONFIG)
        self.assertEqual(error["id"], "E-HOME-INVALID")
        self.assertIn(f"{self.file}: line 2", error["detail"])
        # Who is named by key is not concerned.
        self.client.run("ping", self.node.address, "--count", 1)

    def test_entries_are_removed_by_name(self):
        self.ping("--tofu")
        error = self.client.error("known", "remove", self.name[:-1], expect=EXIT_CONFIG)
        self.assertIn(f"did you mean '{self.name}'?", error["detail"])
        self.client.error("known", "remove", self.node.address, expect=EXIT_USAGE)
        self.assertEqual(self.client.run("known", "remove", self.name).stdout, f"removed {self.name}\n")
        self.assertEqual(self.known(), {})

    def test_nothing_is_remembered_without_a_home(self):
        nowhere = self.directory / "nowhere"
        done = support.run("ping", self.name, "--tofu", "--json", "--home", nowhere, expect=EXIT_REFUSED)
        self.assertIn("alknet init", json.loads(done.stderr)["error"]["detail"])
        self.assertFalse(nowhere.exists())


if __name__ == "__main__":
    unittest.main()
