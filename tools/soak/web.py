"""So many Server-Sent Events and so many WebSockets on one node, of clients that read, that do not and that vanish.

Each client has a TCP connection, TLS and HTTP/1.1 of its own. Of ten, eight stay: a watcher reads /alknet/events, a
caller asks /services/list over /alknet/call now and then, and is answered. One reads nothing, through the smallest
buffer that the kernel gives, and after a while looks whether the node has left it, as it does once send_timeout is
over; then it comes back. One vanishes: it resets its connection in the middle, and comes back, which makes the events
that all the others are given. In the middle of the time the configuration is changed and reloaded, which none of the
callers may feel.

Memory is flat: the last third takes no more than the second, with room for a noisy allocator. Nothing here depends on
how fast the machine is, but for the patience that clients have.
"""

import asyncio
import base64
import concurrent.futures
import contextlib
import dataclasses
import json
import os
import random
import resource
import signal
import socket
import ssl
import struct
import subprocess
import time

PATIENCE_S = 120
OPENED_AT_A_TIME = 16
BUFFER_BYTES = 2048
CALLS_OF_A_SLEEPER = 60
CALL_EACH_S = (5, 20)
VANISH_AFTER_S = (30, 300)
SLEEP_S, DRAIN_S = 120, 3
SLEEPERS_AT_A_TIME = 16
RELOAD_WATCHED_S = 15
GROWTH_MAX, GROWTH_KIB = 1.05, 1024
DESCRIPTORS_LEFT_MAX = 8
SITE = "[[http.site]]\nevents = true\ncall = true\n"
OTHER_SITE = "[[http.site]]\nnames = [\"other.example\"]\nhealth = true\n"
BINARY, CLOSE, PING, PONG = 2, 8, 9, 10


@dataclasses.dataclass
class Figures:
    opened: int = 0
    vanished: int = 0
    left_by_node: int = 0  # clients that read nothing
    events: int = 0
    calls: int = 0
    failures: list = dataclasses.field(default_factory=list)


class World:
    def __init__(self, node, token, seed):
        self.node, self.token = node, token
        self.port = int(node.address.rsplit(":", 1)[1])
        self.random = random.Random(seed)
        self.figures = Figures()
        self.opening = asyncio.Semaphore(OPENED_AT_A_TIME)
        self.threads = concurrent.futures.ThreadPoolExecutor(SLEEPERS_AT_A_TIME)
        self.context = ssl.create_default_context()
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        self.context.set_alpn_protocols(["http/1.1"])
        self.ending = False
        self.callers_lost = 0

    @contextlib.asynccontextmanager
    async def connection(self, head):
        """After the head of the answer."""
        async with self.opening, asyncio.timeout(PATIENCE_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.context,
                                                           server_hostname="localhost")
            try:
                writer.write(head)
                self.check(await reader.readuntil(b"\r\n\r\n"))
            except BaseException:
                writer.transport.abort()
                raise
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    def check(self, said):
        if said.split(None, 2)[1] not in (b"200", b"101"):
            raise RuntimeError(f"was told {said[:60]!r}")
        self.figures.opened += 1

    def head(self, *lines):
        return "\r\n".join((*lines, f"Host: localhost:{self.port}", "", "")).encode()

    def events_head(self):
        return self.head("GET /alknet/events HTTP/1.1", f"Authorization: Bearer {self.token}")

    def call_head(self):
        return self.head(
            "GET /alknet/call HTTP/1.1", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Protocol: alknet.call, alknet.bearer.{self.token}",
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}")

    async def watch(self, _):
        async with self.connection(self.events_head()) as (reader, _):
            while line := await reader.readline():
                if line.startswith(b"event: failed"):
                    raise RuntimeError("the node ended the events")
                self.figures.events += line.startswith(b"data:")
            raise RuntimeError("the events broke off")

    async def call(self, number):
        try:
            async with self.connection(self.call_head()) as (reader, writer):
                await self.call_over(reader, writer)
        finally:
            self.callers_lost += not self.ending

    async def call_over(self, reader, writer):
        waiting = set()
        asking = asyncio.ensure_future(self.ask(writer, waiting))
        try:
            while True:
                async with asyncio.timeout(PATIENCE_S):
                    kind, payload = await receive(reader)
                if kind == PING:
                    writer.write(frame(PONG, payload))
                elif kind == CLOSE:
                    raise RuntimeError(f"the node ended the calls: {payload!r}")
                elif kind == BINARY:
                    event = json.loads(payload)
                    if event["type"] != "call.responded":
                        raise RuntimeError(f"no answer, but {payload[:200]!r}")
                    if event["id"] not in waiting:
                        raise RuntimeError(f"an answer that nobody waits for: {payload[:200]!r}")
                    waiting.remove(event["id"])
                    self.figures.calls += 1
        finally:
            asking.cancel()

    async def ask(self, writer, waiting):
        for count in range(1 << 30):
            waiting.add(str(count))
            writer.write(frame(BINARY, request(count)))
            await asyncio.sleep(self.random.uniform(*CALL_EACH_S))

    async def sleep_through(self, number):
        """Reads nothing for a while."""
        loop = asyncio.get_running_loop()
        calls = number // 10 % 2 == 1
        async with self.opening:
            sleeper = await loop.run_in_executor(self.threads, self.open_sleeper, calls)
        try:
            await asyncio.sleep(SLEEP_S)
            self.figures.left_by_node += await loop.run_in_executor(self.threads, is_over, sleeper)
        finally:
            sleeper.close()

    def open_sleeper(self, calls):
        bare = socket.socket()
        bare.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        bare.settimeout(PATIENCE_S)
        try:
            bare.connect(("127.0.0.1", self.port))
            sleeper = self.context.wrap_socket(bare, server_hostname="localhost")
        except BaseException:
            bare.close()
            raise
        try:
            sleeper.sendall(self.call_head() if calls else self.events_head())
            said = b""
            while not said.endswith(b"\r\n\r\n"):
                octet = sleeper.recv(1)
                if not octet:
                    raise RuntimeError("the node ended it within the head")
                said += octet
            self.check(said)
            if calls:
                sleeper.sendall(b"".join(frame(BINARY, request(count)) for count in range(CALLS_OF_A_SLEEPER)))
        except BaseException:
            sleeper.close()
            raise
        return sleeper

    async def vanish(self, number):
        head = self.call_head() if number // 10 % 2 else self.events_head()
        async with self.connection(head) as (_, writer):
            await asyncio.sleep(self.random.uniform(*VANISH_AFTER_S))
            if (bare := writer.get_extra_info("socket")) is None:
                raise RuntimeError("it was gone before")
            bare.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.figures.vanished += 1

    async def live(self, number, kind):
        """Each stays for as long as it goes, and comes back where it is one that goes."""
        role = number % 10
        work = self.sleep_through if role == 8 else self.vanish if role == 9 else kind
        while not self.ending:
            try:
                await work(number)
            except (OSError, RuntimeError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
                if role < 8 and not self.ending:
                    self.figures.failures.append(f"{work.__name__} {number}: {error!r}")
                await asyncio.sleep(1)


def is_over(sleeper):
    """Whether the end comes behind what was not read."""
    deadline = time.monotonic() + DRAIN_S
    sleeper.settimeout(DRAIN_S)
    try:
        while time.monotonic() < deadline:
            if not sleeper.recv(65536):
                return True
    except TimeoutError:
        return False
    except OSError:
        return True
    return False


def request(count):
    return json.dumps({"type": "call.requested", "id": str(count), "payload": {
        "operationId": "/services/list", "input": {}}}).encode()


def frame(opcode, payload):
    mask = os.urandom(4)
    length = struct.pack(">B", 0x80 | len(payload)) if len(payload) < 126 else struct.pack(">BH", 0xFE, len(payload))
    masked = bytes(octet ^ mask[i % 4] for i, octet in enumerate(payload))
    return bytes([0x80 | opcode]) + length + mask + masked


async def receive(reader):
    first, length = await reader.readexactly(2)
    if length == 126:
        (length,) = struct.unpack(">H", await reader.readexactly(2))
    elif length == 127:
        (length,) = struct.unpack(">Q", await reader.readexactly(8))
    return first & 0xF, await reader.readexactly(length)


async def reload_in_the_middle(world, config, at):
    await asyncio.sleep(max(0, at - time.monotonic()))
    before = world.callers_lost
    config.write_text(config.read_text() + OTHER_SITE)
    world.node.process.send_signal(signal.SIGHUP)
    await asyncio.sleep(RELOAD_WATCHED_S)
    return world.callers_lost - before


async def run(world, config, seconds, clients):
    began = time.monotonic()
    tasks = [asyncio.ensure_future(world.live(number, kind))
             for number in range(clients) for kind in (world.watch, world.call)]
    reloading = asyncio.ensure_future(reload_in_the_middle(world, config, began + seconds / 2))
    samples, most = [], 0
    while (now := time.monotonic() - began) < seconds and world.node.process.poll() is None:
        samples.append((now / seconds, world.node.resident_kib()))
        most = max(most, world.node.descriptors())
        await asyncio.sleep(1)
    world.ending = True
    for task in tasks:
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ended, Exception):
            world.figures.failures.append(repr(ended))
    return samples, most, await reloading


