// An iroh node that dials: ID PORT ALPN CASE. Prints one JSON line with what it saw.
//   echo BYTES      one stream, that many bytes there and back
//   twice BYTES     the same on two connections, the second of which may resume
//   datagram        one datagram there and back
//   close           the code and reason with which the other side closes
import { iroh, makeEndpoint, bytesOf, pattern, readAll, say, sha256 } from './iroh_common.mjs';

const [id, port, alpn, what, size] = process.argv.slice(2);
const endpoint = await makeEndpoint([]);
const address = new iroh.EndpointAddr(iroh.EndpointId.fromString(id), null, [`127.0.0.1:${port}`]);

async function echo(bytes) {
    const connection = await endpoint.connect(address, bytesOf(alpn));
    const stream = await connection.openBi();
    const sent = pattern(bytes);
    const reading = readAll(stream.recv, bytes);
    for (let at = 0; at < bytes; at += 1 << 16) {
        await stream.send.writeAll(Array.from(sent.subarray(at, at + (1 << 16))));
    }
    await stream.send.finish();
    const received = await reading;
    const record = { remote: connection.remoteId().toString(), bytes: received.length,
        equal: sha256(received) === sha256(sent) };
    connection.close(0n, bytesOf('done'));
    return record;
}

try {
    if (what === 'echo') {
        say({ ok: true, ...(await echo(Number(size))) });
    } else if (what === 'twice') {
        await echo(Number(size));
        say({ ok: true, ...(await echo(Number(size))) });
    } else if (what === 'datagram') {
        const connection = await endpoint.connect(address, bytesOf(alpn));
        connection.sendDatagram(bytesOf('datagram'));
        say({ ok: true, text: Buffer.from(await connection.readDatagram()).toString() });
    } else if (what === 'close') {
        const connection = await endpoint.connect(address, bytesOf(alpn));
        say({ ok: true, closed: await connection.closed() });
    } else {
        throw new Error(`unknown case ${what}`);
    }
} catch (error) {
    say({ ok: false, error: String(error) });
}
await endpoint.close();
process.exit(0);
