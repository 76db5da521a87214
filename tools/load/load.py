#!/usr/bin/env python3
"""Much of everything on one node: ./dev load. Nothing of it may stay, and nobody may be kept out by it.

Four loads, each on a node of its own and over real sockets of the loopback device:

  idle        QUIC connections, each with a handler that waits and one finished echo: what one more of them costs
  handshakes  full ones, one after the other: no growth
  flood       Initials from ever new addresses and ports, half of them whole, a quarter with a ClientHello that is
              none, a quarter that does not open; meanwhile real clients connect over QUIC, and all must get through
  flows       ever new addresses and ports from each of which an Initial, a packet of a forgotten connection and one
              of an unknown version come: no growth

The nodes are `alknet serve`, whose resident memory is looked at, and an endpoint in a program that also tells its
connections, its unfinished handshakes and its heap (octets that are allocated), all of which must go back to what
they were. Nothing here depends on how fast the machine is. Prints Markdown; fails above a limit.
"""

import argparse
import contextlib
import dataclasses
import json
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

IDLE_KIB_MAX = 40  # of one more idle connection
GROWTH_KIB_MAX = 1024  # once everything is warm, for whatever came after
FLOOD_KIB_MAX = 16 * 1024  # while it lasts: unfinished handshakes, of which there is a bounded number
PATIENCE_SECONDS = 120
CLIENT_SECONDS = 60
START_SECONDS = 2  # a second after its start a node gives back what only that needed
LIMITS = "connections_max = 100000\nconnections_per_ip_max = 100000\nidle_timeout = \"1h\"\n"


@dataclasses.dataclass
class Sizes:
    idle: tuple  # from how many connections to how many
    handshakes: int
    initials: int  # at least
    initials_a_second: int
    clients: int
    flows: int
    handshake_milliseconds: int = 10_000  # that a node gives each
    idle_kib_max: int = IDLE_KIB_MAX
    flood_kib_max: int = FLOOD_KIB_MAX


FULL = Sizes((2_000, 10_000), 100_000, 200_000, 10_000, 100, 200_000)
# As a test it is of builds that are not optimised, whose coroutines hold more and whose code is longer.
SMALL = Sizes((60, 300), 1_000, 2_000, 1_000, 5, 5_000, 3_000, IDLE_KIB_MAX + 6, FLOOD_KIB_MAX + 2048)


class Talker:
    """A program that answers each line of its input with a line."""

    def __init__(self, *command):
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args} has ended with {self.process.wait()}")
        return line.strip()

    def ask(self, line=""):
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return self.read()

    def end(self):
        self.process.stdin.close()
        if self.process.wait(PATIENCE_SECONDS) != 0:
            raise RuntimeError(f"{self.process.args} ended with {self.process.returncode}")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Node:
    def resident_kib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])

    def take(self, address):
        self.address = address
        self.id, self.port = re.fullmatch(r"alknet://(\w+)@127\.0\.0\.1:(\d+)", address).groups()

    def quiet(self):
        """Waits until nothing is left of those who have gone."""


class EndpointNode(Node):
    name = "endpoint"

    def __init__(self, bin, directory, handshake_milliseconds):
        self.talker = Talker(bin / "alknet_load", "serve", directory, handshake_milliseconds)
        self.process = self.talker.process
        self.take(self.talker.read())

    def figures(self):
        return json.loads(self.talker.ask())

    def memory_kib(self):
        return self.figures()["heap"] / 1024

    def wait_for(self, condition, what):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition(self.figures()):
            if time.monotonic() > deadline:
                raise RuntimeError(f"waited in vain for {what}: {self.figures()}")
            time.sleep(0.05)

    def quiet(self):
        self.wait_for(lambda figures: figures["half_open"] == 0, "the end of unfinished handshakes")
        self.wait_for(lambda figures: figures["connections"] == 0, "the end of connections")

    def stop(self):
        self.talker.end()

    def kill(self):
        self.talker.kill()


class ProgramNode(Node):
    name = "alknet serve"

    def __init__(self, bin, directory, handshake_milliseconds):
        self.handshake_milliseconds = handshake_milliseconds
        program = bin / "alknet"
        subprocess.run([program, "init", "--no-input", "--home", directory], check=True, stdout=subprocess.DEVNULL)
        shown = subprocess.run([program, "id", "--json", "--home", directory], check=True, capture_output=True)
        config = directory / "alknet.toml"
        text = config.read_text()
        if text.count("[limits]\n") != 1:
            raise RuntimeError(f"{config} has no [limits]")
        config.write_text(text.replace("[limits]\n", "[limits]\n" + LIMITS +
                                       f"handshake_timeout = \"{handshake_milliseconds}ms\"\n"))
        self.log = open(directory / "log", "w", encoding="utf-8")
        self.process = subprocess.Popen([program, "serve", "--home", directory, "--listen", "127.0.0.1:0"],
                                        stdout=subprocess.PIPE, stderr=self.log, text=True)
        port = re.search(r"127\.0\.0\.1:(\d+)", self.process.stdout.readline())[1]
        time.sleep(START_SECONDS)
        self.take(f"alknet://{json.loads(shown.stdout)['node_id']}@127.0.0.1:{port}")

    def memory_kib(self):
        return self.resident_kib()

    def quiet(self):
        time.sleep(self.handshake_milliseconds / 1000)  # by then none is unfinished

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(PATIENCE_SECONDS) != 0:
            raise RuntimeError(f"the node ended with {self.process.returncode}")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()


