"""What the interop tests share: nodes of ours, foreign programs, and the record of each case.

A test class names its `peer`; each `test_<case>` is one row entry of the table that CI prints. A
foreign program that is not installed is a failure, never a skip.
"""

import ctypes
import json
import os
import pathlib
import re
import select
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
BIN = pathlib.Path(os.environ.get("ALKNET_BIN", HERE.parent / "build/dev/bin")).resolve()
DEADLINE_SECONDS = 60


def need(program):
    """The path of a foreign program that must be there; servers lie where not every user looks."""
    found = shutil.which(program, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin")
    if found is None:
        raise AssertionError(f"{program} is not installed; ./dev bootstrap test installs it")
    return found


def package_version(name):
    """The version of a Debian package, upstream part only."""
    out = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", name], capture_output=True, text=True, check=True)
    return re.sub(r"-[^-]*$", "", out.stdout.split(":")[-1])


def npm_version(name):
    return json.loads((HERE / "node_modules" / name / "package.json").read_text())["version"]


def run(*command, stdin=b"", timeout=DEADLINE_SECONDS, **options):
    """Runs to the end; gives the CompletedProcess with bytes, and never raises for its exit code."""
    return subprocess.run([str(part) for part in command], input=stdin, capture_output=True, timeout=timeout, **options)


def alknet(*arguments, **options):
    return run(BIN / "alknet", *arguments, **options)


def free_udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_udp_port(port):
    """Until some process of this machine has bound the port on 127.0.0.1."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while f" 0100007F:{port:04X} " not in pathlib.Path("/proc/net/udp").read_text():
        if time.monotonic() > deadline:
            raise AssertionError(f"nobody has bound UDP port {port}")
        os.sched_yield()


def wait_for_tcp_port(port):
    """Until some process of this machine listens on the port of 127.0.0.1."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while f" 0100007F:{port:04X} 00000000:0000 0A " not in pathlib.Path("/proc/net/tcp").read_text():
        if time.monotonic() > deadline:
            raise AssertionError(f"nobody listens on TCP port {port}")
        os.sched_yield()


def die_with_parent():
    """In a child: a test that is killed leaves no node behind (PR_SET_PDEATHSIG, SIGKILL)."""
    ctypes.CDLL(None).prctl(1, 9)


class Child:
    """A program that runs beside the test, whose output lines can be awaited."""

    def __init__(self, *command, **options):
        pipe = subprocess.PIPE
        options.setdefault("preexec_fn", die_with_parent)
        self.process = subprocess.Popen(
            [str(part) for part in command], stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, **options
        )
        self.seen = []
        self.rest = b""

    def wait_for(self, pattern, timeout=DEADLINE_SECONDS):
        """The match of the first line, past or to come, that `pattern` is found in."""
        expression = re.compile(pattern)
        for line in self.seen:
            if match := expression.search(line):
                return match
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                break
            chunk = os.read(self.process.stdout.fileno(), 65536)
            if not chunk:
                break
            *lines, self.rest = (self.rest + chunk).split(b"\n")
            self.seen += [line.decode(errors="replace") for line in lines]
            for line in self.seen[-len(lines):] if lines else []:
                if match := expression.search(line):
                    return match
        raise AssertionError(f"no line with {pattern!r} in:\n" + "\n".join(self.seen[-40:]))

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class PeerTest(unittest.TestCase):
    """A test case whose outcomes go into the table."""

    peer = ""

    @classmethod
    def version(cls):
        raise NotImplementedError

    def setUp(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="alknet-interop-"))
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)

    def child(self, *command, **options):
        child = Child(*command, **options)
        self.addCleanup(child.stop)
        return child

    def node(self):
        """The interop node: the library's Endpoint with the services the foreign clients ask for.
        Gives (child, node id, port)."""
        child = self.child(BIN / "alknet_interop", "serve", self.home / "node")
        match = child.wait_for(r'"listening":"127\.0\.0\.1:(\d+)".*"node_id":"([0-9a-f]{64})"')
        return child, match.group(2), int(match.group(1))

    def serve(self, *arguments, config=None):
        """The real program, as a user starts it, perhaps with another configuration. Gives (child,
        node id, port)."""
        home = self.home / "serve"
        made = alknet("init", "--no-input", "--home", home)
        self.assertEqual(made.returncode, 0, made.stderr)
        if config is not None:
            (home / "alknet.toml").write_text(config)
        node_id = json.loads(alknet("id", "--json", "--home", home).stdout)["node_id"]
        child = self.child(BIN / "alknet", "serve", "--home", home, "--listen", "127.0.0.1:0", *arguments)
        port = child.wait_for(r"listening.*127\.0\.0\.1:(\d+)").group(1)
        return child, node_id, int(port)

    def dial(self, what, address, alpn, *arguments, **options):
        """Our client, for what the commands do not offer (resumption, migration). Gives its JSON."""
        done = run(BIN / "alknet_interop", what, address, alpn, *arguments, **options)
        lines = done.stdout.decode().strip().splitlines()
        self.assertTrue(lines, done.stderr.decode())
        return json.loads(lines[-1])

    def node_script(self, script, *arguments, **options):
        """A peer written for Node.js. Gives the JSON of its last line."""
        done = run(need("node"), "--no-deprecation", HERE / "peers" / script, *arguments, cwd=HERE, **options)
        lines = done.stdout.decode().strip().splitlines()
        self.assertTrue(lines, done.stderr.decode())
        return json.loads(lines[-1])

    def run(self, result=None):
        result = super().run(result)
        directory = os.environ.get("ALKNET_INTEROP_RESULTS")
        if directory and result is not None:
            failed = any(test is self for test, _ in result.failures + result.errors)
            path = pathlib.Path(directory)
            path.mkdir(parents=True, exist_ok=True)
            case = self._testMethodName.removeprefix("test_")
            with (path / f"{type(self).__name__}.tsv").open("a") as table:
                table.write(f"{self.peer}\t{self.version()}\t{case}\t{'FAILED' if failed else 'ok'}\n")
        return result
