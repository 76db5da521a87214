#!/usr/bin/env python3
"""Calls of 64 octets beside gRPC C++ (callback API, TLS), in CPU seconds: ./dev bench --calls.

Ours and theirs take turns, as in compare.py, and the ratio is that of the servers. Ours checks a schema and a
scope for each call; theirs looks at nothing. Prints Markdown.
"""

import argparse
import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile

from compare import Server, client_cpu, judged, need, rounds, table

WANTED = {1: 0.8, 100: 0.25}


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

    def call_ours(self, way, depth):
        count = self.options.calls
        return self.run(self.node, [self.ours, "calls", *self.address, way, depth, count], count)

    def call_grpc(self, depth):
        count = self.options.calls
        return self.run(self.server, [self.grpc, "calls", self.port, self.certificate, depth, count], count)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--bin", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=100_000)
    options = parser.parse_args()
    with contextlib.ExitStack() as cleanup:
        directory = pathlib.Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="alknet-bench-")))
        calls = Calls(options, directory, cleanup)
        for depth, wanted in WANTED.items():
            quic, tcp, grpc = rounds(options.rounds, lambda: calls.call_ours("quic", depth),
                                     lambda: calls.call_ours("tcp", depth), lambda: calls.call_grpc(depth))
            line = table(f"Calls of 64 octets, {depth} at a time; the ratio is that of the servers", "µs", 1)
            line("gRPC C++, callback API, TLS on TCP", grpc)
            for name, ours in (("ours, TLS on TCP", tcp), ("ours, QUIC", quic)):
                # The server's clock has steps of 10 ms: too few calls cost nothing that can be seen.
                line(name, ours, *judged(ours[1] / max(grpc[1], 1e-9), wanted))
    return 0


if __name__ == "__main__":
    sys.exit(main())
