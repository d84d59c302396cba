/* wire.test.mjs: RFC 6455 and the HTTP around it, rule by rule, on bare sockets. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { closing, dialRaw, frame, KEY, OP, openRaw, UPGRADE } from "./raw.mjs";
import { overThreads } from "./server.mjs";

const ECHO = { script: "tests/e2e/fixtures/echo.lua" };
const echo = (...args) => ({ ...ECHO, args });

/* The scenario gets an open WebSocket to a server that echoes. */
const wire = (name, play, options = ECHO) => overThreads(name, options, async (server, stage) => {
  await play(await openRaw(server, stage), server, stage);
});

/* The next frame is `op` with `payload`, whole, unmasked and without reserved bits. */
async function gets(raw, op, payload) {
  const f = await raw.frame();
  assert.deepEqual({ fin: f.fin, rsv: f.rsv, op: f.op, masked: f.masked }, { fin: true, rsv: 0, op, masked: false });
  assert.ok(f.payload.equals(Buffer.from(payload)), `${f.payload.length} bytes came, ${Buffer.from(payload).length} were due`);
  return f;
}

/* The next frame is a Close with `code`; then the server ends the connection. */
async function isClosed(raw, code, what = "") {
  const f = await raw.frame();
  assert.deepEqual([f.op, f.code], [OP.CLOSE, code], what);
  assert.equal((await raw.end()).length, 0, "nothing follows a Close");
  return f;
}

/* Each of `cases` {name: bytes or writes} ends its own connection with `code`. */
const allClosed = (name, code, cases, options) => overThreads(name, options ?? ECHO, async (server, stage) => {
  for (const [what, bytes] of Object.entries(cases)) {
    const raw = await openRaw(server, stage);
    await raw.write(Buffer.concat([bytes].flat()));
    await isClosed(raw, code, what);
  }
});

/* --- frames and messages (RFC 6455 5) ------------------------------------ */

wire("wire_takes_and_gives_every_form_of_length", async (raw) => {
  for (const [length, head] of [[0, 2], [1, 2], [125, 2], [126, 4], [65535, 4], [65536, 10], [300_000, 10]]) {
    for (const op of [OP.TEXT, OP.BINARY]) {
      const payload = Buffer.alloc(length, op === OP.TEXT ? "a" : 0xfe);
      await raw.write(frame(op, payload));
      assert.equal((await gets(raw, op, payload)).head.length, head, `length ${length}`);
    }
  }
});

wire("wire_gives_back_a_message_of_the_largest_size", async (raw) => {
  const payload = Buffer.alloc(1 << 20, 0xfe);
  await raw.write(frame(OP.BINARY, payload));
  await gets(raw, OP.BINARY, payload);
});

wire("wire_echoes_fragments_as_one_message_and_answers_the_ping_between", async (raw) => {
  for (const op of [OP.TEXT, OP.BINARY]) {
    await raw.write(Buffer.concat([
      frame(op, "uno ", { fin: false }),
      frame(OP.PING, "still there?"),
      frame(OP.CONTINUATION, "", { fin: false }),
      frame(OP.PONG, "unasked"),
      frame(OP.CONTINUATION, "dos ", { fin: false }),
      frame(OP.CONTINUATION, "tres"),
    ]));
    await gets(raw, OP.PONG, "still there?");
    await gets(raw, op, "uno dos tres");
  }
});

wire("wire_takes_a_character_split_between_fragments", async (raw) => {
  const text = Buffer.from("¡猪👋!");
  for (let i = 0; i <= text.length; i++) {
    await raw.write(frame(OP.TEXT, text.subarray(0, i), { fin: false }));
    await raw.write(frame(OP.CONTINUATION, text.subarray(i)));
    await gets(raw, OP.TEXT, text);
  }
});

