"""aioquic as a client of HTTP/3: PORT CASE. Prints one JSON line.

    get        the file /large, and its type
    many       50 requests for /small at once
    post       300 kB to /small, which takes none
    cancel     takes a request back, then asks for /small
    unknown    a stream of an unknown type, then asks for /small
"""

import asyncio
import json
import ssl
import sys

from aioquic.asyncio import QuicConnectionProtocol, connect
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated


class Client(QuicConnectionProtocol):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.http = H3Connection(self._quic)
        self.answers = {}
        self.ends = {}

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

    async def fetch(self, *arguments, **options):
        return await self.ends[self.ask(*arguments, **options)]


async def run(client, case):
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
