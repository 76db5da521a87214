#!/usr/bin/env python3
"""Long load on one running node, to find what only time shows: leaks, and clients that are forgotten.

Starts a node on a free loopback port. Clients come and go for as long as asked: some ping over QUIC or
TCP, some push random bytes through `alknet pipe` and compare the echo, some are killed in the middle.
The soak fails if a client that was not killed fails, if the node dies, if descriptors remain after
the last client left, or if memory keeps growing in the second half. The last line is a Markdown row.

With --calls it makes so many calls instead, over QUIC and TCP in turns, a fresh connection every 100 000; each is
answered, and memory is flat: the second half takes at most 2 % or 512 KiB more than the first. With --events a
subscription of so many events through another node is cut --cuts times, and gives each event once or says how
many are missing (apps/alknet/tests/import_test.py). With --web 1000 there are so many Server-Sent Events and so many
WebSockets, of clients that read, that do not and that vanish (web.py).
"""

import argparse
import concurrent.futures
import dataclasses
import hashlib
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import threading
import time

import web

CLIENT_TIMEOUT_S = 60
SETTLE_TIMEOUT_S = 120
MEMORY_GROWTH_MAX = 1.2  # of the second half over the first, with room for a noisy allocator
DESCRIPTORS_LEFT_MAX = 4
CALLS_OF_A_CLIENT = 100_000
CALLS_AT_A_TIME = 100
CALLS_CLIENTS = 2
CALLS_GROWTH_MAX, CALLS_GROWTH_KIB = 1.02, 512
CALLS_TIMEOUT_S = 3600
IMPORT_TEST = pathlib.Path(__file__).resolve().parents[2] / "apps/alknet/tests/import_test.py"


