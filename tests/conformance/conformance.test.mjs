/* conformance.test.mjs: plays every case of *.cases.mjs: over TCP and TLS, with and without permessage-deflate where
 * frames are concerned, whole, byte by byte, and pipelined. One test a rule; the last line of the report counts. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { startServer } from "../e2e/server.mjs";
import * as deflate from "./deflate.cases.mjs";
import * as frames from "./frames.cases.mjs";
import * as http from "./http.cases.mjs";
import { binary, close, dial, OP, packed, text } from "./peer.mjs";

const AT_ONCE = 16; /* connections of one rule */
const FIRST = "the first message, which is answered whatever follows it";
const LAST = "the last message, which comes back behind all others";
const OFFER = "permessage-deflate";
const PLACES = [{ secure: false, threads: 0 }, { secure: true, threads: 3 }];
const servers = [];
const counted = { rules: new Set(), cases: 0, runs: 0 };
let dir;

before(async () => {
  dir = mkdtempSync(join(tmpdir(), "charlua-conformance-"));
  const cert = join(dir, "cert.pem"), key = join(dir, "key.pem");
  execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
    "-subj", "/CN=localhost", "-keyout", key, "-out", cert], { stdio: "ignore" });
  const limits = { "max-message": frames.LIMITS.message, "max-fragments": frames.LIMITS.fragments, "max-head": http.LIMITS.head,
    "max-fields": http.LIMITS.fields, "max-connect-rate": 0, "max-rate": 0, "max-byte-rate": 0, "deflate-min": 1 };
  const args = [...Object.entries(limits).flatMap(([name, value]) => [`--${name}`, String(value)]), "--log-level", "info"];
  for (const { secure, threads } of PLACES) {
    servers.push(await startServer({ script: "tests/conformance/echo.lua", threads, listen: `${secure ? "tls:" : ""}127.0.0.1:0`,
      args: secure ? [...args, "--cert", cert, "--key", key] : args }));
  }
});

after(async () => {
  for (const server of servers) assert.equal((await server.stop()).code, 0, server.stderr);
  rmSync(dir, { recursive: true });
});

const listed = (f) => (f.op === OP.TEXT ? f.payload.toString() : Buffer.from(f.payload));
const ofKind = (peer, ...ops) => peer.frames.filter((f) => ops.includes(f.op));
const brief = (list) => list.map((m) => (typeof m === "string" ? m : m.toString("latin1"))).map((m) => (m.length > 60 ? `${m.length} × ${m.slice(0, 20)}` : m));

function same(came, due, what) {
  const equal = came.length === due.length && came.every((m, i) => typeof m === typeof due[i] && (typeof m === "string" ? m === due[i] : m.equals(due[i])));
  if (!equal) assert.deepEqual(brief(came), brief(due), what);
  assert.ok(equal, `${what}: other bytes or another kind`);
}

/* --- what is checked of a connection that is open ------------------------- */

/* The server has ended it with a Close of `code`, after no more than `due` of the messages. */
async function isClosed(peer, code, due) {
  await peer.until(() => false, `Close ${code} and the end`);
  assert.equal(peer.frames.at(-1)?.op, OP.CLOSE, "a Close comes last");
  assert.equal(peer.frames.at(-1).code, code);
  const came = ofKind(peer, OP.TEXT, OP.BINARY).map(listed);
  if (due) same(came, due.slice(0, came.length), "messages before the Close");
}

/* Everything due has come, then LAST; it takes our Close and ends. */
async function isWell(peer, { want = [], pongs = [] }) {
  const done = () => ofKind(peer, OP.TEXT, OP.BINARY).length > want.length && ofKind(peer, OP.PONG).length >= pongs.length;
  await peer.until(done, `${want.length} messages, ${pongs.length} pongs`);
  same(ofKind(peer, OP.TEXT, OP.BINARY).map(listed), [...want, LAST], "messages");
  same(ofKind(peer, OP.PONG).map((f) => Buffer.from(f.payload)), pongs.map((p) => Buffer.from(p)), "pongs");
  await peer.write(close(1000));
  await isClosed(peer, 1000);
}

/* The 101 is as RFC 6455 4.2.2 has it, and agrees to no more than was offered. */
function isAccepted(answer, { key = http.SAMPLE, protocol = null, offered = [] } = {}) {
  const values = (name) => answer.fields.filter(([n]) => n === name).map(([, value]) => value);
  const digest = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  assert.equal(answer.status, 101);
  assert.deepEqual(values("upgrade"), ["websocket"]);
  assert.deepEqual(values("connection"), ["Upgrade"]);
  assert.deepEqual(values("sec-websocket-accept"), [digest]);
  assert.deepEqual(values("sec-websocket-protocol"), protocol ? [protocol] : []);
  if (offered.length === 0) assert.deepEqual(values("sec-websocket-extensions"), []);
  return values("sec-websocket-extensions");
}

