"""Which way a command takes: --transport, --only, --congestion, and what alknet.toml says of a peer."""

import unittest

from support import EXIT_UNREACHABLE, EXIT_USAGE, Node, TestCase, run


class WaysTest(TestCase):
    def setUp(self):
        super().setUp()
        self.server = self.home("server")
        self.client = self.home("client")
        self.node = self.enter(Node(self.server))

    def enter(self, node):
        self.addCleanup(node.__exit__)
        return node

    def ping(self, address, *arguments):
        return self.client.json("ping", address, "--count", 1, *arguments)

    def serve(self, **transports):
        """A node of its own with these transports alone."""
        home = self.home("-".join(transports))
        lines = [f"{name} = {'true' if on else 'false'}" for name, on in transports.items()]
        home.configure("\n".join(['[[listener]]', 'name = "main"', 'addresses = ["127.0.0.1:0"]', *lines, ""]))
        return self.enter(Node(home, listen=()))

    def know(self, *lines):
        self.client.configure("\n".join(
            ["[[peer]]", 'name = "friend"', f'keys = ["{self.server.id}"]', f'address = "{self.node.bare}"',
             *lines, ""]))


class Transport(WaysTest):
    def test_is_a_preference(self):
        for transport in ("tcp", "quic", "tcp"):
            self.assertEqual(self.ping(self.node.address, "--transport", transport)["transport"], transport)
        # Which is not remembered.
        self.assertEqual(self.ping(self.node.address)["transport"], "quic")

    def test_gives_way_to_what_works(self):
        node = self.serve(quic=False)
        self.assertEqual(self.ping(node.address, "--transport", "quic")["transport"], "tcp")
        self.assertEqual(self.ping(node.address, "--transport", "proxy")["transport"], "tcp")


class Only(WaysTest):
    def test_forbids_the_others(self):
        for transport in ("tcp", "quic", "tcp"):
            self.assertEqual(self.ping(self.node.address, "--only", transport)["transport"], transport)
        self.assertEqual(self.ping(self.node.address)["transport"], "quic")

    def test_forbids_them_also_when_it_fails(self):
        node = self.serve(quic=False)
        self.assertEqual(self.ping(node.address)["transport"], "tcp")  # which is remembered
        self.client.error("ping", node.address, "--only", "quic", "--timeout", "2s", expect=EXIT_UNREACHABLE)
        self.client.error("ping", node.address, "--only", "proxy", expect=EXIT_USAGE)

    def test_must_leave_room_for_what_is_preferred(self):
        error = self.client.error("ping", self.node.address, "--only", "tcp", "--transport", "quic", expect=EXIT_USAGE)
        self.assertIn("--transport wants what --only", error["detail"])
        self.assertEqual(self.ping(self.node.address, "--only", "tcp", "--transport", "tcp")["transport"], "tcp")


class OfAPeer(WaysTest):
    def test_transports_hold_however_it_is_named(self):
        self.know('transports = ["tcp"]')
        for address in ("friend", self.node.address, self.server.id):
            self.assertEqual(self.ping(address)["transport"], "tcp")
        error = self.client.error("ping", "friend", "--only", "quic", expect=EXIT_USAGE)
        self.assertIn("transports in alknet.toml", error["detail"])
        ways = self.client.json("paths", "friend")["ways"]
        self.assertEqual({way["way"].split("-")[0].split()[0].lower() for way in ways}, {"tcp"})
        done = self.client.run("pipe", "friend", "--alpn", "alknet/echo", input="hello")
        self.assertEqual(done.stdout, "hello")

    def test_congestion_is_that_of_the_flag_or_of_the_peer_or_bbr(self):
        self.assertEqual(self.ping(self.node.address)["congestion"], "bbr")
        self.assertEqual(self.ping(self.node.address, "--congestion", "cubic")["congestion"], "cubic")
        self.know('congestion = "cubic"')
        self.assertEqual(self.ping("friend")["congestion"], "cubic")
        self.assertEqual(self.ping("friend", "--congestion", "bbr")["congestion"], "bbr")
        self.assertIsNone(self.ping("friend", "--only", "tcp")["congestion"])

    def test_mistakes_are_named(self):
        for line, said in (('transports = ["udp"]', "must be one of quic, tcp, proxy"),
                           ("transports = []", "not empty"),
                           ('transport = ["tcp"]', "did you mean 'transports'?"),
                           ('congestion = "reno"', "must be one of bbr, cubic")):
            self.know(line)
            done = self.client.run("config", "check", expect=3)
            self.assertIn(said, done.stdout)
        self.know('transports = ["quic", "proxy"]', 'congestion = "cubic"')
        self.client.run("config", "check")
        page = run("manual", "alknet.toml").stdout
        self.assertIn("through the proxy of the environment", page)


if __name__ == "__main__":
    unittest.main()
