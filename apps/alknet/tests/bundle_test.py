"""doctor --bundle: what it holds, and what it must not."""

import base64
import json
import socket
import unittest

import support
from support import EXIT_FAILURE, EXIT_OK, EXIT_USAGE, OTHER_ID, WithNode, by_name, run


class Bundle(WithNode):
    """Nothing that is planted may come out, in no form in which it is stored."""

    PASSWORD = "p@ss:wo/rd-planted"
    WRITTEN = "p%40ss%3Awo%2Frd-planted"
    TOKEN = "alk_plantedabcdefgh234567abcdefgh234567abcdefgh234567ab"

    def setUp(self):
        super().setUp()
        self.client.configure(
            "# planted-comment\n"
            '[[listener]]\nname = "plantedlistener"\naddresses = ["192.0.2.77:4433"]\nquic = false\n'
            f'[[peer]]\nname = "plantedfriend"\nkeys = ["{self.server.id}"]\n'
            'address = "planted.example.org:4433"\n'
            f'[[peer]]\nname = "plantednear"\nkeys = ["{OTHER_ID}"]\naddress = "{self.node.bare}"\n')
        self.environment = support.clean_environment(
            HTTPS_PROXY=f"http://planteduser:{self.WRITTEN}@plantedproxy.example:3128",
            NO_PROXY="plantedexception.example", HOME=str(self.directory / "plantedhome"), USER="plantedperson")
        self.log = self.directory / "log"
        self.log.write_text(
            f"time=2026-11-22T19:09:16Z level=info event=auth.attempt remote_addr=198.51.100.9:1 result=unknown "
            f'key_fingerprint=ed25519:{OTHER_ID} token={self.TOKEN} detail="plantedfriend at home"\n'
            f"plantedline {self.TOKEN}\n")

    def secrets(self):
        """Texts that must not be found."""
        found = [self.PASSWORD, self.WRITTEN, self.TOKEN, "planted", self.client.id, self.server.id, OTHER_ID,
                 "192.0.2.77", "198.51.100.9", str(self.directory), socket.gethostname()]
        for pair in (f"planteduser:{self.PASSWORD}", f"planteduser:{self.WRITTEN}", self.PASSWORD):
            found += [base64.b64encode(pair.encode()).decode(), pair.encode().hex()]
        for value in self.client.identity.values():
            if isinstance(value, str) and len(value) > 20:
                found.append(value)
        for name in ("node.key", "cert-key.pem", "endpoint.secrets"):
            octets = (self.client.path / name).read_bytes()
            found += [octets.hex(), base64.b64encode(octets).decode()]
            if name != "endpoint.secrets":
                lines = [line for line in octets.split(b"\n") if line and not line.startswith(b"-----")]
                found += [line.decode() for line in lines if len(line) > 8]
                der = base64.b64decode(b"".join(lines))
                found += [der.hex(), der[-32:].hex(), base64.b64encode(der[-32:]).decode().rstrip("=")]
        return found

    def look_through(self, text):
        for secret in self.secrets():
            self.assertNotIn(secret.lower(), text.lower())

    def bundle(self, *arguments, expect=EXIT_OK):
        file = self.directory / "bundle.json"
        done = self.client.run("doctor", *arguments, "--bundle", file, env=self.environment, expect=expect)
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        self.assertIn(f"wrote {file}\n", done.stdout)
        text = file.read_text()
        self.look_through(text)
        return json.loads(text)

    def test_this_node(self):
        bundle = self.bundle("--log", self.log, expect=EXIT_FAILURE)
        self.assertEqual(bundle["bundle"], 1)
        self.assertTrue(bundle["left_out"])
        self.assertIn("network", {check["group"] for check in bundle["checks"]})
        self.assertTrue(bundle["machine"]["kernel"].startswith("Linux "))
        listener, = bundle["configuration"]["listeners"]
        self.assertEqual((listener["name"], listener["addresses"], listener["quic"]),
                         ("listener-1", ["public-v4-1:4433"], False))
        first, second = bundle["configuration"]["peers"]
        self.assertEqual((first["name"], second["name"]), ("peer-1", "peer-2"))
        self.assertRegex(first["address"], r"^host-\d:4433$")
        self.assertEqual(second["address"], self.node.bare)
        self.assertRegex(bundle["environment"]["HTTPS_PROXY"], r"^http://host-\d:3128$")
        self.assertEqual(bundle["environment"]["NO_PROXY"], "set")
        self.assertIn("node.key", {file["name"] for file in bundle["home"]})
        self.assertEqual(bundle["log"], {"lines": ["time=2026-11-22T19:09:16Z level=info event=auth.attempt "
                                                   "result=unknown"], "left_out": 1})

    def test_a_pair(self):
        bundle = self.bundle(self.node.address, expect=EXIT_FAILURE)
        self.assertEqual([way["way"] for way in bundle["pair"]["ways"]], ["QUIC IPv4", "TCP IPv4"])
        self.client.run("ping", self.node.address, "--count", "1")
        (self.directory / "bundle.json").unlink()
        self.assertTrue(self.bundle(expect=EXIT_FAILURE)["paths"])

    def test_peers_that_only_a_command_has_written_down(self):
        third = self.home("third")
        self.client.run("peer", "add", "plantedstored", "--key", third.id, "--address", "elsewhere-planted.invalid:9")
        bundle = self.bundle("plantedstored", expect=EXIT_FAILURE)
        said = {verdict["id"]: verdict["what"] for verdict in bundle["pair"]["verdicts"]}
        self.assertRegex(said["E-NET-RESOLVE"], r"^host-\d+: ")
        self.assertNotIn(third.id, json.dumps(bundle))

    def test_a_configuration_with_a_mistake_is_not_quoted(self):
        self.client.configure('key = "planted-value"\nplantedkey = 5\n[[peer]]\nname = "planted name"\n')
        check = by_name(self.bundle(expect=EXIT_FAILURE))["key and configuration"]
        self.assertEqual(check["status"], "fail")
        self.assertIn("alknet.toml:", check["value"])

    def test_no_node_at_all(self):
        shown = json.loads(run("doctor", "--bundle", "-", "--home", self.directory / "none",
                               env=self.environment).stdout)
        self.assertIsNone(shown["configuration"])
        self.look_through(json.dumps(shown))

    def test_nothing_is_overwritten(self):
        file = self.directory / "bundle.json"
        file.write_text("mine")
        self.client.configure('[[listener]]\nname = "l"\naddresses = ["127.0.0.1:0"]\n')
        self.client.error("doctor", "--bundle", file, expect=EXIT_FAILURE)
        self.assertEqual(file.read_text(), "mine")
        self.client.error("doctor", "--bundle", "-", "--log", self.directory / "nothing", expect=EXIT_FAILURE)
        self.client.error("doctor", "--log", self.log, expect=EXIT_USAGE)


if __name__ == "__main__":
    unittest.main()