/* The extension that was agreed to: its window, or null. It has answered each parameter of the offer as it must. */
function agreed(values, offered) {
  if (values.length === 0) return null;
  assert.equal(values.length, 1);
  const [name, ...parameters] = values[0].split(";").map((p) => p.trim());
  const names = parameters.map((p) => p.split("=")[0]);
  assert.equal(name, OFFER);
  assert.equal(new Set(names).size, names.length, "no parameter twice");
  for (const p of parameters) assert.match(p, /^((server|client)_no_context_takeover|(server|client)_max_window_bits=([89]|1[0-5]))$/);
  if (!offered.includes("client_max_window_bits")) assert.ok(!names.includes("client_max_window_bits"), "7.1.2.2");
  if (offered.includes("server_no_context_takeover")) assert.ok(names.includes("server_no_context_takeover"), "7.1.1.1");
  return Number(/server_max_window_bits=(\d+)/.exec(values[0])?.[1] ?? 15);
}

/* --- how cases are played ------------------------------------------------- */

/* Plays `play(peer)` on a connection of its own. Whatever else: the server has broken no rule of its own. */
async function on(place, what, play) {
  counted.runs++;
  const peer = await dial(servers[place].port, PLACES[place].secure);
  try {
    await play(peer);
    assert.deepEqual(peer.faults, []);
    assert.equal(peer.leftover, 0, "bytes that are no whole frame or answer");
    assert.equal(peer.error, null, "ends without a reset");
  } catch (error) {
    error.message = `${PLACES[place].secure ? "TLS" : "TCP"}, ${what}: ${error.message}\n${peer.history()}\n${servers[place].stderr.slice(-600)}`;
    throw error;
  } finally {
    peer.destroy();
  }
}

