"""aioquic as a client."""

import json
import os
import pathlib
import re
import unittest

import harness

PYTHON = pathlib.Path(os.environ["ALKNET_INTEROP_BUILD"]) / "python/bin/python3"


class Aioquic(harness.PeerTest):
    peer = "aioquic (pip)"

    @classmethod
    def version(cls):
        script = "from importlib.metadata import version; print(version('aioquic'))"
        return harness.run(PYTHON, "-c", script).stdout.decode().strip()

    def dial_us(self, case, alpn="alknet/echo"):
        _, _, port = self.serve()
        done = harness.run(PYTHON, harness.HERE / "peers/aioquic_client.py", port, alpn, 200_000, case)
        return json.loads(done.stdout)

    def assert_echo(self, case, version="0x1"):
        self.assertEqual(self.dial_us(case), {"ok": True, "equal": True, "version": version})

    def test_echo(self):
        self.assert_echo("echo")

    def test_key_update(self):
        self.assert_echo("key-update")

    def test_version_2(self):
        self.assert_echo("version-2", "0x6b3343cf")

    def test_change_of_connection_id(self):
        self.assert_echo("migrate")

    def test_call(self):
        """alknet/call over QUIC, by the client that call_test.py has over TLS on TCP."""
        _, _, port = self.serve()
        home = self.home / "serve"
        probed = harness.alknet("probe", f"127.0.0.1:{port}", "--home", home).stdout.decode()
        pin = re.search(r"x509-sha256:[0-9a-f]{64}", probed)[0]

        def call(pin, *arguments):
            client = harness.HERE / "peers/call_client.py"
            return harness.run(PYTHON, client, "quic", f"127.0.0.1:{port}", pin, *arguments)

        listed = json.loads(call(pin, "/services/list").stdout)["operations"]
        self.assertEqual([one["name"] for one in listed], ["/services/list", "/services/schema"])
        self.assertIn(b"FORBIDDEN", call(pin, "/node/info").stderr)
        self.assertIn(b"pinned", call("x509-sha256:" + "0" * 64, "/services/list").stderr)

    def fetch(self, case, status="200"):
        root = self.home / "www"
        root.mkdir()
        (root / "small").write_bytes(b"small")
        (root / "large").write_bytes(b"0123456789" * 200_000)
        _, _, port = self.serve(config=f'[[http.site]]\nroot = "{root}"\n')
        done = harness.run(PYTHON, harness.HERE / "peers/aioquic_http3.py", port, case)
        self.assertEqual(json.loads(done.stdout), {"status": status, "equal": True})

    def test_http3(self):
        self.fetch("get")

    def test_http3_side_by_side(self):
        self.fetch("many")

    def test_http3_body(self):
        self.fetch("post", status="405")

    def test_http3_request_taken_back(self):
        self.fetch("cancel")

    def test_http3_unknown_stream(self):
        self.fetch("unknown")

    def ask(self, port, case):
        return json.loads(harness.run(PYTHON, harness.HERE / "peers/aioquic_http3.py", port, case).stdout)

    def test_websocket_over_http3(self):
        """Through a route to npm's ws (RFC 9220)."""
        upstream = self.child(
            harness.need("node"), harness.HERE / "peers/websocket_server.mjs", cwd=harness.HERE)
        server = json.loads(upstream.wait_for(r"\{.*listening.*\}").group(0))["listening"]
        _, _, port = self.serve(
            config=f'[[http.site]]\n[[http.site.route]]\npath = "/chat"\nproxy = "http://127.0.0.1:{server}"\n')
        self.assertEqual(self.ask(port, "websocket"), {"status": "200", "equal": True, "path": "/chat", "code": 1000})

    def test_call_over_http3(self):
        _, _, port = self.serve(config="[[http.site]]\ncall = true\n")
        self.assertEqual(self.ask(port, "call"),
                         {"status": "200", "protocol": "alknet.call", "equal": True, "code": 1000})

    def test_wrong_alpn(self):
        self.assertFalse(self.dial_us("echo", alpn="alknet/nothing")["ok"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