overThreads("wire_takes_everything_byte_by_byte", ECHO, async (server, stage) => {
  const raw = await dialRaw(server);
  stage.defer(() => raw.destroy());
  const long = Buffer.alloc(300, "猪");
  await raw.drip(UPGRADE);
  assert.equal((await raw.answer()).status, 101);
  await raw.drip(frame(OP.TEXT, long));
  await gets(raw, OP.TEXT, long);
  await raw.drip(frame(OP.BINARY, "in ", { fin: false, form: 7 }));
  await raw.drip(frame(OP.PING, "p"));
  await raw.drip(frame(OP.CONTINUATION, "parts"));
  await gets(raw, OP.PONG, "p");
  await gets(raw, OP.BINARY, "in parts");
  await raw.drip(frame(OP.CLOSE, closing(1000, "bye")));
  await isClosed(raw, 1000);
});

wire("wire_answers_pings_with_the_same_payload_in_order", async (raw) => {
  const payloads = [0, 1, 124, 125].map((n) => Buffer.alloc(n, 0xff));
  await raw.write(Buffer.concat(payloads.map((p) => frame(OP.PING, p))));
  for (const payload of payloads) await gets(raw, OP.PONG, payload);
});

wire("wire_ignores_pongs_nobody_asked_for", async (raw) => {
  await raw.write(Buffer.concat([frame(OP.PONG, "x"), frame(OP.PONG), frame(OP.TEXT, "y")]));
  await gets(raw, OP.TEXT, "y");
});

wire("wire_unmasks_with_any_key", async (raw) => {
  for (const key of ["00000000", "ffffffff", "00ff00ff", "12345678"]) {
    await raw.write(frame(OP.TEXT, `with ${key}`, { mask: Buffer.from(key, "hex") }));
    await gets(raw, OP.TEXT, `with ${key}`);
  }
});

overThreads("wire_takes_frames_right_behind_the_upgrade_request", ECHO, async (server, stage) => {
  const raw = await dialRaw(server);
  stage.defer(() => raw.destroy());
  await raw.write(Buffer.concat([Buffer.from(UPGRADE), frame(OP.TEXT, "one"), frame(OP.PING, "two"),
    frame(OP.TEXT, "three"), frame(OP.TEXT, "four").subarray(0, 3)]));
  assert.equal((await raw.answer()).status, 101);
  /* The pong is the connection's own work, the echoes go through the script. */
  const came = [await raw.frame(), await raw.frame(), await raw.frame()].map((f) => f.payload.toString());
  assert.deepEqual(came.filter((text) => text !== "two"), ["one", "three"]);
  assert.ok(came.includes("two"));
});

allClosed("wire_closes_1002_on_a_frame_against_the_protocol", 1002, {
  "not masked": frame(OP.TEXT, "x", { mask: null }),
  "not masked, empty": frame(OP.TEXT, "", { mask: null }),
  "RSV1": frame(OP.TEXT, "x", { rsv: 4 }),
  "RSV2": frame(OP.TEXT, "x", { rsv: 2 }),
  "RSV3": frame(OP.PING, "x", { rsv: 1 }),
  "opcode 3": frame(3, "x"),
  "opcode 7": frame(7, "x"),
  "opcode 11": frame(11, "x"),
  "opcode 15": frame(15, "x"),
  "a fragmented ping": frame(OP.PING, "x", { fin: false }),
  "a fragmented close": frame(OP.CLOSE, closing(1000), { fin: false }),
  "a ping of 126 bytes": frame(OP.PING, Buffer.alloc(126)),
  "a close of 126 bytes": frame(OP.CLOSE, closing(1000, "x".repeat(124))),
  "a continuation of nothing": frame(OP.CONTINUATION, "x"),
  "a continuation after the end": [frame(OP.TEXT, "a", { fin: false }), frame(OP.CONTINUATION, "b", { fin: false }),
    frame(OP.TEXT, "c")],
  "a message within a message": [frame(OP.TEXT, "a", { fin: false }), frame(OP.BINARY, "b")],
  "5 in 16 bits": frame(OP.TEXT, "hello", { form: 16 }),
  "125 in 16 bits": frame(OP.TEXT, "x".repeat(125), { form: 16 }),
  "5 in 64 bits": frame(OP.TEXT, "hello", { form: 64 }),
  "65535 in 64 bits": frame(OP.BINARY, Buffer.alloc(65535), { form: 64 }),
  "the highest bit of a length": frame(OP.BINARY, "", { form: 64, said: 1n << 63n }),
});

