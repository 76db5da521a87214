"""What the tests of the program share: the program, homes, and nodes that run in them."""

import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import threading
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROGRAM = os.environ.get("ALKNET_PROGRAM", "alknet")
# Only for what would otherwise hang for ever; nothing is measured.
PATIENCE_S = int(os.environ.get("ALKNET_PATIENCE_S", "60"))
EXIT_OK, EXIT_FAILURE, EXIT_USAGE, EXIT_CONFIG, EXIT_UNREACHABLE, EXIT_REFUSED = range(6)
# A node that nobody is.
OTHER_ID = "e78c2766a792f09bfccb51493968ac322283e8d021a30063784d806929762ecc"


def clean_environment(**more):
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("ALKNET_", "XDG_")) and name not in ("HOME", "NOTIFY_SOCKET")}
    return kept | more


def run(*arguments, expect=EXIT_OK, env=None, **options):
    """Runs the program to its end; its exit code must be the expected one."""
    options.setdefault("stdin", subprocess.DEVNULL)
    if "input" in options:
        del options["stdin"]
    text = options.pop("text", True)
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=text,
                          env=env or clean_environment(), timeout=PATIENCE_S, check=False, **options)
    if done.returncode != expect:
        raise AssertionError(f"{arguments} ended with {done.returncode}, not {expect}:\n"
                             f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done


class Home:
    """A node's home in a temporary directory."""

    def __init__(self, parent, name="home", **init):
        self.path = pathlib.Path(parent) / name
        run("init", "--no-input", "--home", self.path, *init.get("arguments", ()))
        self.identity = self.json("id")
        self.id = self.identity["node_id"]

    def run(self, *arguments, **options):
        return run(*arguments, "--home", self.path, **options)

    def json(self, *arguments, **options):
        return json.loads(self.run(*arguments, "--json", **options).stdout)

    def error(self, *arguments, expect):
        return json.loads(self.run(*arguments, "--json", expect=expect).stderr)["error"]

    @property
    def config(self):
        return self.path / "alknet.toml"

    def configure(self, text):
        """Replaces the configuration, as an editor does."""
        new = self.path / "alknet.toml.new"
        new.write_text(text)
        new.chmod(0o600)
        new.rename(self.config)


class Node:
    """A running node. Its output and its log are read line by line, so that nothing has to sleep."""

    def __init__(self, home, *arguments, listen=("127.0.0.1:0",), env=None):
        self.home = home
        self.told_to_stop = False
        options = [word for address in listen for word in ("--listen", address)]
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--home", str(home.path), *options, *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
            env=env or clean_environment())
        # A line that never comes ends the test instead of hanging it.
        self.end = threading.Timer(PATIENCE_S, self.process.kill)
        self.end.start()
        self.lines = [self.process.stdout.readline() for _ in listen or (None,)]
        found = re.search(r"([\d.]+|\[[\da-f:]+\]):(\d+)", self.lines[0])
        if not found:
            self.end.cancel()
            self.process.kill()
            raise AssertionError(f"it does not listen: {self.lines} {self.process.communicate()[1]}")
        self.bare, self.port = found[0], int(found[2])
        self.address = f"alknet://{home.id}@{self.bare}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.stop()
        self.end.cancel()
        self.process.stdout.close()
        self.process.stderr.close()

    def wait_for(self, event):
        """The next log line of this event."""
        for line in self.process.stderr:
            if f"event={event} " in line or f'"event":"{event}"' in line:
                return line
        raise AssertionError(f"the node ended without the event {event}")

    def send(self, number):
        self.told_to_stop = self.told_to_stop or number in (signal.SIGTERM, signal.SIGINT)
        self.process.send_signal(number)

    def stop(self, number=signal.SIGTERM):
        """Tells it once: a second signal would end a node that is still stopping at once."""
        if not self.told_to_stop:
            self.send(number)
        output, log = self.process.communicate(timeout=PATIENCE_S)
        if self.process.returncode != 0:
            raise AssertionError(f"the node ended with {self.process.returncode}: {output} {log}")
        return log


class TestCase(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="alknet-test-")
        self.addCleanup(holder.cleanup)
        self.directory = pathlib.Path(holder.name)

    def home(self, name="home", **init):
        return Home(self.directory, name, **init)


class WithNode(TestCase):
    """A node that knows the client."""

    listener = ""

    def setUp(self):
        super().setUp()
        self.server = self.home("server")
        self.client = self.home("client")
        self.server.configure(f'[[peer]]\nname = "client"\nkeys = ["{self.client.id}"]\n'
                              f'scopes = ["node:diagnose", "node:bench"]\n{self.listener}')
        self.node = Node(self.server, listen=() if self.listener else ("127.0.0.1:0",))
        self.node.__enter__()
        self.addCleanup(self.node.__exit__, None, None, None)


def by_name(shown):
    """The checks of what doctor shows."""
    return {check["name"]: check for check in shown["checks"]}
