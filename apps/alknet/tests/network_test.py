"""ping, pipe and probe against a real node."""

import hashlib
import os
import select
import signal
import socket
import subprocess
import unittest

import support
from support import (EXIT_CONFIG, EXIT_REFUSED, EXIT_UNREACHABLE, Node, PATIENCE_S, TestCase,
                     clean_environment, run)

ECHO = ("--alpn", "alknet/echo")
OTHER_ID = "e78c2766a792f09bfccb51493968ac322283e8d021a30063784d806929762ecc"


class WithNode(TestCase):
    def setUp(self):
        super().setUp()
        self.server = self.home("server")
        self.client = self.home("client")
        self.node = self.enterContext(Node(self.server))

    def enterContext(self, context):  # Python 3.11 has it, 3.10 has not
        value = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return value


class ClosedDescriptors(WithNode):
    def pipe(self, redirections, transport):
        command = f'exec "$0" "$@" {redirections}'
        return subprocess.run(
            ["sh", "-c", command, support.PROGRAM, "pipe", self.node.address, *ECHO, "--only", transport,
             "--home", str(self.client.path)],
            input=b"hello", capture_output=True, env=clean_environment(), timeout=PATIENCE_S, check=False)

    def test_closed_standard_input_is_empty(self):
        for transport in ("quic", "tcp"):
            done = self.pipe("<&-", transport)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))

    def test_closed_standard_output_is_an_error(self):
        for transport in ("quic", "tcp"):
            done = self.pipe(">&-", transport)
            self.assertEqual(done.returncode, support.EXIT_FAILURE)
            self.assertIn(b"write standard output: Bad file descriptor", done.stderr)


