"""Our client dials a real iroh node."""

import hashlib
import json
import os
import unittest

import harness


class IrohServer(harness.PeerTest):
    peer = "iroh server (npm)"
    alpn = "example/echo"

    @classmethod
    def version(cls):
        return harness.npm_version("@number0/iroh")

    def setUp(self):
        super().setUp()
        self.iroh = self.child(
            harness.need("node"), "--no-deprecation", harness.HERE / "peers" / "iroh_server.mjs", self.alpn,
            cwd=harness.HERE,
        )
        first = json.loads(self.iroh.wait_for(r'^\{"id".*').group(0))
        self.address = f"alknet://{first['id']}@127.0.0.1:{first['port']}"

    def pipe(self, data, address=None, alpn=None):
        return harness.alknet(
            "pipe", address or self.address, "--alpn", alpn or self.alpn, "--only", "quic", "--home", self.home,
            stdin=data,
        )

    def test_echo(self):
        done = self.pipe(b"to iroh and back")
        self.assertEqual((done.returncode, done.stdout), (0, b"to iroh and back"), done.stderr)

    def test_10_MB_each_way(self):
        data = os.urandom(10_000_000)
        done = self.pipe(data)
        self.assertEqual(hashlib.sha256(done.stdout).hexdigest(), hashlib.sha256(data).hexdigest(), done.stderr)

    def test_wrong_alpn(self):
        done = self.pipe(b"x", alpn="example/nothing")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(b"does not offer this service", done.stderr)

    def test_wrong_key(self):
        other = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"
        done = self.pipe(b"secret", address=f"alknet://{other}@127.0.0.1:{self.address.rsplit(':', 1)[1]}")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(b"another key", done.stderr)
        self.assertEqual(done.stdout, b"")

    def test_resumption(self):
        seen = self.dial("resume", self.address, self.alpn)
        self.assertEqual((seen["first_resumed"], seen["second_resumed"], seen["echo"]), (False, True, True))

    def test_migration(self):
        seen = self.dial("migrate", self.address, self.alpn)
        self.assertEqual((seen["migrated"], seen["echo"]), (True, True))

    def test_key_update(self):
        seen = self.dial("key-update", self.address, self.alpn)
        self.assertEqual((seen["updated"], seen["echo"]), (True, True))


if __name__ == "__main__":
    unittest.main(verbosity=2)
