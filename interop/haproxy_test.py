"""Before us stands a proxy that nobody here wrote and says whom it speaks for: PROXY protocol 1 and 2 from
haproxy, 1 from curl. TLS goes through it unopened."""

import re
import socket
import unittest

import harness

CLIENT = "127.0.0.77"  # who connects to the proxy; the proxy itself is 127.0.0.1


def free_tcp_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Behind(harness.PeerTest):
    """A node that believes proxies of 127.0.0.1 alone."""

    def node_behind(self, proxies="127.0.0.1"):
        child = self.child(harness.BIN / "alknet_interop", "behind", self.home / "node", proxies)
        return int(child.wait_for(r'"listening":"127\.0\.0\.1:(\d+)"').group(1))

    def who(self, port, *options):
        """What the service learns of the client: its address, and the TLVs by type."""
        done = harness.run(
            harness.need("curl"), "-sS", "--http1.1", "--max-time", "30", "--cacert", self.home / "node" / "cert.pem",
            *options, f"https://localhost:{port}/who", "--resolve", f"localhost:{port}:127.0.0.1")
        self.assertEqual(done.returncode, 0, done.stderr)
        text = done.stdout.decode()
        remote = re.search(r"^remote (.*):\d+$", text, re.M).group(1)
        return remote, {int(kind): bytes.fromhex(value) for kind, value in re.findall(r"^tlv (\d+) (\w*)$", text, re.M)}


class Haproxy(Behind):
    peer = "haproxy"

    @classmethod
    def version(cls):
        return harness.package_version("haproxy")

    def proxy(self, node, options, unique_id=""):
        """haproxy in TCP mode before the node's port. Gives its own."""
        port = free_tcp_port()
        config = self.home / f"haproxy-{port}.cfg"
        config.write_text(
            "global\n    maxconn 100\ndefaults\n    mode tcp\n    timeout connect 20s\n    timeout client 60s\n"
            f"    timeout server 60s\nfrontend f\n    bind 127.0.0.1:{port}\n{unique_id}"
            "    tcp-request inspect-delay 20s\n    tcp-request content accept if { req.ssl_hello_type 1 }\n"
            f"    default_backend b\nbackend b\n    server s 127.0.0.1:{node} {options}\n")
        self.child(harness.need("haproxy"), "-db", "-f", config)
        harness.wait_for_tcp_port(port)
        return port

    def test_version_1(self):
        port = self.proxy(self.node_behind(), "send-proxy")
        self.assertEqual(self.who(port, "--interface", CLIENT), (CLIENT, {}))

    def test_version_2(self):
        port = self.proxy(self.node_behind(), "send-proxy-v2")
        remote, _ = self.who(port, "--interface", CLIENT)
        self.assertEqual(remote, CLIENT)

    def test_version_2_with_its_extensions(self):
        port = self.proxy(self.node_behind(), "send-proxy-v2 proxy-v2-options crc32c,unique-id,ssl",
                          "    unique-id-format %[uuid()]\n")
        remote, tlvs = self.who(port, "--interface", CLIENT)
        self.assertEqual(remote, CLIENT)
        self.assertRegex(tlvs[5].decode(), "^[0-9a-f-]{36}$")

    def test_health_checks(self):
        port = self.proxy(self.node_behind(), "send-proxy-v2 check-send-proxy check inter 100ms")
        self.assertEqual(self.who(port, "--interface", CLIENT)[0], CLIENT)

    def test_a_proxy_that_is_not_listed_is_refused(self):
        port = self.proxy(self.node_behind("192.0.2.0/24"), "send-proxy-v2")
        done = harness.run(harness.need("curl"), "-sS", "-k", "--max-time", "30", f"https://127.0.0.1:{port}/who")
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(done.stdout, b"")

    def test_a_listed_proxy_without_a_header_is_refused(self):
        port = self.proxy(self.node_behind(), "")
        done = harness.run(harness.need("curl"), "-sS", "-k", "--max-time", "30", f"https://127.0.0.1:{port}/who")
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(done.stdout, b"")

    def test_limits_and_log_are_the_clients(self):
        home = self.home / "real"
        made = harness.alknet("init", "--no-input", "--home", home)
        self.assertEqual(made.returncode, 0, made.stderr)
        node_port = free_tcp_port()
        config = home / "alknet.toml"
        text = config.read_text().replace("[limits]\n", "[limits]\nconnections_per_ip_max = 1\n", 1)
        text = re.sub(r"(?m)^addresses = .*$", f'addresses = ["127.0.0.1:{node_port}"]\n'
                      'proxy_protocol_from = ["127.0.0.1"]', text, count=1)
        config.write_text(text)
        node = self.child(harness.BIN / "alknet", "serve", "--home", home)
        node.wait_for(r"listening on 127\.0\.0\.1")
        port = self.proxy(node_port, "send-proxy-v2")
        first = self.child(harness.need("openssl"), "s_client", "-connect", f"127.0.0.1:{port}", "-bind", CLIENT,
                           "-alpn", "alknet/echo", "-quiet", "-no_ign_eof")
        node.wait_for(rf"conn\.open.*remote_addr={re.escape(CLIENT)}:")
        second = self.child(harness.need("openssl"), "s_client", "-connect", f"127.0.0.1:{port}", "-bind", CLIENT,
                            "-alpn", "alknet/echo", "-quiet")
        node.wait_for(rf"limit\.hit.*connections_per_ip_max.*remote_addr={re.escape(CLIENT)}:")
        third = self.child(harness.need("openssl"), "s_client", "-connect", f"127.0.0.1:{port}", "-bind",
                           "127.0.0.78", "-alpn", "alknet/echo", "-quiet")
        node.wait_for(r"conn\.open.*remote_addr=127\.0\.0\.78:")
        for client in (first, second, third):
            client.stop()


class CurlAsProxy(Behind):
    peer = "curl --haproxy-protocol"

    @classmethod
    def version(cls):
        return harness.package_version("curl")

    def test_version_1(self):
        port = self.node_behind()
        self.assertEqual(self.who(port, "--haproxy-protocol"), ("127.0.0.1", {}))

    def test_it_is_refused_where_nobody_may_send_it(self):
        _, _, port = self.node()
        done = harness.run(harness.need("curl"), "-sS", "-k", "--haproxy-protocol", "--max-time", "30",
                           f"https://127.0.0.1:{port}/who")
        self.assertNotEqual(done.returncode, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
