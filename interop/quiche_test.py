"""Cloudflare's quiche (BoringSSL: X.509 only) as a client of ours."""

import unittest

import harness


class Quiche(harness.PeerTest):
    peer = "quiche client (npm)"

    @classmethod
    def version(cls):
        return harness.npm_version("@matrixai/quic")

    def dial_us(self, size, alpn="alknet/echo"):
        _, _, port = self.serve()
        return self.node_script("quiche_client.mjs", port, alpn, size)

    def test_echo(self):
        seen = self.dial_us(1000)
        self.assertEqual((seen.get("bytes"), seen.get("equal")), (1000, True), seen)

    def test_1_MB_each_way(self):
        seen = self.dial_us(1_000_000)
        self.assertEqual((seen.get("bytes"), seen.get("equal")), (1_000_000, True), seen)

    def test_wrong_alpn(self):
        seen = self.dial_us(10, alpn="alknet/nothing")
        self.assertFalse(seen["ok"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
