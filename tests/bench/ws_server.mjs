/* ws_server.mjs: the rules of scripts/chat.lua that the benchmark needs, on node and the npm package ws: what one would
 * write instead. Names and contents are escaped, each broadcast is encoded once and the same bytes go to all.
 * Prints "listening PORT". */
import { createRequire } from "node:module";
import { createServer } from "node:http";

const { WebSocketServer } = createRequire(new URL("../e2e/", import.meta.url))("ws");
const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#039;" };
const rooms = new Map(); // name to set of sockets
let uids = 0;

const escape = (text) => text.replace(/[&<>"']/g, (c) => ESCAPES[c]);
const two = (n) => String(n).padStart(2, "0");

function timestamp() {
  const t = new Date();
  return `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())} ${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}`;
}

function broadcast(room, message) {
  const bytes = Buffer.from(JSON.stringify(message));
  for (const socket of rooms.get(room)) socket.send(bytes, { binary: false });
}

const refuse = (socket, error) => socket.send(JSON.stringify({ type: "error", error }));

const handlers = {
  /* `quiet`: nobody is told, for scenarios in which 10,000 log in and that is not what is measured. */
  login(socket, { name, room = "lobby", quiet }) {
    if (typeof name !== "string" || name.length < 1 || name.length > 64) return refuse(socket, "bad_name");
    if (typeof room !== "string" || room.length < 1 || room.length > 64) return refuse(socket, "bad_room");
    if (socket.room !== undefined) return refuse(socket, "bad_room");
    socket.name = escape(name);
    socket.room = room;
    if (!rooms.has(room)) rooms.set(room, new Set());
    const members = rooms.get(room).add(socket);
    const login = { type: "login", uid: socket.uid, name: socket.name, time: timestamp() };
    if (quiet) return socket.send(JSON.stringify(login));
    socket.send(JSON.stringify({ type: "user_list", user_list: [...members].map((m) => ({ uid: m.uid, name: m.name })) }));
    broadcast(room, login);
  },
  say(socket, { content }) {
    if (socket.room === undefined) return refuse(socket, "not_logged_in");
    if (typeof content !== "string" || content.length < 1 || content.length > 4096) return refuse(socket, "bad_content");
    broadcast(socket.room, { type: "say", from_uid: socket.uid, to_uid: "all", content: escape(content), time: timestamp() });
  },
};

function onMessage(socket, data) {
  let message;
  try {
    message = JSON.parse(data);
  } catch {
    return refuse(socket, "bad_json");
  }
  const handler = handlers[message?.type];
  return handler ? handler(socket, message) : refuse(socket, "unknown_type");
}

const http = createServer((request, response) => response.writeHead(426).end());
const server = new WebSocketServer({ server: http, clientTracking: false, perMessageDeflate: false });
server.on("connection", (socket) => {
  socket.uid = ++uids;
  socket.on("message", (data) => onMessage(socket, data));
  socket.on("error", () => {});
  socket.on("close", () => {
    const members = rooms.get(socket.room);
    if (members?.delete(socket) && members.size === 0) rooms.delete(socket.room);
  });
});
http.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => console.log(`listening ${http.address().port}`));
