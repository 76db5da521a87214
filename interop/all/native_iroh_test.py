"""The native iroh crate, both ways."""

import hashlib
import json
import os
import pathlib
import re
import unittest

import harness

PEER = pathlib.Path(os.environ["ALKNET_INTEROP_BUILD"]) / "cargo/release/iroh_peer"


class NativeIroh(harness.PeerTest):
    peer = "iroh (cargo)"
    alpn = "example/echo"

    @classmethod
    def version(cls):
        manifest = (harness.HERE / "cargo/Cargo.toml").read_text()
        return re.search(r'iroh = \{ version = "=([^"]+)"', manifest).group(1)

    def test_client_echoes_10_MB(self):
        _, node_id, port = self.serve()
        done = harness.run(PEER, "client", node_id, port, "alknet/echo", 10_000_000)
        self.assertEqual(done.returncode, 0, done.stderr)
        seen = json.loads(done.stdout)
        self.assertEqual((seen["bytes"], seen["remote"]), (10_000_000, node_id))

    def test_client_wrong_alpn(self):
        _, node_id, port = self.serve()
        done = harness.run(PEER, "client", node_id, port, "alknet/nothing", 1)
        self.assertIn(b"error 120", done.stderr)

    def server(self):
        child = self.child(PEER, "server", self.alpn)
        first = json.loads(child.wait_for(r'^\{"id".*').group(0))
        return f"alknet://{first['id']}@127.0.0.1:{first['port']}"

    def test_server_echoes_10_MB(self):
        data = os.urandom(10_000_000)
        done = harness.alknet(
            "pipe", self.server(), "--alpn", self.alpn, "--only", "quic", "--home", self.home, stdin=data
        )
        self.assertEqual(hashlib.sha256(done.stdout).hexdigest(), hashlib.sha256(data).hexdigest(), done.stderr)

    def test_server_resumption(self):
        seen = self.dial("resume", self.server(), self.alpn)
        self.assertEqual((seen["first_resumed"], seen["second_resumed"], seen["echo"]), (False, True, True))

    def test_server_migration(self):
        seen = self.dial("migrate", self.server(), self.alpn)
        self.assertEqual((seen["migrated"], seen["echo"]), (True, True))


if __name__ == "__main__":
    unittest.main(verbosity=2)
