/* alloc.test.mjs: the Nth allocation of a running server fails, for every N of a short scenario: connect, upgrade,
 * login, say, hear, close, and a GET of the page; over TLS for some of them. Whoever is in that scenario may lose an
 * answer's content or the connection, but is never left in silence; nobody else notices, and the next one is served
 * as ever. */
import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { dialTls, encrypted, folder, makeCert } from "../e2e/certs.mjs";
import { closing, dialRaw, frame, OP, Raw, UPGRADE } from "../e2e/raw.mjs";
import { BIN, overThreads, startServer } from "../e2e/server.mjs";

const SHIM = join(BIN, "../torture/alloc.so");
const DEFLATE = UPGRADE.replace("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
const LONG = "charla ".repeat(100); // longer than --deflate-min
const BEYOND = 20; // and so many more, as no two runs allocate alike
const MOST = 5000;
const QUIET = ["--ping-interval", "86400"]; // or it is a bystander's ping that gets no memory
/* A TLS handshake makes thousands, of which each 37th fails: a prime, so that no loop hides one. */
const STEP = Number(process.env.ALLOC_STEP ?? 37);

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

/* Functions that dial `server` and give a Raw: bare, and through a TLS handshake. */
const bare = (server) => () => dialRaw(server);
const overTls = (server, stage) => async () => new Raw(await dialTls(server, stage, { noDelay: true }));

/* The next message that has one of `words` in it: {text, packed}. */
async function hear(raw, ...words) {
  for (;;) {
    const { op, rsv, payload, code } = await raw.frame();
    if (op === OP.CLOSE) throw new Error(`the connection ended with ${code}`);
    if (op !== OP.TEXT) continue;
    const text = (rsv ? inflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH }) : payload).toString();
    if (words.some((word) => text.includes(word))) return { text, packed: rsv !== 0 };
  }
}

/* What is long goes out compressed. */
async function say(raw, content, ...words) {
  const text = JSON.stringify({ type: "say", to_uid: "all", content });
  const packed = deflateRawSync(text, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
  await raw.write(content === LONG ? frame(OP.TEXT, packed, { rsv: 4 }) : frame(OP.TEXT, text));
  return hear(raw, content.slice(0, 20), ...words);
}

async function enter(dial, room, ...words) {
  const raw = await dial();
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

/* Resolves with {packed}: whether the long message came back compressed. */
async function chat(dial, room, ...words) {
  const raw = await enter(dial, room, ...words);
  await say(raw, "hola", ...words);
  const { packed } = await say(raw, LONG, ...words);
  await raw.write(frame(OP.PING, "p"));
  while ((await raw.frame()).op !== OP.PONG);
  await leave(raw);
  return { packed };
}

async function page(dial, statuses) {
  const raw = await dial();
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
    if (!/connection ended|EPIPE|ECONNRESET|EPROTO|ERR_SSL/.test(`${error.message} ${error.code}`)) throw error;
  }
}

async function strained(dial, n) {
  await mayEnd(chat(dial, `strained ${n}`, '"error":'));
  await mayEnd(page(dial, [200, 404, 500, 503]));
}

/* A stage's preloaded library, and the options that go with it. */
function preload(stage, env = {}) {
  stage.control = new Control();
  stage.defer(() => stage.control.remove());
  return { args: [...QUIET], env: { LD_PRELOAD: SHIM, ALLOC_CONTROL: stage.control.path, ...env } };
}

/* Lets `burst` allocations fail from the first on, then from each `step`th. */
async function failEach(dial, control, burst, step) {
  const bystander = await enter(dial, "quiet");
  await strained(dial, 0);
  const before = control.asked;
  await strained(dial, 0);
  const last = control.asked - before + BEYOND;
  assert.ok(last > BEYOND && last < MOST, `${last} allocations: is the library preloaded?`);
  let failed = 0;
  for (let n = 1; n <= last; n += step) {
    control.arm(n, burst);
    try {
      await strained(dial, n);
      control.disarm();
      failed += control.failed;
      await say(bystander, `still here after ${n}`);
      await chat(dial, `fresh ${n}`);
      await page(dial, [200]);
    } catch (error) {
      error.message += `\nallocation ${n} of ${last}`;
      throw error;
    }
  }
  assert.ok(failed > last / step * burst / 2, `only ${failed} allocations failed`);
  await leave(bystander);
}

for (const burst of [1, 5]) {
  const name = `${burst === 1 ? "one_failed_allocation" : "a_row_of_failed_allocations"}_ends_at_most_its_own_connection`;
  overThreads(name, preload, (server, { control }) => failEach(bare(server), control, burst, burst), { threads: [0, 3] });
  overThreads(`${name}_over_tls`, (stage) => encrypted([makeCert(folder(stage), "ana.test")], QUIET, { env: preload(stage).env }),
    (server, stage) => failEach(overTls(server, stage), stage.control, burst, STEP), { threads: [0, 3] });
}

/* A request that the script answers, with a body in pieces and a wait. */
async function request(dial, statuses) {
  const code = encodeURIComponent("local body = request.body chat.sleep(0) return 200, { body = body }, { ['X-A'] = 'b' }");
  const raw = await dial();
  await raw.write(`POST /run?code=${code} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n`);
  for (let i = 0; i < 3; i++) await raw.write(`fff\r\n${"x".repeat(4095)}\r\n`);
  await raw.write("0\r\n\r\n");
  const { status } = await raw.answer();
  assert.ok(statuses.includes(status), `the request was answered with ${status}`);
  await raw.finish();
}

for (const burst of [1, 5]) {
  const name = `${burst === 1 ? "one_failed_allocation" : "a_row_of_failed_allocations"}_of_a_request_ends_at_most_its_own_connection`;
  overThreads(name, (stage) => ({ ...preload(stage), script: "tests/e2e/fixtures/requests.lua" }), async (server, { control }) => {
    await request(bare(server), [200]);
    const before = control.asked;
    await request(bare(server), [200]);
    const last = control.asked - before + BEYOND;
    assert.ok(last > BEYOND && last < MOST, `${last} allocations: is the library preloaded?`);
    let failed = 0;
    for (let n = 1; n <= last; n += burst) {
      control.arm(n, burst);
      await mayEnd(request(bare(server), [200, 500, 503]));
      control.disarm();
      failed += control.failed;
      await request(bare(server), [200]);
    }
    assert.ok(failed > last / 2, `only ${failed} allocations failed`);
  }, { threads: [0, 3] });
}

/* zlib's memory is taken once a thread, so each of these begins with a new server. */
overThreads("one_failed_allocation_of_zlib_ends_at_most_its_own_connection",
  (stage) => preload(stage, { ALLOC_ONLY: "libz.so" }), async (first, { control, options, threads }) => {
    assert.ok((await chat(bare(first), "count")).packed);
    const last = control.asked;
    assert.ok(last >= 4 && last < 20, `${last} allocations of zlib`);
    for (let n = 1; n <= last; n++) {
      const server = await startServer({ ...options, threads });
      try {
        const bystander = await enter(bare(server), "quiet");
        control.arm(n);
        await strained(bare(server), n);
        assert.equal(control.failed, 1);
        await say(bystander, "still here");
        for (let i = 0; i <= threads; i++) assert.ok((await chat(bare(server), `fresh ${i}`)).packed);
        await leave(bystander);
        const { code, signal } = await server.stop();
        assert.equal(code ?? signal, 0);
      } catch (error) {
        error.message += `\nallocation ${n} of ${last}\n${server.stderr}`;
        throw error;
      } finally {
        server.signal("SIGKILL");
      }
    }
  }, { threads: [0, 3] });
