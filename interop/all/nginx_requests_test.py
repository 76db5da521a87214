"""The requests of libs/http/tests/data/requests.tsv, sent to a node and to Debian's nginx: where the two differ
is listed with its reason in nginx_differences.tsv, and nothing else may differ."""

import concurrent.futures
import pathlib
import re
import socket
import ssl
import unittest

import harness

TABLE = harness.HERE.parent / "libs/http/tests/data/requests.tsv"
DIFFERENCES = harness.HERE / "all/nginx_differences.tsv"


def unescaped(text):
    """As tests/request_cases.cpp reads it."""
    out = b""
    pattern = re.compile(r"\\x(..)|\\\{(.*?)\*(\d+)\}|\\(.)|([^\\]+)", re.S)
    for octet, piece, count, other, plain in pattern.findall(text):
        if octet:
            out += bytes([int(octet, 16)])
        elif count:
            out += unescaped(piece) * int(count)
        elif other:
            out += {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\"}[other]
        else:
            out += plain.encode()
    return out


def rows(path):
    return [line.split("\t") for line in path.read_text().splitlines() if line and not line.startswith("#")]


def statuses(octets, connect):
    """The statuses of what is answered to `octets`, until the server closes."""
    answer = b""
    with connect() as connection:
        try:
            connection.sendall(octets)
            while got := connection.recv(65536):
                answer += got
        except OSError:
            answer += b"\r\nHTTP/1.1 cut" if not answer else b""
    found = re.findall(rb"HTTP/1\.1 (\S+)(?=[ \r])", answer)
    return " ".join(status.decode() for status in found if status != b"100") or "nothing"


class NginxRequests(harness.PeerTest):
    peer = "nginx"

    @classmethod
    def version(cls):
        return re.search(r"nginx/(\S+)", harness.run(harness.need("nginx"), "-v").stderr.decode())[1]

    def setUp(self):
        super().setUp()
        self.root = self.home / "www"
        self.root.mkdir()
        (self.root / "index.html").write_text("a page\n")

    def node(self):
        limits = "[http.limits]\n" + "".join(f'{name} = "2s"\n' for name in
                                              ("header_timeout", "body_timeout", "keep_alive_timeout"))
        _, _, port = self.serve(config=f'[[http.site]]\nroot = "{self.root}"\n{limits}')
        context = ssl._create_unverified_context()
        context.set_alpn_protocols(["http/1.1"])
        return lambda: context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=60))

    def nginx(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        config = self.home / "nginx.conf"
        config.write_text(f"""daemon off; master_process off; pid {self.home}/nginx.pid;
            error_log {self.home}/nginx.log;
            events {{ worker_connections 1024; }}
            http {{
                access_log off; client_header_timeout 2s; client_body_timeout 2s; keepalive_timeout 2s;
                client_body_temp_path {self.home}/body;
                server {{ listen 127.0.0.1:{port}; root {self.root}; }}
            }}""")
        self.child(harness.need("nginx"), "-c", config, "-e", self.home / "nginx.log")
        harness.wait_for_tcp_port(port)
        return lambda: socket.create_connection(("127.0.0.1", port), timeout=60)

    def test_requests(self):
        cases = rows(TABLE)
        self.assertGreaterEqual(len(cases), 150)
        with concurrent.futures.ThreadPoolExecutor(60) as pool:
            sent = [unescaped(octets) for _, _, octets in cases]
            ours = list(pool.map(lambda octets, connect: statuses(octets, connect), sent, [self.node()] * len(sent)))
            theirs = list(pool.map(lambda octets, connect: statuses(octets, connect), sent, [self.nginx()] * len(sent)))
        seen = {case[0]: (our, their) for case, our, their in zip(cases, ours, theirs) if our != their}
        explained = {name: (our, their) for name, our, their, _ in rows(DIFFERENCES)}
        if seen != explained:
            lines = [f"{name}\t{our}\t{their}" for name, (our, their) in seen.items()
                     if explained.get(name) != (our, their)]
            gone = sorted(set(explained) - set(seen))
            self.fail("not explained:\n" + "\n".join(lines) + "\nno difference any more:\n" + "\n".join(gone))


if __name__ == "__main__":
    unittest.main(verbosity=2)
