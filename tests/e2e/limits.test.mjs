/* limits.test.mjs: every limit of README.md's table is reached, and what it says there comes about: to the one that
 * went too far, and to nobody else. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { connect } from "node:net";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { deflateRawSync } from "node:zlib";
import { dialTls, encrypted, folder, makeCert } from "./certs.mjs";
import { closing, dialRaw, frame, OP, openRaw, Raw, UPGRADE } from "./raw.mjs";
import { DEADLINE_MS, overThreads, rss, runToEnd } from "./server.mjs";

const RUN = "tests/e2e/fixtures/run.lua", ECHO = "tests/e2e/fixtures/echo.lua";
const TOO_FAST = '{"type":"error","error":"too_fast"}', INTERNAL = '{"type":"error","error":"internal"}';

/* Handlers have time on a busy machine, and no ping comes in between, but where `args` say otherwise. */
const limit = (name, args, play, script = RUN) =>
  overThreads(name, { args: ["--handler-time", "5000", "--ping-interval", "86400", ...args], script }, play, { threads: [0, 3] });

/* --- helpers ---------------------------------------------------------------- */

const text = (value) => frame(OP.TEXT, typeof value === "string" ? value : JSON.stringify(value));

/* What the Lua `code` returned, run for `raw`, whose next frame tells it. */
async function run(raw, code) {
  await raw.write(text({ type: "run", code }));
  const answer = JSON.parse((await raw.frame()).payload);
  assert.equal(answer.type, "result", `${code}: ${answer.error}`);
  return answer.values;
}

/* The next message for `raw` is `said`. */
async function hears(raw, said) {
  assert.equal((await raw.frame()).payload.toString(), said);
}

/* The frames that come until the Close; they end with it, and then the connection ends. */
async function untilClosed(raw) {
  const frames = [];
  do frames.push(await raw.frame()); while (frames.at(-1).op !== OP.CLOSE);
  return frames;
}

/* Connects, from the loopback address `from`. Resolves with a Raw that is let in, or null where it is ended without a
 * word. */
async function knock(server, stage, from = "127.0.0.1") {
  const raw = await dialRaw({ host: "127.0.0.1", port: server.port, localAddress: from });
  stage.defer(() => raw.destroy());
  try {
    await raw.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert.equal((await raw.answer()).status, 200);
    return raw;
  } catch (error) {
    if (error.code === "ERR_ASSERTION" || /within/.test(error.message)) throw error;
    return null;
  }
}

/* What `attempt` resolves with, tried again and again until it is something. */
async function eventually(what, attempt) {
  for (const until = Date.now() + DEADLINE_MS; Date.now() < until;) {
    const got = await attempt();
    if (got) return got;
  }
  throw new Error(`no ${what} within ${DEADLINE_MS} ms`);
}

const count = (server, regex) => [...server.stderr.matchAll(regex)].length;

/* --- connections ------------------------------------------------------------ */

limit("limit_max_connections_ends_the_next_one_until_there_is_room", ["--max-connections", "3"], async (server, stage) => {
  const [ana] = [await openRaw(server, stage), await knock(server, stage), await knock(server, stage, "127.0.0.2")];
  assert.equal(await knock(server, stage), null);
  assert.equal(await knock(server, stage, "127.0.0.3"), null, "whatever its address");
  await server.waitLog(/connection turned away: too many in all limit=--max-connections ip=127\.0\.0\.1 times=1/);
  assert.deepEqual(await run(ana, "return 1"), [1], "who is in stays in");
  ana.destroy();
  await eventually("room for one more", () => knock(server, stage));
});

limit("limit_max_per_address_ends_the_next_one_of_that_address_only", ["--max-per-address", "2"], async (server, stage) => {
  const ana = await knock(server, stage);
  await openRaw(server, stage);
  assert.equal(await knock(server, stage), null);
  await server.waitLog(/connection turned away: too many of this address limit=--max-per-address ip=127\.0\.0\.1 times=1/);
  assert.ok(await knock(server, stage, "127.0.0.2"));
  ana.destroy();
  await eventually("room for one more of the address", () => knock(server, stage));
});

limit("limit_that_is_reached_often_is_told_with_how_often", ["--max-per-address", "1"], async (server, stage) => {
  await knock(server, stage);
  for (let i = 0; i < 40; i++) assert.equal(await knock(server, stage), null);
  await server.waitLog(/limit=--max-per-address( ip=127\.0\.0\.1)? times=40\n/);
});

limit("limit_max_connect_rate_ends_what_comes_too_fast_from_one_address", ["--max-connect-rate", "2"], async (server, stage) => {
  let admitted = 0;
  while (await knock(server, stage)) assert.ok(++admitted < 500, "nothing is too fast");
  assert.ok(admitted >= 4, `${admitted} of twice 2 were let in`);
  await server.waitLog(/connection turned away: too many a second of this address limit=--max-connect-rate ip=127\.0\.0\.1/);
  assert.ok(await knock(server, stage, "127.0.0.2"), "another address may come");
  await eventually("connection a moment later", () => knock(server, stage));
});

