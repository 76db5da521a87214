"""Our client goes through proxies that nobody here wrote: squid by CONNECT, microsocks by SOCKS5."""

import hashlib
import os
import pathlib
import socket
import unittest

import harness

USER = "someone"
PASSWORD = "p@ss:word"
QUOTED = "p%40ss%3Aword"


def free_tcp_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Proxied(harness.PeerTest):
    """What every proxy must do; `url` and `start` are the proxy's own."""

    scheme = ""

    def setUp(self):
        super().setUp()
        self.port = free_tcp_port()
        self.start()
        _, self.node_id, self.node_port = self.serve()

    def start(self):
        raise NotImplementedError

    def pipe(self, url, data=b"there and back", address=None):
        environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        environment["ALL_PROXY"] = url
        address = address or f"alknet://{self.node_id}@127.0.0.1:{self.node_port}"
        return harness.alknet("pipe", address, "--alpn", "alknet/echo", "--only", "proxy", "--home",
                              self.home / "none", stdin=data, env=environment)

    def url(self, credentials):
        return f"{self.scheme}://{credentials}127.0.0.1:{self.port}"


class Cases:
    def test_echo(self):
        data = os.urandom(300_000)
        done = self.pipe(self.url(f"{USER}:{QUOTED}@"), data)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(hashlib.sha256(done.stdout).digest(), hashlib.sha256(data).digest())

    def test_names_are_resolved_by_the_proxy(self):
        done = self.pipe(self.url(f"{USER}:{QUOTED}@"),
                         address=f"alknet://{self.node_id}@localhost:{self.node_port}")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_wrong_password(self):
        done = self.pipe(self.url(f"{USER}:wrong@"))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(b"proxy", done.stderr)
        self.assertNotIn(b"wrong", done.stderr)

    def test_no_password(self):
        done = self.pipe(self.url(""))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(b"proxy", done.stderr)

    def test_another_key_is_refused(self):
        other = "1dc626ded96a2f4fce2d379a0783293be6aa7ec481e5a61ea9ba1c3cbf5e5265"
        done = self.pipe(self.url(f"{USER}:{QUOTED}@"), address=f"alknet://{other}@127.0.0.1:{self.node_port}")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(b"another key than the one expected", done.stderr)


class Squid(Cases, Proxied):
    peer = "squid"
    scheme = "http"

    @classmethod
    def version(cls):
        return harness.package_version("squid")

    def start(self):
        # Squid gives up root for `proxy`; its helper must be able to read what it checks.
        self.home.chmod(0o755)
        helper = self.home / "helper.py"
        helper.write_text(
            "import sys, urllib.parse\n"
            "for line in sys.stdin:\n    words = [urllib.parse.unquote(w) for w in line.split()]\n"
            f"    print('OK' if words[-2:] == {[USER, PASSWORD]!r} else 'ERR', flush=True)\n")
        config = self.home / "squid.conf"
        config.write_text(
            f"http_port 127.0.0.1:{self.port}\npid_filename none\ncache deny all\n"
            "cache_log stdio:/dev/stderr\naccess_log none\nshutdown_lifetime 0 seconds\n"
            f"coredump_dir {self.home}\nauth_param basic program /usr/bin/python3 {helper}\n"
            "auth_param basic children 1\nacl known proxy_auth REQUIRED\n"
            "http_access allow CONNECT known\nhttp_access deny all\n")
        squid = self.child(pathlib.Path("/usr/sbin/squid"), "-N", "-f", config)
        squid.wait_for(r"Accepting HTTP Socket connections")


class Microsocks(Cases, Proxied):
    peer = "microsocks"
    scheme = "socks5h"

    @classmethod
    def version(cls):
        return harness.package_version("microsocks")

    def start(self):
        self.child(harness.need("microsocks"), "-i", "127.0.0.1", "-p", self.port, "-u", USER, "-P", PASSWORD)
        harness.wait_for_tcp_port(self.port)


if __name__ == "__main__":
    unittest.main(verbosity=2)
