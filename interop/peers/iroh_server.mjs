// An iroh node that echoes every bidirectional stream. Prints {"id","port"}, then a line for each
// connection and stream. Ends when standard input does.
import { makeEndpoint, say, bytesOf } from './iroh_common.mjs';

const alpn = process.argv[2];
const endpoint = await makeEndpoint([alpn]);
say({ id: endpoint.id().toString(), port: Number(endpoint.boundSockets()[0].split(':').pop()) });
process.stdin.resume().on('end', () => process.exit(0));

async function echo(stream) {
    let bytes = 0;
    for (;;) {
        const part = await stream.recv.read(1 << 16);
        if (!part || part.length === 0) break;
        bytes += part.length;
        await stream.send.writeAll(part);
    }
    await stream.send.finish();
    say({ event: 'stream', bytes });
}

async function serve(incoming) {
    const connection = await (await incoming.accept()).connect();
    say({ event: 'connection', remote: connection.remoteId().toString() });
    try {
        for (;;) {
            echo(await connection.acceptBi()).catch((e) => say({ event: 'stream-error', error: String(e) }));
        }
    } catch {
        say({ event: 'closed', reason: connection.closeReason() });
    }
}

for (;;) {
    const incoming = await endpoint.acceptNext();
    if (!incoming) break;
    serve(incoming).catch((e) => say({ event: 'refused', error: String(e) }));
}
