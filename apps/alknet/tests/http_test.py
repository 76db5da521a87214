"""Sites of a real node, as curl and bare TLS see them."""

import json
import socket
import ssl
import subprocess
import threading
import unittest

from support import EXIT_CONFIG, PATIENCE_S, Node, TestCase, clean_environment
import support


class Http(TestCase):
    def setUp(self):
        super().setUp()
        self.server = self.home("server")
        self.root = self.directory / "www"
        self.root.mkdir()
        (self.root / "index.html").write_text("<h1>it works</h1>\n")
        (self.root / "large").write_bytes(bytes(range(256)) * 8192)
        self.server.configure(f'[[http.site]]\nroot = "{self.root}"\n')

    def curl(self, node, path, *options, expect=0):
        done = subprocess.run(
            ["curl", "-sSk", "--http1.1", "--path-as-is", "--max-time", str(PATIENCE_S), *options,
             f"https://localhost:{node.port}{path}", "--resolve", f"localhost:{node.port}:127.0.0.1"],
            capture_output=True, timeout=PATIENCE_S, env=clean_environment(), check=False)
        self.assertEqual(done.returncode, expect, done.stderr)
        return done.stdout

    def status(self, node, path, *options):
        return self.curl(node, path, "-o", "/dev/null", "-w", "%{http_code}", *options).decode()

    def tls(self, node, alpns=()):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if alpns:
            context.set_alpn_protocols(list(alpns))
        bare = socket.create_connection(("127.0.0.1", node.port), PATIENCE_S)
        wrapped = context.wrap_socket(bare, server_hostname="localhost")
        self.addCleanup(wrapped.close)
        return wrapped

    def exchange(self, node, request, alpns=()):
        connection = self.tls(node, alpns)
        connection.sendall(request)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer

    def test_a_site_of_two_lines(self):
        with Node(self.server) as node:
            self.assertEqual(self.curl(node, "/"), b"<h1>it works</h1>\n")
            self.assertEqual(self.curl(node, "/large"), bytes(range(256)) * 8192)
            self.assertEqual(self.curl(node, "/large", "-r", "256-511"), bytes(range(256)))
            headers = self.curl(node, "/", "-I").decode().lower()
            self.assertIn("content-length: 18\r\n", headers)
            self.assertIn("content-type: text/html; charset=utf-8\r\n", headers)
            etag = headers.split("etag: ")[1].split("\r\n")[0]
            self.assertEqual(self.status(node, "/", "-H", f"If-None-Match: {etag}"), "304")
            self.assertEqual(self.status(node, "/none"), "404")
            self.assertEqual(self.status(node, "/", "-X", "POST", "-d", "x"), "405")
            log = node.stop()
        self.assertIn("event=http.request ", log)

    def test_nothing_leads_out_of_the_root(self):
        (self.root / "link").symlink_to(self.server.path / "node.key")
        (self.root / ".secret").write_text("secret")
        with Node(self.server) as node:
            for path in ("/link", "/.secret", "/../server/node.key", "/%2e%2e/server/node.key",
                         "/..%2fserver/node.key", "//etc/passwd", "/./../server/node.key"):
                self.assertIn(self.status(node, path), ("400", "404"), path)

    def test_a_root_with_the_nodes_own_files_is_refused(self):
        for root in (self.server.path, self.directory, "/"):
            self.server.configure(f'[[http.site]]\nroot = "{root}"\n')
            failed = self.server.error("serve", expect=EXIT_CONFIG)
            self.assertIn("the node's own files", failed["detail"])

    def test_a_root_with_a_key_of_the_nodes_is_refused(self):
        keys = self.directory / "keys"
        keys.mkdir()
        (self.server.path / "node.key").rename(keys / "own.key")
        text = f'[node]\nkey = "{keys / "own.key"}"\n'
        self.server.configure(text + f'[[http.site]]\nroot = "{keys}"\n')
        self.assertIn("the node's own files", self.server.error("serve", expect=EXIT_CONFIG)["detail"])

    def test_whoever_names_no_protocol_gets_http(self):
        with Node(self.server) as node:
            request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            for alpns in ((), ("http/1.1",), ("unknown", "http/1.1")):
                answer = self.exchange(node, request, alpns)
                self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK\r\n"), answer)
                self.assertTrue(answer.endswith(b"\r\n\r\n<h1>it works</h1>\n"), answer)

    def test_whoever_names_none_that_there_is_gets_an_alert_or_http(self):
        request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        site = f'[[http.site]]\nroot = "{self.root}"\n'
        listener = '[[listener]]\nname = "main"\naddresses = ["127.0.0.1:0"]\n'
        self.server.configure(listener + site)
        with Node(self.server, listen=()) as node:
            with self.assertRaises(ssl.SSLError):
                self.tls(node, ("unknown",))
            self.server.configure(listener + 'unknown_alpn = "http"\n' + site)
            node.wait_for("config.reloaded")
            self.assertIsNone(self.tls(node, ("unknown",)).selected_alpn_protocol())
            answer = self.exchange(node, request, ("unknown",))
            self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK\r\n"), answer)
            self.assertEqual(self.tls(node, ("unknown", "h2")).selected_alpn_protocol(), "h2")

    def test_http3_is_told_of_where_it_is_served(self):
        def told(*options):
            return "alt-svc: h3=" in self.curl(node, "/", "-I", *options).decode().lower()

        with Node(self.server) as node:
            self.assertIn(f'alt-svc: h3=":{node.port}"; ma=86400', self.curl(node, "/", "-I").decode().lower())
            self.assertTrue(told("--http2"))
            site = f'[[http.site]]\nroot = "{self.root}"\n'
            self.server.configure(site + '[alpn.h3]\ntransports = ["tcp"]\n')
            node.wait_for("config.reloaded")
            self.assertFalse(told())
            with self.assertRaises(ssl.SSLError):
                self.tls(node, ("h3",))

    def test_http2(self):
        with Node(self.server) as node:
            self.assertEqual(self.curl(node, "/large", "--http2", "-w", "%{http_version}"),
                             bytes(range(256)) * 8192 + b"2")
            self.assertEqual(self.status(node, "/none", "--http2"), "404")
            self.assertEqual(self.status(node, "/", "--http2", "-I"), "200")
            self.assertEqual(self.status(node, "/", "--http2", "-d", "x" * 100_000), "405")

    def test_what_is_smuggled_is_refused(self):
        with Node(self.server) as node:
            answer = self.exchange(node, b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n"
                                         b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                                         b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertTrue(answer.startswith(b"HTTP/1.1 400 Bad Request\r\n"), answer)
            self.assertEqual(answer.count(b"HTTP/1.1 "), 1)

    def test_sites_come_and_go_while_it_runs(self):
        self.server.configure("")
        with Node(self.server, listen=("127.0.0.1:0",)) as node:
            self.curl(node, "/", expect=35)
            with self.assertRaises(ssl.SSLError):
                self.tls(node)
            self.server.configure(f'[[http.site]]\nroot = "{self.root}"\nnames = ["localhost"]\n')
            node.wait_for("config.reloaded")
            self.assertEqual(self.curl(node, "/"), b"<h1>it works</h1>\n")
            self.assertEqual(self.status(node, "/", "-H", "Host: other"), "421")
            self.server.configure(f'[[http.site]]\nroot = "{self.root}/none"\n')
            node.wait_for("config.rejected")
            self.assertEqual(self.status(node, "/"), "200")
            self.server.configure("")
            node.wait_for("config.reloaded")
            self.curl(node, "/", expect=35)

    def test_several_loops(self):
        self.server.configure(f'[runtime]\nloops = 2\n[[http.site]]\nroot = "{self.root}"\nhealth = true\n')
        with Node(self.server) as node:
            for _ in range(8):
                self.assertEqual(self.curl(node, "/healthz"), b"ok\n")

    def test_routes(self):
        """To a server at a unix socket that answers each connection with what it was asked."""
        path = self.directory / "upstream"
        upstream = socket.socket(socket.AF_UNIX)
        self.addCleanup(upstream.close)
        upstream.bind(str(path))
        upstream.listen()
        upstream.settimeout(PATIENCE_S)

        def answer():
            for _ in range(2):
                connection, _ = upstream.accept()
                with connection:
                    asked = connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + asked)

        thread = threading.Thread(target=answer)
        thread.start()
        self.addCleanup(thread.join)
        route = f'[[http.site.route]]\npath = "/api"\nproxy = "unix:{path}"\n'
        self.server.configure(f'[[http.site]]\nroot = "{self.root}"\n{route}')
        with Node(self.server) as node:
            self.assertEqual(self.curl(node, "/"), b"<h1>it works</h1>\n")
            asked = self.curl(node, "/api/x?y")
            self.assertTrue(asked.startswith(b"GET /api/x?y HTTP/1.1\r\nhost: localhost:"), asked)
            self.assertIn(b"\r\nx-forwarded-for: 127.0.0.1\r\n", asked)
            self.assertIn(b"GET /api", self.curl(node, "/api", "--http2"))
            shown = support.run("config", "show", "--home", self.server.path).stdout
            self.assertIn("[[http.site.route]]", shown)
        self.server.configure(f'[[http.site]]\n[[http.site.route]]\npath = "/"\n'
                              f'proxy = "unix:{self.server.path}/control.sock"\n')
        self.assertIn("the node itself is at", self.server.error("serve", expect=EXIT_CONFIG)["detail"])

    def test_a_site_can_demand_a_scope(self):
        def status(*options):
            return self.status(node, "/", *options)

        def bearer(scopes):
            made = support.run("token", "add", "--scopes", scopes, "--home", self.server.path, "--json")
            return "-H", "Authorization: Bearer " + json.loads(made.stdout)["token"]

        client = self.home("client")
        self.server.configure(
            f'[[http.site]]\nroot = "{self.root}"\nrequire = "web:read"\norigins = ["https://app.example"]\n'
            f'[[peer]]\nname = "client"\nkeys = ["{client.id}"]\nscopes = ["web:read"]\n')
        with Node(self.server) as node:
            good, narrow = bearer("web:read"), bearer("web:write")
            for version in ("--http1.1", "--http2"):
                self.assertEqual(status(version), "401")
                self.assertEqual(status(version, *good), "200")
                self.assertEqual(status(version, *narrow), "403")
                self.assertEqual(status(version, "-H", "Authorization: Bearer guess"), "401")
            headers = self.curl(node, "/", "-I", "-H", "Origin: https://app.example", *good).decode()
            self.assertIn("access-control-allow-origin: https://app.example\r\n", headers)
            self.assertIn("www-authenticate: Bearer\r\n", self.curl(node, "/", "-I").decode())
            request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            done = support.run("pipe", "--home", client.path, node.address, "--alpn", "alknet/http",
                               input=request, text=False)
            self.assertTrue(done.stdout.endswith(b"<h1>it works</h1>\n"), done.stdout)
            log = node.stop()
        audit = [json.loads(line) for line in (self.server.path / "audit.log").read_bytes().splitlines()]
        events = [one["event"] for one in audit if one.get("service") == "alknet/http"]
        self.assertIn("token.refused", events)
        self.assertIn("token.accepted", events)
        self.assertIn("event=http.request ", log)
        self.assertNotIn("guess", log)

    def watch(self, node, *options):
        """A curl that follows the node's events, and a function that gives its next lines up to an empty one."""
        curl = subprocess.Popen(
            ["curl", "-sSkN", "--max-time", str(PATIENCE_S), *options, f"https://127.0.0.1:{node.port}/alknet/events"],
            stdout=subprocess.PIPE, text=True, env=clean_environment())
        self.addCleanup(curl.stdout.close)
        self.addCleanup(curl.wait)
        self.addCleanup(curl.kill)

        def block():
            lines = []
            while (line := curl.stdout.readline().rstrip("\n")):
                lines.append(line)
            return lines
        return block

    def test_events(self):
        """What the node decides, as Server-Sent Events, over HTTP/1.1 and HTTP/2, and from where one was."""
        self.server.configure("[[http.site]]\nevents = true\n")
        with Node(self.server) as node:
            made = support.run("token", "add", "--scopes", "events:read", "--home", self.server.path, "--json")
            token = "-H", "Authorization: Bearer " + json.loads(made.stdout)["token"]
            other = support.run("token", "add", "--scopes", "log:read", "--home", self.server.path, "--json")
            for expected, credentials in (("401", ()), ("401", ("-H", "Authorization: Bearer guess")), (
                    "403", ("-H", "Authorization: Bearer " + json.loads(other.stdout)["token"]))):
                self.assertEqual(self.status(node, "/alknet/events", *credentials), expected)
            for version in ("--http1.1", "--http2"):
                block = self.watch(node, version, *token)
                self.assertEqual(block(), ["retry: 3000"])
                # Its own acceptance may be the first that it hears of.
                support.run("ping", node.address, "--count", "1", "--home", self.home(version.strip("-")).path)
                number, event = None, {}
                while event.get("service") != "alknet/echo":
                    lines = dict(line.split(": ", 1) for line in block())
                    number, event = lines.get("id"), json.loads(lines.get("data", "{}"))
                self.assertEqual(event["event"], "connection.admitted")
                before = int(number) - 1
                again = self.watch(node, version, *token, "-H", f"Last-Event-ID: {before}")
                again()
                self.assertEqual(again()[0], f"id: {number}")
            self.assertEqual(self.status(node, "/alknet/events", *token, "-H", "Last-Event-ID: x"), "400")
            block = self.watch(node, *token, "-H", f"Last-Event-ID: {2 ** 60}")
            block()
            self.assertEqual(block()[:2], ["event: failed", "id:"])
            self.assertEqual(block(), [])

    def test_metrics(self):
        """What the node has counted, as Prometheus reads it, to those who may know."""
        self.server.configure("[[http.site]]\nmetrics = true\n")
        with Node(self.server) as node:
            made = support.run("token", "add", "--scopes", "metrics:read", "--home", self.server.path, "--json")
            token = "-H", "Authorization: Bearer " + json.loads(made.stdout)["token"]
            self.assertEqual(self.status(node, "/metrics"), "401")
            self.assertEqual(self.status(node, "//metrics"), "401")
            for coding in ((), ("--compressed",)):
                said = self.curl(node, "/metrics", *token, *coding, "-i").decode()
                self.assertIn("content-type: text/plain; version=0.0.4; charset=utf-8\r\n", said)
                self.assertEqual("content-encoding: " in said, bool(coding))
                self.assertIn('\nalknet_http_requests_total{version="HTTP/1.1",status="4xx"} 2\n', said)

    def test_requests_per_second(self):
        self.server.configure(f'[[http.site]]\nroot = "{self.root}"\n[http.limits]\n'
                              f'requests_per_second = 1\nrequests_burst = 5\n')
        with Node(self.server) as node:
            urls = [f"https://localhost:{node.port}/"] * 49
            said = self.curl(node, "/", "-w", "%{http_code}\\n", "-D", "-", "--http2", *urls).decode()
            self.assertIn("HTTP/2 200", said)
            self.assertIn("HTTP/2 429", said)
            self.assertIn("retry-after: 1", said)

    def test_a_service_can_demand_a_peer(self):
        client = self.home("client")
        site = f'[[http.site]]\nroot = "{self.root}"\n'
        self.server.configure(f'{site}[alpn."alknet/http"]\nidentity_required = true\n'
                              f'[[peer]]\nname = "client"\nkeys = ["{client.id}"]\n')
        request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        with Node(self.server) as node:
            for transport in ("quic", "tcp"):
                done = support.run("pipe", "--home", client.path, node.address, "--alpn", "alknet/http",
                                   "--only", transport, input=request, text=False)
                self.assertTrue(done.stdout.endswith(b"<h1>it works</h1>\n"), done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
