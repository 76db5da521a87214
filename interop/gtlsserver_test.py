"""Our client dials ngtcp2's own server, which has X.509 and the ALPN h3."""

import unittest

import harness


class Gtlsserver(harness.PeerTest):
    peer = "gtlsserver"

    @classmethod
    def version(cls):
        return harness.package_version("ngtcp2-server")

    def setUp(self):
        super().setUp()
        self.assertEqual(harness.alknet("init", "--no-input", "--home", self.home / "n").returncode, 0)
        files = (self.home / "n" / "cert-key.pem", self.home / "n" / "cert.pem")
        self.port = harness.free_udp_port()
        self.server = self.child(harness.need("gtlsserver"), "127.0.0.1", self.port, *files)
        harness.wait_for_udp_port(self.port)  # it says nothing when it is ready

    def test_unverifiable_certificate_is_refused(self):
        address = f"localhost:{self.port}"
        done = harness.alknet("pipe", address, "--alpn", "h3", "--only", "quic", "--home", self.home / "n")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(b"could not be verified", done.stderr)

    def test_probe(self):
        done = harness.alknet("probe", f"127.0.0.1:{self.port}", "--alpn", "h3", "--json", "--home", self.home / "n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b'"h3"', done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
