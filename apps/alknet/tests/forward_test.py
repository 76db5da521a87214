"""alknet forward between two nodes: over QUIC each connection has a stream of its own beside SSH."""

import json
import os
import random
import signal
import socket
import subprocess
import threading
import unittest

import support
from support import Node, PATIENCE_S, TestCase, clean_environment

MEGABYTE = 1 << 20


class Target(threading.Thread):
    """Listens on a port or a unix socket, and gives each connection to a thread."""

    def __init__(self, path=None):
        super().__init__(daemon=True)
        self.path = path
        if path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(str(path))
            self.listener.listen()
        else:
            self.listener = socket.create_server(("127.0.0.1", 0))
        self.start()

    @property
    def place(self):
        return self.path or f"127.0.0.1:{self.listener.getsockname()[1]}"

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.take, args=(connection,), daemon=True).start()

    def take(self, connection):
        try:
            with connection:
                self.serve(connection)
        except OSError:
            pass  # cut

    def serve(self, connection):
        """Says back what has come when that has ended, and so only over one half of it."""
        everything = b"".join(iter(lambda: connection.recv(65536), b""))
        connection.sendall(everything)

    def close(self):
        self.listener.close()


class Source(Target):
    """Sends for ever, and counts what was taken."""

    sent = 0

    def serve(self, connection):
        piece = bytes(65536)
        while True:
            self.sent += connection.send(piece)


class Sink(Target):
    """Has nothing to say, and reads what comes."""

    def __init__(self, path=None):
        self.took = None
        self.ended = threading.Event()
        super().__init__(path)

    def serve(self, connection):
        connection.shutdown(socket.SHUT_WR)
        self.took = b"".join(iter(lambda: connection.recv(65536), b""))
        self.ended.set()


class Forwarding:
    """A running `alknet forward`, which is told of in JSON."""

    def __init__(self, home, address, *arguments):
        self.process = subprocess.Popen(
            [support.PROGRAM, "forward", address, *map(str, arguments), "--json", "--fail-fast", "--home", home.path],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=clean_environment())
        self.end = threading.Timer(PATIENCE_S, self.process.kill)
        self.end.start()
        self.told = []

    def until(self, state, subject):
        """The news of this."""
        for one in self.told:
            if one["state"] == state and one["subject"].startswith(subject):
                return one
        for line in self.process.stdout:
            self.told.append(json.loads(line))
            if self.told[-1]["state"] == state and self.told[-1]["subject"].startswith(subject):
                return self.told[-1]
        raise AssertionError(f"no {state} of {subject}: {self.told} {self.process.stderr.read()}")

    def port(self, subject):
        return int(self.until("listening", subject)["at"].rsplit(":", 1)[1])

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.communicate()
        self.end.cancel()


class Forwards(TestCase):
    RULES = ('[[forwarding.rules]]\ntarget = "127.0.0.1"\npeers = ["client"]\n'
             '[[forwarding.rules]]\ntarget = "127.0.0.1"\nclaim = "listen"\npeers = ["client"]\n')
    DATA = random.Random(7).randbytes(4 * MEGABYTE)

    def setUp(self):
        super().setUp()
        self.server = self.home("server")
        self.client = self.home("client")
        self.allow(self.RULES)
        self.node = Node(self.server)
        self.node.__enter__()
        self.addCleanup(self.node.__exit__)
        self.target = Target()
        self.addCleanup(self.target.close)

    def allow(self, rules, peer="client"):
        self.server.configure(f'[[peer]]\nname = "{peer}"\nkeys = ["{self.client.id}"]\n'
                              f'scopes = ["ssh:connect", "ssh:listen"]\n{rules}')

    def forward(self, *arguments):
        forwarding = Forwarding(self.client, self.node.address, *arguments)
        self.addCleanup(forwarding.close)
        forwarding.until("connected", "session")
        return forwarding

    def connect(self, where):
        if isinstance(where, int):
            connection = socket.create_connection(("127.0.0.1", where), timeout=PATIENCE_S)
        else:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(PATIENCE_S)
            connection.connect(str(where))
        self.addCleanup(connection.close)
        return connection

    def exchange(self, where, data=DATA):
        connection = self.connect(where)
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        back = b"".join(iter(lambda: connection.recv(65536), b""))
        connection.close()
        self.assertTrue(back == data, f"{len(back)} octets came back")

    def packets(self):
        """The octets of SSH itself, of the one session that there is."""
        session, = self.server.json("sessions")["sessions"]
        return session["bytes_sent"] + session["bytes_received"]

    def reload(self):
        self.server.run("reload")

    def wait_for_the_end(self, connection):
        try:
            while connection.recv(65536):
                pass
        except ConnectionResetError:
            pass


