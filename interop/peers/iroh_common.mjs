// What the iroh client and server scripts share: an endpoint on loopback without relay or discovery,
// and JSON lines on standard output.
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
export const iroh = require('@number0/iroh');

export const bytesOf = (text) => Array.from(Buffer.from(text));
export const say = (record) => process.stdout.write(JSON.stringify(record) + '\n');
export const sha256 = (bytes) => createHash('sha256').update(Uint8Array.from(bytes)).digest('hex');

export async function makeEndpoint(alpns) {
    const builder = iroh.Endpoint.builder();
    iroh.presetMinimal(builder);
    builder.relayMode(iroh.RelayMode.disabled());
    builder.bindAddr('127.0.0.1:0');
    builder.alpns(alpns.map(bytesOf));
    return builder.bind();
}

/// Real content: a counter-based pattern that neither side can produce by accident.
export function pattern(size) {
    const out = Buffer.alloc(size);
    let state = 0x9e3779b9;
    for (let i = 0; i < size; i++) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        out[i] = state >>> 24;
    }
    return out;
}

export async function readAll(recv, expected) {
    const parts = [];
    let total = 0;
    while (total < expected) {
        const part = await recv.read(Math.min(1 << 16, expected - total));
        if (!part || part.length === 0) break;
        parts.push(Buffer.from(part));
        total += part.length;
    }
    return Buffer.concat(parts);
}
