"""Scripts of OpenSSH's own regress suite, as Debian's openssh-tests installs them, with a node in the place of sshd
(peers/regress_sshd.py). What fails must stand in openssh_regress.tsv with its reason, and what stands there must fail.
"""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import unittest

import harness

SUITE = pathlib.Path(os.environ.get("ALKNET_OPENSSH_TESTS", "/usr/lib/openssh/regress"))
EXPLAINED = harness.HERE / "all/openssh_regress.tsv"
SSHD = harness.HERE / "peers/regress_sshd.py"
SCRIPTS = ("connect", "multiplex", "forwarding", "dynamic-forward", "forward-control", "rekey", "integrity",
           "try-ciphers", "exit-status", "stderr-data", "transfer", "cert-userkey")
DEADLINE_S = 2400


def failures(log):
    """What failed, as `where: what`, from the suite's own log: each failure repeats what was logged before it since
    the last `trace:`, and a blank line ends it."""
    found, where, last = [], "", ""
    for line in log.splitlines() + [""]:
        if line.startswith("trace: "):
            where = line.removeprefix("trace: ")
        if line.startswith(("FAIL: ", "FATAL: ")):
            last = f"{where}: {line.split(': ', 1)[1]}"
        elif not line and last:
            found.append(last)
            last = ""
    return found


def explained(script):
    rows = [line.split("\t") for line in EXPLAINED.read_text().splitlines() if line and not line.startswith("#")]
    return [pattern for name, pattern, _ in rows if name == script]


class OpenSshRegress(harness.PeerTest):
    peer = "openssh regress suite"

    @classmethod
    def version(cls):
        return harness.package_version("openssh-client")

    def setUp(self):
        super().setUp()
        self.home.chmod(0o755)
        self.objects = self.home.resolve() / "objects"
        self.objects.mkdir()
        self.objects.chmod(0o777)  # commands run as somebody else, and write there
        for name in ("netcat", "modpipe", "mkdtemp", "config.h"):
            if not (SUITE / name).exists():
                raise AssertionError(f"{SUITE / name} is not there; ./dev bootstrap peers installs openssh-tests")
            shutil.copy(SUITE / name, self.objects)
        self.start_node()

    def start_node(self):
        self.node_home = self.home / "serve"
        made = harness.alknet("init", "--no-input", "--home", self.node_home)
        self.assertEqual(made.returncode, 0, made.stderr)
        as_whom = 'run_as = "nobody"' if os.geteuid() == 0 else "run_as_self = true"
        config = self.node_home / "alknet.toml"
        text = config.read_text().replace(
            "\n[ssh]\n", f'\n[ssh]\nlisten = ["127.0.0.1:0"]\n{as_whom}\nshell = "/bin/sh"\n')
        config.write_text(text)
        (self.node_home / "base.toml").write_text(text)
        node = self.child(harness.BIN / "alknet", "serve", "--home", self.node_home, "--listen", "127.0.0.1:0")
        self.port = int(node.wait_for(r"ssh\.listening.*127\.0\.0\.1:(\d+)").group(1))
        line = harness.run(harness.need("ssh-keyscan"), "-t", "ed25519", "-p", self.port, "127.0.0.1").stdout
        key = " ".join(line.decode().split()[1:3])
        (self.node_home / "host_key").write_text(f"localhost-with-alias,127.0.0.1,::1 {key}\n")

    def environment(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        wrapper = self.home / "sshd"
        wrapper.write_text(f'#!/bin/sh\nexec {sys.executable} {SSHD} "$@"\n')
        wrapper.chmod(0o755)
        return {"PATH": os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin", "LANG": "C",
                "HOME": os.environ.get("HOME", "/"), "TMPDIR": str(self.home), "TEST_SHELL": "sh",
                "BUILDDIR": str(self.objects), "TEST_SSH_PORT": str(port), "TEST_SSH_SSHD": str(wrapper),
                "TEST_SSH_SFTPSERVER": "/usr/lib/openssh/sftp-server", "TEST_SSH_UNSAFE_PERMISSIONS": "1",
                "ALKNET_PROGRAM": str(harness.BIN / "alknet"), "ALKNET_HOME_OF_NODE": str(self.node_home),
                "ALKNET_SSH_PORT": str(self.port), "ALKNET_REGRESS_OBJECTS": str(self.objects)}

    def script(self, name):
        """Runs it; what failed must be what is explained."""
        with (self.home / "output").open("wb") as output:
            suite = subprocess.Popen(
                ["sh", SUITE / "test-exec.sh", self.objects, SUITE / f"{name}.sh"], cwd=self.objects,
                env=self.environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True)
            try:
                status = suite.wait(DEADLINE_S)
            finally:
                self.end(suite)
        log = self.objects / "failed-regress.log"
        failed = failures(log.read_text(errors="replace") if log.exists() else "")
        patterns = explained(name)
        new = [line for line in failed if not any(re.fullmatch(pattern, line) for pattern in patterns)]
        gone = [pattern for pattern in patterns if not any(re.fullmatch(pattern, line) for line in failed)]
        said = (self.home / "output").read_text(errors="replace")
        if new or gone or (status != 0) != bool(failed):
            self.fail(f"status {status}\nnot explained:\n" + "\n".join(new[:40]) + "\nno failure any more:\n" +
                      "\n".join(gone) + "\nlast words:\n" + "\n".join(said.splitlines()[-20:]))

    def end(self, suite):
        """Also what it left in the background."""
        try:
            os.killpg(suite.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # nothing is left
        suite.wait()
        pid = self.objects / "pidfile"
        if pid.exists():
            os.kill(int(pid.read_text()), signal.SIGTERM)


for script_name in SCRIPTS:
    setattr(OpenSshRegress, "test_" + script_name.replace("-", "_"),
            lambda self, name=script_name: self.script(name))


if __name__ == "__main__":
    unittest.main(verbosity=2)
