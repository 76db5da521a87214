"""curl on the TCP side: a service that a third party adds under http/1.1, verified by a CA file."""

import unittest

import harness


class Curl(harness.PeerTest):
    peer = "curl"

    @classmethod
    def version(cls):
        return harness.package_version("curl")

    def curl(self, port, *options):
        return harness.run(
            harness.need("curl"), "-sS", "--http1.1", "--max-time", "20", "--cacert", self.home / "node" / "cert.pem",
            *options, f"https://localhost:{port}/", "--resolve", f"localhost:{port}:127.0.0.1",
        )

    def test_get(self):
        _, _, port = self.node()
        done = self.curl(port)
        self.assertEqual((done.returncode, done.stdout), (0, b"hello from alknet_interop\n"), done.stderr)

    def test_tls_1_2(self):
        _, _, port = self.node()
        done = self.curl(port, "--tls-max", "1.2")
        self.assertEqual((done.returncode, done.stdout), (0, b"hello from alknet_interop\n"), done.stderr)

    def test_http_service_that_is_not_there(self):
        _, _, port = self.serve()
        done = harness.run(harness.need("curl"), "-sS", "-k", f"https://127.0.0.1:{port}/")
        self.assertEqual(done.returncode, 35)

    def test_plain_http_on_the_tls_port(self):
        _, _, port = self.serve()
        done = harness.run(harness.need("curl"), "-sS", "-i", "--max-time", "20", f"http://127.0.0.1:{port}/")
        self.assertIn(b"400 Bad Request", done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
