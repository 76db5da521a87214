"""Our SSH client against Debian's sshd: `alknet ssh`."""

import fcntl
import getpass
import hashlib
import json
import os
import pathlib
import pty
import random
import select
import signal
import socket
import struct
import subprocess
import termios
import time
import unittest

import harness


OTHER_NODE = "e78c2766a792f09bfccb51493968ac322283e8d021a30063784d806929762ecc"


class SshClient(harness.PeerTest):
    peer = "openssh server"
    SIZE = 8 << 20

    @classmethod
    def version(cls):
        return harness.package_version("openssh-server")

    def setUp(self):
        super().setUp()
        (self.home / ".ssh").mkdir(mode=0o700)
        self.known_hosts = self.home / ".ssh" / "known_hosts"
        self.key = self.new_key(".ssh/id_ed25519", "ed25519")
        self.host_key = self.new_key("host_key", "ed25519")
        self.logs = []
        self.port = self.sshd()
        self.trust(self.host_key)
        self.environment = {"HOME": str(self.home), "PATH": os.environ["PATH"], "TERM": "xterm"}

    def new_key(self, name, kind, *arguments, passphrase=""):
        path = self.home / name
        made = harness.run(harness.need("ssh-keygen"), "-q", "-t", kind, *arguments, "-N", passphrase, "-C", "",
                           "-f", path)
        self.assertEqual(made.returncode, 0, made.stderr)
        return path

    def sshd(self, more="", keys=None):
        """A daemon of ours on a free port, which it gives."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        authorized = self.home / f"authorized_{port}"
        authorized.write_text("".join(pathlib.Path(f"{key}.pub").read_text() for key in keys or [self.key]))
        config = self.home / f"sshd_config_{port}"
        config.write_text(f"ListenAddress 127.0.0.1:{port}\nHostKey {self.host_key}\nPidFile none\n"
                          f"AuthorizedKeysFile {authorized}\nStrictModes no\nUsePAM no\nLogLevel VERBOSE\n"
                          f"PermitRootLogin yes\nPasswordAuthentication no\nSubsystem sftp internal-sftp\n{more}")
        if os.geteuid() == 0:
            pathlib.Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self.log = self.child(harness.need("sshd"), "-D", "-e", "-f", config)
        self.logs.append(self.log)
        self.log.wait_for("Server listening")
        return port

    def trust(self, host_key, port=None):
        public = pathlib.Path(f"{host_key}.pub").read_text().split()
        with self.known_hosts.open("a") as known:
            known.write(f"[127.0.0.1]:{port or self.port} {public[0]} {public[1]}\n")

    def address(self, port=None):
        return f"ssh://{getpass.getuser()}@127.0.0.1:{port or self.port}"

    def ssh(self, *arguments, port=None, options=(), stdin=b""):
        return harness.alknet("ssh", *options, self.address(port), *arguments, stdin=stdin, env=self.environment)

    def echo(self, **how):
        sent = random.Random(5).randbytes(self.SIZE)
        done = self.ssh("cat", stdin=sent, **how)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        self.assertEqual(hashlib.sha256(done.stdout).hexdigest(), hashlib.sha256(sent).hexdigest())

    def test_exec(self):
        self.echo()

    def test_exit_status_and_stderr(self):
        done = self.ssh("echo out; echo err >&2; exit 7")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (7, b"out\n", b"err\n"))
        done = self.ssh("ls", "-d", "/", "--color=never")
        self.assertEqual((done.returncode, done.stdout), (0, b"/\n"), done.stderr)

    def test_ended_by_a_signal(self):
        done = self.ssh("kill -TERM $$")
        self.assertEqual(done.returncode, 255)
        self.assertIn(b"SIGTERM", done.stderr)

    def test_output_goes_on_after_the_input(self):
        done = self.ssh("cat >/dev/null; head -c 3000000 /dev/zero; echo end >&2")
        self.assertEqual((done.returncode, len(done.stdout), done.stderr), (0, 3000000, b"end\n"))

    def test_subsystem(self):
        # SSH_FXP_INIT, version 3, and what answers it.
        with subprocess.Popen([harness.BIN / "alknet", "ssh", "-s", self.address(), "sftp"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, env=self.environment) as sftp:
            sftp.stdin.write(b"\0\0\0\5\1\0\0\0\3")
            sftp.stdin.flush()
            self.assertEqual(sftp.stdout.read(9)[4:], b"\2\0\0\0\3")
            sftp.stdin.close()
            self.assertEqual(sftp.wait(harness.DEADLINE_SECONDS), 0)

    def test_shell_without_a_terminal(self):
        done = self.ssh(options=["-T"], stdin=b"echo here\nexit 4\n")
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertIn(b"here", done.stdout)

    def test_ciphers_of_the_server(self):
        for more in ("Ciphers chacha20-poly1305@openssh.com", "Ciphers aes256-gcm@openssh.com",
                     "Ciphers aes256-ctr\nMACs hmac-sha2-512-etm@openssh.com",
                     "Ciphers aes128-ctr\nMACs hmac-sha2-256"):
            port = self.sshd(more + "\n")
            self.trust(self.host_key, port)
            self.echo(port=port)

    def test_rekey_every_megabyte(self):
        port = self.sshd("RekeyLimit 1M\n")
        self.trust(self.host_key, port)
        self.echo(port=port)

    def test_hashed_known_hosts(self):
        hashed = harness.run(harness.need("ssh-keygen"), "-q", "-H", "-f", self.known_hosts)
        self.assertEqual(hashed.returncode, 0, hashed.stderr)
        self.assertNotIn("127.0.0.1", self.known_hosts.read_text())
        self.assertEqual(self.ssh("true").returncode, 0)

    def test_unknown_and_changed_hosts(self):
        self.known_hosts.write_text("")
        done = self.ssh("true")
        self.assertEqual(done.returncode, 255)
        self.assertIn(b"known_hosts does not have", done.stderr)
        self.assertEqual(self.ssh("true", options=["--tofu"]).returncode, 0)
        self.assertEqual(self.ssh("true").returncode, 0)
        # What we wrote is what ssh reads.
        done = harness.run(harness.need("ssh"), "-F", "/dev/null", "-i", self.key, "-o", "BatchMode=yes",
                           "-p", self.port, "-o", f"UserKnownHostsFile={self.known_hosts}", "127.0.0.1", "true")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.known_hosts.write_text("")
        self.trust(self.new_key("other", "ed25519"))
        for options in ([], ["--tofu"]):
            done = self.ssh("true", options=options)
            self.assertEqual(done.returncode, 255)
            self.assertIn(b"known_hosts has another key", done.stderr)

    def test_keys(self):
        stranger = self.new_key("stranger", "ed25519")
        done = self.ssh("true", options=["-i", stranger])
        self.assertEqual(done.returncode, 255)
        self.assertIn(b"takes none of the keys", done.stderr)
        self.assertEqual(self.ssh("true", options=["-i", self.key]).returncode, 0)
        locked = self.new_key("locked", "ed25519", passphrase="secret")
        done = self.ssh("true", options=["-i", locked])
        self.assertEqual(done.returncode, 255)
        self.assertIn(f"ssh-add {locked}".encode(), done.stderr)

    def test_keys_of_the_agent(self):
        keys = [self.new_key("ecdsa", "ecdsa"), self.new_key("rsa", "rsa", "-b", "3072")]
        agent = self.home / "agent.sock"
        self.child(harness.need("ssh-agent"), "-D", "-a", agent).wait_for("SSH_AUTH_SOCK")
        self.environment["SSH_AUTH_SOCK"] = str(agent)
        self.key.unlink()
        for key in keys:
            harness.run(harness.need("ssh-add"), "-q", key, env=self.environment)
            port = self.sshd(keys=[key])
            self.trust(self.host_key, port)
            self.assertEqual(self.ssh("true", port=port).returncode, 0, key)
            self.assertEqual(self.ssh("true", port=port, options=["-i", key]).returncode, 0, key)
        self.assertEqual(self.ssh("true").returncode, 255)

    def test_j(self):
        behind = self.sshd()
        self.trust(self.host_key, behind)
        self.echo(port=behind, options=["-J", self.address()])
        self.echo(port=behind, options=["-J", f"{self.address()},{self.address()}"])

    def test_j_of_the_first_host(self):
        behind, last = self.sshd(), self.sshd()
        for port in (behind, last):
            self.trust(self.host_key, port)
        user = getpass.getuser()
        (self.home / ".ssh" / "config").write_text(
            f"Host near far\nHostName 127.0.0.1\nHostKeyAlias [127.0.0.1]:{self.port}\nUser {user}\n"
            f"Host far\nPort {behind}\nProxyJump near\nHost near\nPort {self.port}\nProxyJump near\n")
        self.echo(port=last, options=["-J", "ssh://far"])
        self.assertIn("Accepted publickey", self.logs[0].wait_for("Accepted publickey").string)

    def test_j_to_a_node(self):
        home, caller = self.home / "serve", self.home / "caller"
        for path in (home, caller):
            self.assertEqual(harness.alknet("init", "--no-input", "--home", path).returncode, 0)
        ids = [json.loads(harness.alknet("id", "--json", "--home", path).stdout)["node_id"] for path in (home, caller)]
        with (home / "alknet.toml").open("a") as config:
            config.write(f'\n[[peer]]\nname = "bob"\nkeys = ["{ids[1]}"]\nscopes = ["node:read"]\n')
        serving = self.child(harness.BIN / "alknet", "serve", "--home", home, "--listen", "127.0.0.1:0")
        port = serving.wait_for(r"listening.*127\.0\.0\.1:(\d+)").group(1)
        for node in (ids[0], OTHER_NODE):
            done = harness.alknet("ssh", "--home", caller, "-J", self.address(), f"alknet://{node}@127.0.0.1:{port}",
                                  "call", "node/info", env=self.environment)
            if node == ids[0]:
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(json.loads(done.stdout)["node_id"], node)
            else:
                self.assertEqual(done.returncode, 255)

    def test_shell_with_pty(self):
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 111, 0, 0))
        before = termios.tcgetattr(theirs)
        shell = subprocess.Popen([harness.BIN / "alknet", "ssh", self.address()], stdin=theirs, stdout=theirs,
                                 stderr=theirs, env=self.environment, start_new_session=True,
                                 preexec_fn=harness.die_with_parent)
        self.seen = b""
        os.write(ours, b"stty size; echo $TERM $((6*7))\n")
        self.wait_for(ours, b"33 111")
        self.wait_for(ours, b"xterm 42")
        self.assertNotEqual(termios.tcgetattr(theirs), before)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 44, 122, 0, 0))
        shell.send_signal(signal.SIGWINCH)
        os.write(ours, b"until stty size | grep '44 122'; do sleep 0.1; done\n")
        self.wait_for(ours, b"44 122\r\n")
        os.write(ours, b"sh -c 'trap \"echo \\$((7*9)); exit\" INT; echo $((6*9)); while :; do sleep 0.1; done'\n")
        self.wait_for(ours, b"54\r\n")
        os.write(ours, b"\x03")  # interrupts there, not here
        self.wait_for(ours, b"63\r\n")
        os.write(ours, b"exit 9\n")
        self.assertEqual(shell.wait(harness.DEADLINE_SECONDS), 9)
        self.assertEqual(termios.tcgetattr(theirs), before)
        for number in (signal.SIGTERM, signal.SIGQUIT):
            shell = subprocess.Popen([harness.BIN / "alknet", "ssh", self.address()], stdin=theirs, stdout=theirs,
                                     stderr=theirs, env=self.environment, start_new_session=True,
                                     preexec_fn=harness.die_with_parent)
            self.seen = b""
            os.write(ours, b"echo $((6*8))\n")
            self.wait_for(ours, b"48\r\n")
            shell.send_signal(number)
            shell.wait(harness.DEADLINE_SECONDS)
            self.assertEqual(termios.tcgetattr(theirs), before)
        os.close(theirs)

    def wait_for(self, terminal, text):
        deadline = time.monotonic() + harness.DEADLINE_SECONDS
        while text not in self.seen:
            ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
            self.assertTrue(ready, self.seen)
            self.seen += os.read(terminal, 65536)


if __name__ == "__main__":
    unittest.main(verbosity=2)
