#!/usr/bin/env python3
"""Calls beside gRPC C++ (callback API, TLS), in CPU seconds: ./dev bench --calls.

Of 64 octets, one and 100 at a time; of 1 MiB; a subscription of a million items; and callers that wait. Ours and
theirs take turns, as in compare.py, and the ratio is that of the servers. Ours checks a schema and a scope for each
call; theirs looks at nothing. Prints Markdown.
"""

import argparse
import contextlib
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

from compare import Server, client_cpu, judged, need, rounds, row, table

WANTED = {1: 0.8, 100: 0.25}
GRPC = "gRPC C++, callback API, TLS on TCP"
SMALL, LARGE = 64, 1 << 20
LARGE_AT_A_TIME = 4
IDLE_SECONDS = 10


class Calls:
    def __init__(self, options, directory, cleanup):
        self.options, self.directory = options, directory
        binaries = pathlib.Path(options.bin)
        self.ours, self.grpc = binaries / "alknet_call_peer", binaries / "alknet_grpc_peer"
        self.certificate, key = directory / "cert.pem", directory / "key.pem"
        subprocess.run([need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                        "-nodes", "-keyout", key, "-out", self.certificate, "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
        self.node, node = self.start(cleanup, self.ours, "serve", directory)
        self.address = [node["id"], node["port"]]
        self.server, server = self.start(cleanup, self.grpc, "serve", self.certificate, key)
        self.port = server["port"]

    @staticmethod
    def start(cleanup, *command):
        server = Server(*command, output=subprocess.PIPE)
        cleanup.callback(server.stop)
        return server, json.loads(server.process.stdout.readline())

    def run(self, server, command, count):
        """Microseconds of a call: client, server."""
        before = server.cpu()
        client, _ = client_cpu(command)
        return client / count * 1e6, (server.cpu() - before) / count * 1e6

    def ours_do(self, way, what, count, *more):
        return self.run(self.node, [self.ours, what, *self.address, way, *more], count)

    def grpc_does(self, what, count, *more):
        return self.run(self.server, [self.grpc, what, self.port, self.certificate, *more], count)

    def calls(self, line, depth, count, size, wanted=None):
        figures = rounds(self.options.rounds, lambda: self.ours_do("quic", "calls", count, depth, count, size),
                         lambda: self.ours_do("tcp", "calls", count, depth, count, size),
                         lambda: self.grpc_does("calls", count, depth, count, size))
        self.lines(line, figures, wanted)

    def items(self, line, count):
        figures = rounds(self.options.rounds, lambda: self.ours_do("quic", "items", count, count),
                         lambda: self.ours_do("tcp", "items", count, count),
                         lambda: self.grpc_does("items", count, count))
        self.lines(line, figures)

    @staticmethod
    def lines(line, figures, wanted=None):
        quic, tcp, grpc = figures
        line(GRPC, grpc)
        for name, ours in (("ours, TLS on TCP", tcp), ("ours, QUIC", quic)):
            # The server's clock has steps of 10 ms: too few calls cost nothing that can be seen.
            ratio = ours[1] / max(grpc[1], 1e-9)
            line(name, ours, *(judged(ratio, wanted) if wanted else (f"{ratio:.2f}", "")))

    def wait(self, server, *command):
        """What callers that wait cost the server: KiB and µs of a second, each."""
        count = int(command[-1])
        before = resident_kib(server)
        with subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as callers:
            there = callers.stdout.readline()
            if not there or json.loads(there)["callers"] != count:
                sys.exit(f"bench: {command} has not all callers")
            held = resident_kib(server) - before
            spent = server.cpu()
            time.sleep(IDLE_SECONDS)
            spent = server.cpu() - spent
            callers.stdin.close()
            if callers.wait() != 0:
                sys.exit(f"bench: {command} failed")
        return held / count, spent / IDLE_SECONDS / count * 1e6

    def idle(self):
        count = self.options.idle
        print(f"\n{count} callers that wait, what each costs the server\n")
        row("", "memory, KiB", "CPU, µs a second")
        row("---", "---", "---")
        for name, figures in (
                (GRPC, self.wait(self.server, self.grpc, "idle", self.port, self.certificate, count)),
                ("ours, TLS on TCP", self.wait(self.node, self.ours, "idle", *self.address, "tcp", count)),
                ("ours, QUIC", self.wait(self.node, self.ours, "idle", *self.address, "quic", count))):
            row(name, f"{figures[0]:.1f}", f"{figures[1]:.2f}")


def resident_kib(server):
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text(encoding="utf-8")
    return int(status.split("VmRSS:")[1].split()[0])


def raise_descriptor_limit():
    """Each caller over TCP is a descriptor, also of gRPC's, which raises nothing itself."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--bin", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--large", type=int, default=500)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--idle", type=int, default=10_000)
    parser.add_argument("--only", default="", choices=("small", "large", "items", "idle"))
    options = parser.parse_args()

    def wanted_is(part):
        return options.only in ("", part)

    raise_descriptor_limit()
    with contextlib.ExitStack() as cleanup:
        directory = pathlib.Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="alknet-bench-")))
        calls = Calls(options, directory, cleanup)
        for depth, wanted in WANTED.items() if wanted_is("small") else ():
            line = table(f"Calls of 64 octets, {depth} at a time; the ratio is that of the servers", "µs", 1)
            calls.calls(line, depth, options.calls, SMALL, wanted)
        if wanted_is("large"):
            line = table(f"Calls of 1 MiB there and back, {LARGE_AT_A_TIME} at a time", "µs", 0)
            calls.calls(line, LARGE_AT_A_TIME, options.large, LARGE)
        if wanted_is("items"):
            calls.items(table(f"A subscription of {options.items} items of 64 octets", "µs an item", 2), options.items)
        if wanted_is("idle"):
            calls.idle()
    return 0


if __name__ == "__main__":
    sys.exit(main())
