"""Scripts of OpenSSH's own regress suite, as Debian's openssh-tests installs them, with a node in the place of sshd
(peers/regress_sshd.py), or with `alknet ssh` in the place of ssh (peers/regress_ssh.py). What fails must stand in
openssh_regress.tsv with its reason, and what stands there must fail.
"""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import unittest

import harness

SUITE = pathlib.Path(os.environ.get("ALKNET_OPENSSH_TESTS", "/usr/lib/openssh/regress"))
EXPLAINED = harness.HERE / "all/openssh_regress.tsv"
SSHD = harness.HERE / "peers/regress_sshd.py"
SSH = harness.HERE / "peers/regress_ssh.py"
SCRIPTS = ("connect", "multiplex", "forwarding", "dynamic-forward", "forward-control", "rekey", "integrity",
           "try-ciphers", "exit-status", "stderr-data", "transfer", "cert-userkey")
SCRIPTS_OF_THE_CLIENT = ("connect", "exit-status", "stderr-data", "transfer")
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
    """Patterns of what fails, and how often, where that is said."""
    rows = [line.split("\t") for line in EXPLAINED.read_text().splitlines() if line and not line.startswith("#")]
    return {pattern: count for name, pattern, count, _ in rows if name == script}


class Suite(harness.PeerTest):
    """How a script is run."""

    program = SSHD  # of interop/peers, in the place of one of the suite

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
        self.wrapper = self.home / "wrapper"
        self.wrapper.write_text(f'#!/bin/sh\nexec {sys.executable} {self.program} "$@"\n')
        self.wrapper.chmod(0o755)

    def environment(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        return {"PATH": os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin", "LANG": "C",
                "HOME": os.environ.get("HOME", "/"), "TMPDIR": str(self.home), "TEST_SHELL": "sh",
                "BUILDDIR": str(self.objects), "TEST_SSH_PORT": str(port), "TEST_SSH_UNSAFE_PERMISSIONS": "1",
                "TEST_SSH_SFTPSERVER": "/usr/lib/openssh/sftp-server",
                "ALKNET_PROGRAM": str(harness.BIN / "alknet"), **self.more_environment()}

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
        patterns = explained(name) if self.program == SSHD else {}
        new = [line for line in failed if not any(re.fullmatch(pattern, line) for pattern in patterns)]
        times = {pattern: sum(bool(re.fullmatch(pattern, line)) for line in failed) for pattern in patterns}
        gone = [f"{pattern}: {times[pattern]} times, not {count}" for pattern, count in patterns.items()
                if not times[pattern] or count not in ("", str(times[pattern]))]
        said = (self.home / "output").read_text(errors="replace")
        if new or gone or (status != 0) != bool(failed):
            self.fail(f"status {status}\nnot explained:\n" + "\n".join(new[:40]) + "\nnot as often as it should:\n" +
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


class OpenSshRegress(Suite):
    peer = "openssh regress suite"

    def setUp(self):
        super().setUp()
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
        # What it logs from now on, which would fill the pipe.
        threading.Thread(target=lambda: node.process.stdout.read(), daemon=True).start()
        line = harness.run(harness.need("ssh-keyscan"), "-t", "ed25519", "-p", self.port, "127.0.0.1").stdout
        key = " ".join(line.decode().split()[1:3])
        (self.node_home / "host_key").write_text(f"localhost-with-alias,127.0.0.1,::1 {key}\n")

    def more_environment(self):
        return {"TEST_SSH_SSHD": str(self.wrapper), "ALKNET_HOME_OF_NODE": str(self.node_home),
                "ALKNET_SSH_PORT": str(self.port), "ALKNET_REGRESS_OBJECTS": str(self.objects)}


class OpenSshRegressOfTheClient(Suite):
    peer = "openssh regress suite, our client"
    program = SSH

    def setUp(self):
        super().setUp()
        if os.geteuid() == 0:
            pathlib.Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)

    def more_environment(self):
        return {"TEST_SSH_SSH": str(self.wrapper)}


def add_cases(case, scripts):
    for name in scripts:
        setattr(case, "test_" + name.replace("-", "_"), lambda self, name=name: self.script(name))


add_cases(OpenSshRegress, SCRIPTS)
add_cases(OpenSshRegressOfTheClient, SCRIPTS_OF_THE_CLIENT)


if __name__ == "__main__":
    unittest.main(verbosity=2)
