"""Chromium and Firefox on a site of the real program."""

import hashlib
import os
import sys
import unittest

import harness

PEERS = harness.HERE / "peers"
sys.path.insert(0, str(PEERS))
import browser  # noqa: E402

LARGE = b"0123456789" * 300_000
HASHED = """(async () => {
    const content = await (await fetch('large')).arrayBuffer();
    const sum = new Uint8Array(await crypto.subtle.digest('SHA-256', content));
    return performance.getEntriesByType('navigation')[0].nextHopProtocol + ' ' +
        [...sum].map((octet) => octet.toString(16).padStart(2, '0')).join('');
})()"""


class Browser(harness.PeerTest):
    def setUp(self):
        super().setUp()
        root = self.home / "www"
        root.mkdir()
        (root / "index.html").write_text("<!doctype html><title>alknet</title><p>a page\n")
        (root / "large").write_bytes(LARGE)
        self.new_certificate()
        _, _, self.port = self.serve(
            config=f'[[http.site]]\nroot = "{root}"\n[tls]\ncertificates = '
                   f'[{{ chain = "{self.home}/leaf.pem", key = "{self.home}/leaf.key" }}]\n')
        self.url = f"https://localhost:{self.port}/"

    def openssl(self, *arguments):
        done = harness.run("openssl", *arguments, cwd=self.home)
        self.assertEqual(done.returncode, 0, done.stderr)

    def new_certificate(self):
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        self.openssl("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=a test", "-days", "9",
                     "-addext", "keyUsage=critical,keyCertSign")
        self.openssl("req", *curve, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=localhost")
        (self.home / "names").write_text("subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n")
        self.openssl("x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                     "-out", "leaf.pem", "-days", "9", "-extfile", "names")

    def assert_loads(self, version, seen):
        self.assertEqual(seen, f"{version} {hashlib.sha256(LARGE).hexdigest()}")


class Chromium(Browser):
    peer = "Chromium"

    @classmethod
    def version(cls):
        return harness.package_version("chromium")

    def visit(self, *options):
        return browser.chromium_visit(self, self.url, HASHED, self.home / "leaf.pem", *options)

    def test_h1(self):
        self.assert_loads("http/1.1", self.visit("--disable-http2", "--disable-quic"))

    def test_h2(self):
        self.assert_loads("h2", self.visit("--disable-quic"))


    def test_h3(self):
        self.assert_loads("h3", self.visit(f"--origin-to-force-quic-on=localhost:{self.port}",
                                               "--host-resolver-rules=MAP localhost 127.0.0.1"))


class Firefox(Browser):
    peer = "Firefox"

    @classmethod
    def version(cls):
        return harness.package_version("firefox-esr")

    def visit(self, **preferences):
        return browser.firefox_visit(self, self.url, HASHED, self.home / "ca.pem", **preferences)

    def test_h1(self):
        self.assert_loads("http/1.1", self.visit(**{
            "network.http.http2.enabled": False, "network.http.http3.enable": False}))

    def test_h2(self):
        self.assert_loads("h2", self.visit(**{"network.http.http3.enable": False}))

    def test_h3(self):
        self.assert_loads("h3", self.visit(**{
            "network.http.http3.enable": True,
            "network.http.http3.alt-svc-mapping-for-testing": f"localhost;h3=:{self.port}",
            "network.http.http3.disable_when_third_party_roots_found": False}))


if __name__ == "__main__":
    unittest.main(verbosity=2)
