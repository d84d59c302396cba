/* alloc.test.mjs: the Nth allocation of a running server fails, for every N of a short scenario: connect, upgrade,
 * login, say, hear, close, and a GET of the page. Whoever is in that scenario may lose an answer's content or the
 * connection, but is never left in silence; nobody else notices, and the next one is served as ever. */
import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inflateRawSync } from "node:zlib";
import { closing, dialRaw, frame, OP, UPGRADE } from "../e2e/raw.mjs";
import { BIN, overThreads } from "../e2e/server.mjs";

const SHIM = join(BIN, "../torture/alloc.so");
const DEFLATE = UPGRADE.replace("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
const LONG = "charla ".repeat(100); // longer than --deflate-min
const BEYOND = 20; // and so many more, as no two runs allocate alike
const MOST = 5000;

/* The counters that alloc.c shares. */
class Control {
  constructor() {
    this.dir = mkdtempSync(join(tmpdir(), "charlua-alloc-"));
    this.path = join(this.dir, "control");
    writeFileSync(this.path, Buffer.alloc(32));
    this.fd = openSync(this.path, "r+");
  }

  arm(until, burst = 1) {
    writeSync(this.fd, Buffer.from(BigInt64Array.of(0n, BigInt(burst), 0n).buffer), 0, 24, 0);
    writeSync(this.fd, Buffer.from(BigInt64Array.of(BigInt(until)).buffer), 0, 8, 0);
  }

  disarm() {
    writeSync(this.fd, Buffer.alloc(8), 0, 8, 0);
  }

  #at(i) {
    const bytes = Buffer.alloc(8);
    readSync(this.fd, bytes, 0, 8, i * 8);
    return Number(bytes.readBigInt64LE());
  }

  get failed() {
    return this.#at(2);
  }

  get asked() {
    return this.#at(3);
  }

  remove() {
    closeSync(this.fd);
    rmSync(this.dir, { recursive: true });
  }
}

/* The text of the next message that has one of `words` in it. */
async function hear(raw, ...words) {
  for (;;) {
    const { op, rsv, payload, code } = await raw.frame();
    if (op === OP.CLOSE) throw new Error(`the connection ended with ${code}`);
    if (op !== OP.TEXT) continue;
    const text = (rsv ? inflateRawSync(payload, { finishFlush: 2 }) : payload).toString();
    if (words.some((word) => text.includes(word))) return text;
  }
}

async function say(raw, content, ...words) {
  await raw.write(frame(OP.TEXT, JSON.stringify({ type: "say", to_uid: "all", content })));
  return hear(raw, content.slice(0, 20), ...words);
}

async function enter(server, room, ...words) {
  const raw = await dialRaw(server);
  await raw.write(DEFLATE);
  const { status } = await raw.answer();
  if (status !== 101) throw new Error(`the connection ended with ${status}`);
  await raw.write(frame(OP.TEXT, JSON.stringify({ type: "login", name: "Ana", room })));
  await hear(raw, '"type":"login"', ...words);
  return raw;
}

async function leave(raw) {
  await raw.write(frame(OP.CLOSE, closing(1000)));
  while ((await raw.frame()).op !== OP.CLOSE);
  await raw.finish();
}

async function chat(server, room, ...words) {
  const raw = await enter(server, room, ...words);
  await say(raw, "hola", ...words);
  await say(raw, LONG, ...words);
  await raw.write(frame(OP.PING, "p"));
  while ((await raw.frame()).op !== OP.PONG);
  await leave(raw);
}

async function page(server, statuses) {
  const raw = await dialRaw(server);
  await raw.write("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  const { status } = await raw.answer();
  assert.ok(statuses.includes(status), `GET / answered ${status}`);
  await raw.finish();
}

/* Its connection may end at any time, but something has to happen. */
async function mayEnd(promise) {
  try {
    await promise;
  } catch (error) {
    if (!/connection ended|EPIPE|ECONNRESET/.test(`${error.message} ${error.code}`)) throw error;
  }
}

async function strained(server, n) {
  await mayEnd(chat(server, `strained ${n}`, '"error":'));
  await mayEnd(page(server, [200, 404, 500, 503]));
}

for (const burst of [1, 5]) {
  overThreads(`${burst === 1 ? "one_failed_allocation" : "a_row_of_failed_allocations"}_ends_at_most_its_own_connection`, (stage) => {
    stage.control = new Control();
    stage.defer(() => stage.control.remove());
    return { env: { LD_PRELOAD: SHIM, ALLOC_CONTROL: stage.control.path } };
  }, async (server, { control }) => {
    const bystander = await enter(server, "quiet");
    await strained(server, 0);
    const before = control.asked;
    await strained(server, 0);
    const last = control.asked - before + BEYOND;
    assert.ok(last > BEYOND && last < MOST, `${last} allocations: is the library preloaded?`);
    let failed = 0;
    for (let n = 1; n <= last; n += burst) {
      control.arm(n, burst);
      try {
        await strained(server, n);
        control.disarm();
        failed += control.failed;
        await say(bystander, `still here after ${n}`);
        await chat(server, `fresh ${n}`);
        await page(server, [200]);
      } catch (error) {
        error.message += `\nallocation ${n} of ${last}`;
        throw error;
      }
    }
    assert.ok(failed > last / 2, `only ${failed} allocations failed`);
    await leave(bystander);
  }, { threads: [0, 3] });
}
