// The server of npm's ws: sends back what comes, and says under which address it was asked.
import { WebSocketServer } from "ws";

const server = new WebSocketServer({ port: 0, host: "127.0.0.1", maxPayload: 16 << 20 });
server.on("connection", (socket, request) => {
  socket.send(JSON.stringify({ path: request.url, from: request.headers["x-forwarded-for"] }));
  socket.on("message", (data, binary) => socket.send(data, { binary }));
  socket.on("close", (code, reason) => console.log(JSON.stringify({ closed: code, reason: reason.toString() })));
});
server.on("listening", () => console.log(JSON.stringify({ listening: server.address().port })));