/* --- UTF-8 (RFC 6455 8.1, RFC 3629) -------------------------------------- */

const WRONG_TEXT = {
  "a lone continuation": [0x80],
  "0xfe": [0xfe],
  "0xff": [0xff],
  "overlong /": [0xc0, 0xaf],
  "overlong NUL": [0xe0, 0x80, 0x80],
  "a surrogate": [0xed, 0xa0, 0x80],
  "beyond U+10FFFF": [0xf4, 0x90, 0x80, 0x80],
  "a start after a start": [0xe7, 0x8c, 0x41],
};
const each = (cases, f) => Object.fromEntries(Object.entries(cases).map(([what, bytes]) => [what, f(Buffer.from(bytes))]));

allClosed("wire_closes_1007_on_text_that_is_not_utf8", 1007, {
  ...each(WRONG_TEXT, (bytes) => frame(OP.TEXT, Buffer.concat([Buffer.from("good "), bytes]))),
  "an end within a character": frame(OP.TEXT, Buffer.from("猪").subarray(0, 2)),
  "an end within a character, in fragments": [frame(OP.TEXT, Buffer.from("猪").subarray(0, 2), { fin: false }),
    frame(OP.CONTINUATION, "")],
  "a close's reason": frame(OP.CLOSE, closing(1000, Buffer.of(0xff))),
});

allClosed("wire_closes_1007_at_the_first_wrong_byte_of_an_unfinished_frame", 1007, {
  ...each(WRONG_TEXT, (bytes) => frame(OP.TEXT, Buffer.concat([Buffer.from("good "), bytes]), { said: 1000 })),
  "in an unfinished message": frame(OP.TEXT, Buffer.of(0x41, 0xff), { fin: false }),
  "in a later fragment": [frame(OP.TEXT, Buffer.of(0xe7), { fin: false }),
    frame(OP.CONTINUATION, Buffer.of(0x8c, 0x20), { fin: false, said: 70000 })],
});

wire("wire_closes_1007_at_the_wrong_byte_and_not_before", async (raw) => {
  const wrong = Buffer.of(0xf0, 0x9f, 0x91, 0x41);
  for (let i = 0; i < 3; i++) {
    await raw.write(frame(i ? OP.CONTINUATION : OP.TEXT, wrong.subarray(i, i + 1), { fin: false }));
    await raw.write(frame(OP.PING, `${i}`));
    await gets(raw, OP.PONG, `${i}`);
  }
  await raw.write(frame(OP.CONTINUATION, wrong.subarray(3), { said: 100 }));
  await isClosed(raw, 1007);
});

wire("wire_takes_any_bytes_as_binary", async (raw) => {
  const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  await raw.write(frame(OP.BINARY, all));
  await gets(raw, OP.BINARY, all);
});

/* --- limits --------------------------------------------------------------- */

const LIMITS = echo("--max-message", "1000", "--max-fragments", "4");

wire("wire_takes_messages_up_to_the_limits", async (raw) => {
  await raw.write(frame(OP.BINARY, Buffer.alloc(1000)));
  await gets(raw, OP.BINARY, Buffer.alloc(1000));
  for (let i = 0; i < 4; i++) {
    await raw.write(frame(i ? OP.CONTINUATION : OP.BINARY, Buffer.alloc(250), { fin: i === 3 }));
  }
  await gets(raw, OP.BINARY, Buffer.alloc(1000));
}, LIMITS);

allClosed("wire_closes_1009_at_the_header_of_a_message_that_is_too_big", 1009, {
  "one frame": frame(OP.BINARY, "", { said: 1001 }),
  "the largest length": frame(OP.BINARY, "", { said: (1n << 63n) - 1n }),
  "in fragments": [frame(OP.TEXT, "x".repeat(999), { fin: false }), frame(OP.CONTINUATION, "", { said: 2 })],
}, LIMITS);

