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
        _, _, port = self.serve()  # the real program serves no h3
        text, _ = self.fetch(port=port)
        self.assertNotIn("QUIC handshake has completed", text)
        self.assertIn("(0x178)", text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