limit("limit_turned_away_is_logged_once_a_second_at_most", ["--max-connections", "1"], async (server, stage) => {
  await openRaw(server, stage);
  const from = Date.now();
  for (let i = 0; i < 100; i++) assert.equal(await knock(server, stage), null);
  const lines = count(server, /turned away/g), most = Math.ceil((Date.now() - from) / 1000) + 1;
  assert.ok(lines >= 1 && lines <= most, `${lines} lines`);
});

limit("limit_defaults_leave_an_office_behind_one_address_in_peace", [], async (server, stage) => {
  const office = await Promise.all(Array.from({ length: 300 }, () => openRaw(server, stage)));
  await Promise.all(office.map(async (raw) => assert.deepEqual(await run(raw, "return 1"), [1])));
  assert.doesNotMatch(server.stderr, /turned away/);
});

/* --- out of descriptors ------------------------------------------------------ */

limit("limit_of_open_files_pauses_accepting_and_ends_with_it", [], async (server, stage) => {
  const ana = await openRaw(server, stage);
  const limitFiles = (n) => execFileSync("prlimit", ["--pid", `${server.pid}`, `--nofile=${n}:`]);
  limitFiles(40);
  const waiting = await Promise.all(Array.from({ length: 60 }, () => dialRaw(server)));
  waiting.forEach((raw) => stage.defer(() => raw.destroy()));
  const from = Date.now();
  await server.waitLog(/accepting paused: out of file descriptors or memory; raise the limit \(ulimit -n\) seconds=1/);
  await server.waitLog(/accepting paused[^]*accepting paused/); /* another try, a second later */
  const lines = count(server, /accepting paused/g), most = Math.ceil((Date.now() - from) / 1000) + 1;
  assert.ok(lines <= most, `${lines} lines in ${most - 1} s: it spins`);
  assert.deepEqual(await run(ana, "return 1"), [1], "who is in is served meanwhile");
  waiting.slice(0, 40).forEach((raw) => raw.destroy());
  await Promise.all(waiting.slice(40).map(async (raw) => { /* who waited is served at last */
    await raw.write(UPGRADE);
    assert.equal((await raw.answer()).status, 101);
  }));
});

/* --- what one client sends ---------------------------------------------------- */