allClosed("wire_closes_1008_at_one_fragment_too_many", 1008, {
  "five of four": [0, 1, 2, 3, 4].map((i) => frame(i ? OP.CONTINUATION : OP.TEXT, "x", { fin: false })),
  "five of four, empty": [0, 1, 2, 3, 4].map((i) => frame(i ? OP.CONTINUATION : OP.TEXT, "", { fin: i === 4 })),
}, LIMITS);

/* --- what came before the fault ------------------------------------------- */

const FAULTS = {
  1002: frame(3, "x"),
  1007: frame(OP.TEXT, Buffer.of(0xff)),
  1009: frame(OP.BINARY, "", { said: 1001 }),
};

wire("wire_answers_what_came_in_front_of_a_fault_before_the_close", async (first, server, stage) => {
  first.destroy();
  for (const [code, fault] of Object.entries(FAULTS)) {
    for (const count of [1, 200]) { /* more than the rules handle in a turn */
      const raw = await openRaw(server, stage);
      const said = Array.from({ length: count }, (_, i) => `${code} ${i}`);
      const { mark } = server;
      await raw.write(Buffer.concat([...said.map((text) => frame(OP.TEXT, text)), fault, frame(OP.TEXT, "behind it")]));
      for (const text of said) await gets(raw, OP.TEXT, text);
      const { reason } = await isClosed(raw, Number(code));
      await server.waitLog(new RegExp(`closed code=${code} reason=\\[${reason}\\]`), { from: mark });
    }
  }
}, LIMITS);

overThreads("wire_answers_what_came_with_the_upgrade_in_front_of_a_fault", ECHO, async (server, stage) => {
  const raw = await dialRaw(server);
  stage.defer(() => raw.destroy());
  await raw.write(Buffer.concat([Buffer.from(UPGRADE), frame(OP.TEXT, "hi"), FAULTS[1002]]));
  assert.equal((await raw.answer()).status, 101);
  await gets(raw, OP.TEXT, "hi");
  await isClosed(raw, 1002);
});

const RULES = { script: "tests/e2e/fixtures/run.lua" };
const run = (code) => frame(OP.TEXT, JSON.stringify({ type: "run", code }));
const values = async (raw) => JSON.parse((await raw.frame()).payload).values;

wire("wire_closes_at_once_on_a_fault_behind_a_handler_that_waits", async (raw) => {
  await raw.write(Buffer.concat([run("client:send('waits') chat.sleep(3600)"), run("return 'put off'"), FAULTS[1002]]));
  assert.equal((await raw.frame()).payload.toString(), "waits");
  await isClosed(raw, 1002);
}, RULES);

wire("wire_answers_what_was_put_off_in_front_of_a_fault_before_the_close", async (raw, server, stage) => {
  const friend = await openRaw(server, stage);
  const count = 60, work = "for _ = 1, 2e5 do end"; /* together more than the share of a turn */
  await raw.write(Buffer.concat([run("while not kept.go do chat.sleep(0.01) end return 0"),
    ...Array.from({ length: count }, (_, i) => run(`${work} return ${i + 1}`))]));
  await friend.write(run("kept.go = true return true"));
  assert.deepEqual(await values(friend), [true]);
  assert.deepEqual(await values(raw), [0]);
  await raw.write(FAULTS[1002]);
  for (let i = 1; i <= count; i++) assert.deepEqual(await values(raw), [i]);
  await isClosed(raw, 1002);
}, RULES);

wire("wire_closes_on_a_fault_as_soon_as_something_in_front_of_it_waits", async (raw, server, stage) => {
  const friend = await openRaw(server, stage);
  const work = "for _ = 1, 5e5 do end";
  await raw.write(Buffer.concat([run("while not kept.go do chat.sleep(0.01) end return 0"), ...Array(9).fill(run(`${work} return 1`)),
    run("chat.sleep(3600)"), run("return 'put off'")]));
  await friend.write(run("kept.go = true return true"));
  assert.deepEqual(await values(friend), [true]);
  assert.deepEqual(await values(raw), [0]);
  await raw.write(FAULTS[1002]);
  for (let i = 0; i < 9; i++) assert.deepEqual(await values(raw), [1]);
  await isClosed(raw, 1002);
}, RULES);