/* One test: `runs(variant, value)` gives [what, play] for each connection; they are played over all places. */
function rule(name, variants, runs) {
  assert.ok(!counted.rules.has(name), `${name} is there twice`);
  counted.rules.add(name);
  test(name, async () => {
    const todo = [];
    for (const [variant, value] of Object.entries(variants)) {
      counted.cases++;
      for (const [what, play] of runs(value)) for (const place of PLACES.keys()) todo.push([place, `${JSON.stringify(variant)}, ${what}`, play]);
    }
    const failures = [];
    const worker = async () => {
      for (let next; (next = todo.pop());) await on(...next).catch((error) => failures.push(error.message));
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    if (failures.length > 0) throw new Error(`${failures.length} failed, such as\n${failures.slice(0, 3).join("\n\n")}`);
  });
}

/* `bytes` on a WebSocket, whole, byte by byte and behind the request, then `judge(peer)`. */
function* onWebSocket(bytes, judge, { offers = ["", OFFER], last = Buffer.alloc(0) } = {}) {
  for (const offer of offers) {
    const head = http.asked(offer ? { "Sec-WebSocket-Extensions": offer } : {});
    const opened = (peer) => isAccepted(peer.answers[0], { offered: [offer].filter(Boolean) });
    for (const manner of ["whole", "drip", "pipelined"]) {
      yield [`${offer ? "deflate" : "raw"}, ${manner}`, async (peer) => {
        await peer.write(manner === "pipelined" ? Buffer.concat([head, bytes, last]) : head);
        await peer.until(() => peer.answers.length > 0, "101");
        opened(peer);
        if (manner === "whole") await peer.write(Buffer.concat([bytes, last]));
        if (manner === "drip") await peer.drip(Buffer.concat([bytes, last]));
        await judge(peer);
      }];
    }
  }
}

/* Alone, and in one read with a message, which is answered before the Close. */
function* failing(bytes, code, offers) {
  yield* onWebSocket(bytes, (peer) => isClosed(peer, code), { offers });
  for (const [what, play] of onWebSocket(Buffer.concat([text(FIRST), bytes]), async (peer) => {
    await isClosed(peer, code);
    same(ofKind(peer, OP.TEXT, OP.BINARY).map(listed).slice(0, 1), [FIRST], "the answer before the Close");
  }, { offers })) {
    if (!what.endsWith("drip")) yield [`${what}, behind a message`, play];
  }
}

function playFails(list, offers) {
  for (const [name, code, variants] of list) {
    rule(name, variants, (bytes) => failing(bytes, code, offers));
  }
}

function playTakes(list, offers) {
  for (const [name, variants] of list) {
    rule(name, variants, (due) => onWebSocket(due.send, async (peer) => {
      if (due.finish) {
        await peer.until(() => ofKind(peer, OP.PONG).length === due.pongs.length, "pongs before the message's end");
        await peer.write(Buffer.concat([due.finish, text(LAST)]));
      }
      await isWell(peer, due);
    }, { offers, last: due.finish ? undefined : text(LAST) }));
  }
}

describe("RFC 6455 5 to 8, 10.4: frames", () => {
  playFails(frames.fails);
  playTakes(frames.takes);
  for (const [name, code, variants] of frames.closes) {
    rule(name, variants, (bytes) => onWebSocket(bytes, (peer) => isClosed(peer, code, [])));
  }
  rule("rfc6455_5_2_rsv1_without_extension_fails", { text: text("x", { rsv: 4 }), binary: binary(packed("x"), { rsv: 4 }), first: text("x", { rsv: 4, fin: false }) },
    (bytes) => onWebSocket(bytes, (peer) => isClosed(peer, 1002), { offers: ["", `${OFFER}; unknown`] }));
});

describe("RFC 7692: permessage-deflate", () => {
  playFails(deflate.fails, [OFFER]);
  playTakes(deflate.takes, [OFFER]);
  const near = "abcdefgh".repeat(28), noise = createHash("sha512").update("x").digest("hex");
  const far = Array.from({ length: 40 }, (_, i) => noise + i).join("") + near;
  for (const [name, variants] of deflate.offers) {
    rule(name, variants, ([offer, bits]) => [["whole", false], ["drip", true]].map(([what, drip]) => [what, async (peer) => {
      const offered = [offer].flat(), rsv = bits === null ? 0 : 4;
      const head = http.asked({ "Sec-WebSocket-Extensions": offered });
      await (drip ? peer.drip(head) : peer.write(head));
      await peer.until(() => peer.answers.length > 0, "101");
      assert.equal(agreed(isAccepted(peer.answers[0], { offered }), offered.join()), bits, "the window");
      const words = [near, far, "x", near + noise + near];
      await peer.write(Buffer.concat([...words.map((w) => text(rsv ? packed(w) : w, { rsv })), text(LAST)]));
      await isWell(peer, { want: words });
      assert.equal(peer.frames.some((f) => f.rsv === 4), bits !== null, "compresses if agreed");
    }]));
  }
});

describe("RFC 9112, RFC 6455 4.2: heads", () => {
  const BEFORE = http.request(), BEHIND = http.request("Connection: close");
  const statuses = (peer, due) => assert.deepEqual(peer.answers.map((a) => a.status), due);
  const answersAndEnds = async (peer, due) => {
    await peer.until(() => false, "the end of the connection");
    statuses(peer, due);
  };
  for (const [name, status, variants] of [...http.refused, ...http.ended]) {
    rule(name, variants, (bytes) => [
      ["whole", async (peer) => {
        await peer.write(bytes);
        await answersAndEnds(peer, [status]);
        const fields = Object.fromEntries(peer.answers[0].fields);
        if (status === 426) assert.equal(fields["sec-websocket-version"], "13");
        if (status === 405) assert.match(fields.allow, /\bGET\b/);
        assert.equal(fields.connection, "close");
      }],
      ["drip", async (peer) => {
        await peer.drip(bytes);
        await answersAndEnds(peer, [status]);
      }],
      ["pipelined", async (peer) => {
        await peer.write(Buffer.concat([BEFORE, bytes, BEHIND]));
        await answersAndEnds(peer, [200, status]);
      }],
    ]);
  }
  for (const [name, variants] of http.served) {
    rule(name, variants, ([bytes, ...due]) => [
      ["whole", async (peer) => {
        await peer.write(bytes);
        await peer.until(() => peer.answers.length >= due.length, "answers");
        await peer.write(BEHIND);
        await answersAndEnds(peer, [...due, 200]);
      }],
      ["drip", async (peer) => {
        await peer.drip(Buffer.concat([bytes, BEHIND]));
        await answersAndEnds(peer, [...due, 200]);
      }],
      ["pipelined", async (peer) => {
        await peer.write(Buffer.concat([BEFORE, bytes, BEHIND]));
        await answersAndEnds(peer, [200, ...due, 200]);
      }],
    ]);
  }
  for (const [name, variants] of http.upgraded) {
    rule(name, variants, (value) => ["whole", "drip", "pipelined"].map((manner) => [manner, async (peer) => {
      const [head, due] = [value].flat();
      const before = manner === "pipelined" ? BEFORE : Buffer.alloc(0);
      const bytes = Buffer.concat([before, head, text(LAST)]);
      await (manner === "drip" ? peer.drip(bytes) : peer.write(bytes));
      await peer.until(() => peer.answers.at(-1)?.status === 101, "101");
      statuses(peer, before.length ? [200, 101] : [101]);
      isAccepted(peer.answers.at(-1), due);
      await isWell(peer, {});
    }]));
  }
});

test("every_case_was_played", (t) => {
  t.diagnostic(`conformance: ${counted.rules.size} rules, ${counted.cases} cases, ${counted.runs} connections`);
  assert.ok(counted.rules.size > 100 && counted.runs > counted.cases);
});
