"""A second implementation of alknet/call, written from docs/protocol alone (peers/call_client.py), against a real
node: over TLS on TCP, and over the control socket."""

import asyncio
import json
import platform
import re
import sys
import unittest

import harness

sys.path.insert(0, str(harness.HERE / "peers"))
from call_client import Ended, Failure, encode, over_tcp, over_unix  # noqa: E402

VECTORS = harness.HERE.parent / "docs/protocol/call-vectors.txt"
STRANGERS_FRAME_BYTES_MAX = 64 << 10


def request(operation="/services/list", call="1", **members):
    return encode({"type": "call.requested", "id": call, "payload": {"operationId": operation, **members}})


def framed(text):
    return len(text).to_bytes(4, "big") + text


def with_input(text):
    begin = b'{"type":"call.requested","id":"1","payload":{"operationId":"/services/list","input":'
    return framed(begin + text + b"}}")


class Call(harness.PeerTest):
    peer = "Python (alknet/call)"

    @classmethod
    def version(cls):
        return platform.python_version()

    def start(self):
        """Gives where the node is: its port, and the pin of its certificate."""
        _, _, port = self.serve()
        probed = harness.alknet("probe", f"127.0.0.1:{port}", "--home", self.home / "serve").stdout.decode()
        return port, re.search(r"x509-sha256:[0-9a-f]{64}", probed)[0]

    def control(self, token=None):
        return over_unix(self.home / "serve/control.sock", token)

    def alknet(self, *arguments):
        done = harness.alknet(*arguments, "--home", self.home / "serve", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def run_async(self, work):
        asyncio.run(asyncio.wait_for(work, harness.DEADLINE_SECONDS))

    def test_call(self):
        port, pin = self.start()

        async def work():
            async with over_tcp("127.0.0.1", port, pin) as session:
                listed = await session.call("/services/list")
                self.assertEqual([one["name"] for one in listed["operations"]], ["/services/list", "/services/schema"])
                with self.assertRaises(Failure) as refused:
                    await session.call("/node/info")
                self.assertEqual((refused.exception.code, refused.exception.cause), ("FORBIDDEN", "E-AUTH-REQUIRED"))
            async with self.control() as session:
                info, listed = await asyncio.gather(session.call("/node/info"), session.call("/services/list"))
                self.assertEqual(info["version"], self.alknet("status")["version"])
                for one in listed["operations"]:  # all of them say what they take
                    shown = await session.call("/services/schema", {"name": one["name"]})
                    self.assertEqual(shown["input"]["type"], "object")
                await session.finish()
                self.assertIsInstance(session.why, Ended)

        self.run_async(work())

    def test_another_certificate_is_refused(self):
        port, _ = self.start()

        async def work():
            with self.assertRaises(OSError):
                async with over_tcp("127.0.0.1", port, "x509-sha256:" + "0" * 64):
                    pass

        self.run_async(work())

    def test_subscribe_and_abort(self):
        self.start()

        async def work():
            async with self.control() as session, self.control() as other:
                seen = []
                async for item in session.subscribe("/audit/tail", {"last": 1}):
                    seen.append(item)
                    if len(seen) == 3:
                        break
                    await other.call("/config/reload")
                self.assertEqual([one["seq"] for one in seen], list(range(seen[0]["seq"], seen[0]["seq"] + 3)))
                # The stream goes on after the abort, and so does what comes after a number.
                again = [await anext(session.subscribe("/audit/tail", resume_after=seen[0]["seq"]))]
                self.assertEqual(again, seen[1:2])
                self.assertIn("node_id", await session.call("/node/info"))

        self.run_async(work())

    def test_tokens(self):
        self.start()
        made = self.alknet("token", "add", "--scopes", "node:read")["token"]

        async def work():
            async with self.control(made) as session:
                self.assertIn("node_id", await session.call("/node/info"))
                with self.assertRaises(Failure) as lacks:
                    await session.call("/peers/list")
                self.assertEqual((lacks.exception.code, lacks.exception.detail), ("FORBIDDEN", "peers:read"))
                # In a later request it is an error, and the stream goes on as it was.
                with self.assertRaises(Failure) as late:
                    await session.call("/node/info", auth_token=made)
                self.assertEqual(late.exception.code, "INVALID_INPUT")
                self.assertIn("node_id", await session.call("/node/info"))
            for bad in (made[:-1] + ("a" if made[-1] != "a" else "b"), "alk_", "", "\u0000\uffff", "x" * 1024):
                async with self.control(bad) as session:
                    with self.assertRaises(Failure) as refused:
                        await session.call("/node/info")
                    self.assertIn(refused.exception.code, ("FORBIDDEN", "INVALID_INPUT"), bad)
                    # Nobody falls back to the owner of the connection.
                    with self.assertRaises((Failure, Ended)):
                        await session.call("/node/info")

        self.run_async(work())

    def test_bad_frames_end_the_stream_and_say_why(self):
        port, pin = self.start()
        size = STRANGERS_FRAME_BYTES_MAX
        table = [
            ("zero", bytes(4), "PROTOCOL", "no octets"),
            ("oversize", (size + 1).to_bytes(4, "big"), "LIMIT", "65536"),
            ("oversize for everybody", b"\xff" * 4, "LIMIT", "65536"),
            ("no JSON", framed(b"{"), "PROTOCOL", ""),
            ("no object", framed(b"[]"), "PROTOCOL", ""),
            ("two values", framed(b"{}{}"), "PROTOCOL", ""),
            ("not UTF-8", with_input(b'"\xff"'), "PROTOCOL", "octet"),
            ("half a surrogate", with_input(rb'"\ud800"'), "PROTOCOL", ""),
            ("deep", with_input(b"[" * 65 + b"]" * 65), "LIMIT", "64"),
            ("a name twice", with_input(b'{"a":1,"a":2}'), "PROTOCOL", "twice"),
            ("a huge whole number", with_input(b"18446744073709551616"), "PROTOCOL", ""),
            ("a huge number", with_input(b"1e400"), "PROTOCOL", ""),
            ("a tiny number", with_input(b"1e-400"), "PROTOCOL", ""),
            ("no type", framed(b'{"id":"1","payload":{}}'), "PROTOCOL", ""),
            ("a long id", request(call="x" * 129), "PROTOCOL", ""),
        ]
        for line in VECTORS.read_text().splitlines():
            name, _, octets = line.partition(": ")
            if name.startswith("bad-"):
                table.append((name, bytes.fromhex(octets), None, ""))

        async def work():
            for name, octets, code, why in table:
                with self.subTest(name):
                    async with over_tcp("127.0.0.1", port, pin) as session:
                        session.raw(octets)
                        await session.reading
                        self.assertIsInstance(session.why, Failure, name)
                        self.assertEqual(session.why.call, "")
                        if code is not None:
                            self.assertEqual(session.why.code, code, session.why)
                        self.assertIn(why, str(session.why))
                        self.assertNotEqual(session.why.cause, "")
            # Whoever goes in the middle of a frame harms nobody.
            for whole in (b"\0\0", b"\0\0\1\0{", request()[:-1]):
                async with over_tcp("127.0.0.1", port, pin) as session:
                    session.raw(whole)
            async with over_tcp("127.0.0.1", port, pin) as session:
                self.assertIn("operations", await session.call("/services/list"))

        self.run_async(work())

    def test_bad_requests_fail_and_the_stream_goes_on(self):
        self.start()
        table = [
            ("/node/connections", {"input": {"limit": "1"}}, "INVALID_INPUT", "/limit: "),
            ("/node/connections", {"input": {"limit": -1}}, "INVALID_INPUT", "/limit: "),
            ("/node/connections", {"input": {"limit": 2**64 - 1}}, "INVALID_INPUT", "/limit: "),
            ("/node/connections", {"input": {"more": 1}}, "INVALID_INPUT", "/more"),
            ("/node/connections", {"input": []}, "INVALID_INPUT", "object"),
            ("/peers/add", {"input": {"name": "x", "keys": ["a", 7]}}, "INVALID_INPUT", "/keys/1: "),
            ("/peers/add", {"input": {}}, "INVALID_INPUT", "name"),
            ("/no/such", {}, "NOT_FOUND", "/no/such"),
            ("no slash", {}, "INVALID_INPUT", "operationId"),
            ("/node/info", {"timeout_ms": "soon"}, "INVALID_INPUT", "timeout_ms"),
            ("/node/info", {"timeout_ms": 2**53}, None, ""),
        ]

        async def work():
            async with self.control() as session:
                for operation, members, code, why in table:
                    with self.subTest(f"{operation} {members}"):
                        try:
                            session.send("call.requested", "x", {})  # has no operationId: one is answered
                            members = {"input": {}, **members}
                            async with session.request(operation, members) as (call, events):
                                answer = await session.next(call, events)
                            self.assertIsNone(code)
                            self.assertIn("output", answer)
                        except Failure as failure:
                            self.assertEqual(failure.code, code, failure)
                            self.assertIn(why, failure.detail)
                # An id that is still taken.
                async with session.request("/audit/tail", {"input": {"last": 1}}, call="same") as (call, events):
                    self.assertIn("seq", await session.next(call, events))
                    session.send("call.requested", "same", {"operationId": "/node/info"})
                    with self.assertRaises((Failure, Ended)) as reused:
                        await session.next(call, events)
                    self.assertEqual(reused.exception.code, "PROTOCOL")

        self.run_async(work())


if __name__ == "__main__":
    unittest.main(verbosity=2)
