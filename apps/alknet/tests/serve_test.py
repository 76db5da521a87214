"""alknet serve: its life under systemd, on signals, and through changes of its configuration."""

import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import unittest

from support import (EXIT_CONFIG, EXIT_FAILURE, EXIT_REFUSED, EXIT_UNREACHABLE, EXIT_USAGE, Node, PATIENCE_S,
                     PROGRAM, TestCase, clean_environment, run)


class Listening(TestCase):
    def test_one_line_for_each_address(self):
        home = self.home()
        with Node(home, listen=("127.0.0.1:0", "[::1]:0")) as node:
            for line, host in zip(node.lines, (r"127\.0\.0\.1", r"\[::1\]"), strict=True):
                self.assertRegex(line, rf"^listening on {host}:\d+ \(QUIC and TCP\) as ed25519:{home.id}\n$")
                port = re.search(r":(\d+) ", line)[1]
                target = "[::1]" if "::1" in line else "127.0.0.1"
                home.run("ping", f"{home.id}@{target}:{port}", "--count", 1)

    def test_json(self):
        home = self.home()
        with Node(home, "--json") as node:
            shown = json.loads(node.lines[0])
            self.assertEqual(shown, {"event": "listening", "listener": "listen-1", "address": node.bare,
                                     "quic": True, "tcp": True, "node_id": home.id})

    def test_names(self):
        home = self.home()
        with Node(home, listen=("localhost:0",)) as node:
            home.run("ping", node.address, "--count", 1)

    def test_what_is_configured(self):
        home = self.home()
        home.configure('[[listener]]\nname = "one"\naddresses = ["127.0.0.1:0"]\ntcp = false\n'
                       '[log]\nformat = "json"\n')
        with Node(home, listen=()) as node:
            self.assertIn("(QUIC)", node.lines[0])
            home.run("ping", node.address, "--count", 1, "--only", "quic")
            self.assertEqual(json.loads(node.wait_for("conn.open"))["alpn"], "alknet/echo")

    def test_a_fresh_home_listens_on_every_address(self):
        home = self.home()
        text = home.config.read_text()
        self.assertIn(":4433", text)
        home.configure(text.replace(":4433", ":0"))
        with Node(home, listen=()) as node:
            for host in ("127.0.0.1", "[::1]"):
                for transport in ("quic", "tcp"):
                    home.run("ping", f"{home.id}@{host}:{node.port}", "--count", 1, "--only", transport)

    def test_a_port_that_is_taken(self):
        home, other = self.home(), self.home("other")
        with Node(home) as node:
            error = other.error("serve", "--listen", node.bare, expect=EXIT_FAILURE)
            self.assertEqual(error["id"], "E-NET-ADDRESS-IN-USE")
            self.assertIn(node.bare, error["detail"])

    def test_addresses_that_are_none(self):
        home = self.home()
        for address in ("nonsense here", "host:x", f"{home.id}@127.0.0.1:1", "127.0.0.1:1:0"):
            self.assertEqual(home.error("serve", "--listen", address, expect=EXIT_USAGE)["id"], "E-ADDRESS-INVALID")

    def test_one_node_in_one_home(self):
        home = self.home()
        with Node(home):
            error = home.error("serve", "--listen", "127.0.0.1:0", expect=EXIT_CONFIG)
            self.assertIn("another node runs", error["detail"])
        with Node(home):
            pass

    def test_no_home(self):
        done = run("serve", "--home", self.directory / "none", expect=EXIT_CONFIG)
        self.assertIn("next: make one: alknet init\n", done.stderr)

    def test_descriptors(self):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        with Node(self.home()) as node:
            limits = pathlib.Path(f"/proc/{node.process.pid}/limits").read_text()
            soft = re.search(r"Max open files\s+(\d+|unlimited)\s+(\d+|unlimited)", limits)
            self.assertEqual(soft[1], soft[2])
            self.assertIn(soft[1], (str(hard), "unlimited"))


class Signals(TestCase):
    def test_term_and_int_stop_it_in_order(self):
        home = self.home()
        for number in (signal.SIGTERM, signal.SIGINT):
            with Node(home) as node:
                home.run("ping", node.address, "--count", 1)
                log = node.stop(number)
                self.assertIn("event=conn.close", log)


