"""Stock SSH programs against the SSH of a node: on bare TCP, and through `alknet pipe`."""

import fcntl
import hashlib
import json
import os
import pathlib
import random
import select
import shutil
import signal
import socket
import struct
import subprocess
import termios
import threading
import unittest

import harness


class Echo(threading.Thread):
    """A target on the loopback address or a unix socket: sends back what it gets, until that ends."""

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
            threading.Thread(target=self.echo, args=(connection,), daemon=True).start()

    @staticmethod
    def echo(connection):
        with connection:
            try:
                while octets := connection.recv(65536):
                    connection.sendall(octets)
            except OSError:
                pass  # cut, as when the node was not to connect


class SshNode(harness.PeerTest):
    """A node with one peer, who may connect to the echo, and to the node's second SSH port no more
    than anybody."""

    SIZE = 8 << 20

    def setUp(self):
        super().setUp()
        self.echo = Echo()
        self.addCleanup(self.echo.listener.close)
        self.key = self.new_key("user_key", "ed25519")
        self.start_node([self.key])

    def new_key(self, name, kind, *arguments):
        path = self.home / name
        made = harness.run(harness.need("ssh-keygen"), "-q", "-t", kind, *arguments, "-N", "", "-C", "", "-f", path)
        self.assertEqual(made.returncode, 0, made.stderr)
        return path

    def start_node(self, keys, scopes='"ssh:connect"', ssh=""):
        home = self.home / "serve"
        made = harness.alknet("init", "--no-input", "--home", home)
        self.assertEqual(made.returncode, 0, made.stderr)
        shown = json.loads(harness.alknet("id", "--json", "--home", home).stdout)
        self.node_id = shown["node_id"]
        names = [self.name_of(key) for key in keys]
        config = (home / "alknet.toml").read_text().replace("\n[ssh]\n", f'\n[ssh]\nlisten = ["127.0.0.1:0"]\n{ssh}')
        config += (f'\n[[peer]]\nname = "bob"\nkeys = {json.dumps(names)}\nscopes = [{scopes}]\n\n'
                   f'[[forwarding.rules]]\ntarget = "127.0.0.1:{self.echo.port}"\naction = "allow"\npeers = ["bob"]\n')
        (home / "alknet.toml").write_text(config)
        self.serving = self.child(harness.BIN / "alknet", "serve", "--home", home, "--listen", "127.0.0.1:0")
        self.quic = int(self.serving.wait_for(r"listening.*127\.0\.0\.1:(\d+)").group(1))
        self.port = int(self.serving.wait_for(r"ssh\.listening.*127\.0\.0\.1:(\d+)").group(1))
        self.known_hosts = self.home / "known_hosts"
        line = harness.run(harness.need("ssh-keyscan"), "-t", "ed25519", "-p", self.port, "127.0.0.1").stdout
        self.assertIn(b"ssh-ed25519", line)
        self.known_hosts.write_text("node " + " ".join(line.decode().split()[1:3]) + "\n")

    def name_of(self, key):
        public = pathlib.Path(f"{key}.pub").read_text().strip()
        if public.startswith("ssh-ed25519"):
            return public
        shown = harness.run(harness.need("ssh-keygen"), "-lf", f"{key}.pub").stdout.decode()
        return shown.split()[1]

    def options(self, pipe=False, key=None):
        options = ["-F", "/dev/null", "-i", key or self.key, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
                   "-o", f"UserKnownHostsFile={self.known_hosts}", "-o", "HostKeyAlias=node", "-p", self.port]
        if pipe:
            proxy = (f"{harness.BIN / 'alknet'} pipe alknet://{self.node_id}@127.0.0.1:{self.quic} "
                     f"--alpn alknet/ssh --home {self.home / 'none'}")
            options += ["-o", f"ProxyCommand={proxy}"]
        return options

    def ssh(self, *arguments, stdin=b"", **how):
        return harness.run(harness.need("ssh"), *self.options(**how), *arguments, "127.0.0.1", stdin=stdin)

    def through(self, *arguments, **how):
        """What `-W` to the echo brings back."""
        sent = random.Random(5).randbytes(self.SIZE)
        done = self.ssh("-W", f"127.0.0.1:{self.echo.port}", *arguments, stdin=sent, **how)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        self.assertEqual(hashlib.sha256(done.stdout).hexdigest(), hashlib.sha256(sent).hexdigest())


