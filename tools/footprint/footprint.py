#!/usr/bin/env python3
"""What a node costs that has nothing to do: memory, wake-ups and the size of the program, each with a limit.

A node that knows three peers is started from a stripped copy of the release build. The peers connect, one over TCP,
and each has an echo, and another some seconds later; its memory is what is resident then (VmRSS of
/proc/PID/status: with the pages of shared libraries, which other programs use too). The peers leave, and for a
while nothing happens; then all three come back over QUIC, have an echo and say nothing more.
Each voluntary context switch of one of the node's threads (voluntary_ctxt_switches of /proc/PID/task/*/status) is a
wake-up, as a thread that waits for nothing else has been woken before it waits again. Fails above a limit; load on the
machine changes none of the figures.
"""

import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

PEERS = 3
RESIDENT_KIB_MAX = 12 * 1024
WAKE_UPS_PER_MINUTE_MAX = 2
PROGRAM_BYTES_MAX = 8 << 20
CONNECTED_SECONDS = 45  # alknet/echo gives a silent stream a minute
SETTLE_SECONDS = 5  # what a connection leaves behind lasts three probe timeouts


def run(*command):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout


def make_home(program, home):
    run(program, "init", "--no-input", "--home", home)
    return json.loads(run(program, "id", "--json", "--home", home))["node_id"]


class Node:
    def __init__(self, program, home, peers):
        self.id = make_home(program, home)
        with open(home / "alknet.toml", "a", encoding="utf-8") as config:
            for number, peer in enumerate(peers, 1):
                config.write(f'\n[[peer]]\nname = "peer-{number}"\nkeys = ["ed25519:{peer}"]\n')
        self.process = subprocess.Popen([program, "serve", "--home", home, "--listen", "127.0.0.1:0"],
                                        stdout=subprocess.PIPE, stderr=open(home / "log", "w"), text=True)
        line = self.process.stdout.readline()
        self.address = f"alknet://{self.id}@127.0.0.1:" + re.search(r"127\.0\.0\.1:(\d+)", line)[1]

    def resident_kib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])

    def switches(self):
        """By thread: how often it has waited."""
        counts = {}
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            status = (task / "status").read_text()
            name = re.search(r"Name:\s+(.*)", status)[1]
            counts[name, task.name] = int(re.search(r"\nvoluntary_ctxt_switches:\s+(\d+)", status)[1])
        return counts

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


def connect(program, node, home, transport):
    peer = subprocess.Popen([program, "pipe", node.address, "--alpn", "alknet/echo", "--only", transport,
                             "--home", home], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    echo(peer)
    return peer


def echo(peer):
    peer.stdin.write(b"hello\n")
    peer.stdin.flush()
    if peer.stdout.readline() != b"hello\n":
        raise RuntimeError("a peer did not get its echo")


def disconnect(peers):
    for peer in peers:
        peer.stdin.close()
        peer.wait(30)
        peer.stdout.close()


def wake_ups_a_minute(node, seconds, when):
    time.sleep(SETTLE_SECONDS)
    before = node.switches()
    time.sleep(seconds)
    woken = {key: count - before.get(key, 0) for key, count in node.switches().items()}
    for (name, task), count in woken.items():
        if count:
            print(f"footprint: {when}: thread {name} ({task}) woke up {count} times in {seconds} s")
    return sum(woken.values()) * 60 / seconds


def measure(program, seconds, directory):
    homes = [directory / f"peer-{number}" for number in range(PEERS)]
    node = Node(program, directory / "node", [make_home(program, home) for home in homes])
    try:
        connected = [connect(program, node, home, "tcp" if home == homes[0] else "quic") for home in homes]
        time.sleep(SETTLE_SECONDS)  # a node gives back what its start needed a second after it
        for peer in connected:
            echo(peer)
        resident = node.resident_kib()
        disconnect(connected)
        idle = wake_ups_a_minute(node, seconds, "idle")
        connected = [connect(program, node, home, "quic") for home in homes]
        silent = wake_ups_a_minute(node, min(seconds, CONNECTED_SECONDS), "connected")
        for peer in connected:
            echo(peer)
        disconnect(connected)
    finally:
        node.stop()
    return resident, idle, silent


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="alknet-footprint-") as name:
        directory = pathlib.Path(name)
        program = directory / "alknet"
        shutil.copy(options.program, program)
        run("strip", program)
        size = program.stat().st_size
        resident, idle, silent = measure(program, options.seconds, directory)
    rows = [("resident with three peers, KiB", resident, RESIDENT_KIB_MAX),
            ("wake-ups a minute, nobody connected", idle, WAKE_UPS_PER_MINUTE_MAX),
            ("wake-ups a minute, three peers connected", silent, WAKE_UPS_PER_MINUTE_MAX),
            ("program, stripped, KiB", size / 1024, PROGRAM_BYTES_MAX / 1024)]
    print("| footprint | measured | at most |\n|---|---|---|")
    for what, measured, most in rows:
        print(f"| {what} | {measured:.1f} | {most:.0f} |" + (" TOO MUCH" if measured > most else ""))
    return 1 if any(measured > most for _, measured, most in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
