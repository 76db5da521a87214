"""Routes of a site: what nginx and Python's http.server serve behind the node, as curl gets it."""

import hashlib
import os
import re
import socket
import sys
import unittest

import harness


def free_tcp_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Route(harness.PeerTest):
    def behind(self, *routes):
        """A node with these routes. Gives its port."""
        text = "[[http.site]]\n" + "".join(
            "[[http.site.route]]\n" + "".join(f"{key} = {value}\n" for key, value in route.items()) for route in routes)
        _, _, port = self.serve(config=text)
        return port

    def curl(self, port, path, *options):
        done = harness.run(
            harness.need("curl"), "-sSk", "--max-time", "30", "--path-as-is", *options, f"https://127.0.0.1:{port}{path}")
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def status(self, port, path, *options):
        return self.curl(port, path, "-o", "/dev/null", "-w", "%{http_code}", *options).decode()


class Nginx(Route):
    peer = "nginx (behind a route)"
    versions = ("--http1.1", "--http2")

    @classmethod
    def version(cls):
        return harness.package_version("nginx")

    def setUp(self):
        super().setUp()
        self.www = self.home / "www"
        self.www.mkdir()
        self.large = os.urandom(1 << 20) * 8
        (self.www / "large").write_bytes(self.large)
        self.port = free_tcp_port()
        self.proxied = free_tcp_port()
        self.unix = self.home / "nginx.sock"
        temporary = "".join(
            f"    {name}_temp_path {self.home}/{name};\n"
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        known = ("host", "forwarded", "x_forwarded_for", "x_forwarded_proto", "x_real_ip")
        said = "|".join(f"$http_{name}" for name in known)
        config = self.home / "nginx.conf"
        config.write_text(
            f"daemon off;\npid {self.home}/nginx.pid;\nerror_log {self.home}/error.log;\n"
            f"{'user root;' if os.getuid() == 0 else ''}\nevents {{}}\nhttp {{\n{temporary}    access_log off;\n"
            "    client_max_body_size 0;\n    proxy_request_buffering off;\n"
            f"    server {{\n        listen 127.0.0.1:{self.port};\n        listen unix:{self.unix};\n"
            f"        root {self.www};\n        location /said {{ return 200 \"{said}|$request_uri\"; }}\n"
            "        location /put { dav_methods PUT; }\n"
            "        location /chunks { gzip on; gzip_min_length 1; gzip_types *; gzip_proxied any; alias "
            f"{self.www}/large; }}\n"
            "        location /small { client_max_body_size 1k; dav_methods PUT; }\n    }\n"
            f"    server {{\n        listen 127.0.0.1:{self.proxied} proxy_protocol;\n"
            "        location / { return 200 \"$proxy_protocol_addr:$proxy_protocol_port to "
            "$proxy_protocol_server_port\"; }\n    }\n}\n")
        self.child(harness.need("nginx"), "-e", self.home / "error.log", "-c", config)
        harness.wait_for_tcp_port(self.port)

    def node(self, **more):
        return self.behind({"path": '"/"', "proxy": f'"http://127.0.0.1:{self.port}"', **more})

    def test_get(self):
        port = self.node()
        for version in self.versions:
            self.assertEqual(self.curl(port, "/large", version), self.large)
            self.assertEqual(self.curl(port, "/large", version, "-r", "10-19"), self.large[10:20])
            self.assertEqual(self.status(port, "/none", version), "404")
            headers = self.curl(port, "/large", version, "-I").decode().lower()
            self.assertIn(f"content-length: {len(self.large)}\r\n", headers)
            etag = re.search(r"etag: (\S+)", headers).group(1)
            self.assertEqual(self.status(port, "/large", version, "-H", f"If-None-Match: {etag}"), "304")

    def test_chunks(self):
        port = self.node()
        for version in self.versions:
            self.assertEqual(self.curl(port, "/chunks", version, "--compressed"), self.large)

    def test_unix_socket(self):
        port = self.behind({"path": '"/"', "proxy": f'"unix:{self.unix}"'})
        self.assertEqual(self.curl(port, "/large"), self.large)

    def test_who_asks(self):
        port = self.node()
        forged = [part for name in ("Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP", "X_Forwarded_For")
                  for part in ("-H", f"{name}: forged")]
        for version in self.versions:
            said = self.curl(port, "/said?q=1", version, *forged).decode()
            host = f"127.0.0.1:{port}"
            self.assertEqual(
                said, f'{host}|for=127.0.0.1;host="{host}";proto=https|127.0.0.1|https|127.0.0.1|/said?q=1')

    def test_prefix_is_left_out(self):
        port = self.behind({"path": '"/deep/er"', "proxy": f'"http://localhost:{self.port}"', "strip": "true"})
        self.assertTrue(self.curl(port, "/deep/er/said?q").endswith(b"|/said?q"))
        self.assertEqual(self.status(port, "/deep/errata"), "404")

    def test_proxy_protocol(self):
        port = self.behind(
            {"path": '"/"', "proxy": f'"http://127.0.0.1:{self.proxied}"', "proxy_header": "true"})
        said = self.curl(port, "/", "--local-port", "40000-60000", "-w", "|%{local_port}").decode()
        answer, local = said.split("|")
        self.assertEqual(answer, f"127.0.0.1:{local} to {port}")

    def test_uploads(self):
        port = self.node()
        for version in self.versions:
            for framing in ((), ("-H", "Transfer-Encoding: chunked"), ("-H", "Expect: 100-continue")):
                (self.www / "put").mkdir(exist_ok=True)
                status = self.status(port, "/put/file", version, *framing, "-T", self.www / "large")
                self.assertIn(status, ("201", "204"))
                self.assertEqual((self.www / "put/file").read_bytes(), self.large)

    def test_upload_that_is_refused(self):
        port = self.node()
        for version in self.versions:
            self.assertEqual(self.status(port, "/small/file", version, "-T", self.www / "large"), "413")

    def test_nothing_leads_past_a_prefix(self):
        port = self.behind({"path": '"/put"', "proxy": f'"http://127.0.0.1:{self.port}"'})
        for path in ("/put/../large", "/put/%2e%2e/large", "/put/..%2flarge", "/put/..;/large", "/put//large"):
            self.assertIn(self.status(port, path), ("400", "404"), path)

    def test_a_client_that_leaves(self):
        """Before the answer has ended; the route goes on."""
        port = self.node()
        done = harness.run(harness.need("curl"), "-sSk", "--max-filesize", "1000", f"https://127.0.0.1:{port}/large")
        self.assertEqual(done.returncode, 63)
        self.assertEqual(self.status(port, "/large"), "200")

    def test_nobody_there(self):
        port = self.behind({"path": '"/"', "proxy": f'"http://127.0.0.1:{free_tcp_port()}"'})
        self.assertEqual(self.status(port, "/"), "502")

    def test_the_node_itself_is_no_target(self):
        child, _, port = self.serve(config='[[http.site]]\nhealth = true\n')
        (self.home / "serve" / "alknet.toml").write_text(
            f'[[http.site]]\n[[http.site.route]]\npath = "/"\nproxy = "http://127.0.0.1:{port}"\n')
        child.wait_for("config.reloaded")
        self.assertEqual(self.status(port, "/"), "502")


class PythonServer(Route):
    peer = "Python http.server (behind a route)"

    @classmethod
    def version(cls):
        return ".".join(map(str, sys.version_info[:2]))

    def test_http_1_0(self):
        (self.home / "file").write_bytes(b"0123456789" * 10_000)
        server = free_tcp_port()
        self.child(sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory", self.home, server)
        harness.wait_for_tcp_port(server)
        port = self.behind({"path": '"/"', "proxy": f'"http://127.0.0.1:{server}"'})
        for version in ("--http1.1", "--http2"):
            digest = hashlib.sha256(self.curl(port, "/file", version)).hexdigest()
            self.assertEqual(digest, hashlib.sha256(b"0123456789" * 10_000).hexdigest())
            self.assertEqual(self.status(port, "/file", version, "-d", "x"), "501")


if __name__ == "__main__":
    unittest.main(verbosity=2)
