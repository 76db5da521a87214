// npm's ssh2 as a client: PORT KEY_FILE HOST_FINGERPRINT TARGET_PORT BYTES. One channel to the target, which
// sends back what it gets; one JSON line.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import ssh2 from 'ssh2';

const [port, key, fingerprint, target, size] = process.argv.slice(2);
const sha256 = (bytes) => createHash('sha256').update(bytes);
const end = (record) => {
    process.stdout.write(JSON.stringify(record) + '\n');
    process.exit(0);
};

const client = new ssh2.Client();
client.on('error', (error) => end({ ok: false, error: error.message }));
client.on('ready', () => {
    client.forwardOut('127.0.0.1', 0, '127.0.0.1', Number(target), (error, stream) => {
        if (error) return end({ ok: false, error: error.message });
        const sent = Buffer.alloc(Number(size), 'ssh2 to alknet ');
        const got = createHash('sha256');
        stream.on('data', (part) => got.update(part));
        stream.on('end', () => end({ ok: true, equal: got.digest('hex') === sha256(sent).digest('hex') }));
        stream.end(sent);
    });
});
client.connect({
    host: '127.0.0.1', port: Number(port), username: 'bob', privateKey: readFileSync(key),
    hostVerifier: (host) => 'SHA256:' + sha256(host).digest('base64').replace(/=+$/, '') === fingerprint,
});