/* --- closing (RFC 6455 5.5.1, 7) ------------------------------------------ */

overThreads("wire_echoes_a_valid_close_code", ECHO, async (server, stage) => {
  for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]) {
    const raw = await openRaw(server, stage);
    const { mark } = server;
    await raw.write(frame(OP.CLOSE, closing(code, `adiós ${code}`)));
    await isClosed(raw, code);
    await server.waitLog(new RegExp(`closed code=${code} reason=\\[adiós ${code}\\]`), { from: mark });
  }
});

allClosed("wire_closes_1002_on_an_invalid_close", 1002, {
  "a payload of one byte": frame(OP.CLOSE, Buffer.of(3)),
  "a payload of one byte, and one behind it": [frame(OP.CLOSE, Buffer.of(3)), Buffer.of(0xe8)],
  ...Object.fromEntries([0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]
    .map((code) => [`code ${code}`, frame(OP.CLOSE, closing(code))])),
});

wire("wire_answers_a_close_without_payload_with_one", async (raw, server) => {
  await raw.write(frame(OP.CLOSE));
  await gets(raw, OP.CLOSE, "");
  assert.equal((await raw.end()).length, 0);
  await server.waitLog(/closed code=1005 reason=\[\]/);
});

wire("wire_closes_with_a_reason_of_123_bytes", async (raw) => {
  await raw.write(frame(OP.CLOSE, closing(1000, "x".repeat(123))));
  await isClosed(raw, 1000);
});

wire("wire_swallows_what_follows_a_close", async (raw) => {
  await raw.write(Buffer.concat([frame(OP.CLOSE, closing(1000)), frame(OP.TEXT, "late"), frame(OP.PING, "late"),
    Buffer.alloc(200_000, 0xff)]));
  await isClosed(raw, 1000);
  for (let i = 0; i < 64; i++) await raw.write(Buffer.alloc(65536, 0xff));
  await raw.finish(); /* a reset could overtake the Close */
});

wire("wire_says_1006_to_the_script_when_the_line_is_lost", async (raw, server) => {
  raw.destroy();
  await server.waitLog(/closed code=1006 reason=\[\]/);
});

/* --- our own pings --------------------------------------------------------- */

wire("wire_drops_the_client_that_answers_no_ping_and_keeps_the_others", async (silent, server, stage) => {
  const [answering, talking] = [await openRaw(server, stage), await openRaw(server, stage)];
  const [ping] = await Promise.all([gets(silent, OP.PING, ""), gets(talking, OP.PING, ""), gets(answering, OP.PING, "")]);
  await answering.write(frame(OP.PONG, ping.payload));
  await talking.write(frame(OP.TEXT, "as good as a pong"));
  await gets(talking, OP.TEXT, "as good as a pong");
  assert.equal((await silent.end()).length, 0);
  await server.waitLog(/closed code=1006/);
  await Promise.all([gets(answering, OP.PING, ""), gets(talking, OP.PING, "")]);
}, echo("--ping-interval", "2", "--ping-timeout", "1"));

/* --- the opening handshake (RFC 6455 4.2) ---------------------------------- */

/* The upgrade request with fields changed: null leaves one out, an array repeats it. */
function request(changes = {}, { line = "GET / HTTP/1.1", tail = "" } = {}) {
  const fields = { Host: "localhost", Upgrade: "websocket", Connection: "Upgrade", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY, ...changes };
  const lines = Object.entries(fields).filter(([, value]) => value !== null)
    .flatMap(([name, value]) => [value].flat().map((one) => `${name}: ${one}`));
  return [line, ...lines, "", tail].join("\r\n");
}