def make_token(program, home):
    made = subprocess.run([program, "token", "add", "--scopes", "events:read", "--home", home, "--json"],
                          check=True, capture_output=True)
    return json.loads(made.stdout)["token"]


def soak(make_node, descriptors_left, program, seconds, clients, seed, directory):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    node = make_node(SITE)
    config = directory / "node" / "alknet.toml"
    before = node.descriptors()
    world = World(node, make_token(program, str(directory / "node")), seed)
    samples, most, cut = asyncio.run(run(world, config, seconds, clients))
    left = descriptors_left(node, before)
    second = max((kib for at, kib in samples if 1 / 3 <= at < 2 / 3), default=0)
    third = max((kib for at, kib in samples if at >= 2 / 3), default=0)
    figures = world.figures
    problems = figures.failures[:10]
    if figures.failures:
        problems.append(f"{len(figures.failures)} clients failed that stay")
    if most < 2 * clients * 8 // 10:
        problems.append(f"never more than {most} descriptors were open")
    if not (figures.events and figures.calls and figures.vanished and figures.left_by_node):
        problems.append(f"not everything was tried: {figures}")
    if third > max(second * GROWTH_MAX, second + GROWTH_KIB):
        problems.append(f"memory grew from {second} to {third} KiB")
    if left > DESCRIPTORS_LEFT_MAX:
        problems.append(f"{left} descriptors remain")
    if "config.reloaded" not in (directory / "node" / "serve.log").read_text():
        problems.append("the configuration was not reloaded")
    if cut:
        problems.append(f"the reload cut {cut} callers")
    if (code := node.stop()) != 0:
        problems.append(f"the node ended with {code}; its log: {node.log.name}")
    for problem in problems:
        print("soak:", problem)
    print("| seconds | clients of each kind | opened | events | calls | vanished | left by the node "
          "| RSS at most in the second third, KiB | in the last | descriptors left |")
    print(f"| {seconds} | {clients} | {figures.opened} | {figures.events} | {figures.calls} | {figures.vanished} "
          f"| {figures.left_by_node} | {second} | {third} | {left} |")
    return 1 if problems else 0
