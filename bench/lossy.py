#!/usr/bin/env python3
"""QUIC beside the kernel's TCP over bad links, both with bbr and with cubic: ./dev bench --lossy.

One file from machine `b` to machine `a` (see interop/reach/reach.py), like with like: the same link,
whose losses are seeded, the same congestion control, the runs in turns. TCP carries the bare file, without
TLS. What counts is the goodput from the dial on, over the file or the seconds that a run gets at most. Needs
root. Prints Markdown.
"""

import argparse
import hashlib
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PORT = 4433
LINKS = {
    "100 ms, 1 % lost, 200 Mbit/s": "delay=50ms loss=0.01 rate=200M queue=5000000",
    "Wi-Fi, 20 ms, bursts of 15 ms lost, 100 Mbit/s":
        "delay=10ms burst=0.0005 burst_for=15ms rate=100M queue=500000",
    "satellite, 600 ms, 0.5 % lost, 20 Mbit/s": "delay=300ms loss=0.005 rate=20M queue=1500000",
}
ALGORITHMS = ("bbr", "cubic")


def tcp_socket(algorithm):
    made = socket.socket()
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, algorithm.encode())
    return made


def tcp_serve(path, algorithm):
    """Sends the file to each that connects."""
    with tcp_socket(algorithm) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("0.0.0.0", PORT))
        listener.listen()
        print("ready", flush=True)
        while True:
            accepted = listener.accept()[0]
            with accepted, open(path, "rb") as file:
                try:
                    accepted.sendfile(file)
                except OSError:
                    continue  # the client's time was over


def tcp_get(host, out):
    print("dial", flush=True)
    with socket.create_connection((host, PORT)) as stream, open(out, "wb", buffering=0) as file:
        while piece := stream.recv(1 << 16):
            file.write(piece)


class Lossy:
    def __init__(self, options, reach, directory):
        self.options, self.reach, self.directory = options, reach, directory
        self.file, self.out = directory / "file", directory / "out"
        self.file.write_bytes(os.urandom(options.megabytes * 1_000_000))
        self.hash = hashlib.sha256(self.file.read_bytes()).hexdigest()
        self.peer = pathlib.Path(options.bin) / "alknet_bench_peer"

    def run(self, link, kind, algorithm, seed):
        """Mbit/s."""
        network = self.reach.Network(seed)
        server = None
        try:
            network.be(link)
            if kind == "QUIC":
                keys = tempfile.mkdtemp(dir=self.directory)  # it makes them
                words = [self.peer, "serve", keys, self.file, f"{self.reach.NODE_V4}:{PORT}", algorithm]
                if self.options.qlog:
                    words.append(self.options.qlog.resolve())
            else:
                words = [sys.executable, __file__, "--tcp-serve", self.file, algorithm]
            server = subprocess.Popen(network.inside("b", *map(str, words)), stdout=subprocess.PIPE)
            first = server.stdout.readline()
            if kind == "QUIC":
                node = json.loads(first)["id"]
                words = [self.peer, "get", node, PORT, self.out, self.reach.NODE_V4]
            else:
                words = [sys.executable, __file__, "--tcp-get", self.reach.NODE_V4, self.out]
            return self.measure(network.inside("a", *map(str, words)))
        finally:
            if server is not None:
                server.terminate()
                server.wait()
            network.close()

    def measure(self, command):
        self.out.unlink(missing_ok=True)
        client = subprocess.Popen(command, stdout=subprocess.PIPE)
        client.stdout.readline()  # the time that a program takes to start is not the network's
        began = time.monotonic()
        size, seconds = 0, 0.0
        while seconds < self.options.seconds and client.poll() is None:
            try:
                client.wait(0.02)
            except subprocess.TimeoutExpired:
                pass
            # To the last octet: a client that has all takes its time to end.
            grown = self.out.stat().st_size if self.out.exists() else 0
            seconds = time.monotonic() - began
            if grown == self.file.stat().st_size:
                size = grown
                break
            size = grown
        if client.poll() is None and size < self.file.stat().st_size:
            client.kill()
        if client.wait() > 0:
            sys.exit(f"bench: {command} failed")
        if size == self.file.stat().st_size and hashlib.sha256(self.out.read_bytes()).hexdigest() != self.hash:
            sys.exit("bench: what arrived differs from the file")
        return size * 8e-6 / seconds


def report(lossy):
    print(f"\n{lossy.options.megabytes} MB, Mbit/s, median (least to most) of {lossy.options.rounds} runs\n")
    print("| link | control | QUIC, ours | TCP, kernel | ours : theirs | wanted |\n|---|---|---|---|---|---|")
    for name, link in LINKS.items():
        for algorithm in ALGORITHMS:
            if lossy.options.only not in f"{name} {algorithm}":
                continue
            seen = {"QUIC": [], "TCP": []}
            for seed in range(lossy.options.seed, lossy.options.seed + lossy.options.rounds):
                for kind, figures in seen.items():
                    figures.append(lossy.run(link, kind, algorithm, seed))
            cells = [f"{statistics.median(figures):.1f} ({min(figures):.1f} to {max(figures):.1f})"
                     for figures in seen.values()]
            ratio = statistics.median(seen["QUIC"]) / statistics.median(seen["TCP"])
            wanted = "≥ 1" + ("" if ratio >= 1 else ", missed")
            print(f"| {name} | {algorithm} | {cells[0]} | {cells[1]} | {ratio:.2f} | {wanted} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--bin")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--megabytes", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=20, help="the longest that a run may take")
    parser.add_argument("--only", default="", help="the links and controls whose row has this text")
    parser.add_argument("--qlog", type=pathlib.Path, help="a directory for the qlog of our server's runs")
    parser.add_argument("--seed", type=int, default=1, help="of the first run; the next ones count up")
    parser.add_argument("--tcp-serve", nargs=2)
    parser.add_argument("--tcp-get", nargs=2)
    options = parser.parse_args()
    if options.tcp_serve:
        tcp_serve(*options.tcp_serve)
    elif options.tcp_get:
        tcp_get(*options.tcp_get)
    else:
        known = pathlib.Path("/proc/sys/net/ipv4/tcp_available_congestion_control").read_text().split()
        for algorithm in ALGORITHMS:
            if algorithm not in known:
                sys.exit(f"bench: this kernel has no TCP {algorithm} (modprobe tcp_{algorithm})")
        os.environ["ALKNET_BIN"] = str(pathlib.Path(options.bin).resolve())
        sys.path[:0] = [str(ROOT / "interop"), str(ROOT / "interop" / "reach")]
        import reach  # which looks at ALKNET_BIN
        reach.require_root()
        with tempfile.TemporaryDirectory(prefix="alknet-lossy-") as directory:
            report(Lossy(options, reach, pathlib.Path(directory)))


if __name__ == "__main__":
    sys.exit(main())
