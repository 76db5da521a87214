"""`alknet forward` through Debian's sshd and through a node, with curl and ssh as those who use it."""

import errno
import getpass
import json
import os
import pathlib
import signal
import socket
import threading
import time
import unittest

import harness
import ssh_client_test
import ssh_test


class Server(threading.Thread):
    """A web server of one page, on a port or a unix socket."""

    PAGE = b"here it is\n"

    def __init__(self, path=None):
        super().__init__(daemon=True)
        if path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(str(path))
            self.listener.listen()
        else:
            self.listener = socket.create_server(("127.0.0.1", 0))
            self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (
                    len(self.PAGE), self.PAGE))


class SshForward(ssh_client_test.SshClient):
    """Inherits the daemon and the keys; its cases are below."""

    def setUp(self):
        super().setUp()
        self.server = Server()
        self.addCleanup(self.server.listener.close)

    def forward(self, *arguments, address=None):
        return self.child(harness.BIN / "alknet", "forward", address or self.address(), *arguments,
                          env=self.environment)

    def free_port(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            return free.getsockname()[1]

    def get(self, *arguments):
        return harness.run(harness.need("curl"), "-s", "--noproxy", "", "--max-time", "20", *arguments).stdout

    def test_local(self):
        local = self.home / "local.sock"
        there = self.home / "there.sock"
        behind = Server(there)
        self.addCleanup(behind.listener.close)
        target = f"127.0.0.1:{self.server.port}"
        child = self.forward("-L", f"127.0.0.1:0:{target}", "-L", f"{local}:{target}", "-L", f"127.0.0.1:0:{there}")
        port = child.wait_for(rf"-L 127.0.0.1:0 -> {target}: listening at 127.0.0.1:(\d+)").group(1)
        to_socket = child.wait_for(rf"{there}: listening at 127.0.0.1:(\d+)").group(1)
        child.wait_for("session: connected")
        for _ in range(5):
            self.assertEqual(self.get(f"http://127.0.0.1:{port}/"), Server.PAGE)
        self.assertEqual(self.get("--unix-socket", local, "http://here/"), Server.PAGE)
        self.assertEqual(self.get(f"http://127.0.0.1:{to_socket}/"), Server.PAGE)

    def test_remote(self):
        there = self.home / "there.sock"
        target = f"127.0.0.1:{self.server.port}"
        child = self.forward("-R", f"0:{target}", "-R", f"{there}:{target}", "--json")
        told = json.loads(child.wait_for(r'(\{.*"-R localhost:0.*listening.*\})').group(1))
        port = told["at"].rsplit(":", 1)[1]
        child.wait_for("there.sock.*listening")
        self.assertEqual(self.get(f"http://127.0.0.1:{port}/"), Server.PAGE)
        self.assertEqual(self.get("--unix-socket", there, "http://there/"), Server.PAGE)

    def test_socks(self):
        login = self.home / "login"
        login.write_text("bob:secret\n")
        login.chmod(0o600)
        child = self.forward("-D", "127.0.0.1:0")
        port = child.wait_for(r"-D 127.0.0.1:0: listening at 127.0.0.1:(\d+)").group(1)
        proxy = f"127.0.0.1:{port}"
        # `localhost` is resolved there.
        for kind in ("--socks5-hostname", "--socks5", "--socks4a", "--socks4"):
            self.assertEqual(self.get(kind, proxy, f"http://localhost:{self.server.port}/"), Server.PAGE, kind)
        dead = harness.run(harness.need("curl"), "-s", "--socks5-hostname", proxy, "http://127.0.0.1:1/")
        self.assertEqual(dead.returncode, 97)
        child = self.forward("-D", "127.0.0.1:0", "--socks-login", login)
        port = child.wait_for(r"-D 127.0.0.1:0: listening at 127.0.0.1:(\d+)").group(1)
        url = f"http://127.0.0.1:{self.server.port}/"
        self.assertEqual(self.get("-x", f"socks5h://bob:secret@127.0.0.1:{port}", url), Server.PAGE)
        self.assertEqual(self.get("-x", f"socks5h://bob:wrong@127.0.0.1:{port}", url), b"")
        self.assertEqual(self.get("-x", f"socks5h://127.0.0.1:{port}", url), b"")

    def test_programs_that_do_not_say_where(self):
        child = self.forward("-D", "127.0.0.1:0")
        port = int(child.wait_for(r"-D 127.0.0.1:0: listening at 127.0.0.1:(\d+)").group(1))
        child.wait_for("connected")
        silent = []
        for _ in range(257):
            connection = socket.create_connection(("127.0.0.1", port), timeout=30)
            self.addCleanup(connection.close)
            connection.sendall(b"\5\1\0")
            silent.append(connection)
        answers = []
        for connection in silent:
            try:
                answers.append(connection.recv(2))
            except ConnectionResetError:
                answers.append(b"")
        self.assertEqual(answers.count(b"\5\0"), 256)
        silent[0].close()

    def test_stdio_for_ssh(self):
        behind = self.sshd()
        proxy = f"{harness.BIN / 'alknet'} forward {self.address()} -W 127.0.0.1:{behind}"
        done = harness.run(harness.need("ssh"), "-F", "/dev/null", "-i", self.key, "-o", "BatchMode=yes",
                           "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o",
                           f"ProxyCommand={proxy}", f"{getpass.getuser()}@behind", "cat",
                           stdin=b"over there", env=self.environment)
        self.assertEqual((done.returncode, done.stdout), (0, b"over there"), done.stderr)

    def test_fail_fast(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            for kind in ("-L", "-R"):
                done = harness.alknet("forward", self.address(), kind, f"127.0.0.1:{port}:127.0.0.1:1", "--fail-fast",
                                      env=self.environment)
                self.assertNotEqual(done.returncode, 0, kind)
                self.assertIn(b"failed", done.stdout)
        # Without it the others go on.
        with socket.create_server(("127.0.0.1", 0)) as taken:
            child = self.forward("-L", f"127.0.0.1:{taken.getsockname()[1]}:x:1", "-L", "127.0.0.1:0:x:1")
            child.wait_for("failed")
            child.wait_for("listening")
            child.wait_for("connected")

    def test_comes_back(self):
        target = f"127.0.0.1:{self.server.port}"
        remote = self.free_port()
        child = self.forward("-L", f"127.0.0.1:0:{target}", "-R", f"127.0.0.1:{remote}:{target}")
        port = child.wait_for(r"-L.*listening at 127.0.0.1:(\d+)").group(1)
        child.wait_for("-R.*listening")
        self.stop_sshd()
        child.wait_for("session: lost.*again in")
        self.start_sshd()
        deadline = time.monotonic() + harness.DEADLINE_SECONDS
        while self.get(f"http://127.0.0.1:{remote}/") != Server.PAGE:
            self.assertLess(time.monotonic(), deadline, child.seen)
        self.assertEqual(self.get(f"http://127.0.0.1:{port}/"), Server.PAGE)

    def test_a_listener_is_asked_for_until_it_is_there(self):
        remote = self.free_port()
        child = self.forward("-R", f"127.0.0.1:{remote}:127.0.0.1:{self.server.port}")
        child.wait_for("-R.*listening")
        self.stop_sshd()
        child.wait_for("session: lost")
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.take(taken, remote)
            self.start_sshd()
            child.wait_for("-R.*failed.*again in")
        deadline = time.monotonic() + harness.DEADLINE_SECONDS
        while self.get(f"http://127.0.0.1:{remote}/") != Server.PAGE:
            self.assertLess(time.monotonic(), deadline, child.seen)

    @staticmethod
    def take(taken, port):
        """What was killed lets go of its port once the kernel has come to it."""
        deadline = time.monotonic() + harness.DEADLINE_SECONDS
        while True:
            try:
                taken.bind(("127.0.0.1", port))
                taken.listen()
                return
            except OSError as failure:
                if failure.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                    raise
                os.sched_yield()

    def stop_sshd(self):
        """With the processes that serve sessions."""
        parent = self.log.process.pid
        for pid in self.children_of(parent):
            for one in [*self.children_of(pid), pid]:
                os.kill(int(one), signal.SIGKILL)
        self.log.stop()

    @staticmethod
    def children_of(pid):
        return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()

    def start_sshd(self):
        config = self.home / f"sshd_config_{self.port}"
        self.log = self.child(harness.need("sshd"), "-D", "-e", "-f", config)
        self.log.wait_for("Server listening")

    def test_ssh_config(self):
        config = self.home / ".ssh" / "config"
        (self.home / ".ssh" / "conf.d").mkdir()
        (self.home / ".ssh" / "conf.d" / "one").write_text(
            f"Host short\n  HostName 127.0.0.1\n  Port {self.port}\n  HostKeyAlias known\n"
            f"  User {getpass.getuser()}\n  IdentityFile ~/elsewhere/%n\n")
        config.write_text("Include conf.d/*\nHost far\n  ProxyJump short\n  HostName 127.0.0.1\n"
                          f"  Port {self.port}\n  User {getpass.getuser()}\n")
        config.chmod(0o600)
        (self.home / "elsewhere").mkdir()
        self.key.rename(self.home / "elsewhere" / "short")
        public = (self.home / "host_key.pub").read_text().split()
        with self.known_hosts.open("a") as known:
            known.write(f"known {public[0]} {public[1]}\n")
        done = harness.alknet("ssh", "ssh://short", "echo", "there", env=self.environment)
        self.assertEqual((done.returncode, done.stdout), (0, b"there\n"), done.stderr)
        done = harness.alknet("ssh", "-i", self.home / "elsewhere" / "short", "ssh://far", "echo", "far",
                              env=self.environment)
        self.assertEqual((done.returncode, done.stdout), (0, b"far\n"), done.stderr)
        config.chmod(0o666)
        self.assertEqual(harness.alknet("ssh", "ssh://short", "true", env=self.environment).returncode, 255)

    def test_agent(self):
        agent = self.home / "agent.sock"
        self.child(harness.need("ssh-agent"), "-D", "-a", agent).wait_for("SSH_AUTH_SOCK")
        self.environment["SSH_AUTH_SOCK"] = str(agent)
        harness.run(harness.need("ssh-add"), "-q", self.key, env=self.environment)
        listed = harness.run(harness.need("ssh-add"), "-l", env=self.environment).stdout
        other = self.new_key("other_key", "ed25519")
        harness.run(harness.need("ssh-add"), "-q", other, env=self.environment)
        done = self.ssh("ssh-add", "-l", options=["-A", "--agent-key", self.key])
        self.assertEqual((done.returncode, done.stdout), (0, listed), done.stderr)
        done = self.ssh("ssh-add -D; ssh-add -l", options=["-A", "--agent-key", self.key])
        self.assertEqual((done.returncode, done.stdout), (0, listed), done.stderr)
        done = self.ssh("true", options=["-A"])
        self.assertEqual(done.returncode, 255)
        self.assertIn(b"--agent-key", done.stderr)
        self.assertNotEqual(self.ssh("ssh-add", "-l").returncode, 0)


class NodeForward(ssh_test.StockSsh):
    """Through a node."""

    def address(self):
        return f"alknet://{self.node_id}@127.0.0.1:{self.quic}"

    def test_local_through_a_node(self):
        child = self.child(harness.BIN / "alknet", "forward", self.address(), "-i", self.key,
                           "-L", f"127.0.0.1:0:127.0.0.1:{self.echo.port}", "--home", self.home / "none")
        port = int(child.wait_for(r"listening at 127.0.0.1:(\d+)").group(1))
        child.wait_for("session: connected")
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(b"x" * 100_000)
            connection.shutdown(socket.SHUT_WR)
            got = b""
            while octets := connection.recv(65536):
                got += octets
        self.assertEqual(got, b"x" * 100_000)
        done = harness.alknet("forward", self.address(), "-i", self.key, "-W", "127.0.0.1:1",
                              "--home", self.home / "none")
        self.assertEqual(done.returncode, 5, done.stderr)
        self.assertIn(b"no forwarding rule allows this", done.stderr)

    def test_sockets_of_a_node(self):
        self.restart(scopes='"ssh:connect", "ssh:listen"')
        there, here = self.home / "there.sock", self.home / "here.sock"
        self.allow_socket(there, 'claim = "listen"\n')
        self.allow_socket(here)
        echo = ssh_test.Echo(here)
        self.addCleanup(echo.listener.close)
        local = self.home / "local.sock"
        child = self.child(harness.BIN / "alknet", "forward", self.address(), "-i", self.key, "--home",
                           self.home / "none", "-L", f"{local}:{here}", "-R", f"{there}:127.0.0.1:{self.echo.port}")
        child.wait_for("-R.*listening")
        self.assertTrue(self.echoed_at(local))
        self.assertTrue(self.echoed_at(there))

    def test_remote_through_a_node(self):
        self.restart(scopes='"ssh:listen"')
        self.allow(1, self.LISTEN)
        arguments = (harness.BIN / "alknet", "forward", self.address(), "-i", self.key, "--home", self.home / "none")
        silent = self.child(*arguments, "-R", f"0:127.0.0.1:{self.echo.port}")
        port = int(silent.wait_for(r"listening at localhost:(\d+)").group(1))
        self.assertTrue(self.echoed(port))
        # Whoever comes back takes it over.
        os.kill(silent.process.pid, signal.SIGSTOP)
        try:
            again = self.child(*arguments, "-R", f"{port}:127.0.0.1:{self.echo.port}")
            again.wait_for("-R.*listening")
            self.assertTrue(self.echoed(port))
        finally:
            os.kill(silent.process.pid, signal.SIGCONT)

    def test_j_through_a_node(self):
        port = self.sshd()
        self.allow(port)
        (self.home / ".ssh").mkdir()
        public = (self.home / "host_key.pub").read_text().split()
        (self.home / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{port} {public[0]} {public[1]}\n")
        done = harness.alknet("ssh", "-i", self.key, "-J", self.address(), "--home", self.home / "none",
                              f"ssh://{getpass.getuser()}@127.0.0.1:{port}", "cat", stdin=b"over there",
                              env={"HOME": str(self.home), "PATH": os.environ["PATH"]})
        self.assertEqual((done.returncode, done.stdout), (0, b"over there"), done.stderr)

    def test_ssh_config_of_a_node(self):
        stanza = harness.alknet("ssh-config", self.address(), "--home", self.home / "none", "-i", self.key)
        self.assertEqual(stanza.returncode, 0, stanza.stderr)
        config = self.home / "config"
        config.write_bytes(stanza.stdout)
        name = stanza.stdout.split()[1].decode()
        sent = b"y" * 300_000
        done = harness.run(harness.need("ssh"), "-F", config, "-i", self.key, "-o", "BatchMode=yes",
                           "-W", f"127.0.0.1:{self.echo.port}", name, stdin=sent)
        self.assertEqual((done.returncode, done.stdout), (0, sent), done.stderr)


def load_tests(loader, _tests, _pattern):
    """The cases above, without those of the classes that they stand on."""
    suite = unittest.TestSuite()
    for case, base in ((SshForward, ssh_client_test.SshClient), (NodeForward, ssh_test.StockSsh)):
        names = [name for name in loader.getTestCaseNames(case) if not hasattr(base, name)]
        suite.addTests(case(name) for name in names)
    return suite


if __name__ == "__main__":
    unittest.main(verbosity=2)