limit("limit_max_rate_says_too_fast_once_and_loses_the_message", ["--max-rate", "5"], async (server, stage) => {
  const [raw, clock] = [await openRaw(server, stage), await openRaw(server, stage)];
  const results = [];
  let warnings = 0;
  await raw.write(Buffer.concat(Array.from({ length: 13 }, (_, i) => text({ type: "run", code: `return ${i}` }))));
  while (results.length < 10 || warnings === 0) {
    const said = (await raw.frame()).payload.toString();
    if (said === TOO_FAST) warnings++;
    else results.push(JSON.parse(said).values[0]);
  }
  assert.deepEqual(results.slice(0, 10), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.equal(warnings, 1);
  await server.waitLog(/limit=--max-rate ip=127\.0\.0\.1 times=1/);
  await run(clock, "chat.sleep(1) return 1");
  assert.deepEqual(await run(raw, "return 'a moment later'"), ["a moment later"]);
});

limit("limit_max_rate_closes_1008_who_goes_on", ["--max-rate", "5"], async (server, stage) => {
  const [raw, other] = [await openRaw(server, stage), await openRaw(server, stage)];
  await raw.write(Buffer.concat(Array.from({ length: 200 }, () => text("x"))));
  const frames = await untilClosed(raw);
  assert.deepEqual([frames.at(-1).code, frames.at(-1).reason], [1008, "too fast"]);
  assert.equal(frames.filter((f) => f.payload.toString() === TOO_FAST).length, 1);
  await other.write(text("calm"));
  await hears(other, "calm");
  await raw.write(frame(OP.CLOSE, Buffer.of(3, 240)));
  await server.waitLog(/closed code=1008 reason=\[too fast\]/);
}, ECHO);

limit("limit_max_rate_counts_pings", ["--max-rate", "5"], async (server, stage) => {
  const raw = await openRaw(server, stage);
  await raw.write(Buffer.concat(Array.from({ length: 200 }, () => frame(OP.PING, "p"))));
  const frames = await untilClosed(raw);
  assert.ok(frames.filter((f) => f.op === OP.PONG).length >= 10);
  assert.deepEqual([frames.at(-2).payload.toString(), frames.at(-1).code], [TOO_FAST, 1008]);
}, ECHO);

limit("limit_max_byte_rate_says_too_fast_then_closes_1008", ["--max-byte-rate", "10000"], async (server, stage) => {
  const raw = await openRaw(server, stage), long = "x".repeat(15000);
  await raw.write(text(long));
  await hears(raw, long);
  await raw.write(text(long));
  await hears(raw, TOO_FAST);
  await raw.write(Buffer.concat([text(long), text(long), text(long)]));
  const [closed] = await untilClosed(raw);
  assert.deepEqual([closed.code, closed.reason], [1008, "too fast"], "without another error before it");
  await server.waitLog(/limit=--max-byte-rate /);
}, ECHO);

limit("limit_max_message_closes_1009_one_byte_beyond", ["--max-message", "1k"], async (server, stage) => {
  const [raw, other] = [await openRaw(server, stage), await openRaw(server, stage)];
  await raw.write(text("x".repeat(1024)));
  await hears(raw, "x".repeat(1024));
  await raw.write(frame(OP.TEXT, "", { said: 1025 }));
  assert.equal((await untilClosed(raw)).at(-1).code, 1009);
  await server.waitLog(/limit=--max-message /);
  await other.write(text("here"));
  await hears(other, "here");
}, ECHO);

limit("limit_max_fragments_closes_1008_at_the_next_one", ["--max-fragments", "3"], async (server, stage) => {
  const raw = await openRaw(server, stage);
  const pieces = (n) => Buffer.concat(Array.from({ length: n }, (_, i) => frame(i ? OP.CONTINUATION : OP.TEXT, "x",
    { fin: i === n - 1 })));
  await raw.write(pieces(3));
  await hears(raw, "xxx");
  await raw.write(pieces(4));
  assert.equal((await untilClosed(raw)).at(-1).code, 1008);
  await server.waitLog(/limit=--max-fragments /);
}, ECHO);

limit("limit_max_json_depth_answers_bad_json", ["--max-json-depth", "3"], async (server, stage) => {
  const raw = await openRaw(server, stage);
  const deep = (n) => `{"type":"run","code":"return 1","x":${"[".repeat(n)}${"]".repeat(n)}}`;
  await raw.write(text(deep(2)));
  await hears(raw, '{"type":"result","values":[1]}');
  for (const n of [3, 100, 100_000]) {
    await raw.write(text(deep(n)));
    await hears(raw, '{"type":"error","error":"bad_json"}');
  }
  assert.deepEqual(await run(raw, "return 2"), [2]);
  await server.waitLog(/limit=--max-json-depth /);
});

/* --- heads ---------------------------------------------------------------------- */

const healthz = (fields) => `GET /healthz HTTP/1.1\r\nHost: localhost\r\n${fields}\r\n`;

async function ask(server, stage, bytes) {
  const raw = await dialRaw(server);
  stage.defer(() => raw.destroy());
  await raw.write(bytes);
  return (await raw.answer()).status;
}

limit("limit_max_head_answers_431_one_byte_beyond", ["--max-head", "256"], async (server, stage) => {
  const sized = (n) => healthz(`X: ${"x".repeat(n - healthz("X: \r\n").length)}\r\n`);
  assert.equal(await ask(server, stage, sized(256)), 200);
  assert.equal(await ask(server, stage, sized(257)), 431);
  assert.equal(await ask(server, stage, "x".repeat(257)), 431, "and needs not be whole for that");
  await server.waitLog(/limit=--max-head /);
});

limit("limit_max_fields_answers_431_one_field_beyond", ["--max-fields", "8"], async (server, stage) => {
  assert.equal(await ask(server, stage, healthz("X: x\r\n".repeat(7))), 200);
  assert.equal(await ask(server, stage, healthz("X: x\r\n".repeat(8))), 431);
  await server.waitLog(/limit=--max-fields /);
});

/* --- requests for the script ------------------------------------------------------ */

const REQUESTS = "tests/e2e/fixtures/requests.lua";

/* A request for the script, whose `code` it runs. */
const post = (code, fields, body = "") =>
  `POST /run?code=${encodeURIComponent(code)} HTTP/1.1\r\nHost: localhost\r\n${fields}\r\n${body}`;

limit("limit_max_body_answers_413_one_byte_beyond", ["--max-body", "1k"], async (server, stage) => {
  const chunks = (n) => `200\r\n${"x".repeat(512)}\r\n${(n - 512).toString(16)}\r\n${"x".repeat(n - 512)}\r\n0\r\n\r\n`;
  for (const [n, status] of [[1024, 200], [1025, 413]]) {
    assert.equal(await ask(server, stage, post("return 200", `Content-Length: ${n}\r\n`, "x".repeat(n))), status);
    assert.equal(await ask(server, stage, post("return 200", "Transfer-Encoding: chunked\r\n", chunks(n))), status);
  }
  const huge = "Content-Length: 99999999999999999999\r\nExpect: 100-continue\r\n";
  assert.equal(await ask(server, stage, post("return 200", huge)), 413, "before any of it has come");
  await server.waitLog(/request refused: its body is too large limit=--max-body ip=127\.0\.0\.1 times=1/);
}, REQUESTS);

limit("limit_max_body_reads_what_was_refused_to_its_end", ["--max-body", "1k"], async (server, stage) => {
  const raw = await dialRaw(server);
  stage.defer(() => raw.destroy());
  await raw.write(post("return 200", "Content-Length: 1000000\r\n", "x".repeat(1_000_000)));
  assert.equal((await raw.answer()).status, 413, "so that no reset loses the answer");
  await raw.finish();
}, REQUESTS);

limit("limit_head_time_ends_a_body_that_comes_byte_by_byte", ["--head-time", "1"], async (server, stage) => {
  for (const begin of [post("return 200", "Content-Length: 1000\r\n", "x"),
    post("return 200", "Transfer-Encoding: chunked\r\n", "fff\r\nx")]) {
    const raw = await dialRaw(server);
    stage.defer(() => raw.destroy());
    assert.equal(await dripForever(raw, begin), 408);
    await server.waitLog(/limit=--head-time /);
  }
}, REQUESTS);

/* The host is stuck in a handler and its inbox is full, so that no socket is read: that is no reason to wait longer. */
overThreads("limit_answer_time_holds_while_no_socket_may_be_read", {
  args: ["--answer-time", "1", "--handler-time", "2500", "--max-rate", "0", "--max-byte-rate", "0"],
  script: "tests/e2e/fixtures/requests.lua",
}, async (server, stage) => {
  const ask = async (code) => {
    const raw = await dialRaw(server);
    stage.defer(() => raw.destroy());
    await raw.write(`GET /run?code=${encodeURIComponent(code)} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    return raw;
  };
  const waits = await ask("chat.log('waits') chat.sleep(3600)");
  await server.waitLog(/waits/);
  const flood = await openRaw(server, stage);
  await ask("chat.log('stuck') while true do end");
  await server.waitLog(/stuck/);
  const many = Buffer.concat(Array(200).fill(text({ type: "seen", more: "x".repeat(40_000) })));
  flood.write(many).catch(() => {});
  assert.equal((await waits.answer()).status, 503);
  for (let i = 0; i < 100; i++) await setImmediate();
  assert.doesNotMatch(server.stderr, /handler failed/);
}, { threads: [1, 3] });

limit("limit_answer_time_answers_503_and_wakes_the_handler", ["--answer-time", "1"], async (server, stage) => {
  const raw = await dialRaw(server);
  stage.defer(() => raw.destroy());
  await raw.write(post("local _, why = chat.sleep(3600) chat.log('woken:', why) return 200", "\r\n"));
  assert.equal((await raw.answer()).status, 503);
  await raw.end();
  await server.waitLog(/woken: closed/);
  await server.waitLog(/request given up: the script does not answer limit=--answer-time ip=127\.0\.0\.1 times=1/);
  assert.equal(await ask(server, stage, post("return 200", "")), 200);
}, REQUESTS);

limit("limit_max_rate_answers_429_to_requests", ["--max-rate", "5"], async (server, stage) => {
  const raw = await dialRaw(server);
  stage.defer(() => raw.destroy());
  await raw.write(post("return 200", "").repeat(100));
  let taken = 0, status;
  while ((status = (await raw.answer()).status) === 200) taken++;
  assert.equal(status, 429);
  assert.ok(taken >= 10, `${taken} of twice 5`);
  await server.waitLog(/limit=--max-rate ip=127\.0\.0\.1 times=1/);
}, REQUESTS);

limit("limit_max_queued_answers_503_to_bodies_that_are_too_much_together",
  ["--max-queued", "64k"], async (server, stage) => {
    const both = [await dialRaw(server), await dialRaw(server)];
    for (const raw of both) {
      stage.defer(() => raw.destroy());
      await raw.write(post("return 200", "Content-Length: 60000\r\n", "x".repeat(59_999)));
    }
    assert.equal((await Promise.any(both.map((raw) => raw.answer()))).status, 503);
    await server.waitLog(/limit=--max-queued /);
    both.forEach((raw) => raw.destroy());
    assert.equal(await ask(server, stage, post("return 200", "Content-Length: 1\r\n", "x")), 200, "what it held is free again");
  }, REQUESTS);

/* --- queues --------------------------------------------------------------------- */

/* A WebSocket that takes nothing from the kernel until resume() is called. */
async function openDeaf(server, stage) {
  const socket = connect({ port: server.port, host: "127.0.0.1" });
  const raw = new Raw(socket);
  stage.defer(() => raw.destroy());
  await raw.write(UPGRADE);
  assert.equal((await raw.answer()).status, 101);
  assert.deepEqual(await run(raw, "return client:join('deaf')"), [true]);
  socket.pause();
  raw.resume = () => socket.resume();
  return raw;
}

const KIB_64 = 65536;

/* Has `driver` send 64 KiB messages, which begin with a number, to the room of the deaf, until `enough()`; more than
 * the kernel holds for them. Returns how many. */
async function flood(driver, enough) {
  for (let i = 1; i <= 1000; i++) {
    await run(driver, `chat.room('deaf'):send(('"%08d' .. ('x'):rep(${KIB_64 - 10}) .. '"'):format(${i}))`);
    if (i > 64 && enough(i)) return i;
  }
  throw new Error("64 MB were sent and nobody was too slow");
}

limit("limit_max_queue_closes_1013_who_does_not_read", ["--max-queue", "128k", "--close-time", "60"], async (server, stage) => {
  const [driver, deaf] = [await openRaw(server, stage), await openDeaf(server, stage)];
  const tooSlow = /client reads too slowly limit=--max-queue ip=127\.0\.0\.1 times=1/;
  const sent = await flood(driver, () => tooSlow.test(server.stderr));
  await server.waitLog(tooSlow);
  deaf.resume();
  const frames = await untilClosed(deaf);
  assert.deepEqual([frames.at(-1).code, frames.at(-1).reason], [1013, "too slow"]);
  frames.slice(0, -1).forEach((f, i) => assert.equal(Number(f.payload.toString("latin1", 1, 9)), i + 1));
  assert.ok(frames.length <= sent, "what waited is lost");
});

limit("limit_max_queue_drops_messages_if_told_so_and_keeps_the_client", ["--max-queue", "128k", "--slow", "drop"],
  async (server, stage) => {
    const [driver, deaf] = [await openRaw(server, stage), await openDeaf(server, stage)];
    const sent = await flood(driver, (i) => i >= 256);
    deaf.resume();
    const numbers = [];
    const takeUntil = async (last) => {
      for (let f = await deaf.frame(); !last(f); f = await deaf.frame()) numbers.push(Number(f.payload.toString("latin1", 1, 9)));
    };
    await deaf.write(frame(OP.PING, "all"));
    await takeUntil((f) => f.op === OP.PONG); /* the queue is empty: from now on messages come again */
    await run(driver, "chat.room('deaf'):send('\"after\"')");
    await takeUntil((f) => f.payload.length === 7);
    assert.ok(numbers.length < sent, `all ${sent} came`);
    numbers.forEach((n, i) => assert.ok(i === 0 || n > numbers[i - 1], "what came came in order"));
    await server.waitLog(/client reads too slowly limit=--max-queue /);
  });

limit("limit_max_queued_counts_messages_that_have_come_in_part", ["--max-queued", "1m"], async (server, stage) => {
  const whole = frame(OP.BINARY, Buffer.alloc(400_000));
  const raws = await Promise.all([0, 1, 2, 3].map(() => openRaw(server, stage)));
  for (const raw of raws) await raw.write(whole.subarray(0, -1));
  await server.waitLog(/clients together make the server keep too much limit=--max-queued ip=127\.0\.0\.1 /);
  const { op, code, reason } = await Promise.race(raws.map((raw) => raw.frame()));
  assert.deepEqual([op, code, reason], [OP.CLOSE, 1013, "too busy, try again later"]);
});

limit("limit_max_queue_does_not_close_a_reader_for_much_at_once", ["--max-queue", "64k", "--handler-time", "5000"],
  async (server, stage) => {
    const raw = await openRaw(server, stage);
    await raw.write(text({ type: "run", code: "for i = 1, 100 do client:send('\"' .. ('x'):rep(10000) .. '\"') end" }));
    for (let i = 0; i < 100; i++) assert.equal((await raw.frame()).payload.length, 10002);
    assert.equal(JSON.parse((await raw.frame()).payload).type, "result");
  });

limit("limit_max_queued_closes_1013_though_no_queue_is_full_by_itself",
  ["--max-queue", "1m", "--max-queued", "1m", "--close-time", "60"], async (server, stage) => {
    const driver = await openRaw(server, stage);
    const deaf = [await openDeaf(server, stage), await openDeaf(server, stage), await openDeaf(server, stage)];
    const tooSlow = /clients together make the server keep too much limit=--max-queued /;
    await flood(driver, () => tooSlow.test(server.stderr));
    await server.waitLog(tooSlow);
    deaf.forEach((raw) => raw.resume());
    const first = await Promise.any(deaf.map(untilClosed));
    assert.deepEqual([first.at(-1).code, first.at(-1).reason], [1013, "too slow"]);
    assert.deepEqual(await run(driver, "return 1"), [1]);
  });

limit("limit_max_queued_holds_for_the_first_message_of_each_client", ["--max-queued", "4m", "--close-time", "60"],
  async (server, stage) => {
    const driver = await openRaw(server, stage), large = 3 << 20, before = rss(server);
    for (let i = 0; i < 30; i++) await openDeaf(server, stage);
    for (let i = 0; i < 120; i++)
      await run(driver, `local c = chat.room('deaf'):members()[${i % 30 + 1}] return c and c:send(('x'):rep(${large}))`);
    await server.waitLog(/clients together make the server keep too much limit=--max-queued /);
    const grown = rss(server) - before;
    assert.ok(grown < 40 << 20, `${grown >> 20} MiB for 30 clients that read nothing`);
  });

limit("limit_max_queued_that_is_spent_leaves_alone_who_reads",
  ["--max-queued", "256k", "--close-time", "60"], async (server, stage) => {
    const driver = await openRaw(server, stage);
    const deaf = [await openDeaf(server, stage), await openDeaf(server, stage), await openDeaf(server, stage)];
    await flood(driver, () => /limit=--max-queued /.test(server.stderr)); /* the driver heard each of its answers */
    deaf.forEach((raw) => raw.destroy());
    assert.deepEqual(await run(driver, "return 1"), [1]);
  });

/* --- a client whose messages pile up ----------------------------------------------- */

/* A client that waits in a handler and has said so much more meanwhile that the server does not want to hear on, and a
 * witness of its end. */
async function openPiling(server, stage) {
  const [raw, witness] = [await openRaw(server, stage), await openRaw(server, stage)];
  await run(witness, "client:join('witnesses')");
  await raw.write(text({ type: "run", code: "chat.sleep(3600)" }));
  await raw.write(Buffer.concat(Array.from({ length: 6 }, () => text({ type: "run", code: `return 1 --${"x".repeat(50_000)}` }))));
  for (let i = 0; i < 20; i++) await run(witness, "return 1");
  return { raw, end: async () => JSON.parse((await witness.frame()).payload).code };
}

limit("limit_of_messages_that_pile_up_lets_a_close_be_heard", [], async (server, stage) => {
  const { raw, end } = await openPiling(server, stage);
  await raw.write(Buffer.concat([text("x".repeat(1000)), frame(OP.CLOSE, closing(4001))]));
  assert.equal((await untilClosed(raw)).at(-1).code, 4001);
  assert.equal(await end(), 4001);
});

limit("limit_of_messages_that_pile_up_lets_the_end_of_a_connection_be_heard", [], async (server, stage) => {
  const { raw, end } = await openPiling(server, stage);
  raw.destroy();
  assert.equal(await end(), 1006);
});

limit("limit_of_messages_that_pile_up_keeps_them_all_in_order", [], async (server, stage) => {
  const raw = await openRaw(server, stage), count = 60; /* 600 KB: more than the host and the shard keep */
  await raw.write(text({ type: "run", code: "chat.sleep(0.5)" }));
  await raw.write(Buffer.concat(Array.from({ length: count }, (_, i) =>
    text({ type: "run", code: `return ${i} --${"x".repeat(10_000)}` }))));
  assert.equal(JSON.parse((await raw.frame()).payload).type, "result");
  for (let i = 0; i < count; i++) assert.deepEqual(JSON.parse((await raw.frame()).payload).values, [i]);
});

limit("limit_max_queued_holds_for_what_clients_say_while_their_handlers_wait", ["--max-queued", "2m"], async (server, stage) => {
  const witness = await openRaw(server, stage), before = rss(server);
  const many = await Promise.all(Array.from({ length: 150 }, () => openRaw(server, stage)));
  await Promise.all(many.map((raw) => raw.write(text({ type: "run", code: "chat.sleep(3600)" }))));
  await run(witness, "return 1");
  for (let i = 0; i < 12; i++)
    for (const raw of many) raw.write(text({ type: "run", code: `return 1 --${"x".repeat(20_000)}` })).catch(() => {});
  for (let i = 0; i < 50; i++) await run(witness, "return 1");
  const grown = rss(server) - before;
  assert.ok(grown < 28 << 20, `${grown >> 20} MiB of 36 that 150 clients said`);
});

/* Small on the wire: 7 MB of text are 7 kB, so one read brings them all, before anybody can be paused. */
limit("limit_max_queued_holds_for_what_is_said_compressed_while_handlers_wait", ["--max-queued", "4m"], async (server, stage) => {
  const packed = deflateRawSync(JSON.stringify({ type: "run", code: `return 1 --${"x".repeat(1_000_000)}` }), { finishFlush: 2 });
  const large = Buffer.concat(Array(7).fill(frame(OP.TEXT, packed.subarray(0, -4), { rsv: 4 })));
  const witness = await openRaw(server, stage), many = [];
  for (let i = 0; i < 30; i++) {
    const raw = await dialRaw(server);
    stage.defer(() => raw.destroy());
    await raw.write(UPGRADE.replace(/\r\n$/, "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"));
    assert.equal((await raw.answer()).status, 101);
    await raw.write(text({ type: "run", code: "chat.sleep(3600)" }));
    many.push(raw);
  }
  await run(witness, "return 1");
  const before = rss(server);
  for (const raw of many) await raw.write(large);
  for (const raw of many) {
    const { op, code, reason } = await raw.frame();
    assert.deepEqual([op, code, reason], [OP.CLOSE, 1013, "too busy, try again later"]);
  }
  const grown = rss(server) - before;
  assert.ok(grown < 96 << 20, `${grown >> 20} MiB of 200 that 30 clients said`);
  await run(witness, "return 1");
});

/* --- rooms and scripts ------------------------------------------------------------- */

limit("limit_max_client_rooms_and_max_rooms_let_join_say_no", ["--max-client-rooms", "2", "--max-rooms", "3"],
  async (server, stage) => {
    const [ana, beto] = [await openRaw(server, stage), await openRaw(server, stage)];
    const join = (raw, room) => run(raw, `return client:join('${room}')`);
    assert.deepEqual([await join(ana, "a"), await join(ana, "b"), await join(ana, "b")], [[true], [true], [true]]);
    assert.deepEqual(await join(ana, "c"), [null, "too many rooms"]);
    assert.deepEqual(await join(beto, "c"), [true]);
    assert.deepEqual(await join(beto, "d"), [null, "too many rooms"], "the fourth of 3");
    assert.deepEqual(await run(ana, "return client:leave('a')"), [true]);
    assert.deepEqual(await join(ana, "d"), [true], "a room that ended makes room");
    await server.waitLog(/limit=--max-client-rooms /);
    await server.waitLog(/limit=--max-rooms /);
  });

limit("limit_of_a_room_name_is_1_to_128_bytes", [], async (server, stage) => {
  const raw = await openRaw(server, stage);
  assert.deepEqual(await run(raw, "return client:join('x'), client:join(('x'):rep(128)), #client:rooms()"), [true, true, 2]);
  for (const name of ["''", "('x'):rep(129)"]) {
    await raw.write(text({ type: "run", code: `client:join(${name})` }));
    await hears(raw, INTERNAL);
  }
  assert.deepEqual(await run(raw, "return #client:rooms()"), [2]);
});

limit("limit_of_timers_is_100000", ["--handler-time", "60000"], async (server, stage) => {
  const raw = await openRaw(server, stage);
  assert.deepEqual(await run(raw, `local n = 0
    while n < 200000 and pcall(chat.after, 3600, "tell", 0) do n = n + 1 end
    return n`), [100_000]);
});

limit("limit_handler_time_fails_the_handler_alone", ["--handler-time", "20", "--log-level", "debug"], async (server, stage) => {
  const [raw, other] = [await openRaw(server, stage), await openRaw(server, stage)];
  await raw.write(text({ type: "run", code: "client:join('x') while true do end" }));
  await hears(raw, INTERNAL);
  await server.waitLog(/handler failed handler=\S+ client=\d+: .*out of time/);
  await server.waitLog(/limit=--handler-time /);
  assert.deepEqual(await run(other, "return #chat.rooms()"), [0]);
});

limit("limit_script_memory_fails_the_handler_alone", ["--script-memory", "8m", "--handler-time", "60000", "--log-level", "debug"], async (server, stage) => {
  const [raw, other] = [await openRaw(server, stage), await openRaw(server, stage)];
  await raw.write(text({ type: "run", code: "local t = {} while true do t[#t + 1] = {} end" }));
  await hears(raw, INTERNAL);
  await server.waitLog(/handler failed handler=\S+ client=\d+: .*not enough memory/);
  await server.waitLog(/limit=--script-memory /);
  assert.deepEqual(await run(other, "return 1"), [1]);
});

/* --- times ------------------------------------------------------------------------- */

/* Gives `raw` a byte of an endless head (or of what follows `begin`) now and then, until it is ended; resolves with the
 * status it was told. */
async function dripForever(raw, begin = "GET / HTTP/1.1\r\nHost: localhost\r\nX: ") {
  await raw.write(begin);
  const drip = setInterval(() => void raw.write("x").catch(() => {}), 50);
  try {
    return (await raw.answer()).status;
  } finally {
    clearInterval(drip);
  }
}

limit("limit_head_time_ends_a_head_that_comes_byte_by_byte", ["--head-time", "1"], async (server, stage) => {
  const raw = await dialRaw(server);
  stage.defer(() => raw.destroy());
  assert.equal(await dripForever(raw), 408);
  await server.waitLog(/limit=--head-time /);
});

limit("limit_head_time_is_logged_though_nothing_else_happens", ["--head-time", "1"], async (server, stage) => {
  for (const times of [1, 2, 3]) {
    const raw = await dialRaw(server);
    stage.defer(() => raw.destroy());
    assert.equal((await raw.end()).length, 0);
    await server.waitLog(new RegExp(`limit=--head-time ip=127\\.0\\.0\\.1 times=${times}$`, "m"));
  }
});

overThreads("limit_head_time_holds_through_tls_and_for_its_handshake", (stage) =>
  encrypted([makeCert(folder(stage), "ana.test")], ["--head-time", "1"], { script: RUN }), async (server, stage) => {
  const raw = new Raw(await dialTls(server, stage)), idle = new Raw(await dialTls(server, stage));
  const [mute, begun] = [await dialRaw(server), await dialRaw(server)];
  stage.defer(() => [mute, begun].forEach((one) => one.destroy()));
  await begun.write(Buffer.of(22, 3, 1, 2, 0, 1)); /* a hello, and no more of it */
  assert.equal(await dripForever(raw), 408);
  for (const one of [idle, mute, begun]) assert.equal((await one.end()).length, 0, "to one that asked nothing nothing is said");
}, { threads: [0, 3] });

limit("limit_ping_timeout_drops_who_gives_no_sign", ["--ping-interval", "2", "--ping-timeout", "1"], async (server, stage) => {
  const [raw, other] = [await openRaw(server, stage), await openRaw(server, stage)];
  const pings = Promise.all([raw.frame(), other.frame()]);
  assert.deepEqual((await pings).map((f) => f.op), [OP.PING, OP.PING]);
  await other.write(frame(OP.PONG));
  assert.equal((await raw.end()).length, 0);
  await server.waitLog(/closed code=1006/);
  await server.waitLog(/limit=--ping-timeout /);
  await other.write(text("here"));
  await hears(other, "here");
}, ECHO);

limit("limit_close_time_drops_who_does_not_answer_a_close", ["--close-time", "1"], async (server, stage) => {
  const [raw, witness] = [await openRaw(server, stage), await openRaw(server, stage)];
  assert.deepEqual(await run(witness, "return client:join('witnesses')"), [true]);
  await raw.write(text({ type: "run", code: "client:close(4000, 'off')" }));
  assert.equal((await raw.frame()).code, 4000);
  assert.equal((await raw.end()).length, 0);
  assert.equal(JSON.parse((await witness.frame()).payload).type, "end");
  await server.waitLog(/limit=--close-time /);
});

/* --- origins ----------------------------------------------------------------------- */

const from = (origin, host = "chat.test:7272") =>
  UPGRADE.replace("Host: localhost", `Host: ${host}${origin === null ? "" : `\r\nOrigin: ${origin}`}`);

const ORIGINS = [
  [null, 101], ["http://chat.test:7272", 101], ["http://chat.test:55151", 101], ["https://chat.test", 101],
  ["http://CHAT.test", 101], ["http://evil.test", 403], ["http://evil.test:7272", 403], ["http://chat.test.evil.test", 403],
  ["http://evil-chat.test", 403], ["http://chat.test@evil.test", 403], ["null", 403], ["", 403], ["chat.test", 403],
  ["http://", 403],
];

async function origins(server, stage, cases) {
  for (const [origin, status, host] of cases) {
    assert.equal(await ask(server, stage, from(origin, host)), status, `${origin} to ${host ?? "chat.test:7272"}`);
  }
}

limit("origin_is_the_host_that_was_asked_or_none_whatever_the_port", [], async (server, stage) => {
  await origins(server, stage, [...ORIGINS, ["http://[::1]:8080", 101, "[::1]:7272"], ["http://[::2]:7272", 403, "[::1]:7272"]]);
});

limit("origin_may_be_another_one_that_the_operator_lists",
  ["--origin", "https://a.test", "--origin", "http://b.test:8080"], async (server, stage) => {
    await origins(server, stage, [...ORIGINS, ["https://a.test", 101], ["http://b.test:8080", 101], ["http://a.test", 403],
      ["https://a.test:8080", 403], ["http://b.test", 403]]);
  });

limit("origin_may_be_any_if_the_operator_says_so", ["--origin", "*"], async (server, stage) => {
  await origins(server, stage, ORIGINS.map(([origin]) => [origin, 101]));
});

/* --- options ----------------------------------------------------------------------- */

test("limit_of_how_often_an_option_may_be_said_is_told", async () => {
  const times = (n, ...args) => Array(n).fill(args).flat();
  for (const [args, line] of [
    [times(17, "--listen", "127.0.0.1:0"), /16 are the most/],
    [times(17, "--cert", "x"), /16 are the most/],
    [times(65, "--trust-proxy", "unix"), /64 are the most/],
    [times(257, "--set", "a=b"), /256 are the most/],
  ]) {
    const { code, stderr } = await runToEnd(args);
    assert.equal(code, 2);
    assert.match(stderr, line);
  }
});
