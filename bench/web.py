#!/usr/bin/env python3
"""HTTP beside nginx, caddy and gtlsserver, in CPU of the server for each request: ./dev bench --http.

A JSON of 46 octets and a file of 1 MiB over HTTP/1.1, HTTP/2 and HTTP/3, and a whole handshake with one request. Over
HTTP/1.1 and HTTP/2 every server looks for the same bearer token, finds the answer among its routes and writes an access
log; over HTTP/3, whose client can say no token, they do all the rest. Each server has one thread, the same certificate
(P-256) and TLS 1.3. Ours and theirs take turns, as in compare.py, and the medians of the rounds count; what the
clients use is not counted. Prints Markdown.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile

from compare import CIPHER, GTLS_OPTIONS, Server, free_port, judged, need, rounds, row, sha256

MIB = 1 << 20
SMALL = b'{"name":"small","items":[1,2,3],"more":"word"}'
HOST = "localhost"
GUARDED, OPEN = "/guarded", "/open"
# What the project wants of the ratio of ours to theirs.
WANTED = {("small", "h1", "nginx"): 0.7, ("small", "h2", "nginx"): 0.4, ("large", "h1", "nginx"): 0.85,
          ("large", "h2", "nginx"): 0.85, ("small", "h3", "gtlsserver"): 1.25, ("small", "h3", "caddy"): 0.3}


class LoggingServer(Server):
    """One whose standard error, which may be its access log, goes into a file."""

    def __init__(self, log, *command, **environment):
        with open(log, "wb") as out:
            # No super().__init__: it would throw the log away.
            self.process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=out,
                                            env=os.environ | environment)


class Site:
    """A server that is up: where it is, and what it is called."""

    def __init__(self, name, server, port, token):
        self.name, self.server, self.port, self.token = name, server, port, token

    def url(self, file, guarded):
        return f"https://{HOST}:{self.port}{GUARDED if guarded else OPEN}/{file}"


class Bench:
    def __init__(self, options, directory, cleanup):
        self.options, self.directory, self.cleanup = options, directory, cleanup
        self.root = directory / "www"
        for below in (GUARDED, OPEN):
            (self.root / below.strip("/")).mkdir(parents=True)
            (self.root / below.strip("/") / "small.json").write_bytes(SMALL)
            (self.root / below.strip("/") / "large").write_bytes(os.urandom(MIB))
        self.key, self.certificate = directory / "key.pem", directory / "cert.pem"
        subprocess.run([need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                        "-nodes", "-keyout", self.key, "-out", self.certificate, "-days", "2", "-subj", f"/CN={HOST}",
                        "-addext", f"subjectAltName=DNS:{HOST}"], check=True, capture_output=True)
        self.sites = {"ours": self.start_ours(), "nginx": self.start_nginx()}
        if shutil.which("caddy"):
            self.sites["caddy"] = self.start_caddy()
        else:
            print("bench: caddy is not installed, so it is left out", file=sys.stderr)
        self.sites["gtlsserver"] = self.start_gtls()

    def start(self, name, table, port, *command, token=None, **environment):
        server = LoggingServer(self.directory / f"{name}.log", *command, **environment)
        self.cleanup.callback(server.stop)
        server.wait_for(table, port)
        return Site(name, server, port, token)

    def start_ours(self):
        alknet, home, port = pathlib.Path(self.options.bin) / "alknet", self.directory / "home", free_port(
            socket.SOCK_STREAM)
        subprocess.run([alknet, "init", "--no-input", "--home", home], check=True, capture_output=True)
        # A site asks for one scope; so here are two of the same root, one of which asks for none.
        (home / "alknet.toml").write_text(
            f'[tls]\ncertificates = [{{ chain = "{self.certificate}", key = "{self.key}" }}]\n'
            f'[[http.site]]\nnames = ["guarded.example"]\nroot = "{self.root}"\nrequire = "web:read"\n'
            f'[[http.site]]\nroot = "{self.root}"\n[http.limits]\nrequests_max = 100000000\n')
        made = subprocess.run([alknet, "token", "add", "--scopes", "web:read", "--home", home, "--json"], check=True,
                              capture_output=True)
        return self.start("ours", "tcp", port, alknet, "serve", "--home", home, "--listen", f"127.0.0.1:{port}",
                          token=json.loads(made.stdout)["token"])

    def start_nginx(self):
        port, token = free_port(socket.SOCK_STREAM), "of-the-bench"
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = " ".join(f"{kind}_temp_path {self.directory}/temporary;" for kind in kinds)
        text = f"""daemon off; master_process off; pid {self.directory}/nginx.pid; error_log {self.directory}/error.log;
            events {{ worker_connections 4096; }}
            http {{ access_log {self.directory}/access.log; {temporary} sendfile on; tcp_nopush on;
              keepalive_requests 100000000; types {{ application/json json; }}
              map $http_authorization $known {{ default 0; "Bearer {token}" 1; }}
              server {{ listen 127.0.0.1:{port} ssl http2; root {self.root}; ssl_protocols TLSv1.3;
                server_name {HOST} guarded.example; ssl_certificate {self.certificate};
                ssl_certificate_key {self.key};
                location {OPEN}/ {{ }}
                location {GUARDED}/ {{ if ($known = 0) {{ return 401; }} }} }} }}"""
        if os.geteuid() == 0:  # its worker must read what only we may read
            text = "user root;\n" + text
        config = self.directory / "nginx.conf"
        config.write_text(text)
        return self.start("nginx", "tcp", port, need("nginx"), "-c", config, "-e", self.directory / "error.log",
                          token=token)

    def start_caddy(self):
        port, token = free_port(socket.SOCK_STREAM), "of-the-bench"
        config = self.directory / "Caddyfile"
        config.write_text(f"""{{
            admin off
            auto_https off
            storage file_system {self.directory}/caddy
        }}
        https://{HOST}:{port}, https://guarded.example:{port} {{
            tls {self.certificate} {self.key}
            root * {self.root}
            log {{
                output file {self.directory}/caddy-access.log
            }}
            @strangers {{
                path {GUARDED}/*
                not header Authorization "Bearer {token}"
            }}
            respond @strangers 401
            file_server
        }}
        """)
        return self.start("caddy", "tcp", port, "caddy", "run", "--config", config, "--adapter", "caddyfile",
                          token=token, GOMAXPROCS="1")

    def start_gtls(self):
        port = free_port(socket.SOCK_DGRAM)
        return self.start("gtlsserver", "udp", port, need("gtlsserver"), *GTLS_OPTIONS, "-d", self.root, "127.0.0.1",
                          port, self.key, self.certificate)

    # ---- one run: microseconds of the server for each request ----

    def served(self, site, count, command, done):
        """`done` looks at what the client printed."""
        before = site.server.cpu()
        ran = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=600, check=False)
        used = site.server.cpu() - before
        if ran.returncode != 0 or not done(ran.stdout + ran.stderr):
            sys.exit(f"bench: {command[0]} at {site.name} failed: {(ran.stdout + ran.stderr)[-800:]}")
        return (used / count * 1e6,)

    def load(self, site, version, file, count, clients):
        """h2load, over HTTP/1.1 one request at a time on each connection and over HTTP/2 16."""
        host = ("guarded.example" if site.name == "ours" else HOST) + f":{site.port}"
        words = [need("h2load"), "-n", count, "-c", clients, "-t", 1, "--tls13-ciphers", CIPHER,
                 f"--connect-to=127.0.0.1:{site.port}", "-H", f"Authorization: Bearer {site.token}"]
        words += ["--h1"] if version == "h1" else ["-m", 16]
        url = f"https://{host}{GUARDED}/{file}"
        return self.served(site, count, [*words, url],
                           lambda text: re.search(rf"\b{count} succeeded, 0 failed", text) and
                           re.search(rf"status codes: {count} 2xx", text))

    def h3(self, site, file, count):
        """gtlsclient, as many requests at a time on one connection as the server lets it open."""
        self.check_h3(site, file)
        words = [need("gtlsclient"), *GTLS_OPTIONS, "--exit-on-all-streams-close", "-n", count, "127.0.0.1", site.port,
                 site.url(file, False)]
        return self.served(site, count, words, lambda _: True)

    def check_h3(self, site, file):
        """gtlsclient is silent about what it was answered: so once with a look at it."""
        into = self.directory / "h3"
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir()
        subprocess.run([need("gtlsclient"), *GTLS_OPTIONS, "--exit-on-all-streams-close", f"--download={into}",
                        "127.0.0.1", str(site.port), site.url(file, False)], capture_output=True, timeout=60,
                       check=True)
        if sha256(into / file) != sha256(self.root / OPEN.strip("/") / file):
            sys.exit(f"bench: {site.name} gave another {file} over HTTP/3")

    def handshakes(self, site, count):
        """A connection for each request, 8 at a time."""
        each = 8
        total = max(count // each, 1) * each
        used = [self.load(site, "h1", "small.json", each, each)[0] for _ in range(total // each)]
        return (sum(used) / len(used),)


def table(title, bench, names, key, measure):
    print(f"\n{title}\n")
    row("server", "µs a request", "ours : theirs", "wanted")
    row("---", "---", "---", "---")
    names = [name for name in names if name in bench.sites]
    figures = rounds(bench.options.rounds, *(
        lambda site=bench.sites[name]: measure(site) for name in names))
    ours = figures[0][0]
    for name, (figure,) in zip(names, figures):
        ratio = ours / figure if figure else float("inf")  # of a clock of 10 ms, too little work costs nothing
        wanted = WANTED.get((*key, name))
        cells = ("", "") if name == "ours" else judged(ratio, wanted) if wanted else (f"{ratio:.2f}", "")
        row(name, f"{figure:.1f}", *cells)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--bin", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--small", type=int, default=40_000, help="requests for the JSON in each run")
    parser.add_argument("--large", type=int, default=400, help="requests for the file in each run")
    parser.add_argument("--handshakes", type=int, default=400)
    parser.add_argument("--only", default="", help="one of h1, h2, h3, handshakes")
    options = parser.parse_args()
    with contextlib.ExitStack() as cleanup:
        shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        directory = pathlib.Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="alknet-bench-", dir=shm)))
        bench = Bench(options, directory, cleanup)
        over_tcp = ("ours", "nginx", "caddy")
        for version, name in (("h1", "HTTP/1.1"), ("h2", "HTTP/2")):
            if options.only in ("", version):
                table(f"A JSON of {len(SMALL)} octets, {name}", bench, over_tcp, ("small", version),
                      lambda site, version=version: bench.load(site, version, "small.json", options.small, 8))
                table(f"A file of 1 MiB, {name}", bench, over_tcp, ("large", version),
                      lambda site, version=version: bench.load(site, version, "large", options.large, 4))
        if options.only in ("", "h3"):
            over_quic = ("ours", "gtlsserver", "caddy")
            table(f"A JSON of {len(SMALL)} octets, HTTP/3", bench, over_quic, ("small", "h3"),
                  lambda site: bench.h3(site, "small.json", options.small))
            table("A file of 1 MiB, HTTP/3", bench, over_quic, ("large", "h3"),
                  lambda site: bench.h3(site, "large", options.large))
        if options.only in ("", "handshakes"):
            table("A whole handshake of TLS 1.3 and one request", bench, over_tcp, ("handshake", "h1"),
                  lambda site: bench.handshakes(site, options.handshakes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
