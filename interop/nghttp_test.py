"""nghttp2's own client and load generator on the sites of the real program, over HTTP/2."""

import re
import unittest

import harness


class Nghttp(harness.PeerTest):
    peer = "nghttp"

    @classmethod
    def version(cls):
        return harness.package_version("nghttp2-client")

    def setUp(self):
        super().setUp()
        root = self.home / "www"
        root.mkdir()
        (root / "small").write_bytes(b"small")
        (root / "large").write_bytes(b"0123456789" * 200_000)
        _, _, self.port = self.serve(config=f'[[http.site]]\nroot = "{root}"\n')

    def url(self, name):
        return f"https://127.0.0.1:{self.port}/{name}"

    def test_get(self):
        done = harness.run(harness.need("nghttp"), self.url("large"))
        self.assertEqual((done.returncode, done.stdout), (0, b"0123456789" * 200_000), done.stderr)

    def test_side_by_side(self):
        done = harness.run(harness.need("nghttp"), "-nv", "-m", "20", self.url("small"), self.url("large"))
        answers = re.findall(rb"recv \(stream_id=\d+\) :status: 200", done.stdout)
        self.assertEqual((done.returncode, len(answers)), (0, 40), done.stderr)

    def test_body(self):
        body = self.home / "body"
        body.write_bytes(b"x" * 300_000)
        done = harness.run(harness.need("nghttp"), "-nv", "-d", body, self.url("small"))
        self.assertIn(b":status: 405", done.stdout)

    def load(self, *options):
        done = harness.run(harness.need("h2load"), "-n", "400", "-c", "4", *options)
        self.assertIn(b"400 succeeded, 0 failed, 0 errored, 0 timeout", done.stdout)

    def test_h2load(self):
        self.load("-m", "32", self.url("small"))

    def test_h2load_large(self):
        self.load("-m", "8", self.url("large"))

    def test_h2load_http1(self):
        self.load("--h1", self.url("small"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
