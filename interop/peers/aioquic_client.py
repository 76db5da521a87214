"""aioquic as a client: PORT ALPN BYTES CASE. Prints one JSON line.

    echo         one stream there and back
    key-update   the same after a key update
    version-2    the same over QUIC version 2
    migrate      the same after a change of connection id
"""

import asyncio
import json
import ssl
import sys

from aioquic.asyncio import connect
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.packet import QuicProtocolVersion


async def echo(client, size):
    reader, writer = await client.create_stream()
    sent = bytes(n * 31 % 251 for n in range(size))
    writer.write(sent)
    writer.write_eof()
    return await reader.read() == sent


async def main(port, alpn, size, case):
    configuration = QuicConfiguration(is_client=True, alpn_protocols=[alpn], verify_mode=ssl.CERT_NONE)
    if case == "version-2":
        configuration.original_version = QuicProtocolVersion.VERSION_2
        configuration.supported_versions = [QuicProtocolVersion.VERSION_2]
    async with connect("127.0.0.1", port, configuration=configuration) as client:
        equal = await echo(client, size)
        if case == "key-update":
            client.request_key_update()
            equal = equal and await echo(client, size)
        elif case == "migrate":
            client.change_connection_id()
            equal = equal and await echo(client, size)
        print(json.dumps({"ok": True, "equal": equal, "version": hex(client._quic._version)}))


try:
    asyncio.run(asyncio.wait_for(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]), 30))
except Exception as error:  # whatever it is, the test wants to read it
    print(json.dumps({"ok": False, "error": repr(error)}))
