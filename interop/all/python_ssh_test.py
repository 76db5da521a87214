"""SSH clients in Python against the SSH of a node: they log in, know its key, and forward to what a rule allows."""

import asyncio
import importlib.metadata
import pathlib
import random
import socket
import unittest

import asyncssh
import paramiko

import harness
import ssh_test


class PythonClient(ssh_test.SshNode):
    SIZE = 4 << 20

    def host_line(self):
        """The node's key as a file of known hosts has it, under the name and port that are dialled."""
        _, kind, key = self.known_hosts.read_text().split()
        return f"[127.0.0.1]:{self.port} {kind} {key}\n"

    def known(self):
        path = pathlib.Path(self.home / "known_to_python")
        path.write_text(self.host_line())
        return str(path)


class Paramiko(PythonClient):
    peer = "paramiko (pip)"

    @classmethod
    def version(cls):
        return importlib.metadata.version("paramiko")

    def connected(self):
        client = paramiko.SSHClient()
        client.load_host_keys(self.known())
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        client.connect("127.0.0.1", self.port, "bob", key_filename=str(self.key), allow_agent=False,
                       look_for_keys=False, timeout=30)
        self.addCleanup(client.close)
        return client.get_transport()

    def test_forward(self):
        channel = self.connected().open_channel("direct-tcpip", ("127.0.0.1", self.echo.port), ("127.0.0.1", 1),
                                                timeout=30)
        channel.settimeout(60)
        sent, got = random.Random(9).randbytes(self.SIZE), bytearray()
        for begin in range(0, len(sent), 1 << 18):
            channel.sendall(sent[begin:begin + (1 << 18)])
            while len(got) < min(begin + (1 << 18), len(sent)):
                got += channel.recv(1 << 18)
        channel.shutdown_write()
        self.assertEqual(channel.recv(1), b"")
        self.assertEqual(bytes(got), sent)

    def test_no_rule(self):
        with socket.create_server(("127.0.0.1", 0)) as other, self.assertRaises(paramiko.ChannelException) as refused:
            self.connected().open_channel("direct-tcpip", other.getsockname(), ("127.0.0.1", 1), timeout=30)
        self.assertEqual(refused.exception.code, 1, "what the node says besides is kept for its log")


class AsyncSsh(PythonClient):
    peer = "asyncssh (pip)"

    @classmethod
    def version(cls):
        return importlib.metadata.version("asyncssh")

    def connect(self):
        return asyncssh.connect("127.0.0.1", self.port, username="bob", client_keys=[str(self.key)],
                                known_hosts=self.known(), agent_path=None, config=[], connect_timeout=30)

    async def forward(self):
        sent = random.Random(10).randbytes(self.SIZE)
        async with self.connect() as connection:
            reader, writer = await connection.open_connection("127.0.0.1", self.echo.port)
            writer.write(sent)
            writer.write_eof()
            self.assertEqual(await reader.read(), sent)
            writer.close()

    def test_forward(self):
        asyncio.run(asyncio.wait_for(self.forward(), 120))

    async def open_what_no_rule_allows(self, port):
        async with self.connect() as connection:
            with self.assertRaises(asyncssh.ChannelOpenError) as refused:
                await connection.open_connection("127.0.0.1", port)
        self.assertIn("no forwarding rule allows this", refused.exception.reason)

    def test_no_rule(self):
        with socket.create_server(("127.0.0.1", 0)) as other:
            asyncio.run(asyncio.wait_for(self.open_what_no_rule_allows(other.getsockname()[1]), 60))


if __name__ == "__main__":
    unittest.main(verbosity=2)