class Node:
    def __init__(self, program, home, client=None, more=""):
        self.program = program
        self.id = self.make_home(home)
        config = pathlib.Path(home) / "alknet.toml"
        self.raise_limits(config)
        if client:
            more += f'[[peer]]\nname = "client"\nkeys = ["{self.make_home(client)}"]\n'
        with config.open("a", encoding="utf-8") as file:
            file.write(more)
        self.log = open(pathlib.Path(home) / "serve.log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [program, "serve", "--home", home, "--listen", "127.0.0.1:0"],
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.address = f"alknet://{self.id}@127.0.0.1:{self.read_port()}"
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def make_home(self, home):
        """Whose node id it gives."""
        subprocess.run([self.program, "init", "--no-input", "--home", home], check=True, stdout=subprocess.DEVNULL)
        shown = subprocess.run([self.program, "id", "--json", "--home", home], check=True, capture_output=True)
        return json.loads(shown.stdout)["node_id"]

    @staticmethod
    def raise_limits(config):
        """All clients come from one address, where those that were killed count until they have timed out."""
        text = config.read_text()
        wanted = "[limits]\nconnections_per_ip_max = 10000\nhalf_open_retry = 1000\n"
        if text.count("[limits]\n") != 1:
            raise RuntimeError(f"{config} has no [limits]")
        config.write_text(text.replace("[limits]\n", wanted))

    def read_port(self):
        for line in self.process.stdout:
            found = re.search(r"listening.*127\.0\.0\.1:(\d+)", line)
            if found:
                return int(found[1])
        raise RuntimeError("the node ended before it listened")

    def resident_kib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def stop(self):
        self.process.terminate()
        return self.process.wait(timeout=SETTLE_TIMEOUT_S)


@dataclasses.dataclass
class Totals:
    pings: int = 0
    transfers: int = 0
    transferred_bytes: int = 0
    killed: int = 0
    failures: list = dataclasses.field(default_factory=list)


class Client:
    """One worker: runs client programs one after the other until the deadline."""

    def __init__(self, node, home, deadline, seed):
        self.node, self.home, self.deadline = node, home, deadline
        self.random = random.Random(seed)
        self.totals = Totals()

    def run(self):
        while time.monotonic() < self.deadline:
            choice = self.random.choices((self.ping, self.transfer, self.kill_midway), (4, 4, 2))[0]
            try:
                choice()
            except (subprocess.SubprocessError, OSError, RuntimeError) as error:
                output = getattr(error, "stderr", b"") or b""
                self.totals.failures.append(f"{error} {output.decode(errors='replace')[-400:]}")
        return self.totals

    def ping(self):
        transport = self.random.choice(("quic", "tcp"))
        subprocess.run([self.node.program, "ping", self.node.address, "--home", self.home,
                        "--only", transport, "--count", "3"],
                       check=True, capture_output=True, timeout=CLIENT_TIMEOUT_S)
        self.totals.pings += 1

    def pipe_command(self):
        return [self.node.program, "pipe", self.node.address, "--alpn", "alknet/echo", "--home", self.home]

    def transfer(self):
        data = self.random.randbytes(self.random.choice((0, 1, 1000, 100_000, 3_000_000)))
        done = subprocess.run(self.pipe_command(), input=data, check=True, capture_output=True,
                              timeout=CLIENT_TIMEOUT_S)
        if hashlib.sha256(done.stdout).digest() != hashlib.sha256(data).digest():
            raise RuntimeError(f"{len(data)} bytes came back as {len(done.stdout)} others")
        self.totals.transfers += 1
        self.totals.transferred_bytes += len(data)

    def kill_midway(self):
        process = subprocess.Popen(self.pipe_command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL)
        process.stdin.write(self.random.randbytes(10_000))
        process.stdin.flush()
        process.stdout.read(self.random.randrange(1, 10_000))
        process.kill()
        process.communicate()
        self.totals.killed += 1


def sample_until(node, deadline):
    samples = []
    while time.monotonic() < deadline and node.process.poll() is None:
        samples.append(node.resident_kib())
        time.sleep(1)
    return samples


def descriptors_left(node, before):
    """How many more descriptors than before remain, once the last clients have timed out."""
    deadline = time.monotonic() + SETTLE_TIMEOUT_S
    while node.descriptors() > before + DESCRIPTORS_LEFT_MAX and time.monotonic() < deadline:
        time.sleep(1)
    return node.descriptors() - before


def judge(node, totals, samples, left, exit_code):
    problems = list(totals.failures[:10])
    if totals.failures:
        problems.append(f"{len(totals.failures)} clients failed")
    if not totals.pings or not totals.transfers:
        problems.append("no client got through")
    half = len(samples) // 2
    if half and max(samples[half:]) > MEMORY_GROWTH_MAX * max(samples[:half]):
        problems.append(f"memory grew from {max(samples[:half])} to {max(samples[half:])} KiB")
    if left > DESCRIPTORS_LEFT_MAX:
        problems.append(f"{left} descriptors remain")
    if exit_code != 0:
        problems.append(f"the node ended with {exit_code}; its log: {node.log.name}")
    return problems


def soak(program, seconds, clients, seed, directory):
    node_home, client_home = f"{directory}/node", f"{directory}/client"
    pathlib.Path(node_home).mkdir()
    node = Node(program, node_home)
    subprocess.run([program, "init", "--no-input", "--home", client_home], check=True, stdout=subprocess.DEVNULL)
    before = node.descriptors()
    deadline = time.monotonic() + seconds
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        running = [pool.submit(Client(node, client_home, deadline, seed + i).run) for i in range(clients)]
        samples = sample_until(node, deadline)
        totals = Totals()
        for client in running:
            for field in dataclasses.fields(Totals):
                value = getattr(totals, field.name) + getattr(client.result(), field.name)
                setattr(totals, field.name, value)
    left = descriptors_left(node, before)
    problems = judge(node, totals, samples, left, node.stop())
    for problem in problems:
        print("soak:", problem)
    print("| seconds | clients | pings | transfers | MB | killed | failed | RSS at most, KiB | descriptors left |")
    print(f"| {seconds} | {clients} | {totals.pings} | {totals.transfers} "
          f"| {totals.transferred_bytes / 1e6:.0f} | {totals.killed} | {len(totals.failures)} "
          f"| {max(samples, default=0)} | {left} |")
    return 1 if problems else 0


class Calls:
    """Batches of small calls, each from a client of its own, until there were so many."""

    def __init__(self, node, home, count):
        self.node, self.home, self.left = node, home, count
        self.of_a_client = max(1, min(CALLS_OF_A_CLIENT, count // 10))
        self.lock = threading.Lock()
        self.done, self.failures, self.samples = 0, [], []

    def take(self):
        with self.lock:
            size = min(self.left, self.of_a_client)
            self.left -= size
            return size

    def run(self, number):
        transport = ("quic", "tcp")[number % 2]
        while size := self.take():
            self.batch(size, transport)

    def batch(self, size, transport):
        done = subprocess.run(
            [self.node.program, "call", self.node.address, "services/access", "--batch", "--parallel",
             str(CALLS_AT_A_TIME), "--only", transport, "--home", self.home],
            input=b'{"service": "alknet/call"}\n' * size, capture_output=True, timeout=CALLS_TIMEOUT_S, check=False)
        answers = done.stdout.count(b'"output":{')
        with self.lock:
            self.done += answers
            self.samples.append((self.done, self.node.resident_kib()))
            if answers != size or done.returncode != 0:
                self.failures.append(f"{answers} of {size} answers over {transport}: {done.stderr[-300:]!r}")


def soak_calls(program, count, directory):
    node_home, client_home = f"{directory}/node", f"{directory}/client"
    pathlib.Path(node_home).mkdir()
    node = Node(program, node_home, client=client_home)
    calls = Calls(node, client_home, count)
    with concurrent.futures.ThreadPoolExecutor(CALLS_CLIENTS) as pool:
        for running in [pool.submit(calls.run, number) for number in range(CALLS_CLIENTS)]:
            running.result()
    first = max((kib for done, kib in calls.samples if done <= count // 2), default=node.resident_kib())
    second = max(kib for _, kib in calls.samples)
    problems = calls.failures[:10]
    if calls.done != count:
        problems.append(f"{calls.done} of {count} calls were answered")
    if second > max(first * CALLS_GROWTH_MAX, first + CALLS_GROWTH_KIB):
        problems.append(f"memory grew from {first} to {second} KiB")
    if node.stop() != 0:
        problems.append(f"the node ended with {node.process.returncode}")
    for problem in problems:
        print("soak:", problem)
    print("| calls | answered | RSS at most in the first half, KiB | in the second |")
    print(f"| {count} | {calls.done} | {first} | {second} |")
    return 1 if problems else 0


def soak_web(program, seconds, clients, seed, directory):
    home = pathlib.Path(directory) / "node"
    home.mkdir()
    return web.soak(lambda more: Node(program, str(home), more=more), descriptors_left, program, seconds, clients, seed,
                    pathlib.Path(directory))


def soak_events(program, events, cuts):
    """Of a size that takes minutes; by default it takes seconds."""
    environment = os.environ | {"ALKNET_PROGRAM": program, "ALKNET_EVENTS": str(events), "ALKNET_CUTS": str(cuts),
                                "ALKNET_PATIENCE_S": str(CALLS_TIMEOUT_S)}
    return subprocess.run([sys.executable, IMPORT_TEST, "-v", "Subscriptions"], env=environment,
                          check=False).returncode


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--calls", type=int, help="make so many calls instead")
    parser.add_argument("--web", type=int, help="so many SSE and so many WebSocket clients instead")
    parser.add_argument("--events", type=int, help="cut a subscription of so many events instead")
    parser.add_argument("--cuts", type=int, default=1000)
    options = parser.parse_args()
    program = str(pathlib.Path(options.program).resolve())
    if options.events:
        return soak_events(program, options.events, options.cuts)
    with tempfile.TemporaryDirectory(prefix="alknet-soak-") as directory:
        if options.calls:
            return soak_calls(program, options.calls, directory)
        if options.web:
            return soak_web(program, options.seconds, options.web, options.seed, directory)
        return soak(program, options.seconds, options.clients, options.seed, directory)


if __name__ == "__main__":
    sys.exit(main())