class Load:
    def __init__(self, bin, sizes):
        self.bin, self.sizes, self.problems = bin, sizes, []

    def row(self, load, node, what, measured, most=None):
        bad = most is not None and measured > most
        limit = "" if most is None else f"{most:,}"
        remark = " TOO MUCH" if bad else ""
        print(f"| {load} | {node.name} | {what} | {measured:,.1f} | {limit} |{remark}", flush=True)
        if bad:
            self.problems.append(f"{load}, {node.name}: {what}")

    def fall_back(self, node, before, load):
        """How much more is allocated than before; what waits for a timer is given its time."""
        node.quiet()
        deadline = time.monotonic() + self.sizes.handshake_milliseconds / 1000
        while (grown := node.memory_kib() - before) > GROWTH_KIB_MAX and time.monotonic() < deadline:
            time.sleep(0.05)
        self.row(load, node, "growth, KiB", grown, GROWTH_KIB_MAX)

    def handshakes_of(self, node, kind, count):
        subprocess.run([self.bin / "alknet_bench_peer", "handshakes", node.id, node.port, kind, "alknet/echo",
                        str(count)], check=True)

    def idle(self, node):
        first, last = self.sizes.idle
        holder = Talker(self.bin / "alknet_load", "idle", node.address)
        try:
            seen = []
            for count in (first, last):
                if int(holder.ask(count)) != count:
                    raise RuntimeError("not all connections are there")
                seen.append((node.memory_kib(), node.resident_kib()))
            if isinstance(node, EndpointNode) and node.figures()["connections"] != last:
                raise RuntimeError("the node does not have all connections")
            for what, before, after in zip(("allocated", "resident"), *seen):
                if what == "resident" or isinstance(node, EndpointNode):
                    self.row(f"{last:,} idle", node, f"one more, {what}, KiB", (after - before) / (last - first),
                             self.sizes.idle_kib_max)
            holder.end()
        finally:
            holder.kill()
        node.quiet()

    def handshakes(self, node):
        warm = self.sizes.handshakes // 10
        for kind in ("raw", "x509"):
            self.handshakes_of(node, kind, warm // 2)
        node.quiet()
        before = node.memory_kib()
        for kind in ("raw", "x509"):
            self.handshakes_of(node, kind, (self.sizes.handshakes - warm) // 2)
        self.fall_back(node, before, f"{self.sizes.handshakes:,} handshakes")

    def client_seconds(self, node):
        began = time.monotonic()
        subprocess.run([self.bin / "alknet_bench_peer", "requests", node.id, node.port, "alknet/echo", "1", "1"],
                       check=True, timeout=CLIENT_SECONDS)
        return time.monotonic() - began

    def flood_with(self, node, least, clients):
        """How many Initials were sent, the seconds of each client, and the most that was resident."""
        flood = Talker(self.bin / "alknet_load", "flood", node.port, self.sizes.initials_a_second)
        try:
            while int(flood.ask()) < least // 10:  # so that it has filled what it can
                time.sleep(0.05)
            took = [self.client_seconds(node) for _ in range(clients)]
            most = node.resident_kib()
            while (sent := int(flood.ask())) < least:
                time.sleep(0.05)
                most = max(most, node.resident_kib())
            flood.end()
        finally:
            flood.kill()
        return sent, took, most

    def flood(self, node):
        resident = node.resident_kib()
        self.flood_with(node, self.sizes.initials // 10, 1)
        node.quiet()
        before = node.memory_kib()
        sent, took, most = self.flood_with(node, self.sizes.initials, self.sizes.clients)
        name = f"flood of {sent:,} Initials"
        print(f"| {name} | {node.name} | {len(took)} clients got through, median, ms "
              f"| {statistics.median(took) * 1000:,.1f} | |")
        self.row(name, node, "more resident at most, KiB", most - resident, self.sizes.flood_kib_max)
        self.fall_back(node, before, name)

    def flows(self, node):
        for count in (self.sizes.flows // 10, self.sizes.flows):
            node.quiet()
            before = node.memory_kib()
            flows = Talker(self.bin / "alknet_load", "flows", node.port, count)
            try:
                if int(flows.read()) != count:
                    raise RuntimeError("not all flows were answered")
            finally:
                flows.kill()
        self.fall_back(node, before, f"{self.sizes.flows:,} flows")

    def run(self, kind, load):
        with tempfile.TemporaryDirectory(prefix="alknet-load-") as name, contextlib.ExitStack() as cleanup:
            node = kind(self.bin, pathlib.Path(name), self.sizes.handshake_milliseconds)
            cleanup.callback(node.kill)
            getattr(self, load)(node)
            node.stop()


LOADS = ("idle", "handshakes", "flood", "flows")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("loads", nargs="*", help=" ".join(LOADS) + "; without any, all")
    parser.add_argument("--bin", required=True, type=pathlib.Path)
    parser.add_argument("--small", action="store_true", help="numbers that take seconds")
    parser.add_argument("--handshakes", type=int, help="so many instead of 100 000")
    options = parser.parse_args()
    if unknown := set(options.loads) - set(LOADS):
        parser.error(f"there is no load {unknown}")
    sizes = SMALL if options.small else FULL
    if options.handshakes:
        sizes = dataclasses.replace(sizes, handshakes=options.handshakes)
    load = Load(options.bin.resolve(), sizes)
    print("| load | node | figure | measured | at most |\n|---|---|---|---|---|")
    for which in options.loads or LOADS:
        for kind in (EndpointNode, ProgramNode):
            load.run(kind, which)
    for problem in load.problems:
        print("load: too much:", problem)
    return 1 if load.problems else 0


if __name__ == "__main__":
    sys.exit(main())