const REFUSED = {
  "a method other than GET": [405, request({}, { line: "POST / HTTP/1.1" })],
  "HTTP/1.0": [400, request({}, { line: "GET / HTTP/1.0" })],
  "HTTP/2.0": [505, request({}, { line: "GET / HTTP/2.0" })],
  "no Host": [400, request({ Host: null })],
  "two Hosts": [400, request({ Host: ["a", "b"] })],
  "Upgrade: h2c": [400, request({ Upgrade: "h2c" })],
  "no Upgrade": [400, request({ Upgrade: null })],
  "no Connection": [400, request({ Connection: null })],
  "Connection: keep-alive": [400, request({ Connection: "keep-alive" })],
  "no key": [400, request({ "Sec-WebSocket-Key": null })],
  "two keys": [400, request({ "Sec-WebSocket-Key": [KEY, KEY] })],
  "a key of 15 bytes": [400, request({ "Sec-WebSocket-Key": Buffer.alloc(15).toString("base64") })],
  "a key of 17 bytes": [400, request({ "Sec-WebSocket-Key": Buffer.alloc(17).toString("base64") })],
  "a key that is not base64": [400, request({ "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZ!==" })],
  "an empty key": [400, request({ "Sec-WebSocket-Key": "" })],
  "no version": [426, request({ "Sec-WebSocket-Version": null })],
  "version 8": [426, request({ "Sec-WebSocket-Version": "8" })],
  "two versions": [426, request({ "Sec-WebSocket-Version": ["13", "8"] })],
  "a body": [400, request({ "Content-Length": "5" }, { tail: "hello" })],
  "a chunked body": [400, request({ "Transfer-Encoding": "chunked" }, { tail: "0\r\n\r\n" })],
  "two lengths": [400, request({ "Content-Length": ["1", "2"] })],
  "a head over 16 KiB": [431, request({ Cookie: "c".repeat(16384) })],
  "an endless head": [431, `GET /${"x".repeat(20000)}`],
  "101 fields": [431, request({ "X-More": Array(96).fill("x") })],
  "a folded field": [400, request({ "X-Folded": "a\r\n b" })],
  "a space before the colon": [400, request({ "X-Space ": "a" })],
  "a NUL": [400, request({ "X-Nul": "a\0b" })],
  "a bare line feed": [400, request().replace("\r\nUpgrade", "\nUpgrade")],
  "no sense": [400, "hello there\r\n\r\n"],
  "a TLS hello": [400, Buffer.concat([Buffer.from([22, 3, 1, 0, 5, 1]), Buffer.from("\r\n\r\n")])],
};

overThreads("wire_refuses_a_wrong_upgrade_and_says_why", ECHO, async (server, stage) => {
  for (const [what, [status, bytes]] of Object.entries(REFUSED)) {
    const raw = await dialRaw(server);
    stage.defer(() => raw.destroy());
    await raw.write(bytes);
    const answer = await raw.answer();
    assert.equal(answer.status, status, what);
    assert.match(answer.body, new RegExp(`^${status} [A-Z][A-Za-z ]+: \\S.*\\n$`), what);
    assert.equal(answer.headers.connection, "close", what);
    assert.match(answer.headers["content-type"], /^text\/plain/, what);
    if (status === 426) {
      assert.equal(answer.headers["sec-websocket-version"], "13", what);
      assert.equal(answer.headers.upgrade, "websocket", what);
    }
    if (status === 405) assert.equal(answer.headers.allow, "GET", what);
    assert.equal((await raw.end()).length, 0, what);
  }
});

const TAKEN = {
  "tokens in lists and any case": request({ Connection: "keep-alive, uPGRADE", Upgrade: "h2c, WebSocket" }),
  "field names in any case": request().replaceAll(/^[A-Za-z-]+:/gm, (name) => name.toLowerCase()),
  "Connection in two fields": request({ Connection: ["keep-alive", "Upgrade"] }),
  "an absolute target": request({}, { line: "GET http://localhost/room?x=1 HTTP/1.1" }),
  "100 fields": request({ "X-More": Array(95).fill("x") }),
  "no space after the colon": request().replaceAll(/: /g, ":"),
  "empty lines before it": `\r\n\r\n${request()}`,
  "protocols and extensions that we do not have": request({ "Sec-WebSocket-Protocol": "chat, superchat",
    "Sec-WebSocket-Extensions": "permessage-foo" }),
};

