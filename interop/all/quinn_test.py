"""quinn and rustls as a client, which verifies the certificate that `alknet init` made."""

import json
import os
import pathlib
import re
import unittest

import harness

PEER = pathlib.Path(os.environ["ALKNET_INTEROP_BUILD"]) / "cargo/release/quinn_peer"


class Quinn(harness.PeerTest):
    peer = "quinn (cargo)"

    @classmethod
    def version(cls):
        lock = (harness.HERE / "cargo/Cargo.lock").read_text()
        return re.search(r'name = "quinn"\nversion = "([^"]+)"', lock).group(1)

    def dial_us(self, alpn="alknet/echo"):
        _, _, port = self.serve()
        return harness.run(PEER, "client", port, alpn, 5_000_000, self.home / "serve" / "cert.pem")

    def test_echo_and_rebinding(self):
        done = self.dial_us()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout), {"ok": True, "bytes": 5_000_000, "moved": True})

    def test_wrong_alpn(self):
        self.assertIn(b"error 120", self.dial_us(alpn="alknet/nothing").stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
