"""Disks that are full or can only be read, files of somebody else: an error that says so, and what was, stays.

The disk is a small tmpfs that exists for this process and its children alone.
"""

import ctypes
import os
import pathlib
import resource
import signal
import subprocess
import unittest

import support
from support import EXIT_CONFIG, EXIT_FAILURE, Home, Node, PATIENCE_S, TestCase

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_RDONLY, MS_REMOUNT, MS_REC, MS_PRIVATE = 1, 32, 0x4000, 1 << 18
LIBC = ctypes.CDLL(None, use_errno=True)
RULES = '[alpn."alknet/echo"]\nidentity_required = true\n'


def system(name, *arguments):
    if getattr(LIBC, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}; this test needs a mount namespace: "
                              "root with CAP_SYS_ADMIN, or user namespaces for everybody")


def mount(source, target, kind, flags, options=b""):
    system("mount", source, os.fsencode(target), kind, ctypes.c_ulong(flags), options)


def own_mounts():
    """From here on this process has its own; children inherit them."""
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        system("unshare", CLONE_NEWNS)
    else:
        system("unshare", CLONE_NEWUSER | CLONE_NEWNS)
        pathlib.Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        pathlib.Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        pathlib.Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    mount(b"none", "/", None, MS_REC | MS_PRIVATE)


class Disk(TestCase):
    @classmethod
    def setUpClass(cls):
        own_mounts()

    def setUp(self):
        super().setUp()
        self.bob, self.eve = self.home("bob"), self.home("eve")
        self.disk = self.directory / "disk"
        self.disk.mkdir()
        mount(b"tmpfs", self.disk, b"tmpfs", 0, b"size=2m,mode=0700")
        self.addCleanup(lambda: system("umount2", os.fsencode(self.disk), 2))
        self.node_home = Home(self.disk)
        self.node_home.configure("")
        self.node_home.run("peer", "add", "bob", "--key", self.bob.id, "--scopes", "git:read")
        self.new = self.directory / "new.toml"
        self.new.write_text(RULES, encoding="ascii")
        self.new.chmod(0o600)
        self.before = self.state()

    def state(self):
        home = self.node_home
        return (home.config.read_text(), home.json("peer", "list"), home.json("token", "list"),
                home.json("peer", "invitations"))

    def fill(self):
        """To the last octet that a new file can have."""
        with open(self.disk / "fill", "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

    def free(self):
        (self.disk / "fill").unlink()

    def read_only(self, flag):
        mount(b"none", self.disk, None, MS_REMOUNT | flag)

    def changes(self):
        return (("config", "apply", self.new), ("config", "apply", self.new, "--confirm", "1h"),
                ("peer", "add", "eve", "--key", self.eve.id), ("peer", "remove", "bob"),
                ("peer", "invite", "--address", "192.0.2.1:1"), ("token", "add", "--scopes", "git:read"))

    def refused(self, id, *commands):
        for command in commands:
            self.assertEqual(self.node_home.error(*command, expect=EXIT_FAILURE)["id"], id, command)

    def works(self):
        self.assertEqual(self.state(), self.before)
        self.assertTrue(self.node_home.json("audit", "verify")["whole"])
        self.node_home.run("config", "apply", self.new)
        self.node_home.run("peer", "add", "eve", "--key", self.eve.id)
        self.assertEqual(self.node_home.config.read_text(), RULES)

    def test_that_is_full_is_named_and_loses_nothing(self):
        self.fill()
        self.refused("E-DISK-FULL", *self.changes())
        self.assertTrue(self.node_home.json("audit", "verify")["whole"])
        self.free()
        self.works()

    def test_that_is_full_below_a_node(self):
        home = self.node_home
        with Node(home) as node:
            self.fill()
            self.refused("E-DISK-FULL", *self.changes())
            self.assertEqual(self.state(), self.before)
            # It goes on serving; what cannot be written down any more is counted.
            for _ in range(30):
                self.bob.run("ping", node.address, "--count", 1)
            node.wait_for("audit.failed")
            self.free()
            node.wait_for("audit.resumed")
            self.works()
            node.stop()
        self.assertTrue(home.json("audit", "verify")["whole"])

    def test_that_is_full_and_records_are_required(self):
        self.node_home.configure("[audit]\nrequired = true\n")
        self.before = self.state()
        self.fill()
        self.refused("E-DISK-FULL", *self.changes())
        self.free()
        self.works()

    def test_that_can_only_be_read(self):
        self.read_only(MS_RDONLY)
        self.refused("E-DISK-READ-ONLY", *self.changes(), ("config", "undo"), ("config", "check"), ("serve",))
        self.assertTrue(self.node_home.json("audit", "verify")["whole"])
        self.read_only(0)
        self.works()

    def test_that_turns_read_only_below_a_node(self):
        home, flag = self.node_home, self.directory / "read-only"
        before = support.clean_environment
        support.clean_environment = lambda **more: before(
            LD_PRELOAD=os.environ["ALKNET_READ_ONLY_DISK"], ALKNET_TEST_DISK=str(self.disk),
            ALKNET_TEST_READ_ONLY=str(flag), **more)
        self.addCleanup(setattr, support, "clean_environment", before)
        with Node(home) as node:
            pipes = [subprocess.Popen(
                [support.PROGRAM, "pipe", node.address, "--alpn", "alknet/echo", "--only", only,
                 "--home", self.bob.path],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=before()) for only in ("quic", "tcp")]
            self.say(pipes, "before\n")
            for _ in range(2):  # it may come again
                flag.touch()
                self.refused("E-DISK-READ-ONLY", *self.changes())
                self.assertEqual(self.state(), self.before)
                home.run("reload")
                for _ in range(3):
                    self.bob.run("ping", node.address, "--count", 1)
                self.assertIn("E-DISK-READ-ONLY", node.wait_for("audit.failed"))
                self.say(pipes, "meanwhile\n")
                flag.unlink()
                node.wait_for("audit.resumed")
            self.works()
            self.say(pipes, "after\n")
            for pipe in pipes:
                pipe.stdin.close()
                self.assertEqual(pipe.wait(PATIENCE_S), 0)
                pipe.stdout.close()
            node.stop()
        self.assertTrue(home.json("audit", "verify")["whole"])

    def say(self, pipes, line):
        for pipe in pipes:
            pipe.stdin.write(line)
            pipe.stdin.flush()
            self.assertEqual(pipe.stdout.readline(), line)

    def test_whose_files_may_not_grow(self):
        def limited():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        for command in self.changes():
            self.node_home.run(*command, expect=EXIT_FAILURE, preexec_fn=limited)
            self.assertEqual(self.state(), self.before)
        self.works()

    def test_that_belongs_to_somebody_else(self):
        if os.geteuid() != 0:
            return  # only root can give files away
        home = self.node_home
        for path in (home.path, home.config, home.path / "node.key", home.path / "state.db"):
            id = "E-STORE-INVALID" if path.suffix == ".db" else "E-HOME-INVALID"
            os.chown(path, 65534, 65534)
            why = [home.error(*command, expect=EXIT_CONFIG) for command in (*self.changes()[:1], ("serve",))]
            self.assertEqual({one["id"] for one in why}, {id}, path)
            self.assertIn("another user", why[0]["detail"])
            os.chown(path, 0, 0)
            self.assertEqual(self.state(), self.before)
        self.works()


if __name__ == "__main__":
    unittest.main()