overThreads("wire_takes_every_right_form_of_an_upgrade", ECHO, async (server, stage) => {
  const accept = createHash("sha1").update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  for (const [what, bytes] of Object.entries(TAKEN)) {
    const raw = await dialRaw(server);
    stage.defer(() => raw.destroy());
    await raw.write(bytes);
    const answer = await raw.answer();
    assert.deepEqual([answer.status, answer.headers["sec-websocket-accept"]], [101, accept], what);
    assert.ok(!("sec-websocket-protocol" in answer.headers || "sec-websocket-extensions" in answer.headers), what);
    await raw.write(frame(OP.TEXT, what));
    await gets(raw, OP.TEXT, what);
  }
});

/* --- HTTP around it --------------------------------------------------------- */

const get = (path, fields = "", version = "1.1") => `GET ${path} HTTP/${version}\r\nHost: localhost\r\n${fields}\r\n`;

overThreads("http_answers_pipelined_requests_in_order", ECHO, async (server, stage) => {
  const raw = await dialRaw(server);
  stage.defer(() => raw.destroy());
  await raw.write(get("/healthz") + get("/not/there") + get("/healthz") + UPGRADE);
  const statuses = [];
  for (let i = 0; i < 4; i++) statuses.push((await raw.answer()).status);
  assert.deepEqual(statuses, [200, 404, 200, 101]);
  await raw.write(frame(OP.TEXT, "and on it goes"));
  await gets(raw, OP.TEXT, "and on it goes");
});

overThreads("http_keeps_a_connection_as_long_as_the_client_wants", ECHO, async (server, stage) => {
  const raw = await dialRaw(server);
  stage.defer(() => raw.destroy());
  for (let i = 0; i < 3; i++) {
    await raw.drip(get("/healthz"));
    const answer = await raw.answer();
    assert.deepEqual([answer.status, answer.headers.connection], [200, undefined]);
  }
  await raw.write(get("/healthz", "Connection: close\r\n") + get("/healthz"));
  assert.equal((await raw.answer()).headers.connection, "close");
  assert.equal((await raw.end()).length, 0, "no answer after the last one");
});

overThreads("http_ends_after_an_answer_in_http_1_0", ECHO, async (server, stage) => {
  const raw = await dialRaw(server);
  stage.defer(() => raw.destroy());
  await raw.write(get("/healthz", "", "1.0"));
  assert.equal((await raw.answer()).status, 200);
  assert.equal((await raw.end()).length, 0);
});

overThreads("http_ends_a_head_that_comes_too_slowly", echo("--head-time", "1"), async (server, stage) => {
  const [slow, idle] = [await dialRaw(server), await dialRaw(server)];
  stage.defer(() => slow.destroy());
  stage.defer(() => idle.destroy());
  await slow.write("GET / HTTP/1.1\r\nHost: loc");
  assert.equal((await slow.answer()).status, 408);
  assert.equal((await slow.end()).length, 0);
  assert.equal((await idle.end()).length, 0, "to one that asked nothing nothing is said");
});

overThreads("http_keeps_an_idle_connection_for_the_keep_alive_time", echo("--keep-alive-time", "1", "--head-time", "60"),
  async (server, stage) => {
    const [kept, mute] = [await dialRaw(server), await dialRaw(server)];
    stage.defer(() => kept.destroy());
    stage.defer(() => mute.destroy());
    await kept.write(get("/healthz"));
    const answer = await kept.answer();
    assert.equal(answer.status, 200);
    assert.ok(Math.abs(Date.parse(answer.headers.date) - Date.now()) < 60_000, answer.headers.date);
    assert.equal((await kept.end()).length, 0, "its time is over before that of a head");
    await mute.write(get("/healthz"));
    assert.equal((await mute.answer()).status, 200, "one that has not asked yet has the time of a head");
  });
