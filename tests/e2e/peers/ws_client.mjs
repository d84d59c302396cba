/* ws_client.mjs: the cases of peers/README.md by npm's ws. It keeps its context between messages unless the server says
 * otherwise, as ours does. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import WebSocket from "ws";

const [chatUrl, echoUrl, ca] = process.argv.slice(2);

async function connect(url) {
  const socket = new WebSocket(url, { ca: readFileSync(ca), perMessageDeflate: { threshold: 0 } });
  socket.inbox = [];
  socket.on("message", (data, isBinary) => socket.inbox.push(isBinary ? data : data.toString()));
  socket.ended = once(socket, "close").then(([code, reason]) => ({ code, reason: reason.toString() }));
  await once(socket, "open");
  assert.match(socket.extensions, /permessage-deflate/);
  return socket;
}

async function next(socket) {
  while (socket.inbox.length === 0) {
    await Promise.race([once(socket, "message"), socket.ended.then((end) => assert.fail(JSON.stringify(end)))]);
  }
  return socket.inbox.shift();
}

async function echo(socket, message) {
  socket.send(message);
  assert.deepEqual(await next(socket), message);
}

const cases = {
  async chat() {
    const socket = await connect(chatUrl);
    socket.send(JSON.stringify({ type: "login", name: "Ana" }));
    while (JSON.parse(await next(socket)).type !== "login");
    for (let number = 0; number < 5; number++) {
      socket.send(JSON.stringify({ type: "say", to_uid: "all", content: `hello ${number}` }));
      const { type, content } = JSON.parse(await next(socket));
      assert.deepEqual([type, content], ["say", `hello ${number}`]);
    }
    socket.close();
  },
  async alike() {
    const socket = await connect(echoUrl);
    for (let number = 0; number < 5; number++) {
      await echo(socket, `message ${number}: ${"the same words again and again, ".repeat(60)}`);
    }
    socket.close();
  },
  async big() {
    const socket = await connect(echoUrl);
    await echo(socket, Array.from({ length: 40000 }, (_, number) => `${number} ñ€😀 `).join(""));
    await echo(socket, Buffer.alloc(768000, Uint8Array.from({ length: 256 }, (_, at) => at)));
    socket.close();
  },
  async fragments() {
    const socket = await connect(echoUrl);
    const pieces = Array.from({ length: 10 }, (_, at) => `piece ${at} `);
    pieces.forEach((piece, at) => socket.send(piece, { fin: at === pieces.length - 1, compress: true }));
    assert.equal(await next(socket), pieces.join(""));
    socket.close();
  },
  async leaves() {
    const socket = await connect(echoUrl);
    await echo(socket, "before");
    socket.close(4001, "ws");
    assert.equal((await socket.ended).code, 4001);
  },
  async sent_away() {
    const socket = await connect(echoUrl);
    socket.send("send me away");
    assert.deepEqual(await socket.ended, { code: 4005, reason: "away" });
  },
};

for (const [name, run] of Object.entries(cases)) {
  try {
    await run();
    console.log(name, "ok");
  } catch (error) {
    console.log(name, "failed:", error.message.replaceAll("\n", " "));
  }
}
