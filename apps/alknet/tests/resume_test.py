"""pipe --resume against a real node, through a path that is cut."""

import hashlib
import random
import re
import socket
import subprocess
import threading
import unittest

import support
from support import Node, PATIENCE_S, TestCase, clean_environment

GAP = re.compile(r"alknet: went on after (\d+) s, over tcp")


class Path(threading.Thread):
    """Forwards TCP connections to a port, cuts them all when it is told to, and then perhaps lets
    nobody in for some attempts."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port_behind = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.pairs = []
        self.old = []
        self.forwarded = 0
        self.cut_after = []  # octets in all directions; each strikes once
        self.cuts = 0
        self.closed_for = 0  # attempts after a cut
        self.elsewhere = None  # a port to which the attempts after that lead
        self.elsewhere_for = 0
        self.start()

    def run(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if self.cuts and self.closed_for:
                self.closed_for -= 1
                near.close()
                continue
            port = self.port_behind
            if self.cuts and self.elsewhere_for:
                self.elsewhere_for -= 1
                port = self.elsewhere
            far = socket.create_connection(("127.0.0.1", port))
            with self.lock:
                self.pairs.append((near, far))
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self.copy, args=(source, target), daemon=True).start()

    def copy(self, source, target):
        try:
            while octets := source.recv(65536):
                target.sendall(octets)
                with self.lock:
                    self.forwarded += len(octets)
                    strike = bool(self.cut_after) and self.forwarded >= self.cut_after[0]
                    if strike:
                        self.cut_after.pop(0)
                if strike:
                    self.cut()
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def cut(self):
        with self.lock:
            pairs, self.pairs = self.pairs, []
            self.old += pairs
            self.cuts += 1
        for pair in pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # it had ended by itself

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.join()
        self.listener.close()
        self.cut()
        for pair in self.old:
            for end in pair:
                end.close()


class Resume(TestCase):
    def setUp(self):
        super().setUp()
        self.server = self.home("server")
        self.client = self.home("client")
        self.node = Node(self.server)
        self.node.__enter__()
        self.addCleanup(self.node.__exit__)
        self.path = Path(self.node.port)
        self.addCleanup(self.path.close)

    def pipe(self, address, *arguments, alpn="alknet/echo", **options):
        return self.client.run("pipe", address, "--alpn", alpn, "--resume", *arguments, text=False, **options)

    def through_the_path(self):
        return f"alknet://{self.server.id}@127.0.0.1:{self.path.port}"

    def test_both_transports(self):
        data = random.Random(1).randbytes(300_000)
        for transport in ("quic", "tcp"):
            done = self.pipe(self.node.address, "--only", transport, input=data)
            self.assertEqual(done.stdout, data)
            self.assertEqual(done.stderr, b"")

    def test_nothing_to_say(self):
        self.assertEqual(self.pipe(self.node.address, input=b"").stdout, b"")

    def test_cuts(self):
        data = random.Random(2).randbytes(20 << 20)
        self.path.cut_after = [n << 20 for n in range(3, 36, 4)]
        expected = len(self.path.cut_after)
        done = self.pipe(self.through_the_path(), "--only", "tcp", input=data)
        self.assertEqual(hashlib.sha256(done.stdout).digest(), hashlib.sha256(data).digest())
        self.assertEqual(self.path.cuts, expected)
        for line in done.stderr.decode().splitlines():
            self.assertGreaterEqual(int(GAP.fullmatch(line)[1]), 2)
        log = self.node.stop()
        self.assertGreaterEqual(log.count("event=resume.attached"), expected)
        self.assertEqual(log.count("event=resume.opened"), 1)
        self.assertIn("how=done", log)

    def test_a_gap_of_more_than_two_seconds_is_worth_one_line(self):
        data = random.Random(4).randbytes(2 << 20)
        self.path.cut_after = [1 << 20]
        self.path.closed_for = 6  # pauses of 0.1 s, each twice the one before, less up to a half: 3 s at least
        done = self.pipe(self.through_the_path(), "--only", "tcp", input=data)
        self.assertEqual(done.stdout, data)
        self.assertEqual(self.path.closed_for, 0)
        line, = done.stderr.decode().splitlines()
        self.assertGreaterEqual(int(GAP.fullmatch(line)[1]), 3)

    def test_another_key_is_told_of_once(self):
        other = Node(self.home("other"))
        other.__enter__()
        self.addCleanup(other.__exit__)
        data = random.Random(6).randbytes(1 << 20)
        self.path.elsewhere = other.port
        for address, options, words in (
            (self.through_the_path(), (), "alknet: E-TLS-KEY-MISMATCH: "),
            (f"127.0.0.1:{self.path.port}", ("--tofu",), "is NOT what it was before"),
        ):
            self.path.cut_after = [self.path.forwarded + (1 << 19)]
            self.path.cuts = 0
            self.path.elsewhere_for = 3
            done = self.pipe(address, "--only", "tcp", *options, input=data)
            self.assertEqual(done.stdout, data)
            self.assertEqual(self.path.elsewhere_for, 0)
            self.assertEqual(done.stderr.decode().count(words), 1, done.stderr.decode())

    def test_cuts_on_several_loops(self):
        self.server.configure("[runtime]\nloops = 3\n")
        self.node.stop()
        data = random.Random(3).randbytes(8 << 20)
        with Node(self.server) as node:
            self.path.port_behind = node.port
            self.path.cut_after = [n << 20 for n in range(1, 15)]
            done = self.pipe(self.through_the_path(), "--only", "tcp", input=data)
            self.assertEqual(hashlib.sha256(done.stdout).digest(), hashlib.sha256(data).digest())
            self.assertEqual(self.path.cuts, 14)
            log = node.stop()
        self.assertEqual(log.count("event=resume.opened"), 1)
        self.assertIn("how=done", log)

    def test_a_service_that_is_not_there(self):
        done = self.pipe(self.node.address, alpn="alknet/nothing", expect=support.EXIT_REFUSED, input=b"")
        self.assertIn(b"no handler for this service", done.stderr)

    def test_a_service_for_known_peers_only(self):
        self.server.configure('[alpn."alknet/echo"]\nidentity_required = true\n')
        self.node.stop()
        with Node(self.server) as node:
            done = self.pipe(node.address, expect=support.EXIT_REFUSED, input=b"")
            self.assertIn(b"needs a known identity", done.stderr)

    def test_what_a_listener_does_not_offer(self):
        self.server.configure('[[listener]]\nname = "one"\naddresses = ["127.0.0.1:0"]\n'
                              'alpns = ["alknet/resume"]\n')
        self.node.stop()
        with Node(self.server, listen=()) as node:
            done = self.pipe(node.address, expect=support.EXIT_REFUSED, input=b"")
            self.assertIn(b"no handler for this service", done.stderr)

    def test_limits_of_the_configuration(self):
        self.server.configure("[resume]\nstreams_unauthenticated_max = 0\n")
        self.node.stop()
        with Node(self.server) as node:
            done = self.pipe(node.address, expect=support.EXIT_REFUSED, input=b"")
            self.assertIn(b"resume.streams_unauthenticated_max", done.stderr)

    def test_interrupted_it_leaves_nothing_behind(self):
        for number in (support.signal.SIGINT, support.signal.SIGHUP):
            process = subprocess.Popen(
                [support.PROGRAM, "pipe", self.node.address, "--alpn", "alknet/echo", "--resume",
                 "--home", str(self.client.path)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=clean_environment())
            process.stdin.write(b"x")
            process.stdin.flush()
            self.assertEqual(process.stdout.read(1), b"x")
            process.send_signal(number)
            self.assertEqual(process.wait(timeout=PATIENCE_S), 130)
            process.communicate()
            self.assertIn("how=done", self.node.wait_for("resume.ended"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
