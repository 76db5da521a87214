"""SSH clients that are not OpenSSH, against the SSH of a node: they log in, and forward to what a rule allows."""

import hashlib
import random
import unittest

import harness
from ssh_test import SshNode


class Dropbear(SshNode):
    peer = "dropbear client"

    @classmethod
    def version(cls):
        return harness.package_version("dropbear-bin")

    def own_key(self):
        own = self.home / "dropbear_key"
        done = harness.run(harness.need("dropbearconvert"), "openssh", "dropbear", self.key, own)
        self.assertEqual(done.returncode, 0, done.stderr)
        return own

    def dbclient(self, *arguments, **options):
        # -yy: the key of the host is compared by the tests of stock ssh, dropbear's file of them is the user's own.
        return harness.run(harness.need("dbclient"), "-yy", "-i", self.own_key(), "-p", self.port, *arguments,
                           "bob@127.0.0.1", **options)

    def test_b(self):
        sent = random.Random(7).randbytes(self.SIZE)
        done = self.dbclient("-B", f"127.0.0.1:{self.echo.port}", stdin=sent)
        self.assertEqual(hashlib.sha256(done.stdout).hexdigest(), hashlib.sha256(sent).hexdigest(), done.stderr)

    def test_no_rule(self):
        done = self.dbclient("-B", "127.0.0.1:9")
        self.assertNotEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(done.stdout, b"")


class Plink(SshNode):
    peer = "plink"

    @classmethod
    def version(cls):
        return harness.package_version("putty-tools")

    def plink(self, *arguments, **options):
        own = self.home / "key.ppk"
        made = harness.run(harness.need("puttygen"), self.key, "-O", "private", "-o", own)
        self.assertEqual(made.returncode, 0, made.stderr)
        shown = harness.run(harness.need("ssh-keygen"), "-lf", self.known_hosts).stdout.decode()
        return harness.run(harness.need("plink"), "-batch", "-noagent", "-i", own, "-hostkey", shown.split()[1],
                           "-P", self.port, "-l", "bob", *arguments, "127.0.0.1", **options)

    def test_nc(self):
        sent = random.Random(8).randbytes(self.SIZE)
        done = self.plink("-nc", f"127.0.0.1:{self.echo.port}", stdin=sent)
        self.assertEqual(hashlib.sha256(done.stdout).hexdigest(), hashlib.sha256(sent).hexdigest(), done.stderr)

    def test_no_rule(self):
        done = self.plink("-nc", "127.0.0.1:9")
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(done.stdout, b"")


class Ssh2(SshNode):
    peer = "ssh2 (npm)"

    @classmethod
    def version(cls):
        return harness.npm_version("ssh2")

    def ssh2(self, target):
        fingerprint = harness.run(harness.need("ssh-keygen"), "-lf", self.known_hosts).stdout.decode().split()[1]
        return self.node_script("ssh2_client.mjs", self.port, self.key, fingerprint, target, self.SIZE)

    def test_forward(self):
        self.assertEqual(self.ssh2(self.echo.port), {"ok": True, "equal": True})

    def test_no_rule(self):
        refused = self.ssh2(9)
        self.assertFalse(refused["ok"])
        self.assertIn("Channel open failure", refused["error"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
