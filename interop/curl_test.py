"""curl on the TCP side: a service that a third party adds under http/1.1, verified by a CA file, and
the sites of the real program."""

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

    def site(self):
        """A node that serves a directory with one file."""
        root = self.home / "www"
        root.mkdir()
        (root / "file").write_bytes(b"0123456789" * 100_000)
        _, _, port = self.serve(config=f'[[http.site]]\nroot = "{root}"\n')
        return port

    def fetch(self, port, *options):
        done = harness.run(
            harness.need("curl"), "-sSk", "--http1.1", "--max-time", "20", *options, f"https://127.0.0.1:{port}/file")
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_site(self):
        port = self.site()
        self.assertEqual(self.fetch(port), b"0123456789" * 100_000)
        self.assertEqual(self.fetch(port, "--tls-max", "1.2"), b"0123456789" * 100_000)
        self.assertEqual(self.fetch(port, "--no-alpn", "-r", "10-19"), b"0123456789")

    def test_site_on_one_connection(self):
        port = self.site()
        url = f"https://127.0.0.1:{port}/file"
        done = harness.run(
            harness.need("curl"), "-sSk", "--http1.1", "--max-time", "20", "-w", "%{num_connects}", "-r", "0-1",
            *(part for _ in range(3) for part in ("-o", "/dev/null", url)))
        self.assertEqual((done.returncode, done.stdout), (0, b"100"), done.stderr)

    def test_site_that_was_not_changed(self):
        port = self.site()
        self.fetch(port, "--etag-save", self.home / "etag", "-o", self.home / "file")
        self.assertEqual(
            self.fetch(port, "--etag-compare", self.home / "etag", "-o", self.home / "again", "-w", "%{http_code}"),
            b"304")

    def test_site_goes_on_where_a_download_stopped(self):
        port = self.site()
        (self.home / "part").write_bytes(b"0123456789" * 50_000)
        self.fetch(port, "-C", "-", "-o", self.home / "part")
        self.assertEqual((self.home / "part").read_bytes(), b"0123456789" * 100_000)

    def test_site_in_codings(self):
        port = self.site()
        (self.home / "www" / "text.txt").write_bytes(b"0123456789" * 100_000)
        for coding in ("gzip", "br"):
            for version in ("--http1.1", "--http2"):
                done = harness.run(
                    harness.need("curl"), "-sSk", version, "--max-time", "20", "--compressed", "-H",
                    f"Accept-Encoding: {coding}", "-o", self.home / "got", "-w",
                    "%header{content-encoding} %{size_download}", f"https://127.0.0.1:{port}/text.txt")
                said, size = done.stdout.decode().split()
                self.assertEqual((said, (self.home / "got").read_bytes()), (coding, b"0123456789" * 100_000))
                self.assertLess(int(size), 10_000)

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
