"""A client of alknet/call, written from docs/protocol alone: over TLS on TCP, over QUIC (with aioquic), over a
control socket, and over any other pair of an asyncio reader and writer.

    call_client.py tcp|quic HOST:PORT x509-sha256:HEX [--token TOKEN] OPERATION [INPUT]
    call_client.py unix PATH [--token TOKEN] OPERATION [INPUT]

prints what the operation gives, or each item of a subscription, as lines of JSON.
"""

import asyncio
import contextlib
import hashlib
import json
import ssl
import sys

ALPN = "alknet/call"
FRAME_BYTES_MAX = 16 << 20
ITEMS_MAX = 32


class Failure(Exception):
    """A call.error. With an empty `call` it is about the stream, which has ended."""

    def __init__(self, payload, call=""):
        self.call = call
        self.code = payload["code"]
        self.retryable = payload.get("retryable", False)
        self.details = payload.get("details", {})
        self.detail = self.details.get("detail", "")
        self.cause = self.details.get("cause", "")
        super().__init__(f"{self.code}: {payload.get('message', '')}: {self.detail}")


class Ended(Exception):
    """The stream is over, and nothing said why."""


def no_duplicates(members):
    found = dict(members)
    if len(found) != len(members):
        raise ValueError("a name twice in one object")
    return found


def encode(event):
    text = json.dumps(event, ensure_ascii=False, allow_nan=False).encode()
    return len(text).to_bytes(4, "big") + text


def decode(text):
    event = json.loads(text.decode("utf-8", errors="strict"), object_pairs_hook=no_duplicates)
    if not isinstance(event, dict) or not isinstance(event.get("type"), str) or not isinstance(event.get("id"), str):
        raise ValueError("no event")
    return event


class Session:
    """One stream. Its requests may overlap; who has called is told apart by the ids."""

    def __init__(self, reader, writer, token=None):
        self.reader, self.writer, self.token = reader, writer, token
        self.waiting = {}
        self.count = 0
        self.why = None
        self.reading = asyncio.create_task(self._read())

    def send(self, kind, call, payload):
        self.raw(encode({"type": kind, "id": call, "payload": payload}))

    def raw(self, octets):
        """For tests: what no client sends."""
        self.writer.write(octets)

    async def _read(self):
        try:
            while True:
                size = int.from_bytes(await self.reader.readexactly(4), "big")
                if not 0 < size <= FRAME_BYTES_MAX:
                    raise ValueError("a frame of no such size")
                await self._take(decode(await self.reader.readexactly(size)))
        except Failure as failure:
            self.why = failure
        except (asyncio.IncompleteReadError, ConnectionError, ValueError, ssl.SSLError) as error:
            self.why = Ended(repr(error))
        for events in self.waiting.values():
            await events.put(None)

    async def _take(self, event):
        kind, call, payload = event["type"], event["id"], event.get("payload")
        if kind == "call.error" and call == "":
            raise Failure(payload)
        if kind == "call.requested":  # either end may call; this one offers nothing
            self.send("call.error", call, {"code": "NOT_FOUND", "message": "nothing is offered", "retryable": False})
        elif call in self.waiting and kind in ("call.responded", "call.completed", "call.error", "call.aborted"):
            await self.waiting[call].put((kind, payload))

    @contextlib.asynccontextmanager
    async def request(self, operation, members, call=None):
        """Sends it, and gives its id and the queue of its events; aborts it if it has not ended."""
        self.count += 1
        call = call or str(self.count)
        payload = {"operationId": operation, **members}
        if self.token is not None:  # the first one's, and with it the stream's
            payload["auth_token"], self.token = self.token, None
        events = self.waiting[call] = asyncio.Queue(ITEMS_MAX)
        try:
            if self.why:
                raise self.why
            self.send("call.requested", call, payload)
            try:
                await self.writer.drain()
            except ConnectionError as error:
                raise self.why or Ended(repr(error)) from error
            yield call, events
        finally:
            del self.waiting[call]

    async def next(self, call, events):
        """The next payload of a request; None: it has ended in order."""
        event = await events.get()
        if event is None:
            raise self.why
        kind, payload = event
        if kind == "call.error":
            raise Failure(payload, call)
        if kind == "call.aborted":
            raise Failure({"code": "ABORTED"}, call)
        return payload if kind == "call.responded" else None

    async def call(self, operation, input=None, call=None, **members):
        async with self.request(operation, {"input": input or {}, **members}, call) as (call, events):
            answer = await self.next(call, events)
            if "seq" in answer:  # of a subscription one item was wanted
                self.send("call.aborted", call, {})
            return answer["output"]

    async def subscribe(self, operation, input=None, **members):
        """Payloads with output, seq and perhaps missed. Leaving the loop aborts it."""
        async with self.request(operation, {"input": input or {}, **members}) as (call, events):
            ended = False
            try:
                while (item := await self.next(call, events)) is not None:
                    yield item
                ended = True
            except (Failure, Ended):
                ended = True
                raise
            finally:
                if not ended:
                    self.send("call.aborted", call, {})

    async def finish(self):
        """There are no more requests. Until the other end has finished too."""
        with contextlib.suppress(ConnectionError, RuntimeError, NotImplementedError):
            self.writer.write_eof()
        await self.reading

    async def close(self):
        self.writer.close()
        self.reading.cancel()
        await asyncio.gather(self.reading, return_exceptions=True)