class Streams(Forwards):
    def flat(self, where, rounds=2):
        before = self.packets()
        self.assertGreater(before, 0)
        for _ in range(rounds):
            self.exchange(where)
        self.assertLess(self.packets() - before, 4096)

    def test_carry_what_is_joined_there(self):
        forwarding = self.forward("-L", f"127.0.0.1:0:{self.target.place}")
        self.flat(forwarding.port("-L"))

    def test_carry_what_comes_there(self):
        forwarding = self.forward("-R", f"127.0.0.1:0:{self.target.place}")
        self.flat(forwarding.port("-R"))

    def test_carry_sockets_both_ways(self):
        here, there, behind = (self.directory / name for name in ("here", "there", "behind"))
        target = Target(behind)
        self.addCleanup(target.close)
        directory = os.path.realpath(self.directory)
        self.allow(f'[[forwarding.rules]]\ntarget = "{directory}/behind"\npeers = ["client"]\n'
                   f'[[forwarding.rules]]\ntarget = "{directory}/there"\nclaim = "listen"\npeers = ["client"]\n')
        self.reload()
        forwarding = self.forward("-L", f"{here}:{behind}", "-R", f"{there}:{behind}")
        forwarding.until("listening", "-L")
        forwarding.until("listening", "-R")
        self.flat(here)
        self.flat(there)

    def test_carry_many_at_once(self):
        # More than have streams: the others go through SSH.
        forwarding = self.forward("-L", f"127.0.0.1:0:{self.target.place}")
        port = forwarding.port("-L")
        all_of_them = [self.connect(port) for _ in range(50)]
        for number, connection in enumerate(all_of_them):
            connection.sendall(bytes([number]) * 100_000)
        for number, connection in enumerate(all_of_them):
            connection.shutdown(socket.SHUT_WR)
            back = b"".join(iter(lambda one=connection: one.recv(65536), b""))
            self.assertEqual(back, bytes([number]) * 100_000)

    def test_that_are_not_read_hold_up_no_other(self):
        source = Source()
        self.addCleanup(source.close)
        forwarding = self.forward("-L", f"127.0.0.1:0:{source.place}", "-L", f"127.0.0.1:0:{self.target.place}")
        stalled = [self.connect(forwarding.port(f"-L 127.0.0.1:0 -> {source.place}")) for _ in range(12)]
        for connection in stalled:
            connection.recv(1)
        port = forwarding.port(f"-L 127.0.0.1:0 -> {self.target.place}")
        before, now = -1, 0
        while before != now:  # until nobody takes any more of them
            before = now
            self.exchange(port, self.DATA[:MEGABYTE // 4])
            now = source.sent
        self.exchange(port)
        self.packets()

    def test_end_with_the_rule_and_with_the_peer(self):
        forwarding = self.forward("-L", f"127.0.0.1:0:{self.target.place}", "-R", f"127.0.0.1:0:{self.target.place}")
        port, there = forwarding.port("-L"), forwarding.port("-R")
        held = [self.connect(port), self.connect(there)]
        for connection in held:
            connection.sendall(b"x")
        self.allow("")
        self.reload()
        for connection in held:
            self.wait_for_the_end(connection)
        self.packets()  # the session goes on
        self.allow(self.RULES)
        self.reload()
        self.exchange(port, b"again")
        last = self.connect(port)
        last.sendall(b"x")
        self.server.configure("")
        self.reload()
        self.wait_for_the_end(last)
        self.assertIn("E-CONN-CLOSED", forwarding.process.stderr.read())

    def test_bring_everything_there_before_the_end(self):
        sink = Sink()
        self.addCleanup(sink.close)
        self.client.run("forward", self.node.address, "-W", sink.place, input=self.DATA, text=False)
        self.assertTrue(sink.ended.wait(PATIENCE_S))
        self.assertTrue(sink.took == self.DATA, f"{len(sink.took)} octets were there")


class WithoutStreams(Forwards):
    def test_ssh_carries_what_tls_on_tcp_brings(self):
        forwarding = self.forward("-L", f"127.0.0.1:0:{self.target.place}", "--only", "tcp")
        before = self.packets()
        self.exchange(forwarding.port("-L"))
        self.assertGreater(self.packets() - before, 2 * len(self.DATA))


if __name__ == "__main__":
    unittest.main()
