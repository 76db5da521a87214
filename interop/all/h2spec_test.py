"""h2spec: what RFC 9113 and RFC 7541 demand of a server of HTTP/2, case by case."""

import os
import pathlib
import re
import unittest
import xml.etree.ElementTree

import harness

PEER = pathlib.Path(os.environ["ALKNET_INTEROP_BUILD"]) / "go/h2spec"


class H2spec(harness.PeerTest):
    peer = "h2spec (go)"

    @classmethod
    def version(cls):
        listed = harness.run("go", "version", "-m", PEER).stdout.decode()
        return re.search(r"\smod\s\S+\s+v([0-9.]+)", listed)[1]

    def test_strict(self):
        root = self.home / "www"
        root.mkdir()
        (root / "index.html").write_text("a page\n")
        _, _, port = self.serve(config=f'[[http.site]]\nroot = "{root}"\n')
        report = self.home / "report.xml"
        # Many cases end by their time, so the whole takes a minute or two.
        done = harness.run(PEER, "--strict", "--tls", "--insecure", "--timeout", "3", "-h", "127.0.0.1", "-p", port,
                           "--junit-report", report, timeout=600)
        suites = xml.etree.ElementTree.parse(report).getroot()
        cases = list(suites.iter("testcase"))
        failed = [case.get("classname") for case in cases if case.find("failure") is not None]
        self.assertEqual((done.returncode, failed), (0, []), done.stdout.decode()[-4000:])
        self.assertGreaterEqual(len(cases), 145)


if __name__ == "__main__":
    unittest.main(verbosity=2)
