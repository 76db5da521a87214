#!/usr/bin/env python3
"""Long load on one running node, to find what only time shows: leaks, and clients that are forgotten.

Starts a node on a free loopback port. Clients come and go for as long as asked: some ping over QUIC or
TCP, some push random bytes through `alknet pipe` and compare the echo, some are killed in the middle.
The soak fails if a client that was not killed fails, if the node dies, if descriptors remain after
the last client left, or if memory keeps growing in the second half. The last line is a Markdown row.
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

CLIENT_TIMEOUT_S = 60
SETTLE_TIMEOUT_S = 120
MEMORY_GROWTH_MAX = 1.2  # of the second half over the first, with room for a noisy allocator
DESCRIPTORS_LEFT_MAX = 4


class Node:
    def __init__(self, program, home):
        self.program = program
        subprocess.run([program, "init", "--no-input", "--home", home], check=True, stdout=subprocess.DEVNULL)
        shown = subprocess.run([program, "id", "--json", "--home", home], check=True, capture_output=True)
        self.id = json.loads(shown.stdout)["node_id"]
        self.raise_limits(pathlib.Path(home) / "alknet.toml")
        self.log = open(pathlib.Path(home) / "serve.log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [program, "serve", "--home", home, "--listen", "127.0.0.1:0"],
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.address = f"alknet://{self.id}@127.0.0.1:{self.read_port()}"
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

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


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    program = str(pathlib.Path(options.program).resolve())
    with tempfile.TemporaryDirectory(prefix="alknet-soak-") as directory:
        return soak(program, options.seconds, options.clients, options.seed, directory)


if __name__ == "__main__":
    sys.exit(main())