def check_pin(certificate, pin):
    if f"x509-sha256:{hashlib.sha256(certificate).hexdigest()}" != pin:
        raise ssl.SSLError("another certificate than the pinned one")


@contextlib.asynccontextmanager
async def over_tcp(host, port, pin, token=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the pin is checked instead
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols([ALPN])
    reader, writer = await asyncio.open_connection(host, port, ssl=context)
    secured = writer.get_extra_info("ssl_object")
    try:
        check_pin(secured.getpeercert(binary_form=True), pin)
        if secured.selected_alpn_protocol() != ALPN:
            raise ssl.SSLError("another protocol")
    except ssl.SSLError:
        writer.transport.abort()
        raise
    async with contextlib.aclosing(Closing(Session(reader, writer, token))) as closing:
        yield closing.session


@contextlib.asynccontextmanager
async def over_unix(path, token=None):
    reader, writer = await asyncio.open_unix_connection(str(path))
    async with contextlib.aclosing(Closing(Session(reader, writer, token))) as closing:
        yield closing.session


@contextlib.asynccontextmanager
async def over_quic(host, port, pin, token=None):
    from aioquic.asyncio import connect
    from aioquic.quic.configuration import QuicConfiguration
    from cryptography.hazmat.primitives.serialization import Encoding

    configuration = QuicConfiguration(is_client=True, alpn_protocols=[ALPN], verify_mode=ssl.CERT_NONE)
    async with connect(host, port, configuration=configuration) as client:
        check_pin(client._quic.tls._peer_certificate.public_bytes(Encoding.DER), pin)
        reader, writer = await client.create_stream()
        async with contextlib.aclosing(Closing(Session(reader, writer, token))) as closing:
            yield closing.session


class Closing:
    def __init__(self, session):
        self.session = session

    async def aclose(self):
        await self.session.close()


async def main(arguments):
    transport = arguments.pop(0)
    where = [arguments.pop(0)] if transport == "unix" else [*arguments.pop(0).rsplit(":", 1), arguments.pop(0)]
    token = None
    if arguments[0] == "--token":
        token, arguments = arguments[1], arguments[2:]
    operation = arguments[0]
    given = json.loads(arguments[1]) if len(arguments) > 1 else {}
    connect = {"tcp": over_tcp, "quic": over_quic, "unix": over_unix}[transport]
    async with connect(*where, token=token) as session:
        shown = await session.call("/services/schema", {"name": operation})
        if shown["kind"] != "subscription":
            print(json.dumps(await session.call(operation, given)))
            return
        async for item in session.subscribe(operation, given):
            print(json.dumps(item), flush=True)


if __name__ == "__main__":
    try:
        asyncio.run(main(sys.argv[1:]))
    except (Failure, Ended, OSError) as failure:
        sys.exit(f"{type(failure).__name__}: {failure}")
