"""A real iroh node dials ours."""

import unittest

import harness


class IrohClient(harness.PeerTest):
    peer = "iroh client (npm)"

    @classmethod
    def version(cls):
        return harness.npm_version("@number0/iroh")

    def dial_us(self, *arguments, node_id=None, alpn="alknet/echo"):
        child, own_id, port = self.serve()
        return self.node_script("iroh_client.mjs", node_id or own_id, port, alpn, *arguments), own_id, child

    def test_echo(self):
        seen, own_id, child = self.dial_us("echo", 1000)
        self.assertTrue(seen["ok"], seen)
        self.assertTrue(seen["equal"])
        self.assertEqual(seen["remote"], own_id)

    def test_10_MB_each_way(self):
        seen, _, _ = self.dial_us("echo", 10_000_000)
        self.assertEqual((seen["bytes"], seen["equal"]), (10_000_000, True))

    def test_wrong_alpn(self):
        seen, _, _ = self.dial_us("echo", 10, alpn="alknet/nothing")
        self.assertFalse(seen["ok"])
        self.assertIn("error 120", seen["error"])

    def test_wrong_key(self):
        other = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"
        seen, _, child = self.dial_us("echo", 10, node_id=other)
        self.assertFalse(seen["ok"])
        child.wait_for("handshake.failed")

    def test_resumption(self):
        seen, _, child = self.dial_us("twice", 1000)
        self.assertTrue(seen["ok"] and seen["equal"], seen)
        child.wait_for("resumed=true")

    def test_datagram(self):
        seen, _, _ = self.dial_us("datagram")
        self.assertEqual(seen.get("text"), "datagram", seen)


if __name__ == "__main__":
    unittest.main(verbosity=2)
