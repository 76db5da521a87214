"""doctor and its kin, with real nodes on this machine."""

import json
import signal
import socket
import ssl
import subprocess
import threading
import unittest

import support
from support import (EXIT_CONFIG, EXIT_FAILURE, EXIT_REFUSED, EXIT_UNREACHABLE, EXIT_USAGE,
                     OTHER_ID, Node, TestCase, WithNode, by_name, run)


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


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


def causes(shown):
    return [verdict["id"] for verdict in shown["verdicts"]]


class Pair(WithNode):
    def test_a_pair_that_works(self):
        shown = self.client.json("doctor", self.node.address)
        self.assertEqual(causes(shown), [])
        self.assertTrue(shown["ok"])
        self.assertEqual([way["way"] for way in shown["ways"]], ["QUIC IPv4", "TCP IPv4"])
        for way in shown["ways"]:
            self.assertEqual(way["outcome"], "connected")
            self.assertEqual((way["up_bytes"], way["down_bytes"]), (262144, 262144))
            self.assertGreater(way["handshake_ms"], 0)
            self.assertGreater(way["rtt_ms"], 0)
            self.assertTrue(way["observed"].startswith("127.0.0.1:"))
        self.assertEqual(shown["ways"][0]["payload_max"], 1472)
        self.assertGreater(shown["ways"][0]["packets_back"], 0)
        self.assertRegex(shown["there"]["program"], r"^alknet \d")
        text = self.client.run("doctor", self.node.address).stdout
        self.assertIn("nothing is wrong on the way\n", text)

    def test_peers_tell_whether_tls_is_opened(self):
        self.client.configure('[[listener]]\nname = "l"\naddresses = ["127.0.0.1:0"]\n'
                              f'[[peer]]\nname = "friend"\nkeys = ["{self.server.id}"]\n'
                              f'address = "{self.node.bare}"\n')
        self.assertEqual(by_name(self.client.json("doctor"))["TLS opened on the way"]["status"], "ok")
        self.node.stop()
        self.assertEqual(by_name(self.client.json("doctor"))["TLS opened on the way"]["status"], "skipped")

    def listen_here(self):
        port = free_port()
        self.client.configure(f'[[listener]]\nname = "main"\naddresses = ["127.0.0.1:{port}"]\n')
        return port

    def test_the_other_end_dials_back_where_a_node_runs_here(self):
        port = self.listen_here()
        with Node(self.client, listen=()):
            shown = self.client.json("doctor", self.node.address)
        ways = {way["way"]: way for way in shown["there"]["ways"]}
        for name in ("QUIC IPv4", "TCP IPv4"):
            self.assertEqual(ways[name]["outcome"], "connected")
            self.assertEqual(ways[name]["remote"], f"127.0.0.1:{port}")

    def test_the_other_end_dials_back_by_no_other_way_than_it_may(self):
        self.listen_here()
        self.server.configure(f'[[peer]]\nname = "here"\nkeys = ["{self.client.id}"]\ntransports = ["tcp"]\n'
                              'scopes = ["node:diagnose"]\n')
        self.node.stop()
        with Node(self.server, listen=("127.0.0.1:0",)) as node, Node(self.client, listen=()):
            shown = self.client.json("doctor", node.address)
            self.assertEqual([way["way"] for way in shown["there"]["ways"]], ["TCP IPv4"])
            self.assertEqual(shown["there"]["ways"][0]["outcome"], "connected")

    def test_a_stranger_is_told_nothing_but_what_a_dial_shows(self):
        shown = json.loads(run("doctor", self.node.address, "--json",
                               "--home", self.directory / "none").stdout)
        self.assertEqual(causes(shown), ["E-AUTH-REQUIRED"])
        self.assertIsNone(shown["there"])
        for way in shown["ways"]:
            self.assertEqual(way["outcome"], "stranger")
            self.assertIsNone(way["observed"])

    def test_another_key(self):
        shown = self.client.json("doctor", f"alknet://{OTHER_ID}@{self.node.bare}", expect=EXIT_FAILURE)
        self.assertEqual(causes(shown), ["E-TLS-KEY-MISMATCH"])
        text = self.client.run("doctor", f"alknet://{OTHER_ID}@{self.node.bare}", expect=EXIT_FAILURE).stdout
        self.assertIn("causes\n  E-TLS-KEY-MISMATCH: ", text)
        self.assertIn("next: compare the node id", text)

    def test_services(self):
        shown = self.client.json("doctor", self.node.address, "--alpn", "example/none", expect=EXIT_FAILURE)
        self.assertEqual(causes(shown), ["E-TLS-NO-ALPN"])
        shown = self.client.json("doctor", self.node.address, "--alpn", "alknet/echo")
        self.assertEqual((causes(shown), shown["service"]), ([], "alknet/echo"))
        self.assertEqual(shown["ways"][0]["up_bytes"], 262144)
        error = self.client.error("doctor", self.node.address, "--alpn", "x" * 32, expect=EXIT_USAGE)
        self.assertEqual(error["id"], "E-ALPN-INVALID")

    def test_no_node(self):
        self.node.stop()
        shown = self.client.json("doctor", self.node.address, expect=EXIT_FAILURE)
        self.assertEqual(causes(shown), ["E-NET-NODE-DOWN"])

    def test_a_name_that_nobody_has(self):
        shown = self.client.json("doctor", f"alknet://{OTHER_ID}@no-such-host.invalid", expect=EXIT_FAILURE)
        self.assertEqual(causes(shown), ["E-NET-RESOLVE"])


