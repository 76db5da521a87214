// alknet/call over a WebSocket of npm's ws, as docs/protocol/call.md says.
//     call_socket.mjs HOST:PORT [--token TOKEN] [--origin ORIGIN] OPERATION...
// One line of JSON: the answers by operation, or why there is no socket.
import { once } from "node:events";
import WebSocket from "ws";

const [authority, ...rest] = process.argv.slice(2);
const option = (name) => (rest.includes(name) ? rest.splice(rest.indexOf(name), 2)[1] : undefined);
const token = option("--token");
const origin = option("--origin");

const protocols = ["alknet.call", ...(token === undefined ? [] : [`alknet.bearer.${token}`])];
const socket = new WebSocket(`wss://${authority}/alknet/call`, protocols, { rejectUnauthorized: false, origin });
const waiting = new Map();
const items = [];
socket.on("message", (data, binary) => {
  const event = JSON.parse(data);
  if (!binary) throw new Error("a text message");
  if (event.type === "call.responded" && event.payload.seq !== undefined) items.push(event.payload.output);
  waiting.get(event.id)?.(event);
});
const send = (event) => socket.send(Buffer.from(JSON.stringify(event)));
const call = (operation, id) => {
  send({ type: "call.requested", id, payload: { operationId: operation, input: {} } });
  return new Promise((resolve) => waiting.set(id, resolve));
};

const opened = await new Promise((resolve) => {
  socket.on("open", () => resolve(true));
  socket.on("unexpected-response", (_, response) => resolve(response.statusCode));
  socket.on("error", (failure) => resolve(failure.message));
});
if (opened !== true) {
  console.log(JSON.stringify({ refused: opened }));
  process.exit(0);
}
const answers = {};
await Promise.all(rest.map(async (operation, index) => {
  const { type, payload } = await call(operation, `call-${index}`);
  answers[operation] = { type, ...payload };
}));
socket.close(1000);
const [code] = await once(socket, "close");
console.log(JSON.stringify({ protocol: socket.protocol, answers, code }));
