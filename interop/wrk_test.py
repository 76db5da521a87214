"""wrk on the sites of the real program, over HTTP/1.1."""

import unittest

import harness


class Wrk(harness.PeerTest):
    peer = "wrk"

    @classmethod
    def version(cls):
        return harness.package_version("wrk")

    def setUp(self):
        super().setUp()
        root = self.home / "www"
        root.mkdir()
        (root / "small").write_bytes(b"small")
        (root / "large").write_bytes(b"0123456789" * 100_000)
        _, _, self.port = self.serve(config=f'[[http.site]]\nroot = "{root}"\n')

    def load(self, name):
        done = harness.run(harness.need("wrk"), "-t", "1", "-c", "50", "-d", "2s", f"https://127.0.0.1:{self.port}/{name}")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, rb"[1-9][0-9]* requests in")
        self.assertNotIn(b"Socket errors", done.stdout)
        self.assertNotIn(b"Non-2xx", done.stdout)

    def test_small(self):
        self.load("small")

    def test_large(self):
        self.load("large")


if __name__ == "__main__":
    unittest.main(verbosity=2)