class Ping(WithNode):
    def test_both_transports(self):
        for transport in ("quic", "tcp"):
            shown = self.client.json("ping", self.node.address, "--only", transport,
                                     "--count", 3, "--interval", "0s")
            self.assertEqual(shown["transport"], transport)
            self.assertEqual(shown["alpn"], "alknet/echo")
            self.assertEqual(shown["peer"], "ed25519:" + self.server.id)
            self.assertEqual(shown["verified_by"], "pin")
            self.assertEqual(shown["tls_version"], "TLS1.3")
            self.assertEqual(shown["quic_version"], "v1" if transport == "quic" else None)
            self.assertIn("AES", shown["cipher"])
            self.assertGreater(shown["handshake_ms"], 0)
            rtt = shown["rtt_ms"]
            self.assertEqual(rtt["count"], 3)
            self.assertTrue(0 < rtt["min"] <= rtt["p50"] <= rtt["p90"] <= rtt["p99"] <= rtt["max"])

    def test_text_says_the_same(self):
        text = self.client.run("ping", self.node.address, "--count", 2, "--interval", "1ms").stdout
        self.assertIn(f"alknet/echo at 127.0.0.1:{self.node.port} over quic: QUIC v1 TLS1.3", text)
        self.assertIn(f"peer ed25519:{self.server.id} (verified by its node id)", text)
        self.assertRegex(text, r"\nhandshake [\d.]+ ms\n")
        self.assertRegex(text, r"\n2 round trips: min [\d.]+, median [\d.]+, p90 [\d.]+, p99 [\d.]+, max [\d.]+ ms\n$")

    def test_the_node_sees_whose_key_it_is(self):
        self.client.run("ping", self.node.address, "--count", 1)
        self.assertIn(self.client.id, self.node.wait_for("auth.attempt"))
        run("ping", self.node.address, "--count", 1, "--home", self.directory / "none")
        stranger = self.node.wait_for("auth.attempt")
        self.assertNotIn(self.client.id, stranger)
        self.assertIn("ed25519:", stranger)

    def test_every_form_of_the_address(self):
        for form in ("node_id", "z_base_32", "fingerprint"):
            self.client.run("ping", f"{self.server.identity[form]}@127.0.0.1:{self.node.port}", "--count", 1)

    def test_names_of_peers(self):
        self.client.configure(f'[[peer]]\nname = "friend"\nkeys = ["{self.server.id}"]\n'
                              f'address = "127.0.0.1:{self.node.port}"\n'
                              f'[[peer]]\nname = "lost"\nkeys = ["{OTHER_ID}"]\n')
        for name in ("friend", self.server.id):
            shown = self.client.json("ping", name, "--count", 1)
            self.assertEqual(shown["peer"], "ed25519:" + self.server.id)
        for name in ("lost", OTHER_ID):
            error = self.client.error("ping", name, expect=EXIT_CONFIG)
            self.assertEqual(error["id"], "E-PEER-UNKNOWN")

    def test_another_key_is_refused_on_both_transports(self):
        for transport in ("quic", "tcp"):
            error = self.client.error("ping", f"alknet://{OTHER_ID}@127.0.0.1:{self.node.port}",
                                      "--only", transport, expect=EXIT_REFUSED)
            self.assertEqual(error["id"], "E-TLS-KEY-MISMATCH")

    def test_a_bare_host_needs_a_certificate_that_is_trusted(self):
        for transport in ("quic", "tcp"):
            error = self.client.error("ping", f"127.0.0.1:{self.node.port}", "--only", transport,
                                      expect=EXIT_REFUSED)
            self.assertEqual(error["id"], "E-TLS-UNVERIFIED")
            self.assertIn("alknet://NODE_ID@HOST:PORT", error["next"])

    def test_nobody_there(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # not listening
            address = f"alknet://{OTHER_ID}@127.0.0.1:{taken.getsockname()[1]}"
            error = self.client.error("ping", address, expect=EXIT_UNREACHABLE)
            self.assertEqual(error["id"], "E-NET-UNREACHABLE")

    def test_a_silent_address(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            address = f"alknet://{OTHER_ID}@127.0.0.1:{silent.getsockname()[1]}"
            error = self.client.error("ping", address, "--only", "quic", "--timeout", "200ms",
                                      expect=EXIT_UNREACHABLE)
            self.assertEqual(error["id"], "E-NET-HANDSHAKE-TIMEOUT")

    def test_an_interrupted_one_says_what_it_has_found(self):
        for transport in ("quic", "tcp"):
            process = subprocess.Popen(
                [support.PROGRAM, "ping", self.node.address, "--only", transport, "--interval", "1h",
                 "--home", str(self.client.path)], env=clean_environment(), text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            while "bytes back" not in process.stdout.readline():
                pass
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=PATIENCE_S)
            self.assertRegex(output, r"^1 round trip: min ")
            self.assertEqual((process.returncode, errors), (130, ""))

    def test_names_are_resolved(self):
        self.client.run("ping", f"alknet://{self.server.id}@localhost:{self.node.port}", "--count", 1)
        error = self.client.error("ping", f"alknet://{self.server.id}@no-such-host.invalid",
                                  expect=EXIT_UNREACHABLE)
        self.assertEqual(error["id"], "E-NET-RESOLVE")


class Pipe(WithNode):
    def pipe(self, *arguments, **options):
        return self.client.run("pipe", self.node.address, *ECHO, *arguments, text=False, **options)

    def start(self, *arguments, **options):
        return subprocess.Popen([support.PROGRAM, "pipe", self.node.address, *ECHO, *arguments,
                                 "--home", str(self.client.path)], env=clean_environment(), **options)

    def test_nothing_is_nothing(self):
        self.assertEqual(self.pipe(input=b"").stdout, b"")

    def test_50_mb_come_back_as_they_went(self):
        data = os.urandom(50_000_000)
        digest = hashlib.sha256(data).digest()
        for transport in ("quic", "tcp"):
            back = self.pipe("--only", transport, input=data).stdout
            self.assertEqual((len(back), hashlib.sha256(back).digest()), (len(data), digest), transport)

    def test_files(self):
        data = os.urandom(1_000_000)
        (self.directory / "in").write_bytes(data)
        with open(self.directory / "in", "rb") as source, open(self.directory / "out", "wb") as target:
            process = self.start(stdin=source, stdout=target)
            self.assertEqual(process.wait(timeout=PATIENCE_S), 0)
        self.assertEqual((self.directory / "out").read_bytes(), data)

    def test_one_socket_for_both(self):
        for transport in ("quic", "tcp"):
            ours, theirs = socket.socketpair()
            with ours:
                process = self.start("--only", transport, stdin=theirs, stdout=theirs)
                theirs.close()
                ours.sendall(b"over a socket")
                ours.shutdown(socket.SHUT_WR)
                with ours.makefile("rb") as reader:
                    self.assertEqual(reader.read(), b"over a socket")
                self.assertEqual(process.wait(timeout=PATIENCE_S), 0)

    def test_a_conversation_before_the_end_of_the_input(self):
        for transport in ("quic", "tcp"):
            process = self.start("--only", transport, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            for word in (b"one\n", b"two\n", b"three\n"):
                process.stdin.write(word)
                process.stdin.flush()
                self.assertEqual(process.stdout.readline(), word)
            process.stdin.close()
            self.assertEqual(process.stdout.read(), b"")
            process.stdout.close()
            self.assertEqual(process.wait(timeout=PATIENCE_S), 0)

    def test_a_reader_that_stops_holds_the_sender_back(self):
        process = self.start(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        os.set_blocking(process.stdin.fileno(), False)
        block, taken = bytes(65536), 0
        limit = 64 << 20  # far above all the buffers on the way
        # A pause in which nothing is taken is taken for the end; a slow machine only ends it sooner.
        while taken < limit and select.select([], [process.stdin], [], 1)[1]:
            taken += os.write(process.stdin.fileno(), block)
        self.assertLess(taken, limit)
        os.set_blocking(process.stdin.fileno(), True)
        process.stdin.close()
        self.assertEqual(len(process.stdout.read()), taken)
        process.stdout.close()
        self.assertEqual(process.wait(timeout=PATIENCE_S), 0)

    def test_an_output_closed_early_ends_it_quietly(self):
        for transport in ("quic", "tcp"):
            process = self.start("--only", transport, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
            process.stdin.write(b"first\n")
            process.stdin.flush()
            self.assertEqual(process.stdout.readline(), b"first\n")
            process.stdout.close()
            try:
                process.stdin.write(b"more\n" * 100)
                process.stdin.flush()
            except BrokenPipeError:
                pass  # it has ended already
            self.assertEqual(process.wait(timeout=PATIENCE_S), 141)
            self.assertEqual(process.stderr.read(), b"")
            process.stderr.close()
            try:
                process.stdin.close()
            except BrokenPipeError:
                pass

    def test_the_shells_terminal_stays_blocking(self):
        reader, writer = os.pipe()
        with open(reader, "rb"), open(writer, "wb") as input_end:
            process = self.start(stdin=reader, stdout=subprocess.PIPE)
            input_end.write(b"x\n")
            input_end.flush()
            self.assertEqual(process.stdout.readline(), b"x\n")
            self.assertTrue(os.get_blocking(reader))
            input_end.close()
            self.assertEqual(process.wait(timeout=PATIENCE_S), 0)
            process.stdout.close()

    def test_a_service_that_is_not_there(self):
        for transport in ("quic", "tcp"):
            error = self.client.error("pipe", self.node.address, "--alpn", "example/none",
                                      "--only", transport, expect=EXIT_REFUSED)
            self.assertEqual(error["id"], "E-TLS-NO-ALPN")

    def test_a_node_that_stops_in_the_middle(self):
        process = self.start(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdin.write(b"x\n")
        process.stdin.flush()
        self.assertEqual(process.stdout.readline(), b"x\n")
        self.node.send(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=PATIENCE_S), 1)
        self.assertIn(b"error: the node is shutting down", process.communicate()[1])


class Probe(WithNode):
    def test_what_a_node_offers(self):
        shown = self.client.json("probe", self.node.address, "--alpn", "example/none")
        for transport in ("quic", "tcp"):
            face = shown[transport]
            self.assertTrue(face["reachable"])
            self.assertEqual(face["alpns"], ["alknet/echo", "alknet/resume", "alknet/call", "alknet/ssh"])
            self.assertEqual(face["raw_key"], "ed25519:" + self.server.id)
            certificate = face["certificate"]
            self.assertRegex(certificate["fingerprint"], "^x509-sha256:[0-9a-f]{64}$")
            self.assertEqual(certificate["subject"], "CN=alknet")
            self.assertIn("localhost", certificate["names"])
            self.assertLess(certificate["not_before"], certificate["not_after"])
            self.assertTrue(certificate["self_issued"])
        self.assertEqual(shown["quic"]["versions"], ["v1", "v2"])

    def test_text_tells_whether_it_is_the_key_that_was_asked_for(self):
        right = self.client.run("probe", self.node.address).stdout
        self.assertEqual(right.count("(as asked for)"), 2)
        wrong = self.client.run("probe", f"alknet://{OTHER_ID}@127.0.0.1:{self.node.port}").stdout
        self.assertEqual(wrong.count("(NOT the one asked for)"), 2)

    def test_it_does_not_show_the_home_s_key(self):
        self.client.run("probe", self.node.address)
        log = self.node.stop()
        self.assertIn("event=auth.attempt", log)
        self.assertNotIn(self.client.id, log)

    def test_nobody_there(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            error = self.client.error("probe", address, expect=EXIT_UNREACHABLE)
            self.assertEqual(error["id"], "E-NET-UNREACHABLE")

    def test_one_transport_alone(self):
        self.server.configure('[[listener]]\nname = "t"\naddresses = ["127.0.0.1:0"]\nquic = false\n')
        self.node.stop()
        with Node(self.server, listen=()) as node:
            shown = self.client.json("probe", node.address)
            self.assertFalse(shown["quic"]["reachable"])
            self.assertEqual(shown["quic"]["error"]["id"], "E-NET-UNREACHABLE")
            self.assertEqual(shown["tcp"]["alpns"], ["alknet/echo", "alknet/resume", "alknet/call", "alknet/ssh"])


class Rules(WithNode):
    def test_a_service_for_known_peers_only(self):
        rules = '[alpn."alknet/echo"]\nidentity_required = true\n'
        self.server.configure(rules)
        self.node.send(signal.SIGHUP)
        self.node.wait_for("config.reloaded")
        for transport in ("quic", "tcp"):
            command = ("ping", self.node.address, "--count", 1, "--only", transport)
            error = self.client.error(*command, expect=EXIT_REFUSED if transport == "quic" else 1)
            self.assertEqual(error["id"], "E-AUTH-REQUIRED" if transport == "quic" else error["id"])
        self.server.configure(f'{rules}[[peer]]\nname = "client"\nkeys = ["{self.client.id}"]\n')
        self.node.send(signal.SIGHUP)
        self.node.wait_for("config.reloaded")
        for transport in ("quic", "tcp"):
            self.client.run("ping", self.node.address, "--count", 1, "--only", transport)


if __name__ == "__main__":
    unittest.main()
