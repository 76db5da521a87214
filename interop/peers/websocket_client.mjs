// npm's ws as a client, over HTTP/1.1 or, on a stream of Node's HTTP/2, as RFC 8441 says.
//     websocket_client.mjs h1|h2 HOST:PORT /PATH
import { once } from "node:events";
import http2 from "node:http2";
import WebSocket from "ws";

const [, , version, authority, path] = process.argv;

async function overHttp2() {
  const session = http2.connect(`https://${authority}`, { rejectUnauthorized: false });
  await once(session, "remoteSettings");
  if (!session.remoteSettings.enableConnectProtocol) throw new Error("no extended CONNECT");
  const stream = session.request({
    ":method": "CONNECT", ":protocol": "websocket", ":path": path, "sec-websocket-version": "13",
  }, { endStream: false });
  const [headers] = await once(stream, "response");
  if (headers[":status"] !== 200) throw new Error(`status ${headers[":status"]}`);
  const socket = new WebSocket(null, undefined, {});
  socket._isServer = false; // it masks, as clients do
  socket.setSocket(stream, Buffer.alloc(0), { allowSynchronousEvents: true, maxPayload: 16 << 20 });
  socket.on("close", () => session.close());
  return socket;
}

async function overHttp1() {
  return new WebSocket(`wss://${authority}${path}`, { rejectUnauthorized: false, perMessageDeflate: false });
}

const socket = await (version === "h2" ? overHttp2() : overHttp1());
const messages = [];
const waiting = [];
socket.on("message", (data, binary) => {
  const message = binary ? data : data.toString();
  waiting.length > 0 ? waiting.shift()(message) : messages.push(message);
});
const next = () => (messages.length > 0 ? messages.shift() : new Promise((resolve) => waiting.push(resolve)));

const hello = JSON.parse(await next());
socket.send("text: äöü €");
const text = await next();
const large = Buffer.alloc(4 << 20, "0123456789");
socket.send(large);
const same = large.equals(await next());
for (const part of ["in ", "three ", "fragments"]) socket.send(part, { fin: part === "fragments" });
const fragments = await next();
socket.ping("are you there");
const [pong] = await once(socket, "pong");
socket.close(4001, "enough");
const [code, reason] = await once(socket, "close");
console.log(JSON.stringify({
  ...hello, text, same, fragments, pong: pong.toString(), code, reason: reason.toString(),
}));
