"""aioquic as a client."""

import json
import os
import pathlib
import unittest

import harness

PYTHON = pathlib.Path(os.environ["ALKNET_INTEROP_BUILD"]) / "python/bin/python3"


class Aioquic(harness.PeerTest):
    peer = "aioquic (pip)"

    @classmethod
    def version(cls):
        script = "from importlib.metadata import version; print(version('aioquic'))"
        return harness.run(PYTHON, "-c", script).stdout.decode().strip()

    def dial_us(self, case, alpn="alknet/echo"):
        _, _, port = self.serve()
        done = harness.run(PYTHON, harness.HERE / "peers/aioquic_client.py", port, alpn, 200_000, case)
        return json.loads(done.stdout)

    def assert_echo(self, case, version="0x1"):
        self.assertEqual(self.dial_us(case), {"ok": True, "equal": True, "version": version})

    def test_echo(self):
        self.assert_echo("echo")

    def test_key_update(self):
        self.assert_echo("key-update")

    def test_version_2(self):
        self.assert_echo("version-2", "0x6b3343cf")

    def test_change_of_connection_id(self):
        self.assert_echo("migrate")

    def test_wrong_alpn(self):
        self.assertFalse(self.dial_us("echo", alpn="alknet/nothing")["ok"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
