"""Services that are programs of their own ([[exec]]), in a real node."""

import os
import pathlib
import pwd
import select
import shutil
import subprocess
import unittest

from support import (EXIT_CONFIG, EXIT_REFUSED, EXIT_UNREACHABLE, EXIT_USAGE, PATIENCE_S, PROGRAM, ROOT, Node, TestCase,
                     clean_environment)

EXAMPLES = ROOT / "examples/exec"
IS_ROOT = os.geteuid() == 0
WHO = 'user = "nobody"' if IS_ROOT else "as_node = true"


class Programs(TestCase):
    def setUp(self):
        super().setUp()
        self.node_home = self.home("node")
        self.bob = self.home("bob")
        # Where the program's user can read it.
        self.directory.chmod(0o755)

    def configure(self, *programs, more=""):
        text = ""
        for name, keys in programs:
            text += f'[[exec]]\nname = "{name}"\n{keys}\n'
        self.node_home.configure(text + more)

    def python(self, name, text=None):
        """The keys of a program: an example, or a text."""
        target = self.directory / f"{name}.py"
        if text is None:
            shutil.copy(EXAMPLES / f"{name}.py", target)
        else:
            target.write_text(text)
        target.chmod(0o644)
        return f'command = ["/usr/bin/python3", "-u", "{target}"]\n'

    def admit(self, *scopes):
        self.node_home.run("peer", "add", "bob", "--key", self.bob.id, "--scopes", ",".join(scopes))

    def pipe(self, node, text, transport="quic", alpn="example/capitals", **options):
        return self.bob.run("pipe", node.address, "--alpn", alpn, "--only", transport, input=text, **options).stdout

    def status(self, *fields):
        (program,) = self.node_home.json("status")["programs"]
        return tuple(program.get(field) for field in fields)

    def capitals(self, more=""):
        self.configure(("capitals", self.python("capitals") + f'alpn = "example/capitals"\n{WHO}\n{more}'))

    def test_serve_whoever_has_the_scope_over_each_transport_and_loop(self):
        self.admit("exec:use:capitals")
        for loops in (1, 2):
            self.configure(("capitals", self.python("capitals") + f'alpn = "example/capitals"\n{WHO}\n'),
                           more=f"[runtime]\nloops = {loops}\n")
            with Node(self.node_home) as node:
                node.wait_for("exec.started")
                for transport in ("quic", "tcp"):
                    self.assertEqual(self.pipe(node, "hello", transport), "HELLO")
                    self.assertEqual(self.pipe(node, "x" * 1_000_000, transport), "X" * 1_000_000)
                state, streams, ends = self.status("state", "streams", "ends")
                self.assertEqual((state, ends), ("running", 0))
                self.assertIn("program      capitals is running, as process", self.node_home.run("status").stdout)
                self.assertIsInstance(streams, int)

    def test_refuse_everybody_else(self):
        self.capitals()
        with Node(self.node_home) as node:
            node.wait_for("exec.started")
            self.pipe(node, "hello", expect=EXIT_REFUSED)  # a stranger
            self.admit("exec:use:other")
            self.pipe(node, "hello", expect=EXIT_REFUSED)
            # Rules may ask for another scope, and never let strangers in.
            config = self.node_home.config.read_text()
            self.node_home.configure(config + '[alpn."example/capitals"]\nscope = "exec:use:other"\n')
            self.node_home.run("reload")
            self.assertEqual(self.pipe(node, "hello"), "HELLO")
            self.node_home.run("peer", "remove", "bob")
            self.pipe(node, "hello", expect=EXIT_REFUSED)

    def test_end_with_their_node_and_come_back_after_their_own_end(self):
        self.admit("exec:use:capitals")
        self.capitals()
        with Node(self.node_home) as node:
            node.wait_for("exec.started")
            (process,) = self.status("process")
            os.kill(process, 9)
            self.assertIn("signal 9", node.wait_for("exec.ended"))
            node.wait_for("exec.started")
            self.assertEqual(self.pipe(node, "hello"), "HELLO")
            again, ends, last = self.status("process", "ends", "last_end")
            self.assertNotEqual(again, process)
            self.assertEqual((ends, last), (1, "signal 9"))
            node.stop()
            self.assertFalse(pathlib.Path(f"/proc/{again}").exists())
            self.assertFalse((self.node_home.path / "exec-capitals.sock").exists())

    def test_end_with_a_node_that_is_killed(self):
        self.capitals()
        with Node(self.node_home) as node:
            node.wait_for("exec.started")
            (process,) = self.status("process")
            descriptor = os.pidfd_open(process)
            try:
                node.process.kill()
                node.process.wait(PATIENCE_S)
                poll = select.poll()
                poll.register(descriptor, select.POLLIN)
                self.assertTrue(poll.poll(PATIENCE_S * 1000), "it lives on")
            finally:
                os.close(descriptor)
        # The socket file that was left behind is in nobody's way.
        self.admit("exec:use:capitals")
        with Node(self.node_home) as node:
            node.wait_for("exec.started")
            self.assertEqual(self.pipe(node, "hello"), "HELLO")

    def test_that_stay_down_are_said_to(self):
        self.admit("exec:use:capitals")
        self.configure(("broken", self.python("broken", "raise SystemExit('no \\033[31m good')\n") +
                        f'alpn = "example/capitals"\nattempts_max = 1\n{WHO}\n'))
        with Node(self.node_home) as node:
            line = node.wait_for("exec.output")
            self.assertIn(" good", line)
            self.assertNotIn("\033", line)
            node.wait_for("exec.given_up")
            self.assertEqual(self.status("state", "last_end"), ("given up", "exit code 1"))
            self.assertIn("given up; it has ended 1 times, last with exit code 1", self.node_home.run("status").stdout)
            done = subprocess.run([PROGRAM, "pipe", "--home", str(self.bob.path), node.address, "--alpn",
                                   "example/capitals"], input="hello", capture_output=True, text=True,
                                  env=clean_environment(), timeout=PATIENCE_S, check=False)
            self.assertNotEqual(done.returncode, 0)

    def test_cannot_read_what_the_node_has(self):
        """As another user; as the node's own one it can, and the configuration has to say so."""
        self.admit("exec:use:capitals")
        key = self.node_home.path / "node.key"
        self.configure(("thief", self.python("thief", f"print('read', len(open({str(key)!r}).read()))\n") +
                        f'alpn = "example/capitals"\nattempts_max = 1\n{WHO}\n'))
        with Node(self.node_home) as node:
            if IS_ROOT:
                while "PermissionError" not in node.wait_for("exec.output"):
                    pass
            else:
                self.assertIn("read ", node.wait_for("exec.output"))

    def test_offer_operations_under_their_name(self):
        self.admit("exec:call:sums/*")
        (bob,) = self.node_home.json("peer", "list")["peers"]
        self.configure(("sums", self.python("sums") + f"operations = true\n{WHO}\n"))
        with Node(self.node_home) as node:
            node.wait_for("exec.offered")
            for transport in ("quic", "tcp"):
                def call(*arguments, **options):
                    return self.bob.json("call", node.address, *arguments, "--only", transport, **options)
                self.assertEqual(call("sums/add", '{"a": 1, "b": 2.5}'), {"sum": 3.5, "for": bob["id"]})
                self.assertEqual(call("sums/add", "a=1", "b=2.5")["sum"], 3.5)
                (listed,) = [one for one in call("--list")["operations"] if one["name"].startswith("/sums")]
                self.assertEqual(listed["scope"], "exec:call:sums/add")
                self.assertEqual(call("--schema", "sums/add")["input"]["required"], ["a", "b"])
                error = self.bob.error("call", node.address, "sums/add", '{"a": "one", "b": 2}', expect=EXIT_USAGE)
                self.assertIn("/a", error["detail"])
            # Whoever calls while it is away is told to try again.
            (process,) = self.status("process")
            os.kill(process, 9)
            node.wait_for("exec.ended")
            error = self.bob.error("call", node.address, "sums/add", '{"a": 1, "b": 2}', expect=EXIT_UNREACHABLE)
            self.assertEqual(error["id"], "E-EXEC-DOWN")
            node.wait_for("exec.offered")
            self.assertEqual(call("sums/add", '{"a": 1, "b": 2}')["sum"], 3)
            self.node_home.run("peer", "scopes", "bob", "--set", "node:read")
            error = self.bob.error("call", node.address, "sums/add", '{"a": 1, "b": 2}', expect=EXIT_REFUSED)
            self.assertEqual(error["detail"], "exec:call:sums/add")

    def test_need_a_user_that_is_not_the_nodes(self):
        own = "root" if IS_ROOT else pwd.getpwuid(os.geteuid()).pw_name
        for user, words in ((own, "is the node's own user"), ("no-such-user", "there is no user"),
                            *(() if IS_ROOT else (("nobody", "not root"),))):
            self.configure(("x", f'command = ["/bin/true"]\nalpn = "example/x"\nuser = "{user}"'))
            error = self.node_home.error("serve", "--listen", "127.0.0.1:0", expect=EXIT_CONFIG)
            self.assertEqual(error["id"], "E-EXEC-USER")
            self.assertIn(words, error["detail"])
        self.configure(("x", 'command = ["/bin/true"]\nalpn = "example/x"'))
        error = self.node_home.error("serve", "--listen", "127.0.0.1:0", expect=EXIT_CONFIG)
        self.assertIn("as_node = true", error["detail"])

    def test_change_with_a_restart_alone(self):
        self.admit("exec:use:capitals")
        self.capitals()
        with Node(self.node_home) as node:
            node.wait_for("exec.started")
            self.capitals("streams_max = 3")
            plan = self.node_home.run("config", "diff").stdout
            self.assertIn("exec.capitals.streams_max", plan)
            self.assertIn("restart needed", plan)
            self.node_home.run("reload")
            node.wait_for("config.restart_needed")
            self.assertEqual(self.pipe(node, "hello"), "HELLO")

    def test_take_no_name_of_the_nodes_own(self):
        for alpn, hint in (("alknet/echo", ""), ("h2", ""), ("alknet/call", "operations = true")):
            self.configure(("x", f'command = ["/bin/true"]\nalpn = "{alpn}"\n{WHO}'))
            error = self.node_home.error("serve", "--listen", "127.0.0.1:0", expect=EXIT_CONFIG)
            self.assertIn(f"'{alpn}'", error["detail"])
            checked = self.node_home.run("config", "check", expect=EXIT_CONFIG)
            said = checked.stdout + checked.stderr
            self.assertIn(f"the node serves '{alpn}' itself", said)
            self.assertIn(hint, said)


if __name__ == "__main__":
    unittest.main()
