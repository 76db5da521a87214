"""alknet/call over WebSocket, by hand: what a browser never sends."""

import base64
import json
import os
import socket
import ssl
import struct
import unittest

from support import PATIENCE_S, Node, TestCase

BINARY, CLOSE = 2, 8
POLICY = 1008


class Socket:
    """A WebSocket over HTTP/1.1, as far as this needs one."""

    def __init__(self, node, token):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["http/1.1"])
        bare = socket.create_connection(("127.0.0.1", node.port), PATIENCE_S)
        self.socket = context.wrap_socket(bare, server_hostname="localhost")
        protocols = "alknet.call" + (f", alknet.bearer.{token}" if token else "")
        lines = ("GET /alknet/call HTTP/1.1", f"Host: localhost:{node.port}", "Upgrade: websocket",
                 "Connection: Upgrade", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Protocol: {protocols}",
                 f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}", "", "")
        self.socket.sendall("\r\n".join(lines).encode())
        self.stream = self.socket.makefile("rb")
        self.status = int(self.stream.readline().split()[1])
        while self.stream.readline().strip():
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.socket.close()

    def send(self, kind, **event):
        text = json.dumps({"type": kind, **event}).encode()
        mask = os.urandom(4)
        length = struct.pack(">B", 0x80 | len(text)) if len(text) < 126 else struct.pack(">BH", 0xFE, len(text))
        masked = bytes(octet ^ mask[i % 4] for i, octet in enumerate(text))
        self.socket.sendall(bytes([0x80 | BINARY]) + length + mask + masked)

    def next(self):
        """An event, or the code of a close."""
        first, length = self.stream.read(2)
        if length == 126:
            (length,) = struct.unpack(">H", self.stream.read(2))
        payload = self.stream.read(length)
        return struct.unpack(">H", payload[:2])[0] if first & 0xF == CLOSE else json.loads(payload)


class CallSocket(TestCase):
    def setUp(self):
        super().setUp()
        self.server = self.home("server")
        self.server.configure("[[http.site]]\ncall = true\n")
        self.token = self.server.json("token", "add", "--scopes", "node:read")["token"]

    def test_an_unusable_first_request_ends_it(self):
        """Whoever went on after it would be somebody else than the token says."""
        with Node(self.server) as node:
            for payload in ({}, {"operationId": 7}, {"operationId": "no name"}):
                with Socket(node, self.token) as calls:
                    self.assertEqual(calls.status, 101)
                    calls.send("call.requested", id="1", payload=payload)
                    calls.send("call.requested", id="2", payload={"operationId": "/node/info"})
                    self.assertEqual(calls.next(), POLICY, payload)
            # What comes before the first request, and says nothing, changes nothing.
            with Socket(node, self.token) as calls:
                calls.send("call.heartbeat", id="", payload={})
                calls.send("call.requested", id="2", payload={"operationId": "/node/info"})
                self.assertEqual(calls.next()["type"], "call.responded")

    def test_a_later_unusable_request_is_answered(self):
        with Node(self.server) as node, Socket(node, self.token) as calls:
            for number, payload, answer in ((1, {"operationId": "/node/info"}, "call.responded"),
                                            (2, {"operationId": 7}, "call.error"),
                                            (3, {"operationId": "/node/info"}, "call.responded")):
                calls.send("call.requested", id=str(number), payload=payload)
                self.assertEqual(calls.next()["type"], answer)


if __name__ == "__main__":
    unittest.main()
