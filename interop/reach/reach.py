"""Two machines and a bad network between them: what the cases of reach_test.py stand on.

The machines are network namespaces, the network is alknet_link between their TUN devices: machine `a`
(10.77.0.1, fd77::1) dials, `b` (10.77.0.2, fd77::2) runs the node; a stranger on `b` is 10.77.0.3.
"""

import json
import os
import pathlib
import socket
import sys
import time

import harness

NODE_V4 = "10.77.0.2"
STRANGER_V4 = "10.77.0.3"
QUEUE_PACKETS = 5000  # of the devices: the link's own queue is the one that overflows


def require_root():
    if os.geteuid() != 0:
        sys.exit("reach: needs root, for network namespaces and TUN devices; ./dev reach uses sudo")
    harness.need("ip")


def ip(*arguments):
    done = harness.run(harness.need("ip"), *arguments)
    if done.returncode != 0:
        raise AssertionError(f"ip {' '.join(arguments)}: {done.stderr.decode()}")


class Network:
    """Lives as long as the test."""

    def __init__(self, seed=1):
        self.spaces = {side: f"alknet-{os.getpid()}-{side}" for side in "ab"}
        self.link = None
        for space in self.spaces.values():
            ip("netns", "add", space)
        self.link = harness.Child(harness.BIN / "alknet_link", seed, self.spaces["a"], self.spaces["b"])
        self.link.wait_for("^ready$")
        self.configure("a", "10.77.0.1/24", "fd77::1/64")
        self.configure("b", f"{NODE_V4}/24", "fd77::2/64", f"{STRANGER_V4}/24")

    def configure(self, side, *addresses):
        space = self.spaces[side]
        ip("-n", space, "link", "set", "lo", "up")
        for address in addresses:
            nodad = ["nodad"] if ":" in address else []
            ip("-n", space, "addr", "add", address, "dev", "link0", *nodad)
        ip("-n", space, "link", "set", "link0", "up", "txqueuelen", str(QUEUE_PACKETS))

    def move(self, side, old, new):
        """The machine has another address, as in another network."""
        ip("-n", self.spaces[side], "addr", "del", old, "dev", "link0")
        ip("-n", self.spaces[side], "addr", "add", new, "dev", "link0")

    def ask(self, line, answer):
        self.link.seen.clear()
        self.link.process.stdin.write(line.encode() + b"\n")
        self.link.process.stdin.flush()
        return self.link.wait_for(answer).group(0)

    def be(self, options):
        """The link's options from now on; see parse_link_options."""
        self.ask(options, "^ok$")

    def stats(self):
        return json.loads(self.ask("stats", r"^\{.*\}$"))

    def inside(self, side, *command):
        return [harness.need("ip"), "netns", "exec", self.spaces[side], *command]

    def close(self):
        if self.link is not None:
            self.link.stop()
        for space in self.spaces.values():
            harness.run(harness.need("ip"), "netns", "del", space)