class StockSsh(SshNode):
    peer = "openssh client"

    @classmethod
    def version(cls):
        return harness.package_version("openssh-client")

    def test_w(self):
        self.through()

    def test_w_through_pipe(self):
        self.through(pipe=True)

    def test_nothing_is_asked_of_it(self):
        # Not even whether it knows what nodes offer each other: type 80 is a global request.
        done = self.ssh("-vvv", "-W", f"127.0.0.1:{self.echo.port}", stdin=b"hello", pipe=True)
        self.assertEqual((done.returncode, done.stdout), (0, b"hello"), done.stderr.decode())
        self.assertIn(b"receive packet: type 91", done.stderr)
        self.assertNotIn(b"receive packet: type 80", done.stderr)
        self.assertNotIn(b"alk.dev", done.stderr)

    def forward(self, pipe):
        with socket.create_server(("127.0.0.1", 0)) as free:
            local = free.getsockname()[1]
        self.child(harness.need("ssh"), *self.options(pipe=pipe), "-N", "-o", "ExitOnForwardFailure=yes",
                   "-L", f"127.0.0.1:{local}:127.0.0.1:{self.echo.port}", "127.0.0.1")
        harness.wait_for_tcp_port(local)
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", local), timeout=30) as connection:
                connection.sendall(b"x" * 100_000)
                connection.shutdown(socket.SHUT_WR)
                got = b""
                while octets := connection.recv(65536):
                    got += octets
                self.assertEqual(got, b"x" * 100_000)

    def test_l(self):
        self.forward(pipe=False)

    def test_l_through_pipe(self):
        self.forward(pipe=True)

    def test_ciphers(self):
        for cipher in ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com"):
            self.through("-c", cipher)
        for mac in ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com",
                    "hmac-sha2-256", "hmac-sha2-512"):
            for cipher in ("aes128-ctr", "aes256-ctr"):
                self.through("-c", cipher, "-m", mac)

    def test_rekey_every_megabyte(self):
        self.through("-o", "RekeyLimit=1M")

    def test_no_shell(self):
        done = harness.run(harness.need("ssh"), *self.options(), "127.0.0.1", "true")
        self.assertEqual(done.returncode, 126)
        self.assertIn(b"this node gives no shell", done.stderr)

    def restart(self, **how):
        self.serving.stop()
        shutil.rmtree(self.home / "serve")
        self.start_node([self.key], **how)

    def run_programs(self, scopes='"ssh:connect", "ssh:exec", "ssh:shell"'):
        """As nobody, where this runs as root; the shell is one that runs something."""
        as_whom = 'run_as = "nobody"' if os.geteuid() == 0 else "run_as_self = true"
        self.restart(scopes=scopes, ssh=f'{as_whom}\nshell = "/bin/bash"\n')

    def command(self, *words, stdin=b"", **how):
        return harness.run(harness.need("ssh"), *self.options(**how), "127.0.0.1", *words, stdin=stdin)

    def test_exec(self):
        self.run_programs()
        for pipe in (False, True):
            done = self.command("cat; echo err >&2; id -un; exit 7", stdin=b"in\n", pipe=pipe)
            self.assertEqual((done.returncode, done.stderr), (7, b"err\n"))
            lines = done.stdout.split()
            self.assertEqual(lines[0], b"in")
            self.assertEqual(lines[1] == b"nobody", os.geteuid() == 0)
        sent = random.Random(6).randbytes(self.SIZE)
        done = self.command("cat", stdin=sent)
        self.assertEqual(hashlib.sha256(done.stdout).hexdigest(), hashlib.sha256(sent).hexdigest())
        done = self.command("kill -KILL $$")
        self.assertEqual(done.returncode, 255)

    def test_env(self):
        self.run_programs()
        os.environ.update(LC_ALKNET="passed", ALKNET_SECRET="not passed")
        try:
            done = self.ssh("-o", "SendEnv=LC_ALKNET ALKNET_SECRET", "-o", "RemoteCommand=env")
        finally:
            del os.environ["LC_ALKNET"], os.environ["ALKNET_SECRET"]
        self.assertIn(b"LC_ALKNET=passed\n", done.stdout)
        self.assertIn(b"ALKNET_PEER=bob\n", done.stdout)
        self.assertNotIn(b"SECRET", done.stdout)

    def test_shell_with_terminal(self):
        self.run_programs()
        terminal, slave = os.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 111, 0, 0))
        ssh = subprocess.Popen([str(part) for part in (harness.need("ssh"), *self.options(), "-tt", "127.0.0.1")],
                               stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        self.addCleanup(ssh.kill)
        os.close(slave)

        def until(what):
            got = b""
            while what not in got:
                got += os.read(terminal, 65536)
            return got

        os.write(terminal, b"PS1=; stty -echo; echo rea''dy\n")
        until(b"ready")
        os.write(terminal, b"stty size; tty; echo $-\n")
        self.assertIn(b"33 111", until(b"/dev/pts/"))
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 44, 122, 0, 0))
        ssh.send_signal(signal.SIGWINCH)
        os.write(terminal, b"until stty size | grep '44 122'; do :; done\n")
        until(b"44 122")
        os.write(terminal, b"exit 9\n")
        self.assertEqual(ssh.wait(30), 9)
        os.close(terminal)

    def test_shared_connection(self):
        """Many sessions at a time in one connection (ControlMaster)."""
        self.run_programs()
        shared = ["-o", "ControlMaster=auto", "-o", f"ControlPath={self.home}/control", "-o", "ControlPersist=yes"]
        self.assertEqual(self.ssh(*shared, "-o", "RemoteCommand=true").returncode, 0)
        self.addCleanup(self.ssh, *shared, "-O", "exit")
        every = [subprocess.Popen([str(part) for part in (harness.need("ssh"), *self.options(), *shared, "127.0.0.1",
                                                          f"head -c 100000 /dev/zero | wc -c; exit {number}")],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) for number in range(40)]
        for number, one in enumerate(every):
            self.assertEqual(one.communicate(timeout=60)[0], b"100000\n")
            self.assertEqual(one.returncode, number)

    def test_a_client_that_goes_takes_its_processes_along(self):
        self.run_programs()
        ssh = subprocess.Popen([str(part) for part in (
            harness.need("ssh"), *self.options(), "127.0.0.1",
            "trap '' HUP TERM; set -m; (trap '' HUP TERM; while :; do sleep 1000; done) & echo $!; wait")],
            stdout=subprocess.PIPE)
        process = int(ssh.stdout.readline())
        descriptor = os.pidfd_open(process)
        ssh.kill()
        ssh.wait()
        ssh.stdout.close()
        gone, _, _ = select.select([descriptor], [], [], 30)
        os.close(descriptor)
        self.assertTrue(gone)

    LISTEN = '\n[[forwarding.rules]]\nclaim = "listen"\ntarget = "127.0.0.1"\naction = "allow"\npeers = ["bob"]\n'

    def listening(self, where, pipe=False):
        """A client with `-R` to the echo, and the port that it has."""
        ssh = self.child(harness.need("ssh"), *self.options(pipe=pipe), "-N", "-o", "ExitOnForwardFailure=yes",
                         "-R", f"{where}:127.0.0.1:{self.echo.port}", "127.0.0.1")
        return ssh, int(ssh.wait_for(r"Allocated port (\d+)").group(1))

    def echoed(self, port):
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            got = b""
            try:
                connection.sendall(b"x" * 100_000)
                connection.shutdown(socket.SHUT_WR)
                while octets := connection.recv(65536):
                    got += octets
            except (BrokenPipeError, ConnectionResetError):
                return False
        return got == b"x" * 100_000

    def test_r(self):
        self.restart(scopes='"ssh:listen"')
        done = self.ssh("-N", "-o", "ExitOnForwardFailure=yes", "-R", f"0:127.0.0.1:{self.echo.port}")
        self.assertEqual(done.returncode, 255)
        self.assertIn(b"remote port forwarding failed", done.stderr)
        self.allow(1, self.LISTEN)
        for pipe in (False, True):
            ssh, port = self.listening("0", pipe=pipe)
            for _ in range(20):
                self.assertTrue(self.echoed(port))
            ssh.stop()

    def test_r_is_closed_with_its_rule(self):
        self.restart(scopes='"ssh:listen"')
        before = (self.home / "serve" / "alknet.toml").read_text()
        self.allow(1, self.LISTEN)
        _, port = self.listening("0")
        self.assertTrue(self.echoed(port))
        (self.home / "serve" / "alknet.toml").write_text(before)
        self.assertEqual(harness.alknet("reload", "--home", self.home / "serve").returncode, 0)
        with self.assertRaises(OSError):
            while True:  # until the node has closed it
                socket.create_connection(("127.0.0.1", port), timeout=30).close()

    def test_r_is_taken_over_from_a_silent_client(self):
        self.restart(scopes='"ssh:listen"')
        self.allow(1, self.LISTEN)
        silent, port = self.listening("0")
        os.kill(silent.process.pid, signal.SIGSTOP)
        try:
            ssh = self.child(harness.need("ssh"), *self.options(), "-v", "-N", "-o", "ExitOnForwardFailure=yes",
                             "-R", f"{port}:127.0.0.1:{self.echo.port}", "127.0.0.1")
            ssh.wait_for("remote forward success")
            self.assertTrue(self.echoed(port))
        finally:
            os.kill(silent.process.pid, signal.SIGCONT)

    def allow_socket(self, path, more=""):
        with (self.home / "serve" / "alknet.toml").open("a") as config:
            config.write(f'\n[[forwarding.rules]]\ntarget = "{path}"\naction = "allow"\npeers = ["bob"]\n{more}')
        self.assertEqual(harness.alknet("reload", "--home", self.home / "serve").returncode, 0)

    def echoed_at(self, path):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(30)
            connection.connect(str(path))
            got = b""
            try:
                connection.sendall(b"x" * 100_000)
                connection.shutdown(socket.SHUT_WR)
                while octets := connection.recv(65536):
                    got += octets
            except (BrokenPipeError, ConnectionResetError):
                return False
        return got == b"x" * 100_000

    def test_l_to_a_socket(self):
        there = self.home / "there.sock"
        echo = Echo(there)
        self.addCleanup(echo.listener.close)
        (self.home / "link.sock").symlink_to(there)
        local = self.home / "local.sock"
        for pipe in (False, True):
            ssh = self.child(harness.need("ssh"), *self.options(pipe=pipe), "-v", "-N", "-L", f"{local}:{there}",
                             "-L", f"{local}.link:{self.home / 'link.sock'}", "-L",
                             f"{local}.own:{self.home / 'serve' / 'control.sock'}", "127.0.0.1")
            ssh.wait_for("Entering interactive session")
            if not pipe:
                self.assertFalse(self.echoed_at(local), "no rule")
                ssh.wait_for("no forwarding rule allows this")
                self.allow_socket(there)
                self.allow_socket(self.home / "serve" / "*")
            for _ in range(10):
                self.assertTrue(self.echoed_at(local))
            self.assertTrue(self.echoed_at(f"{local}.link"))
            self.assertFalse(self.echoed_at(f"{local}.own"))
            ssh.wait_for("the node itself is no target")
            ssh.stop()
            for path in (local, f"{local}.link", f"{local}.own"):
                pathlib.Path(path).unlink(missing_ok=True)

    def test_r_of_a_socket(self):
        self.restart(scopes='"ssh:listen"')
        there = self.home / "there.sock"
        done = self.ssh("-N", "-o", "ExitOnForwardFailure=yes", "-R", f"{there}:127.0.0.1:{self.echo.port}")
        self.assertEqual(done.returncode, 255)
        self.assertIn(b"remote port forwarding failed", done.stderr)
        self.allow_socket(there, 'claim = "listen"\n')
        for pipe in (False, True):
            ssh = self.child(harness.need("ssh"), *self.options(pipe=pipe), "-v", "-N", "-o",
                             "ExitOnForwardFailure=yes", "-R", f"{there}:127.0.0.1:{self.echo.port}", "127.0.0.1")
            ssh.wait_for("remote forward success")
            for _ in range(10):
                self.assertTrue(self.echoed_at(there))
            self.assertEqual(there.stat().st_mode & 0o777, 0o600)
            ssh.stop()
            while there.exists():  # until the node has noticed
                self.assertEqual(harness.alknet("status", "--home", self.home / "serve").returncode, 0)

    def test_operations_with_nothing_but_ssh(self):
        self.restart(scopes='"node:read", "node:manage"')
        for pipe in (False, True):
            self.assertIn(b"call OPERATION", self.command("help", pipe=pipe).stdout)
            ops = self.command("ops", pipe=pipe).stdout
            self.assertIn(b"node/info  query  ", ops)
            self.assertNotIn(b"config/apply", ops)
            info = self.command("call", "node/info", pipe=pipe)
            self.assertEqual(info.returncode, 0, info.stderr)
            self.assertEqual(json.loads(info.stdout)["node_id"], self.node_id)
        listed = self.command("call", "node/connections", "-", stdin=b'{"limit": 1}')
        self.assertEqual(len(json.loads(listed.stdout)["connections"]), 1)
        wrong = self.command("call", "node/connections", '{"limit": "x"}')
        self.assertEqual(wrong.returncode, 2)
        self.assertIn(b"alknet: ", wrong.stderr)
        self.assertEqual(self.command("call", "config/reload").returncode, 126)
        shell = self.command()
        self.assertEqual(shell.returncode, 126)
        self.assertIn(b"`ssh NODE help`", shell.stderr)

    def test_sessions_of_the_node(self):
        self.restart(scopes='"ssh:connect", "node:read", "node:manage"')
        watching = self.child(harness.need("ssh"), *self.options(), "127.0.0.1", "call", "ssh/watch")
        home = ("--home", self.home / "serve")
        while not any(one["programs"] for one in
                      json.loads(harness.alknet("sessions", "--json", *home).stdout)["sessions"]):
            pass  # until it watches
        held = self.child(harness.need("ssh"), *self.options(), "-v", "-N", "-L",
                          f"{self.home / 'held.sock'}:127.0.0.1:{self.echo.port}", "127.0.0.1")
        held.wait_for("Entering interactive session")
        watching.wait_for('"event":"began".*"kind":"session"')
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(30)
            connection.connect(str(self.home / "held.sock"))
            connection.sendall(b"x")
            self.assertEqual(connection.recv(1), b"x")
            shown = json.loads(harness.alknet("sessions", "--json", *home).stdout)
            forward = next(one for one in shown["forwards"] if one["kind"] == "connect")
            self.assertEqual(forward["place"], f"127.0.0.1:{self.echo.port}")
            text = harness.alknet("sessions", *home).stdout
            self.assertIn(f"connect 127.0.0.1:{self.echo.port}".encode(), text)
            self.assertEqual(harness.alknet("sessions", "--close", forward["id"], *home).returncode, 0)
            self.assertEqual(connection.recv(1), b"")
        watching.wait_for('"event":"ended".*"kind":"connect"')
        closed = self.command("call", "ssh/close", json.dumps({"id": forward["session"]}))
        self.assertEqual(closed.returncode, 0, closed.stderr)
        held.wait_for("has ended it")
        self.assertNotEqual(harness.alknet("sessions", "--close", 12345, *home).returncode, 0)

    def test_j(self):
        """Through the node to an sshd behind it: the echo gives way to one."""
        sshd = self.sshd()
        self.allow(sshd)
        config = self.home / "ssh_config"
        common = f"IdentityFile {self.key}\nIdentitiesOnly yes\nBatchMode yes\nUserKnownHostsFile {self.known_hosts}\n"
        config.write_text(f"Host node\nHostName 127.0.0.1\nPort {self.port}\nHostKeyAlias node\n{common}"
                          f"Host behind\nHostName 127.0.0.1\nPort {sshd}\nHostKeyAlias behind\n{common}")
        done = harness.run(harness.need("ssh"), "-F", config, "-J", "node", "behind", "cat", stdin=b"over there")
        self.assertEqual((done.returncode, done.stdout), (0, b"over there"), done.stderr.decode())

    def sshd(self):
        """A daemon of Debian's that knows the same key."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        host_key = self.new_key("host_key", "ed25519")
        config = self.home / "sshd_config"
        config.write_text(f"ListenAddress 127.0.0.1:{port}\nHostKey {host_key}\nPidFile none\n"
                          f"AuthorizedKeysFile {self.key}.pub\nStrictModes no\nUsePAM no\n"
                          "PermitRootLogin yes\nPasswordAuthentication no\n")
        if os.geteuid() == 0:
            pathlib.Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self.child(harness.need("sshd"), "-D", "-e", "-f", config).wait_for("Server listening")
        public = pathlib.Path(f"{host_key}.pub").read_text().split()
        with self.known_hosts.open("a") as known:
            known.write("behind " + " ".join(public[:2]) + "\n")
        return port

    def allow(self, port, more=""):
        """A further target, while the node runs."""
        with (self.home / "serve" / "alknet.toml").open("a") as config:
            config.write(f'\n[[forwarding.rules]]\ntarget = "127.0.0.1:{port}"\naction = "allow"\npeers = ["bob"]\n'
                         + more)
        done = harness.alknet("reload", "--home", self.home / "serve")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_keys_of_other_kinds(self):
        keys = [self.new_key("ecdsa", "ecdsa"), self.new_key("rsa", "rsa", "-b", "3072")]
        self.serving.stop()
        shutil.rmtree(self.home / "serve")
        self.start_node(keys)
        for key in keys:
            self.through(key=key)

    def certificate(self, *arguments, principal="bob", kind="ed25519", authority="authority"):
        """Logs in as bob with a key that has one, and gives what came of the echo."""
        key = self.home / f"certified_{kind}"
        if not key.exists():
            self.new_key(key.name, kind)
        made = harness.run(harness.need("ssh-keygen"), "-q", "-s", self.home / authority, "-I", "words", "-z", "17",
                           "-n", principal, *arguments, f"{key}.pub")
        self.assertEqual(made.returncode, 0, made.stderr)
        return harness.run(harness.need("ssh"), *self.options(key=key), "-l", "bob", "-W",
                           f"127.0.0.1:{self.echo.port}", "127.0.0.1", stdin=b"here")

    def test_certificates(self):
        authorities = [self.new_key("authority", "ed25519"), self.new_key("rsa_authority", "rsa", "-b", "3072")]
        self.serving.stop()
        shutil.rmtree(self.home / "serve")
        self.name_of = lambda key: f"cert-authority {SshNode.name_of(self, key)}"
        self.start_node(authorities, scopes='"ssh:connect", "node:read"')
        for right in ({"kind": "ed25519"}, {"kind": "ecdsa"}, {"kind": "rsa"}, {"authority": "rsa_authority"}):
            done = self.certificate("-V", "-1h:+1h", **right)
            self.assertEqual((done.returncode, done.stdout), (0, b"here"), done.stderr)
        done = self.certificate("-V", "always:+1h", "-O", "source-address=127.0.0.0/8")
        self.assertEqual((done.returncode, done.stdout), (0, b"here"), done.stderr)
        done = self.certificate("-t", "ssh-rsa", authority="rsa_authority")
        self.assertIn(b"Permission denied", done.stderr, "signed with SHA-1")
        for wrong in (("-V", "-2h:-1h"), ("-V", "+1h:+2h"), ("-O", "source-address=192.0.2.0/24"),
                      ("-O", "critical:unheard@example.com=x"), ("-h",)):
            done = self.certificate(*wrong)
            self.assertEqual(done.returncode, 255, wrong)
            self.assertIn(b"Permission denied", done.stderr)
        self.assertIn(b"Permission denied", self.certificate(principal="alice").stderr)
        done = self.certificate("-O", "no-port-forwarding")
        self.assertIn(b"the certificate does not permit forwarding", done.stderr)
        self.certificate("-O", "force-command=call node/info")
        done = harness.run(harness.need("ssh"), *self.options(key=self.home / "certified_ed25519"), "-l", "bob",
                           "127.0.0.1", "ops")
        self.assertEqual(json.loads(done.stdout)["node_id"], self.node_id, done.stderr)
        audit = harness.alknet("audit", "show", "--json", "--home", self.home / "serve").stdout
        self.assertRegex(audit.decode(), r'"ssh\.login".*"certificate":"words","serial":"17"')
        # Of somebody who is not let in any more.
        home = self.home / "serve"
        lost = pathlib.Path(f"{self.home / 'certified_ed25519'}.pub").read_text().strip()
        for action in (("add", "lost", "--key", lost), ("disable", "lost")):
            done = harness.alknet("peer", *action, "--home", home)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"Permission denied", self.certificate().stderr)
        done = self.certificate(kind="ecdsa")
        self.assertEqual((done.returncode, done.stdout), (0, b"here"), done.stderr)

    def test_agent_of_the_client(self):
        agent = self.home / "agent.sock"
        self.child(harness.need("ssh-agent"), "-D", "-a", agent).wait_for("SSH_AUTH_SOCK")
        with_agent = {**os.environ, "SSH_AUTH_SOCK": str(agent)}
        added = harness.run(harness.need("ssh-add"), "-q", self.key, env=with_agent)
        self.assertEqual(added.returncode, 0, added.stderr)
        self.run_programs('"ssh:exec", "ssh:agent"')
        ask = (harness.need("ssh"), *self.options(), "-A", "127.0.0.1", "ssh-add -l; ls -ld ${SSH_AUTH_SOCK%/*}")
        done = harness.run(*ask, env=with_agent)
        if os.geteuid() != 0:  # programs of the node's own user have none
            self.assertNotIn(b"SHA256:", done.stdout)
            return
        shown = harness.run(harness.need("ssh-keygen"), "-lf", f"{self.key}.pub").stdout.split()[1]
        self.assertIn(shown, done.stdout, done.stderr)
        self.assertRegex(done.stdout, rb"(?m)^drwx------ .* nobody ")
        self.run_programs()
        self.assertNotIn(b"SHA256:", harness.run(*ask, env=with_agent).stdout, "without the scope")

    def test_a_subsystem_that_is_not_there(self):
        self.run_programs()
        done = harness.run(harness.need("ssh"), *self.options(), "-s", "127.0.0.1", "sftp")
        self.assertEqual(done.returncode, 255)
        self.assertIn(b"subsystem request failed", done.stderr)

    def test_unknown_key(self):
        stranger = self.new_key("stranger", "ed25519")
        done = self.ssh("-W", f"127.0.0.1:{self.echo.port}", key=stranger)
        self.assertEqual(done.returncode, 255)
        self.assertIn(b"Permission denied (publickey)", done.stderr)

    def test_streams_max(self):
        other = Echo()
        self.addCleanup(other.listener.close)
        self.allow(other.port, "streams_max = 1\n")
        held = subprocess.Popen([str(part) for part in (
            harness.need("ssh"), *self.options(), "-W", f"127.0.0.1:{other.port}", "127.0.0.1")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(held.wait)
        self.addCleanup(held.stdout.close)
        self.addCleanup(held.stdin.close)
        held.stdin.write(b"here")
        held.stdin.flush()
        self.assertEqual(held.stdout.read(4), b"here")
        done = self.ssh("-W", f"127.0.0.1:{other.port}")
        self.assertEqual(done.returncode, 255)
        self.assertIn(b"streams_max", done.stderr)

    def test_no_rule(self):
        with socket.create_server(("127.0.0.1", 0)) as other:
            done = self.ssh("-W", f"127.0.0.1:{other.getsockname()[1]}")
        self.assertEqual(done.returncode, 255)
        self.assertIn(b"no forwarding rule allows this", done.stderr)

    def test_the_node_itself_is_no_target(self):
        for port in (self.port, self.quic):
            done = self.ssh("-W", f"127.0.0.1:{port}")
            self.assertEqual(done.returncode, 255)
            self.assertIn(b"the node itself is no target", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
