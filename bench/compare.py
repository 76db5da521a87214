#!/usr/bin/env python3
"""Ours beside foreign programs, in CPU seconds: ./dev bench.

Wall time says little on a machine that does other things, so each run counts the user and system time of
its client and of its server. Ours and theirs take turns, and the median of the rounds counts. What is
transferred is a file of random bytes, whose hash is compared. Runs in a network namespace of its own
(root, or `unshare -rn`), so that the MTU of the loopback device holds the UDP payload of both sides
to 1452 octets. Prints Markdown.
"""

import argparse
import contextlib
import hashlib
import json
import os
import pathlib
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

QUIC_MTU = 1480  # an IPv4 packet with 1452 octets of UDP payload
TCP_MTU = 65536  # the device's own: the harder peer
TICKS = os.sysconf("SC_CLK_TCK")
START_SECONDS = 30
CIPHER = "TLS_AES_128_GCM_SHA256"  # of both sides of every pair

GTLS_OPTIONS = ["-q", "--no-quic-dump", "--no-http-dump", "--max-udp-payload-size=1452"]


def need(program):
    found = shutil.which(program, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin")
    if found is None:
        sys.exit(f"bench: {program} is not installed; ./dev bootstrap bench installs it")
    return found


def set_mtu(octets):
    subprocess.run([need("ip"), "link", "set", "lo", "up", "mtu", str(octets)], check=True)


def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


class Server:
    """A server that runs on, and the CPU seconds it has used."""

    def __init__(self, *command, output=subprocess.DEVNULL):
        words = [str(part) for part in command]
        self.process = subprocess.Popen(words, stdout=output, stderr=subprocess.DEVNULL)

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def wait_for(self, table, port):
        """Until the port is in the kernel's table of our namespace."""
        deadline = time.monotonic() + START_SECONDS
        while f":{port:04X} " not in pathlib.Path(f"/proc/net/{table}").read_text():
            if time.monotonic() > deadline or self.process.poll() is not None:
                sys.exit(f"bench: {self.process.args[0]} did not start")
            os.sched_yield()

    def stop(self):
        self.process.terminate()
        self.process.wait()


def client_cpu(command):
    """Runs to the end; its CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(f"bench: {command[0]} failed: {done.stdout.decode(errors='replace')[-800:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout.decode(errors="replace")


class Bench:
    def __init__(self, options, directory, cleanup):
        self.options, self.directory, self.cleanup = options, directory, cleanup
        self.file = directory / "www" / "file"
        self.file.parent.mkdir()
        with open(self.file, "wb") as out:
            for _ in range(options.megabytes):
                out.write(os.urandom(1_000_000))
        self.hash = sha256(self.file)
        self.peer = pathlib.Path(options.bin) / "alknet_bench_peer"
        self.start_ours()
        self.start_gtls()
        self.start_nginx()

    def start(self, *command, **options):
        server = Server(*command, **options)
        self.cleanup.callback(server.stop)
        return server

    def start_ours(self):
        self.keys = self.directory
        self.ours = self.start(self.peer, "serve", self.keys, self.file, output=subprocess.PIPE)
        first = json.loads(self.ours.process.stdout.readline())
        self.address = [first["id"], first["port"]]

    def start_gtls(self):
        self.gtls_port = free_port(socket.SOCK_DGRAM)
        self.gtls = self.start(need("gtlsserver"), *GTLS_OPTIONS, "-d", self.file.parent,
                               "127.0.0.1", self.gtls_port, *self.pem())
        self.gtls.wait_for("udp", self.gtls_port)

    def start_nginx(self):
        self.nginx_port = free_port(socket.SOCK_STREAM)
        certificate_key, certificate = self.pem()
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = " ".join(f"{kind}_temp_path {self.directory}/temporary;" for kind in kinds)
        text = f"""daemon off; master_process off; pid {self.directory}/nginx.pid; error_log {self.directory}/nginx.log;
            events {{ worker_connections 1024; }}
            http {{ access_log off; {temporary}
              server {{ listen 127.0.0.1:{self.nginx_port} ssl; root {self.file.parent}; ssl_protocols TLSv1.3;
                ssl_certificate {certificate}; ssl_certificate_key {certificate_key}; }} }}"""
        config = self.directory / "nginx.conf"
        config.write_text(text)
        if os.geteuid() == 0:  # its worker must read what only we may read
            config.write_text("user root;\n" + text)
        self.nginx = self.start(need("nginx"), "-c", config, "-e", self.directory / "nginx.log")
        self.nginx.wait_for("tcp", self.nginx_port)

    def start_native(self, stack):
        """The server of iroh or quinn, and the words with which its client begins."""
        program = self.options.native / "bench_peer"
        written_key, certificate = self.pem()
        key = self.directory / "native-key.pem"  # rustls cannot read every form of the same key
        subprocess.run([need("openssl"), "pkey", "-in", written_key, "-out", key], check=True)
        server = self.start(program, stack, "serve", self.file, certificate, key, output=subprocess.PIPE)
        first = json.loads(server.process.stdout.readline())
        return lambda verb: [program, stack, verb, first["id"], first["port"]], server

    def pem(self):
        return self.keys / "cert-key.pem", self.keys / "cert.pem"

    # ---- one run: CPU seconds of the client, of the server ----

    def run(self, server, command, mtu=QUIC_MTU):
        set_mtu(mtu)
        before = server.cpu()
        client, output = client_cpu(command)
        return client, server.cpu() - before, output

    def fetch(self, server, command, out, mtu=QUIC_MTU):
        out.unlink(missing_ok=True)
        client, served, _ = self.run(server, command, mtu)
        if sha256(out) != self.hash:
            sys.exit(f"bench: what {command[0]} received differs from the file")
        out.unlink()
        gigabytes = self.options.megabytes / 1000
        return client / gigabytes, served / gigabytes

    def bulk_ours(self):
        out = self.directory / "ours"
        return self.fetch(self.ours, [self.peer, "get", *self.address, out], out)

    def bulk_gtls(self):
        into = self.directory / "gtls"
        into.mkdir(exist_ok=True)
        command = [need("gtlsclient"), *GTLS_OPTIONS,
                   "--exit-on-all-streams-close", f"--download={into}",
                   "127.0.0.1", self.gtls_port, f"https://127.0.0.1:{self.gtls_port}/file"]
        return self.fetch(self.gtls, command, into / "file")

    def bulk_nginx(self):
        out = self.directory / "curl"
        command = [need("curl"), "-sSk", "--http1.1", "--tls13-ciphers", CIPHER, "-o", out,
                   f"https://127.0.0.1:{self.nginx_port}/file"]
        return self.fetch(self.nginx, command, out, TCP_MTU)

    def bulk_native(self, words, server):
        out = self.directory / "native"
        return self.fetch(server, [*words("get"), out], out)

    def per_item(self, server, command, count, mtu=QUIC_MTU):
        """Microseconds of each one."""
        client, served, _ = self.run(server, command, mtu)
        return client / count * 1e6, served / count * 1e6

    def handshakes_ours(self, kind):
        count = self.options.handshakes
        command = [self.peer, "handshakes", *self.address, kind, "alknet/echo", count]
        return self.per_item(self.ours, command, count)

    def handshakes_nginx(self):
        command = [need("openssl"), "s_time", "-new", "-time", "2", "-ciphersuites", CIPHER,
                   "-connect", f"127.0.0.1:{self.nginx_port}"]
        client, served, output = self.run(self.nginx, command, TCP_MTU)
        count = int(output.split(" connections in ")[0].split()[-1])
        return client / count * 1e6, served / count * 1e6

    def requests(self, depth):
        count = self.options.requests
        return self.per_item(self.ours, [self.peer, "requests", *self.address, "alknet/echo", depth, count], count)


    def handshakes_native(self, words, server):
        count = self.options.handshakes
        return self.per_item(server, [*words("handshakes"), count], count)

    def requests_native(self, words, server, depth):
        count = self.options.requests
        return self.per_item(server, [*words("requests"), depth, count], count)


def rounds(count, *measures):
    """The medians (client, server) of each measure; they take turns."""
    seen = [[] for _ in measures]
    for _ in range(count):
        for results, measure in zip(seen, measures):
            results.append(measure())
    return [tuple(statistics.median(column) for column in zip(*results)) for results in seen]


def row(*cells):
    print("| " + " | ".join(cells) + " |", flush=True)


def table(title, unit, digits):
    print(f"\n{title}\n")
    row("", f"client, {unit}", f"server, {unit}", "ratio", "wanted")
    row("---", "---", "---", "---", "---")
    return lambda name, figures, ratio="", wanted="": row(
        name, *(f"{figure:.{digits}f}" for figure in figures), ratio, wanted)


def judged(ratio, most):
    return f"{ratio:.2f}", f"≤ {most}" + ("" if ratio <= most else ", missed")


def beside_native(bench, count):
    """Both ends ours beside both ends theirs, which run on one thread, as our node does by default."""
    peers = {stack: bench.start_native(stack) for stack in ("iroh", "quinn")}
    kinds = {"iroh": "raw", "quinn": "x509"}

    def compare(title, unit, digits, ours, theirs):
        line = table(title, unit, digits)
        for stack, peer in peers.items():
            mine, its = rounds(count, lambda: ours(kinds[stack]), lambda: theirs(*peer))
            line(f"ours, beside {stack}", mine)
            line(f"{stack}, native", its, f"{sum(mine) / sum(its):.2f}")

    compare("One file over one stream, CPU seconds a gigabyte", "s", 2,
            lambda kind: bench.bulk_ours(), bench.bulk_native)
    compare("Full handshakes: raw keys both ways beside iroh, X.509 beside quinn", "µs", 0,
            bench.handshakes_ours, bench.handshakes_native)
    for depth in (1, 50):
        compare(f"Requests and answers of 64 octets, a stream each, {depth} at a time", "µs", 1,
                lambda kind: bench.requests(depth),
                lambda words, server: bench.requests_native(words, server, depth))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--bin", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--handshakes", type=int, default=1000)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--native", type=pathlib.Path, help="where bench_peer of interop/cargo is built")
    options = parser.parse_args()
    with contextlib.ExitStack() as cleanup:
        shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        directory = pathlib.Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="alknet-bench-", dir=shm)))
        set_mtu(QUIC_MTU)
        bench = Bench(options, directory, cleanup)

        ours, gtls, nginx = rounds(options.rounds, bench.bulk_ours, bench.bulk_gtls, bench.bulk_nginx)
        line = table("One file over one stream, CPU seconds a gigabyte", "s", 2)
        line("ours, QUIC", ours)
        line("gtlsclient, gtlsserver", gtls, *judged(sum(ours) / sum(gtls), 0.75))
        line("curl, nginx: HTTP/1.1 over TLS 1.3 on TCP", nginx, *judged(sum(ours) / sum(nginx), 1.05))

        x509, raw, nginx = rounds(options.rounds, lambda: bench.handshakes_ours("x509"),
                                  lambda: bench.handshakes_ours("raw"), bench.handshakes_nginx)
        line = table("Full handshakes; the ratio is that of the servers", "µs", 0)
        line("nginx, TLS 1.3 on TCP, P-256; client s_time", nginx)
        line("ours, QUIC, X.509 P-256", x509, *judged(x509[1] / nginx[1], 0.75))
        line("ours, QUIC, raw keys both ways", raw, *judged(raw[1] / nginx[1], 0.95))

        line = table("Requests and answers of 64 octets, a stream each", "µs", 1)
        for depth in (1, 50):
            line(f"ours, QUIC, {depth} at a time", rounds(options.rounds, lambda: bench.requests(depth))[0])

        if options.native:
            beside_native(bench, options.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
