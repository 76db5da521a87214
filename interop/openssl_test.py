"""OpenSSL's s_client on the TCP side of the port."""

import unittest

import harness


class OpensslClient(harness.PeerTest):
    peer = "openssl s_client"

    @classmethod
    def version(cls):
        return harness.package_version("openssl")

    def connect(self, port, *options, data=b""):
        done = harness.run(
            harness.need("openssl"), "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "localhost", *options,
            stdin=data,
        )
        return (done.stdout + done.stderr).decode(errors="replace")

    def echo(self, port, *options):
        """Leaves only when the echo has come: s_client hangs up as soon as its input ends."""
        client = self.child(
            harness.need("openssl"), "s_client", "-connect", f"127.0.0.1:{port}", "-alpn", "alknet/echo", "-quiet",
            *options,
        )
        client.process.stdin.write(b"over tcp\n")
        client.process.stdin.flush()
        client.wait_for("over tcp")
        client.stop()

    def test_tls_1_3_and_echo(self):
        _, _, port = self.serve()
        self.echo(port)
        text = self.connect(port, "-alpn", "alknet/echo")
        self.assertIn("ALPN protocol: alknet/echo", text)
        self.assertIn("TLSv1.3", text)

    def test_tls_1_2_is_refused_for_a_native_service(self):
        _, _, port = self.serve()
        text = self.connect(port, "-alpn", "alknet/echo", "-tls1_2")
        self.assertRegex(text, "alert protocol version|alert number 70")

    def test_tls_1_2_is_spoken_for_the_web(self):
        _, _, port = self.node()
        text = self.connect(port, "-alpn", "http/1.1", "-tls1_2")
        self.assertIn("TLSv1.2", text)
        self.assertIn("ALPN protocol: http/1.1", text)

    def test_unknown_alpn(self):
        _, _, port = self.serve()
        self.assertRegex(self.connect(port, "-alpn", "nothing"), "no application protocol|alert number 120")

    def test_no_alpn(self):
        _, _, port = self.serve()
        self.assertRegex(self.connect(port), "no application protocol|alert number 120")

    def test_30_alpns(self):
        _, _, port = self.serve()
        names = ",".join([f"some/service-{n}" for n in range(29)] + ["alknet/echo"])
        self.assertIn("ALPN protocol: alknet/echo", self.connect(port, "-alpn", names))

    def test_resumption(self):
        _, _, port = self.serve()
        session = self.home / "session"
        self.echo(port, "-sess_out", session)  # reading the echo is what makes it see the ticket
        self.assertTrue(session.exists())
        text = self.connect(port, "-alpn", "alknet/echo", "-sess_in", session)
        self.assertIn("Reused, TLSv1.3", text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