class Paths(WithNode):
    def test_each_way_and_the_chosen_one(self):
        self.client.configure(f'[[peer]]\nname = "friend"\nkeys = ["{self.server.id}"]\n'
                              f'address = "{self.node.bare}"\n')
        for arguments in (("friend",), ()):
            shown = self.client.json("paths", *arguments)
            self.assertEqual(shown["node"], "friend")
            self.assertEqual(shown["chosen"], "QUIC IPv4")
            self.assertEqual([way["way"] for way in shown["ways"]], ["QUIC IPv4", "TCP IPv4"])
            for way in shown["ways"]:
                self.assertEqual(way["outcome"], "connected")
                self.assertGreater(way["rtt_ms"], 0)
            self.assertEqual(shown["ways"][0]["packets_sent"], 30)
        text = self.client.run("paths", "friend").stdout
        self.assertIn(f"friend\n  QUIC IPv4  {self.node.bare}  connected in ", text)
        self.assertIn("\n  chosen     QUIC IPv4\n", text)

    def test_watching_goes_on_until_it_is_interrupted(self):
        process = subprocess.Popen([support.PROGRAM, "paths", self.node.address, "--watch", "--json",
                                    "--interval", "1ms", "--home", str(self.client.path)],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env=support.clean_environment())
        for _ in range(3):
            shown = json.loads(process.stdout.readline())
            self.assertEqual(shown["chosen"], "QUIC IPv4")
            self.assertRegex(shown["at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=support.PATIENCE_S)
        self.assertEqual(process.returncode, 130)

    def test_nobody_to_look_at(self):
        self.assertEqual(self.client.error("paths", expect=EXIT_CONFIG)["id"], "E-PEER-UNKNOWN")

    def test_a_node_that_is_gone(self):
        self.node.stop()
        shown = self.client.json("paths", self.node.address)
        self.assertIsNone(shown["chosen"])
        self.assertEqual({way["outcome"] for way in shown["ways"]}, {"refused"})
        self.assertIn("\n  chosen     none: no way works\n", self.client.run("paths", self.node.address).stdout)
        error = self.client.error("ping", self.node.address, "--all-transports", expect=EXIT_UNREACHABLE)
        self.assertEqual(error["id"], "E-NET-UNREACHABLE")

    def test_what_cannot_be_asked_for(self):
        for command in (("paths", "--interval", "1s"), ("paths", "--timeout", "0s"), ("ping", "--timeout", "0s"),
                        ("ping", "--all-transports", "--count", "2"),
                        ("ping", "--all-transports", "--interval", "2s"), ("doctor", "--timeout", "0s")):
            self.client.error(command[0], self.node.address, *command[1:], expect=EXIT_USAGE)
        error = self.client.error("ping", self.node.address, "--only", "proxy", expect=EXIT_USAGE)
        self.assertIn("HTTPS_PROXY", error["detail"])

    def test_ping_on_all_transports(self):
        shown = self.client.json("ping", self.node.address, "--all-transports")
        self.assertEqual({way["way"]: way["outcome"] for way in shown["ways"]},
                         {"QUIC IPv4": "connected", "TCP IPv4": "connected"})
        shown = self.client.json("ping", self.node.address, "--all-transports", "--only", "tcp")
        self.assertEqual([way["way"] for way in shown["ways"]], ["TCP IPv4"])
        self.assertEqual(len(self.client.run("ping", self.node.address, "--all-transports").stdout.splitlines()), 2)


class Proxy:
    """An HTTP proxy on this machine, which answers each request with one status."""

    def __init__(self, status, target=None):
        self.status, self.target = status, target
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://someone:planted-password@127.0.0.1:{self.server.getsockname()[1]}"
        self.threads = [threading.Thread(target=self.accept)]
        self.threads[0].start()

    def accept(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            self.threads.append(threading.Thread(target=self.serve, args=(client,)))
            self.threads[-1].start()

    def serve(self, client):
        with client:
            request = b""
            while not request.endswith(b"\r\n\r\n"):
                octets = client.recv(4096)
                if not octets:
                    return
                request += octets
            client.sendall(f"HTTP/1.1 {self.status} X\r\nContent-Length: 0\r\n\r\n".encode())
            if self.status != 200:
                return
            with socket.create_connection(self.target) as node:
                back = threading.Thread(target=self.copy, args=(node, client))
                back.start()
                self.copy(client, node)
                back.join()

    @staticmethod
    def copy(source, sink):
        try:
            while octets := source.recv(65536):
                sink.sendall(octets)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other side has had enough

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        for thread in self.threads:
            thread.join()


class ThroughAProxy(WithNode):
    def ask(self, proxy, *arguments, **options):
        return self.client.run("ping", self.node.address, "--all-transports", "--only", "proxy", "--json",
                               *arguments, env=support.clean_environment(HTTPS_PROXY=proxy.url), **options)

    def test_it_is_one_of_the_ways(self):
        with Proxy(200, ("127.0.0.1", self.node.port)) as proxy:
            shown = json.loads(self.ask(proxy).stdout)
        self.assertEqual([(way["way"], way["outcome"]) for way in shown["ways"]], [("proxy", "connected")])
        self.assertTrue(proxy.url.endswith(shown["ways"][0]["remote"]))
        self.assertGreater(shown["ways"][0]["rtt_ms"], 0)

    def test_what_it_refuses(self):
        for status, outcome in ((407, "the proxy wants other credentials"), (403, "the proxy refuses")):
            with Proxy(status) as proxy:
                done = self.ask(proxy, expect=EXIT_UNREACHABLE)
            way, = json.loads(done.stdout)["ways"]
            self.assertEqual(way["outcome"], outcome)
            self.assertNotIn("planted", done.stdout + done.stderr)

    def test_nobody_there(self):
        with Proxy(200) as proxy:
            pass
        way, = json.loads(self.ask(proxy, expect=EXIT_UNREACHABLE).stdout)["ways"]
        self.assertEqual(way["outcome"], "the proxy does not answer")

    def test_without_one(self):
        error = self.client.error("ping", self.node.address, "--all-transports", "--only", "proxy",
                                  expect=EXIT_USAGE)
        self.assertIn("HTTPS_PROXY", error["detail"])


class Bench(WithNode):
    def bench(self, *options, **more):
        return self.client.json("bench", self.node.address, "--seconds", "1", *options, **more)

    def test_down_then_up(self):
        shown = self.bench()
        self.assertEqual(shown["way"], "QUIC IPv4")
        self.assertEqual([flow["direction"] for flow in shown["flows"]], ["down", "up"])
        for flow in shown["flows"]:
            self.assertTrue(flow["complete"])
            self.assertGreater(flow["bytes"], 0)
            self.assertGreater(flow["mbit_per_second"], 0)
            self.assertTrue(flow["limited_by"])
            self.assertTrue(flow["what"])
            self.assertGreater(flow["sender"]["packets_sent"], 0)

    def test_both_at_once_over_tcp(self):
        shown = self.bench("--both", "--only", "tcp")
        self.assertEqual(shown["way"], "TCP IPv4")
        self.assertEqual([flow["direction"] for flow in shown["flows"]], ["down", "up"])
        self.assertEqual([flow["tcp_mbit_per_second"] for flow in shown["flows"]], [None, None])
        self.assertTrue(all(flow["complete"] for flow in shown["flows"]))

    def test_the_text_tells_what_limits_it(self):
        text = self.client.run("bench", self.node.address, "--up", "--seconds", "1").stdout
        self.assertRegex(text, r"(?m)^alknet/bench at 127\.0\.0\.1:\d+ over QUIC IPv4$")
        self.assertRegex(text, r"(?m)^up +[\d.]+ Mbit/s, [\d.]+ MiB in [\d.]+ s$\n  limited by \w")
        self.assertNotIn("down", text)

    def test_an_interrupted_one_tells_what_was_measured(self):
        process = subprocess.Popen([support.PROGRAM, "bench", self.node.address, "--down", "--seconds", "100",
                                    "--home", str(self.client.path)],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env=support.clean_environment())
        lines = [process.stdout.readline() for _ in range(2)]
        self.assertIn("Mbit/s", lines[1])
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=support.PATIENCE_S)
        self.assertEqual(process.returncode, 130)
        self.assertRegex(rest, r"(?m)^down +[\d.]+ Mbit/s, ")

    def test_each_service_asks_for_its_own_scope(self):
        config = self.server.config.read_text()
        for kept in ("node:diagnose", "node:bench", "git:read"):
            self.server.configure(config.replace('"node:diagnose", "node:bench"', f'"{kept}"'))
            self.server.run("reload")
            if kept != "node:bench":
                for transport in ("quic", "tcp"):
                    why = self.client.error("bench", self.node.address, "--only", transport, expect=EXIT_REFUSED)
                    if transport == "quic":
                        self.assertEqual(why["id"], "E-AUTH-SCOPE")
                        self.assertIn("node:bench", why["detail"])
            else:
                self.client.run("bench", self.node.address, "--up", "--seconds", "1")
            if kept != "node:diagnose":
                shown = self.client.json("doctor", self.node.address)
                self.assertEqual([way["outcome"] for way in shown["ways"]], ["stranger", "stranger"])
                self.assertEqual(causes(shown), ["E-AUTH-SCOPE"])
                self.assertIn("--add node:diagnose", shown["verdicts"][0]["remedy"])
                self.assertIsNone(shown["there"])
            else:
                self.assertTrue(self.client.json("doctor", self.node.address)["ok"])
        # The owner may ask for something else instead.
        self.server.configure(config.replace('"node:diagnose", "node:bench"', '"git:read"') +
                              '[alpn."alknet/bench"]\nscope = "git:read"\n')
        self.server.run("reload")
        self.client.run("bench", self.node.address, "--up", "--seconds", "1")

    def test_a_stranger_is_refused_on_each_transport(self):
        for transport in ("quic", "tcp"):
            done = run("bench", self.node.address, "--json", "--only", transport,
                       "--home", self.directory / "none", expect=EXIT_REFUSED)
            error = json.loads(done.stderr)["error"]
            self.assertEqual(error["id"], "E-AUTH-REQUIRED")
            self.assertIn("peers that the node knows", error["detail"])
            self.assertEqual(done.stdout, "")

    def test_so_many_at_a_time(self):
        busy = [subprocess.Popen([support.PROGRAM, "bench", self.node.address, "--seconds", "100", "--home",
                                  str(self.client.path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                 text=True, env=support.clean_environment()) for _ in range(2)]
        try:
            for process in busy:
                process.stdout.readline()
                process.stdout.readline()
            error = self.client.error("bench", self.node.address, "--only", "quic", expect=EXIT_REFUSED)
            self.assertEqual(error["id"], "E-LIMIT")
            self.assertIn("few at a time", error["detail"])
        finally:
            for process in busy:
                process.send_signal(signal.SIGINT)
                process.communicate(timeout=support.PATIENCE_S)

    def test_a_node_that_is_gone(self):
        self.node.stop()
        self.assertEqual(self.client.error("bench", self.node.address, expect=EXIT_UNREACHABLE)["id"],
                         "E-NET-UNREACHABLE")

    def test_what_cannot_be_asked_for(self):
        for options in (("--seconds", "0"), ("--seconds", "121"), ("--seconds", "1s"), ("--only", "udp")):
            self.client.error("bench", self.node.address, *options, expect=EXIT_USAGE)


class WithoutTcp(WithNode):
    listener = '[[listener]]\nname = "u"\naddresses = ["127.0.0.1:0"]\ntcp = false\n'

    def test_tcp_that_is_refused(self):
        shown = self.client.json("doctor", self.node.address, expect=EXIT_FAILURE)
        self.assertEqual(causes(shown), ["E-NET-TCP-BLOCKED"])

    def test_a_middlebox_that_opens_tls(self):
        other = self.home("other")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(other.path / "cert.pem", other.path / "cert-key.pem")
        context.set_alpn_protocols(["alknet/doctor", "alknet/echo"])
        with socket.create_server(("127.0.0.1", self.node.port)) as server:
            def answer():
                while True:
                    try:
                        connection, _ = server.accept()
                    except OSError:
                        return
                    try:
                        with context.wrap_socket(connection, server_side=True) as stream:
                            stream.recv(1)
                    except OSError:
                        pass  # it does not like what it is shown

            thread = threading.Thread(target=answer)
            thread.start()
            shown = self.client.json("doctor", self.node.address, expect=EXIT_FAILURE)
            self.client.configure('[[listener]]\nname = "l"\naddresses = ["127.0.0.1:0"]\n'
                                  f'[[peer]]\nname = "friend"\nkeys = ["{self.server.id}"]\n'
                                  f'address = "{self.node.bare}"\n')
            here = self.client.json("doctor")
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
        check = by_name(here)["TLS opened on the way"]
        self.assertEqual(check["status"], "warn")
        self.assertIn("certificate", check["value"])
        self.assertEqual(causes(shown), ["E-NET-TLS-OPENED"])
        self.assertIn("certificate", shown["verdicts"][0]["what"])


class WithoutUdp(WithNode):
    listener = '[[listener]]\nname = "t"\naddresses = ["127.0.0.1:0"]\nquic = false\n'

    def test_udp_that_is_refused(self):
        shown = self.client.json("doctor", self.node.address, expect=EXIT_FAILURE)
        self.assertEqual(causes(shown), ["E-NET-UDP-BLOCKED"])

    def test_udp_that_vanishes(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", self.node.port))
            shown = self.client.json("doctor", self.node.address, "--timeout", "1s", expect=EXIT_FAILURE)
        self.assertEqual(causes(shown), ["E-NET-UDP-BLOCKED"])
        self.assertEqual(shown["ways"][0]["outcome"], "silent")


if __name__ == "__main__":
    unittest.main()
