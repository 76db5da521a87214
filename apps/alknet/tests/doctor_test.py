"""doctor and its kin, with real nodes on this machine."""

import json
import socket
import unittest

from support import EXIT_FAILURE, Node, TestCase, run


def by_name(shown):
    return {check["name"]: check for check in shown["checks"]}


class Here(TestCase):
    def listen_on(self, home, port):
        home.configure(f'[[listener]]\nname = "main"\naddresses = ["127.0.0.1:{port}"]\n')

    def test_a_new_node_is_in_order(self):
        home = self.home()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.listen_on(home, port)
        checks = by_name(home.json("doctor"))
        self.assertEqual(checks["key and configuration"]["value"], "ed25519:" + home.id)
        self.assertEqual(checks["running"]["value"], "no")
        for transport in ("UDP", "TCP"):
            self.assertEqual(checks[f"port 127.0.0.1:{port} {transport}"]["status"], "ok")
        self.assertEqual(checks["clock"]["status"], "ok")

    def test_a_port_that_another_program_holds_is_a_failure(self):
        home = self.home()
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            self.listen_on(home, port)
            shown = home.json("doctor", expect=EXIT_FAILURE)
            self.assertFalse(shown["ok"])
            check = by_name(shown)[f"port 127.0.0.1:{port} TCP"]
            self.assertEqual(check["status"], "fail")
            self.assertIn("python", check["value"])
            text = home.run("doctor", expect=EXIT_FAILURE).stdout
            self.assertIn("the node cannot listen there\n", text)
            self.assertIn("next: stop that program", text)

    def test_a_running_node_holds_its_ports(self):
        home = self.home()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.listen_on(home, port)
        with Node(home, listen=()):
            checks = by_name(home.json("doctor"))
            self.assertEqual(checks["running"]["value"], "yes")
            for transport in ("UDP", "TCP"):
                self.assertEqual(checks[f"port 127.0.0.1:{port} {transport}"]["value"], "the node listens")

    def test_a_file_with_a_mistake(self):
        home = self.home()
        home.configure("[[listener]\n")
        check = by_name(home.json("doctor", expect=EXIT_FAILURE))["key and configuration"]
        self.assertEqual(check["status"], "fail")
        self.assertIn("alknet.toml:1", check["value"])

    def test_no_node_at_all(self):
        done = run("doctor", "--json", "--home", self.directory / "none")
        check = by_name(json.loads(done.stdout))["key and configuration"]
        self.assertEqual((check["status"], check["next"]), ("warn", "make one: alknet init"))

    def test_the_text_is_grouped(self):
        home = self.home()
        self.listen_on(home, 0)
        lines = home.run("doctor").stdout.splitlines()
        groups = [line for line in lines if not line.startswith(" ")]
        self.assertEqual(groups, ["node", "system", "network", "certificates"])


if __name__ == "__main__":
    unittest.main()
