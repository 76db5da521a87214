// Cloudflare's quiche as a client: PORT ALPN BYTES. One stream there and back; one JSON line.
import { QUICClient } from '@matrixai/quic';
import { createHash, webcrypto } from 'node:crypto';

const [port, alpn, size] = process.argv.slice(2);
const say = (record) => process.stdout.write(JSON.stringify(record) + '\n');
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const ops = { randomBytes: async (data) => void webcrypto.getRandomValues(new Uint8Array(data)) };

async function echo(client, bytes) {
    const stream = client.connection.newStream();
    const sent = Buffer.alloc(bytes, 'quiche to alknet ');
    const reading = (async () => {
        const parts = [];
        for await (const part of stream.readable) parts.push(Buffer.from(part));
        return Buffer.concat(parts);
    })();
    const writer = stream.writable.getWriter();
    for (let at = 0; at < bytes; at += 1 << 14) await writer.write(sent.subarray(at, at + (1 << 14)));
    await writer.close();
    const received = await reading;
    return { bytes: received.length, equal: sha256(received) === sha256(sent) };
}

try {
    const client = await QUICClient.createQUICClient(
        {
            host: '127.0.0.1', port: Number(port), localHost: '127.0.0.1', crypto: { ops },
            config: { verifyPeer: false, applicationProtos: [alpn], maxIdleTimeout: 10_000 },
        },
        { timer: 8_000 },
    );
    say({ ok: true, ...(await echo(client, Number(size))) });
    await client.destroy({ force: true });
} catch (error) {
    say({ ok: false, error: String(error.message ?? error), code: error.data?.errorCode });
}
process.exit(0);