class Systemd(TestCase):
    """With a NOTIFY_SOCKET of our own, as a path and in the abstract name space."""

    def sockets(self):
        path = str(self.directory / "notify")
        abstract = f"alknet-test-{os.getpid()}"
        for name, address in ((path, path), ("@" + abstract, "\0" + abstract)):
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
                listener.bind(address)
                listener.settimeout(PATIENCE_S)
                yield name, listener

    def expect(self, listener, prefix):
        """The next message of this kind; the watchdog's may come between."""
        while True:
            message = listener.recv(4096).decode()
            if message.startswith(prefix):
                return message
            self.assertEqual(message, "WATCHDOG=1")

    def test_ready_reloading_and_stopping(self):
        for number, (name, listener) in enumerate(self.sockets()):
            home = self.home(f"home-{number}")
            with Node(home, env=clean_environment(NOTIFY_SOCKET=name)) as node:
                self.assertEqual(self.expect(listener, "READY"), "READY=1\nSTATUS=serving")
                home.run("ping", node.address, "--count", 1)  # ready means ready
                node.send(signal.SIGHUP)
                self.assertRegex(self.expect(listener, "RELOADING"), r"^RELOADING=1\nMONOTONIC_USEC=\d+$")
                self.expect(listener, "READY")
                node.send(signal.SIGTERM)
                self.expect(listener, "STOPPING=1")
                node.process.communicate(timeout=PATIENCE_S)
                self.assertEqual(node.process.returncode, 0)

    def test_the_watchdog_is_fed(self):
        for number, (name, listener) in enumerate(self.sockets()):
            env = clean_environment(NOTIFY_SOCKET=name, WATCHDOG_USEC="200000")
            with Node(self.home(f"home-{number}"), env=env):
                self.expect(listener, "READY")
                for _ in range(3):
                    self.expect(listener, "WATCHDOG=1")

    def test_the_watchdog_of_another_process_is_not(self):
        for number, (name, listener) in enumerate(self.sockets()):
            env = clean_environment(NOTIFY_SOCKET=name, WATCHDOG_USEC="1000", WATCHDOG_PID="1")
            with Node(self.home(f"home-{number}"), env=env) as node:
                self.assertTrue(listener.recv(4096).startswith(b"READY"))
                node.send(signal.SIGTERM)
                self.assertEqual(listener.recv(4096), b"STOPPING=1")
                node.process.communicate(timeout=PATIENCE_S)

    def test_a_socket_that_is_gone_stops_nothing(self):
        home = self.home()
        with Node(home, env=clean_environment(NOTIFY_SOCKET=str(self.directory / "none"))) as node:
            self.assertIn("NOTIFY_SOCKET", node.wait_for("notify.failed"))
            home.run("ping", node.address, "--count", 1)


class Loops(TestCase):
    def test_several_serve_one_port(self):
        home = self.home()
        home.configure("[runtime]\nloops = 3\n")
        with Node(home) as node:
            for number in range(12):
                transport = ("quic", "tcp")[number % 2]
                run("ping", node.address, "--home", home.path, "--count", 1,
                    "--only", transport)
                node.wait_for("conn.close")
            home.configure("[runtime]\nloops = 3\n[alpn.\"alknet/echo\"]\n"
                           "identity_required = true\n")
            node.wait_for("config.reloaded")
            run("ping", node.address, "--home", home.path, "--count", 1, expect=EXIT_REFUSED)


