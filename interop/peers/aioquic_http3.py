"""aioquic as a client of HTTP/3: PORT CASE. Prints one JSON line.

    get        the file /large, and its type
    many       50 requests for /small at once
    post       300 kB to /small, which takes none
    cancel     takes a request back, then asks for /small
    unknown    a stream of an unknown type, then asks for /small
    websocket  a WebSocket at /chat, which sends back what comes after a first message of its own
    call       alknet/call over a WebSocket: /services/list
"""

import asyncio
import json
import os
import ssl
import sys

from aioquic.asyncio import QuicConnectionProtocol, connect
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frame(opcode, payload):
    """A whole message, masked as clients have to (RFC 6455 section 5.2)."""
    size = len(payload)
    head = bytes([0x80 | size]) if size < 126 else bytes([0xFE]) + size.to_bytes(2, "big")
    mask = os.urandom(4)
    return bytes([0x80 | opcode]) + head + mask + bytes(octet ^ mask[i % 4] for i, octet in enumerate(payload))


def take_frame(octets):
    """The opcode and the payload at the front, which are taken away; None: not yet whole."""
    if len(octets) < 2:
        return None
    size, begin = octets[1] & 0x7F, 2
    if size >= 126:
        begin = 4 if size == 126 else 10
        size = int.from_bytes(octets[2:begin], "big")
    if len(octets) < begin + size:
        return None
    found = octets[0] & 0xF, bytes(octets[begin:begin + size])
    del octets[:begin + size]
    return found


class Client(QuicConnectionProtocol):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.http = H3Connection(self._quic)
        self.answers = {}
        self.ends = {}
        self.changed = asyncio.Event()

    def quic_event_received(self, event):
        if isinstance(event, ConnectionTerminated):
            for end in self.ends.values():
                if not end.done():
                    end.set_exception(ConnectionError(hex(event.error_code)))
        for one in self.http.handle_event(event):
            head, body = self.answers.setdefault(one.stream_id, ({}, bytearray()))
            if isinstance(one, HeadersReceived):
                head.update((name.decode(), value.decode()) for name, value in one.headers)
            elif isinstance(one, DataReceived):
                body += one.data
            self.changed.set()
            if getattr(one, "stream_ended", False) and one.stream_id in self.ends:
                self.ends[one.stream_id].set_result(self.answers[one.stream_id])

    def ask(self, path, method="GET", body=None):
        stream = self._quic.get_next_available_stream_id()
        self.ends[stream] = self._loop.create_future()
        self.http.send_headers(stream, [(b":method", method.encode()), (b":scheme", b"https"),
                                        (b":authority", b"localhost"), (b":path", path.encode())], body is None)
        if body is not None:
            self.http.send_data(stream, body, True)
        self.transmit()
        return stream

    def open_socket(self, path, protocol):
        """By extended CONNECT (RFC 9220), which the server has to offer in its SETTINGS."""
        stream = self._quic.get_next_available_stream_id()
        self.ends[stream] = self._loop.create_future()
        self.http.send_headers(stream, [
            (b":method", b"CONNECT"), (b":protocol", b"websocket"), (b":scheme", b"https"),
            (b":authority", b"localhost"), (b":path", path.encode()),
            (b"sec-websocket-version", b"13"), (b"sec-websocket-protocol", protocol.encode())])
        self.transmit()
        return stream

    def say(self, stream, opcode, payload):
        self.http.send_data(stream, frame(opcode, payload), False)
        self.transmit()

    async def hear(self, stream):
        while True:
            found = take_frame(self.answers.get(stream, ({}, bytearray()))[1])
            if found is not None:
                return found
            if self.ends[stream].done():
                raise ConnectionError(f"no WebSocket: {self.ends[stream].result()}")
            self.changed.clear()
            await self.changed.wait()

    async def end_socket(self, stream):
        """The code that the other end says good-bye with, and whether the stream ends."""
        self.say(stream, CLOSE, (1000).to_bytes(2, "big"))
        _, bye = await self.hear(stream)
        self.http.send_data(stream, b"", True)
        self.transmit()
        await self.ends[stream]
        return int.from_bytes(bye[:2], "big")

    async def fetch(self, *arguments, **options):
        return await self.ends[self.ask(*arguments, **options)]


async def chat(client):
    stream = client.open_socket("/chat", "chat")
    _, first = await client.hear(stream)
    heard = []
    for opcode, payload in [(TEXT, "text: äöü €".encode()), (BINARY, bytes(range(256)) * 100), (PING, b"there?")]:
        client.say(stream, opcode, payload)
        heard.append(await client.hear(stream) == (PONG if opcode == PING else opcode, payload))
    return {"status": client.answers[stream][0][":status"], "equal": all(heard), "path": json.loads(first)["path"],
            "code": await client.end_socket(stream)}


async def call(client):
    stream = client.open_socket("/alknet/call", "alknet.call")
    request = {"type": "call.requested", "id": "1", "payload": {"operationId": "/services/list", "input": {}}}
    client.say(stream, BINARY, json.dumps(request).encode())
    _, answer = await client.hear(stream)
    names = [one["name"] for one in json.loads(answer)["payload"]["output"]["operations"]]
    head = client.answers[stream][0]
    return {"status": head[":status"], "protocol": head["sec-websocket-protocol"],
            "equal": names == ["/services/list", "/services/schema"], "code": await client.end_socket(stream)}


async def run(client, case):
    if case in ("websocket", "call"):
        return await (chat if case == "websocket" else call)(client)
    if case == "get":
        head, body = await client.fetch("/large")
        return {"status": head[":status"], "equal": bytes(body) == b"0123456789" * 200_000}
    if case == "many":
        answers = await asyncio.gather(*(client.fetch("/small") for _ in range(50)))
        return {"status": "".join(sorted({head[":status"] for head, _ in answers})),
                "equal": all(bytes(body) == b"small" for _, body in answers)}
    if case == "post":
        head, _ = await client.fetch("/small", method="POST", body=b"x" * 300_000)
        return {"status": head[":status"], "equal": True}
    if case == "cancel":
        stream = client.ask("/large")
        client._quic.stop_stream(stream, 0x10C)
        client.transmit()
        del client.ends[stream]
    elif case == "unknown":
        client._quic.send_stream_data(client._quic.get_next_available_stream_id(is_unidirectional=True),
                                      bytes([0x21]) + b"nothing that anybody knows")
    head, body = await client.fetch("/small")
    return {"status": head[":status"], "equal": bytes(body) == b"small"}


async def main(port, case):
    configuration = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, verify_mode=ssl.CERT_NONE)
    async with connect("127.0.0.1", port, configuration=configuration, create_protocol=Client) as client:
        print(json.dumps(await run(client, case)))


try:
    asyncio.run(asyncio.wait_for(main(int(sys.argv[1]), sys.argv[2]), 30))
except Exception as error:  # whatever it is, the test wants to read it
    print(json.dumps({"error": repr(error)}))
