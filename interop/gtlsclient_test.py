"""ngtcp2's own client dials ours with X.509, the ALPN h3 and each of its tricks."""

import subprocess
import unittest

import harness


class Gtlsclient(harness.PeerTest):
    peer = "gtlsclient"

    @classmethod
    def version(cls):
        return harness.package_version("ngtcp2-client")

    def fetch(self, *options, port=None):
        if port is None:
            _, _, port = self.node()
        done = subprocess.run(
            [harness.need("gtlsclient"), *options, "--timeout=10s", "--exit-on-all-streams-close", "--no-quic-dump",
             "127.0.0.1", str(port), f"https://localhost:{port}/"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=harness.DEADLINE_SECONDS,
        )
        return done.stdout.decode(errors="replace"), done.returncode

    def assert_fetched(self, outcome):
        text, code = outcome
        told = "\n".join(line for line in text.splitlines() if not line.startswith("I0"))[-4000:]
        self.assertIn("[:status: 200]", told)
        self.assertIn("body 26 bytes", told)
        self.assertIn("|hello from alkne|", told)
        self.assertEqual(code, 0, told)

    def test_version_1(self):
        self.assert_fetched(self.fetch("--version=v1"))

    def test_version_2(self):
        text, _ = outcome = self.fetch("--version=v2")
        self.assert_fetched(outcome)
        self.assertIn("the negotiated version is 0x6b3343cf", text)

    def test_compatible_version_negotiation(self):
        # The node prefers version 1, so a handshake that begins in 2 and allows both goes on in 1.
        text, _ = outcome = self.fetch("--version=v2", "--preferred-versions=v2,v1", "--available-versions=v2,v1")
        self.assert_fetched(outcome)
        self.assertIn("the negotiated version is 0x00000001", text)

    def test_version_negotiation(self):
        self.assert_fetched(self.fetch("--version=0x1a2a3a4a", "--preferred-versions=v1", "--available-versions=v1"))

    def test_key_update(self):
        self.assert_fetched(self.fetch("--key-update=10ms", "--delay-stream=100ms"))

    def test_migration(self):
        self.assert_fetched(self.fetch("--change-local-addr=10ms", "--delay-stream=100ms"))

    def test_nat_rebinding(self):
        self.assert_fetched(self.fetch("--change-local-addr=10ms", "--nat-rebinding", "--delay-stream=100ms"))

    def test_loss(self):
        self.assert_fetched(self.fetch("--tx-loss=0.1", "--rx-loss=0.1"))

    def test_chacha20(self):
        self.assert_fetched(self.fetch("--ciphers=NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+CHACHA20-POLY1305"))

    def test_hello_retry_request(self):
        self.assert_fetched(self.fetch("--groups=-GROUP-ALL:+GROUP-SECP521R1:+GROUP-SECP256R1"))

    def test_resumption(self):
        _, _, port = self.node()
        session = self.home / "session.pem"
        options = [f"--session-file={session}", "--wait-for-ticket", "--disable-early-data"]
        self.assert_fetched(self.fetch(*options, port=port))
        self.assertTrue(session.exists())
        text, _ = outcome = self.fetch(*options[:1], "--disable-early-data", port=port)
        self.assert_fetched(outcome)

    def test_unknown_alpn_only(self):
        _, _, port = self.serve()  # without a site the program serves no h3
        text, _ = self.fetch(port=port)
        self.assertNotIn("QUIC handshake has completed", text)
        self.assertIn("(0x178)", text)

    # ---- the sites of the real program, over its HTTP/3 ----

    def download(self, *names, options=()):
        root = self.home / "www"
        root.mkdir()
        (root / "small").write_bytes(b"small")
        (root / "large").write_bytes(b"0123456789" * 200_000)
        _, _, port = self.serve(config=f'[[http.site]]\nroot = "{root}"\n')
        into = self.home / "downloads"
        into.mkdir()
        urls = [f"https://localhost:{port}/{name}" for name in names]
        done = harness.run(harness.need("gtlsclient"), "--timeout=10s", "--exit-on-all-streams-close",
                           "--no-quic-dump", f"--download={into}", *options, "127.0.0.1", port, *urls)
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        return root, into, done.stderr.decode(errors="replace")

    def test_http3(self):
        root, into, text = self.download("small")
        self.assertIn("[:status: 200]", text)
        self.assertEqual((into / "small").read_bytes(), (root / "small").read_bytes())

    def test_http3_side_by_side(self):
        root, into, _ = self.download("large", "small")
        for name in ("large", "small"):
            self.assertEqual((into / name).read_bytes(), (root / name).read_bytes())

    def test_http3_loss(self):
        root, into, _ = self.download("large", options=["--tx-loss=0.05", "--rx-loss=0.05"])
        self.assertEqual((into / "large").read_bytes(), (root / "large").read_bytes())

    def test_http3_body(self):
        body = self.home / "body"
        body.write_bytes(b"x" * 300_000)
        _, _, text = self.download("small", options=["-m", "POST", "-d", body])
        self.assertIn("[:status: 405]", text)

    def test_http3_not_found(self):
        _, _, text = self.download("none")
        self.assertIn("[:status: 404]", text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