class Reload(TestCase):
    def reload(self, node, text, event="config.reloaded"):
        node.home.configure(text)
        node.send(signal.SIGHUP)
        return node.wait_for(event)

    def test_a_bad_file_changes_nothing_and_is_named(self):
        home = self.home()
        with Node(home) as node:
            log = self.reload(node, "[limits]\nstreams_max = 'many'\n", "config.rejected")
            self.assertIn(f"{home.config}:2:15: limits.streams_max: ", log)
            home.configure("")
            home.run("ping", node.address, "--count", 1)
            self.reload(node, '[tls]\ncertificates = [{ chain = "a", key = "b" }]\n', "config.rejected")
            home.configure("")
            home.run("ping", node.address, "--count", 1)

    def test_a_changed_file_is_noticed(self):
        home = self.home()
        home.configure("")
        with Node(home) as node:
            home.configure('[alpn."alknet/echo"]\ntransports = ["tcp"]\n')
            node.wait_for("config.reloaded")
            with open(home.config, "a", encoding="utf-8") as file:
                file.write("# written in place\n")
            node.wait_for("config.reloaded")
            home.configure("nonsense")
            node.wait_for("config.rejected")

    def test_a_home_that_goes_and_comes_back(self):
        home = self.home()
        home.configure("")
        aside = home.path.with_name("aside")
        with Node(home) as node:
            home.path.rename(aside)
            self.assertIn("the directory is gone", node.wait_for("config.unwatched"))
            node.send(signal.SIGHUP)
            node.wait_for("config.rejected")
            run("ping", node.address, "--count", 1, "--home", aside)
            (aside / "alknet.toml").write_text("# another\n")
            shutil.copytree(aside, home.path, ignore=shutil.ignore_patterns("control.sock"))
            node.wait_for("config.reloaded")
            home.configure("nonsense")
            node.wait_for("config.rejected")

    def test_listeners_come_and_go(self):
        def listener(name, address="127.0.0.1:0", more=""):
            return f'[[listener]]\nname = "{name}"\naddresses = ["{address}"]\n{more}'
        home = self.home()
        home.configure(listener("first"))
        with Node(home, listen=()) as node:
            self.reload(node, listener("first") + listener("second"))
            # Opened before it says that it has reloaded.
        with Node(home, listen=()) as node:
            home.configure(listener("third"))
            node.send(signal.SIGHUP)
            self.assertIn("listener=first", node.wait_for("listener.closed"))
            opened = node.wait_for("listener.opened")
            self.assertIn("listener=third", opened)
            port = re.search(r"local_addr=127\.0\.0\.1:(\d+)", opened)[1]
            home.run("ping", f"{home.id}@127.0.0.1:{port}", "--count", 1)

    def test_a_listener_that_cannot_be_opened_leaves_the_others(self):
        home, other = self.home(), self.home("other")
        home.configure('[[listener]]\nname = "a"\naddresses = ["127.0.0.1:0"]\n')
        with Node(other) as taken, Node(home, listen=()) as node:
            log = self.reload(node, home.config.read_text() +
                              f'[[listener]]\nname = "b"\naddresses = ["{taken.bare}"]\n', "listener.failed")
            self.assertIn("E-NET-ADDRESS-IN-USE", log)
            home.run("ping", node.address, "--count", 1)

    def test_what_changes_at_one_address_changes_in_place(self):
        for loops in (1, 3):
            self.change_in_place(loops)

    def change_in_place(self, loops):
        def listener(name, more=""):
            return (f'[runtime]\nloops = {loops}\n[[listener]]\nname = "{name}"\n'
                    f'addresses = ["127.0.0.1:{port}"]\n{more}')
        home, client, port = self.home(f"home-{loops}"), self.home(f"client-{loops}"), 0
        home.configure(listener("first"))
        with Node(home, listen=()) as node:
            port = node.port  # free again in a moment
        home.configure(listener("first"))
        with Node(home, listen=()) as node:
            def reaches(transport, expect=0):
                client.run("ping", node.address, "--count", 1, "--only", transport, expect=expect)
            # Its connections keep the UDP port of a listener that is closed.
            held = subprocess.Popen([PROGRAM, "pipe", node.address, "--alpn", "alknet/echo", "--only", "quic",
                                     "--home", str(client.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            held.stdin.write(b"a")
            held.stdin.flush()
            self.assertEqual(held.stdout.read(1), b"a")
            self.reload(node, listener("first", "tcp = false\n"))
            reaches("quic")
            reaches("tcp", EXIT_UNREACHABLE)
            self.reload(node, listener("second", "quic = false\n"))
            reaches("quic", EXIT_UNREACHABLE)
            reaches("tcp")
            self.reload(node, listener("second"))
            reaches("quic")
            reaches("tcp")
            self.assertEqual(held.communicate(b"b", timeout=PATIENCE_S)[0], b"b")
            self.assertEqual(held.returncode, 0)
            log = node.stop()
            self.assertNotIn("listener.closed", log)
            self.assertNotIn("listener.failed", log)

    def test_a_listener_that_cannot_be_opened_is_tried_again(self):
        home, other = self.home(), self.home("other")
        home.configure('[[listener]]\nname = "a"\naddresses = ["127.0.0.1:0"]\n')
        with Node(other) as taken, Node(home, listen=()) as node:
            self.reload(node, f'[[listener]]\nname = "b"\naddresses = ["{taken.bare}"]\n', "listener.failed")
            taken.stop()
            self.assertIn(taken.bare, node.wait_for("listener.opened"))
            home.run("ping", f"{home.id}@{taken.bare}", "--count", 1)

    def test_rules_of_a_service(self):
        home, client = self.home(), self.home("client")
        home.configure("")
        with Node(home) as node:
            command = ("ping", node.address, "--count", 1, "--only", "quic")
            client.run(*command)
            rules = '[alpn."alknet/echo"]\nidentity_required = true\n'
            self.reload(node, rules)
            self.assertEqual(client.error(*command, expect=EXIT_REFUSED)["id"], "E-AUTH-REQUIRED")
            self.reload(node, f'{rules}[[peer]]\nname = "client"\nkeys = ["{client.id}"]\n')
            client.run(*command)
            self.reload(node, '[alpn."alknet/echo"]\ntransports = ["tcp"]\n')
            client.error(*command, expect=EXIT_REFUSED)
            client.run("ping", node.address, "--count", 1, "--only", "tcp")

    def test_the_level_of_the_log(self):
        home = self.home()
        home.configure('[log]\nlevel = "error"\n')
        with Node(home) as node:
            home.run("ping", node.address, "--count", 1)  # leaves no line
            line = self.reload(node, '[log]\nlevel = "info"\n')
            self.assertIn("event=config.reloaded", line)
            home.run("ping", node.address, "--count", 1)
            node.wait_for("conn.open")

    def test_what_needs_a_restart_says_so(self):
        home = self.home()
        with Node(home) as node:
            home.configure('[log]\nformat = "json"\n')
            node.send(signal.SIGHUP)
            node.wait_for("config.restart_needed")
            self.assertTrue(node.wait_for("config.reloaded").startswith("time="))

    def test_a_service_that_there_is_not(self):
        home = self.home()
        good = home.config.read_text()
        misspelt = '[alpn."alknet/ehco"]\nidentity_required = true\n'
        with Node(home) as node:
            self.assertIn("did you mean 'alknet/echo'?", self.reload(node, misspelt, "config.rejected"))
            self.assertIn("example/none", self.reload(node, '[alpn."example/none"]\n', "config.unused"))
            self.reload(node, good)
        for text in (misspelt, '[[listener]]\nname = "main"\naddresses = ["127.0.0.1:0"]\n'
                               'alpns = ["alknet/ehco"]\n'):
            home.configure(text)
            for command in (("serve",), ("peer", "list"), ("status",)):
                done = home.run(*command, expect=EXIT_CONFIG if command != ("status",) else EXIT_UNREACHABLE)
                if command != ("status",):
                    self.assertIn("did you mean 'alknet/echo'?", done.stderr)
            checked = home.json("config", "check", expect=EXIT_CONFIG)["problems"][0]
            self.assertIn("did you mean 'alknet/echo'?", checked["reason"])
            self.assertEqual(checked["line"], 1 if text == misspelt else 4)
            self.assertIn("did you mean", str(home.json("doctor", expect=EXIT_FAILURE)))

    def test_every_service_of_a_node_can_be_named(self):
        home = self.home()
        with Node(home):
            services = home.json("status")["services"]
        home.configure("".join(f'[alpn."{one}"]\n' for one in services))
        self.assertTrue(home.json("config", "check")["valid"])
        for one in services:  # and is missed when it is misspelt
            home.configure(f'[alpn."{one}x"]\n')
            reason = home.json("config", "check", expect=EXIT_CONFIG)["problems"][0]["reason"]
            self.assertIn(f"did you mean '{one}'?", reason)

    def test_a_new_certificate(self):
        home = self.home()
        with Node(home) as node:
            before = home.json("probe", node.address)["tcp"]["certificate"]["fingerprint"]
            other = self.home("other")
            self.reload(node, f'[tls]\ncertificates = [{{ chain = "{other.path}/cert.pem", '
                              f'key = "{other.path}/cert-key.pem" }}]\n')
            after = home.json("probe", node.address)["tcp"]["certificate"]["fingerprint"]
            self.assertNotEqual(before, after)


if __name__ == "__main__":
    unittest.main()