class ReachTest(harness.PeerTest):
    """A node on `b`, and commands that run on `a`."""

    peer = "bad networks"
    port = 4433
    listen = "[::]"

    @classmethod
    def version(cls):
        return "Linux " + os.uname().release.split("-")[0]

    def setUp(self):
        super().setUp()
        self.network = Network()
        self.addCleanup(self.network.close)
        self.home_a = self.home / "a"
        self.home_b = self.home / "b"
        for home in (self.home_a, self.home_b):
            made = harness.alknet("init", "--no-input", "--home", home)
            self.assertEqual(made.returncode, 0, made.stderr)
        self.node_id = self.id_of(self.home_b)
        self.address = f"alknet://{self.node_id}@{NODE_V4}:{self.port}"
        listen = f"{self.listen}:{self.port}"
        self.node = self.on("b", harness.BIN / "alknet", "serve", "--home", self.home_b, "--listen", listen)
        self.node.wait_for("listening")

    @staticmethod
    def id_of(home):
        return json.loads(harness.alknet("id", "--json", "--home", home).stdout)["node_id"]

    def on(self, side, *command, **options):
        """A program that goes on running on a machine."""
        return self.child(*self.network.inside(side, *command), **options)

    def wait_for_udp(self, child, ip_v4):
        """Until `child`, which does not say so, has bound our port on an address of its machine."""
        wanted = f" {int.from_bytes(socket.inet_aton(ip_v4), 'little'):08X}:{self.port:04X} "
        deadline = time.monotonic() + harness.DEADLINE_SECONDS
        while wanted not in pathlib.Path(f"/proc/{child.process.pid}/net/udp").read_text():
            if time.monotonic() > deadline:
                raise AssertionError(f"nobody has bound {ip_v4}")
            os.sched_yield()

    def alknet(self, *arguments, **options):
        """Our program on `a`, to its end."""
        command = [harness.BIN / "alknet", *arguments, "--home", self.home_a]
        return harness.run(*self.network.inside("a", *command), **options)

    def ping(self, *arguments, **options):
        """What a ping of one round trip says: its last line, or its error."""
        done = self.alknet("ping", self.address, "--count", "1", "--json", *arguments, **options)
        lines = done.stdout.decode().splitlines() or done.stderr.decode().splitlines()
        self.assertTrue(lines, done)
        return json.loads(lines[-1])

    def first_byte(self, **options):
        """How long after the start of a pipe its first byte is back, in seconds."""
        command = [harness.BIN / "alknet", "pipe", self.address, "--alpn", "alknet/echo", "--home", self.home_a]
        began = time.monotonic()
        child = self.on("a", *command, **options)
        child.process.stdin.write(b"!\n")
        child.process.stdin.flush()
        child.wait_for("^!$")
        return time.monotonic() - began

    def resumable(self, *arguments):
        """A pipe to the echo that outlives its connections."""
        command = [harness.BIN / "alknet", "pipe", self.address, "--alpn", "alknet/echo", "--resume", *arguments]
        return self.on("a", *command, "--home", self.home_a)

    def say(self, pipe, word):
        """One word there and back; how long that took, in seconds."""
        began = time.monotonic()
        pipe.process.stdin.write(word.encode() + b"\n")
        pipe.process.stdin.flush()
        pipe.wait_for(f"^{word}$")
        return time.monotonic() - began

    def assert_attached(self, transport, within):
        """A resumable stream goes on over `transport`, as the node sees it; each time counts once."""
        began = time.monotonic()
        self.node.wait_for(rf"resume\.attached.*transport\W+{transport}\b", timeout=within)
        self.node.seen.clear()
        self.figure(f"back over {transport}", time.monotonic() - began)

    def assert_reached(self, transport, first, again=None, **options):
        """The first byte is back in time, now and (if asked) once the network is known."""
        took = self.first_byte(**options)
        self.figure("first byte", took)
        said = self.ping(**options)
        self.assertEqual(said.get("transport"), transport, said)
        self.assertEqual((said["peer"], said["verified_by"]), (f"ed25519:{self.node_id}", "pin"))
        self.assertLessEqual(took, first)
        if again is not None:
            took = self.first_byte(**options)
            self.figure("first byte, network known", took)
            self.assertLessEqual(took, again)

    def assert_echoed(self, size, *arguments, **options):
        data = os.urandom(size)
        began = time.monotonic()
        done = self.alknet("pipe", self.address, "--alpn", "alknet/echo", *arguments, stdin=data, **options)
        self.assertEqual((done.returncode, len(done.stdout)), (0, size), done.stderr.decode())
        self.assertTrue(done.stdout == data, "the echo differs")
        self.figure(f"{size} bytes", time.monotonic() - began)
        return done

    def figure(self, what, seconds):
        print(f"    {self.id().split('.')[-1].removeprefix('test_')}: {what} {seconds:.2f} s", flush=True)
