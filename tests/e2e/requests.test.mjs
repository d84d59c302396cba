/* requests.test.mjs: plain HTTP requests that handlers of app.http answer: what they get, what they may return, what
 * comes between, and what the server does when somebody does not keep to it. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { test } from "node:test";
import { promisify } from "node:util";
import { dialTls, encrypted, folder, makeCert } from "./certs.mjs";
import { connect } from "./client.mjs";
import { dialRaw, frame, OP, Raw, UPGRADE } from "./raw.mjs";
import { overThreads, startServer, within } from "./server.mjs";

const SCRIPT = "tests/e2e/fixtures/requests.lua";
const HOST = "Host: localhost\r\n";
const TIMES = ["--handler-time", "5000", "--ping-interval", "86400"];

/* --- helpers ---------------------------------------------------------------- */

/* The scenario over threads 0 and 3; with `tls`, over both and encrypted too. */
function requests(name, play, { args = [], script = SCRIPT, tls = false, more = () => ({}) } = {}) {
  const options = (stage) => ({ args: [...TIMES, ...args], script, ...more(stage) });
  overThreads(name, options, play, { threads: [0, 3] });
  if (tls) {
    overThreads(`${name}_over_tls`, (stage) => {
      const { args: all, ...rest } = options(stage);
      return encrypted([makeCert(folder(stage), "ana.test")], all, rest);
    }, play, { threads: [0, 3] });
  }
}

const isTls = (stage) => stage.options.listen?.startsWith("tls:") ?? false;

/* A request by node's client. Resolves with {status, headers, body}. */
async function ask(server, stage, method, path, { body, headers = {}, agent } = {}) {
  const answer = new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port: server.port, method, path, headers, agent: agent ?? false, rejectUnauthorized: false };
    const request = (isTls(stage) ? https : http).request(options, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts).toString() }));
    });
    request.on("error", reject);
    for (const part of [body ?? []].flat()) request.write(part);
    request.end();
  });
  return within(answer, `answer to ${method} ${path}`, () => server.stderr);
}

const runPath = (code) => `/run?code=${encodeURIComponent(code)}`;

/* What the Lua `code` answers to a request. */
const run = (server, stage, code, { method = "POST", ...rest } = {}) => ask(server, stage, method, runPath(code), rest);

/* What `code` returns behind its status, as JSON. */
async function value(server, stage, code, rest) {
  const { status, body } = await run(server, stage, `return 200, { v = (function() ${code} end)() }`, rest);
  assert.equal(status, 200, body);
  return JSON.parse(body).v;
}

async function dial(server, stage) {
  const raw = isTls(stage) ? new Raw(await dialTls(server, stage)) : await dialRaw(server);
  stage.defer(() => raw.destroy());
  return raw;
}

/* A WebSocket client in `room`. */
async function listener(server, stage, room) {
  const url = `${isTls(stage) ? "wss" : "ws"}://127.0.0.1:${server.port}/`;
  const client = await connect(url, { rejectUnauthorized: false });
  client.send({ type: "listen", room });
  assert.deepEqual(await client.next(), { type: "listening" });
  return client;
}

const post = (code, fields = "", body = "") => `POST ${runPath(code)} HTTP/1.1\r\n${HOST}${fields}\r\n${body}`;
const posted = (code, body) => post(code, `Content-Length: ${Buffer.byteLength(body)}\r\n`, body);

/* Saves rules that a scenario changes; resolves with the path. */
function saveRules(stage, text) {
  const path = stage.rules ??= `${folder(stage)}/rules.lua`;
  writeFileSync(path, text);
  return path;
}

/* --- what it is for ----------------------------------------------------------- */

requests("request_of_an_alert_manager_posts_into_a_room", async (server, stage) => {
  const ana = await listener(server, stage, "alerts");
  const alert = (token) => ask(server, stage, "POST", "/hooks/alert", {
    body: JSON.stringify({ text: "the cellar is wet" }),
    headers: { "content-type": "application/json", ...(token ? { authorization: `Bearer ${token}` } : {}) },
  });
  for (const token of [null, "", "s3cre", "s3crets", "S3CRET"]) {
    const { status, body } = await alert(token);
    assert.deepEqual([status, body], [401, '{"error":"bad_token"}']);
  }
  const { status, headers, body } = await alert("s3cret");
  assert.deepEqual([status, headers["content-type"], body], [200, "application/json", '{"ok":true}']);
  assert.deepEqual(await ana.next(), { type: "alert", text: "the cellar is wet" });
  assert.doesNotMatch(server.stderr, /s3cret|cellar|hooks/, "nothing of it is logged");
  await ana.close();
}, { args: ["--set", "token=s3cret"], tls: true });

requests("request_is_refused_by_has_bearer_where_no_secret_is_set", async (server, stage) => {
  for (const authorization of ["Bearer ", "Bearer nil", "Bearer"]) {
    const { status } = await ask(server, stage, "POST", "/hooks/alert", { body: "{}", headers: { authorization } });
    assert.equal(status, 401);
  }
  assert.deepEqual(await value(server, stage, "return { request:has_bearer(nil), request:has_bearer(''), request:has_bearer() }",
    { headers: { authorization: "Bearer " } }), [false, false, false]);
});

requests("request_comes_from_curl", async (server, stage) => {
  const large = `${folder(stage)}/large`;
  writeFileSync(large, "x".repeat(2_000_000));
  const curl = async (...args) => (await promisify(execFile)("curl", ["-sS", "-m", "10", ...args])).stdout;
  const url = server.pageUrl.slice(0, -1) + runPath("return 200, { n = #request.body, json = request.json ~= nil }");
  assert.equal(JSON.parse(await curl("-d", '{"a":1}', url)).json, true);
  assert.equal(JSON.parse(await curl("--data-binary", `@${large}`, url)).n, 2_000_000, "with Expect: 100-continue");
  assert.equal(JSON.parse(await curl("-T", large, "-H", "Transfer-Encoding: chunked", url)).n, 2_000_000);
}, { args: ["--max-body", "2m"] });

/* --- what a handler gets -------------------------------------------------------- */

requests("request_has_its_parts", async (server, stage) => {
  const code = `return { request.method, request.path, request.query.q, request.headers["x-a"], request.cookies.c, request.body,
    request.ip, request.secure, request.json.a, request.tls == nil, request.origin == nil }`;
  for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
    const { status, body } = await ask(server, stage, method, `${runPath(`return 200, { v = (function() ${code} end)() }`)}&q=1%202`,
      { body: '{"a":"ñ"}', headers: { "x-a": "b", cookie: "c=d", "content-length": 10 } });
    assert.equal(status, 200, body);
    assert.deepEqual(JSON.parse(body).v,
      [method, "/run", "1 2", "b", "d", '{"a":"ñ"}', "127.0.0.1", isTls(stage), "ñ", true, true]);
  }
  assert.deepEqual(await value(server, stage, "return { request.method, request.body, request.json == nil }", { method: "GET" }),
    ["GET", "", true]);
}, { tls: true });

requests("request_json_is_nil_for_what_is_none", async (server, stage) => {
  const code = "return { request.json == nil, request.json == request.json, request.body }";
  for (const body of ["", "x", "{", '{"a":NaN}', "[1", `${"[".repeat(100)}${"]".repeat(100)}`]) {
    assert.deepEqual(await value(server, stage, code, { body }), [true, true, body]);
  }
  for (const body of ["{}", "[1]", "7", '"x"', "null"]) {
    assert.deepEqual(await value(server, stage, code, { body }), [false, true, body]);
  }
});

requests("request_of_an_upgrade_has_the_same_parts", async (server, stage) => {
  const raw = await dial(server, stage);
  await raw.write(UPGRADE.replace("\r\n\r\n", "\r\nAuthorization: Bearer s3cret\r\n\r\n"));
  assert.equal((await raw.answer()).status, 101);
  await raw.write(frame(OP.TEXT, '{"type":"seen"}'));
  assert.deepEqual(JSON.parse((await raw.frame()).payload), ["GET", "", true, "127.0.0.1", isTls(stage), true]);
}, { tls: true });

requests("request_body_may_be_any_bytes_in_any_pieces", async (server, stage) => {
  const body = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  const code = "local s = {} for i = 1, #request.body do s[i] = request.body:byte(i) end return s";
  const all = [...body];
  assert.deepEqual(await value(server, stage, code, { body }), all);
  const pieces = all.map((byte) => Buffer.of(byte));
  assert.deepEqual(await value(server, stage, code, { body: pieces, headers: { "transfer-encoding": "chunked" } }), all);
  assert.deepEqual(await value(server, stage, code, { body: pieces, headers: { "content-length": 256 } }), all);
}, { tls: true });

requests("request_may_come_byte_by_byte", async (server, stage) => {
  const raw = await dial(server, stage), echo = "return 200, request.body";
  await raw.drip(posted(echo, "hello"));
  assert.equal((await raw.answer()).body, "hello");
  await raw.drip(post(echo, "Transfer-Encoding: chunked\r\n", "2;a=b\r\nhe\r\n3\r\nllo\r\n0\r\nX: y\r\n\r\n"));
  assert.equal((await raw.answer()).body, "hello");
}, { tls: true });

requests("request_is_told_to_continue", async (server, stage) => {
  const raw = await dial(server, stage);
  await raw.write(post("return 200, request.body", "Content-Length: 5\r\nExpect: 100-continue\r\n"));
  assert.equal((await raw.read(25)).toString(), "HTTP/1.1 100 Continue\r\n\r\n");
  await raw.write("hello");
  assert.equal((await raw.answer()).body, "hello");
}, { tls: true });

requests("requests_of_one_connection_are_answered_in_order_and_one_at_a_time", async (server, stage) => {
  const raw = await dial(server, stage);
  const code = (n) => `kept.now = (kept.now or 0) + 1; local now = kept.now
    chat.sleep(${n === 0 ? 0.2 : 0}) kept.now = kept.now - 1; return 200, "${n} " .. now`;
  await raw.write(Array.from({ length: 10 }, (_, n) => posted(code(n), "x")).join("") + `GET /healthz HTTP/1.1\r\n${HOST}\r\n`);
  for (let n = 0; n < 10; n++) assert.equal((await raw.answer()).body, `${n} 1`);
  assert.equal((await raw.answer()).body, "ok\n");
  await raw.write(UPGRADE);
  assert.equal((await raw.answer()).status, 101, "and then it is a WebSocket");
}, { tls: true });

requests("requests_of_many_connections_each_get_their_own_answer", async (server, stage) => {
  await Promise.all(Array.from({ length: 200 }, async (_, n) => {
    const { body } = await run(server, stage, `if #request.body % 2 == 0 then chat.sleep(0.05) end return 200, request.body`,
      { body: "x".repeat(n + 1) });
    assert.equal(body.length, n + 1);
  }));
});

/* --- what a handler returns ------------------------------------------------------ */

const TEXT = "text/plain; charset=utf-8", JSON_TYPE = "application/json";

for (const [name, code, status, type, body] of [
  ["a_table", "return 200, { a = 1 }", 200, JSON_TYPE, '{"a":1}'],
  ["an_object", "return 201, chat.object('b', 1, 'a', 2)", 201, JSON_TYPE, '{"b":1,"a":2}'],
  ["a_string", "return 404, 'no such thing\\n'", 404, TEXT, "no such thing\n"],
  ["a_status_alone", "return 202", 202, TEXT, ""],
  ["a_status_that_is_a_float", "return 200.0, 'x'", 200, TEXT, "x"],
  ["the_last_status", "return 599, 'x'", 599, TEXT, "x"],
  ["a_type", "return 200, '<p>', { ['content-type'] = 'text/html' }", 200, "text/html", "<p>"],
  ["a_type_of_a_table", "return 200, {}, { ['Content-Type'] = 'application/problem+json' }", 200, "application/problem+json", "{}"],
  ["more_than_is_asked_for", "return 200, 'x', nil, 7", 200, TEXT, "x"],
  ["a_body_with_nul", "return 200, 'a\\0b'", 200, TEXT, "a\0b"],
]) {
  requests(`response_may_be_${name}`, async (server, stage) => {
    const answer = await run(server, stage, code);
    assert.deepEqual([answer.status, answer.headers["content-type"], answer.body], [status, type, body]);
  });
}

requests("response_may_have_headers", async (server, stage) => {
  const { status, headers, body } = await run(server, stage,
    "return 303, nil, { Location = '/there', ['Set-Cookie'] = 'a=b; HttpOnly', ['X-Tab'] = 'a\\tb', ['X-None'] = '' }");
  assert.deepEqual([status, headers.location, headers["set-cookie"], headers["x-tab"], headers["x-none"], body],
    [303, "/there", ["a=b; HttpOnly"], "a\tb", "", ""]);
}, { tls: true });

requests("response_may_be_large_but_not_larger_than_1_mib", async (server, stage) => {
  assert.equal((await run(server, stage, "return 200, ('x'):rep(1024 * 1024)")).body.length, 1024 * 1024);
  assert.equal((await run(server, stage, "return 200, ('x'):rep(1024 * 1024 + 1)")).status, 500);
  await server.waitLog(/handler="http POST \/run": a response's body of 1048577 bytes is too large: 1048576 are the most/);
}, { tls: true });

requests("response_204_and_304_have_no_body", async (server, stage) => {
  const raw = await dial(server, stage);
  for (const code of [204, 304]) {
    await raw.write(posted(`return ${code}`, ""));
    const { status, headers } = await raw.answer({ toHead: true });
    assert.deepEqual([status, headers["content-length"]], [code, undefined]);
  }
  await raw.write(posted("return 200, 'next'", ""));
  assert.equal((await raw.answer()).body, "next");
});

requests("response_to_head_is_that_of_get_without_its_body", async (server, stage) => {
  const raw = await dial(server, stage);
  await raw.write(`HEAD ${runPath("return 200, request.method .. '!'")} HTTP/1.1\r\n${HOST}\r\n`);
  const { status, headers } = await raw.answer({ toHead: true });
  assert.deepEqual([status, headers["content-length"]], [200, "5"]);
  await raw.write(posted("return 200, 'next'", ""));
  assert.equal((await raw.answer()).body, "next");
});

for (const [name, code, why] of [
  ["nothing", "return", "returned nil as status"],
  ["a_string_as_status", "return '200'", "returned string as status"],
  ["a_fraction_as_status", "return 200.5", "returned 200.5 as status"],
  ["too_low_a_status", "return 199", "returned 199 as status"],
  ["too_high_a_status", "return 600", "returned 600 as status"],
  ["a_status_of_another_kind", "return {}", "returned table as status"],
  ["a_number_as_body", "return 200, 7", "returned a number as body"],
  ["a_function_as_body", "return 200, print", "returned a function as body"],
  ["what_is_no_json", "return 200, { f = print }", "function"],
  ["a_body_with_204", "return 204, 'x'", "a response of status 204 has no body"],
  ["headers_that_are_no_table", "return 200, 'x', 'y'", "returned a string as headers"],
  ["a_numbered_header", "return 200, 'x', { 'y' }", "a name that is a number"],
  ["an_empty_name", "return 200, 'x', { [''] = 'y' }", "a name that can't be one"],
  ["a_name_with_a_colon", "return 200, 'x', { ['a:b'] = 'y' }", "a name that can't be one"],
  ["a_name_with_a_line_end", "return 200, 'x', { ['a\\r\\nb'] = 'y' }", "a name that can't be one"],
  ["a_value_with_cr", "return 200, 'x', { a = 'b\\rc: d' }", "header a has a control character"],
  ["a_value_with_lf", "return 200, 'x', { a = 'b\\nc: d' }", "header a has a control character"],
  ["a_value_with_nul", "return 200, 'x', { a = 'b\\0' }", "header a has a control character"],
  ["a_type_with_lf", "return 200, 'x', { ['content-type'] = 'a\\nb' }", "header content-type has a control character"],
  ["a_value_that_is_no_string", "return 200, 'x', { a = 7 }", "header a is a number"],
  ["a_length", "return 200, 'x', { ['Content-Length'] = '7' }", "header Content-Length is the server's to say"],
  ["a_coding", "return 200, 'x', { ['transfer-encoding'] = 'chunked' }", "header transfer-encoding is the server's to say"],
  ["a_connection", "return 200, 'x', { connection = 'close' }", "header connection is the server's to say"],
  ["too_much_of_headers", "return 200, 'x', { a = ('b'):rep(8000) }", "headers of \\d+ bytes are too large"],
]) {
  requests(`response_that_is_${name}_is_a_500`, async (server, stage) => {
    const { status, body } = await run(server, stage, code);
    assert.deepEqual([status, body], [500, '{"error":"internal"}']);
    await server.waitLog(new RegExp(`handler failed handler="http POST /run": .*${why}`));
    assert.equal((await run(server, stage, "return 200, 'next'")).body, "next");
  });
}

requests("request_whose_handler_fails_gets_500_and_nothing_of_it_happens", async (server, stage) => {
  const ana = await listener(server, stage, "patio");
  for (const code of ["error('too late')", "return 7", "local t = nil; t.x = 1"]) {
    const { status, headers, body } = await run(server, stage, `chat.room('patio'):send('"no"'); chat.send('"no"'); ${code}`);
    assert.deepEqual([status, headers["content-type"], body], [500, "application/json", '{"error":"internal"}']);
  }
  await server.waitLog(/handler failed handler="http POST \/run": .*too late\n\tstack traceback:\n\t/);
  await run(server, stage, `chat.room('patio'):send('"yes"') return 200`);
  assert.equal(await ana.next(), "yes");
  await ana.close();
}, { tls: true });

requests("request_whose_handler_is_out_of_time_gets_500", async (server, stage) => {
  assert.equal((await run(server, stage, "while true do end")).status, 500);
  await server.waitLog(/handler failed handler="http POST \/run": .*out of time/);
  assert.equal((await run(server, stage, "return 200")).status, 200);
}, { args: ["--handler-time", "50"] });

/* --- routes -------------------------------------------------------------------- */

requests("route_answers_405_with_allow_to_other_methods", async (server, stage) => {
  for (const [method, path, allow] of [
    ["OPTIONS", "/run", "GET, HEAD, POST, PUT, PATCH, DELETE"], ["BREW", "/run", "GET, HEAD, POST, PUT, PATCH, DELETE"],
    ["GET", "/put", "PUT"], ["HEAD", "/put", "PUT"], ["POST", "/put", "PUT"], ["POST", "/shadow.txt", "GET, HEAD"],
  ]) {
    const raw = await dial(server, stage);
    await raw.write(`${method} ${path} HTTP/1.1\r\n${HOST}\r\n`);
    const { status, headers } = await raw.answer({ toHead: method === "HEAD" });
    assert.deepEqual([status, headers.allow], [405, allow], `${method} ${path}`);
  }
});

requests("route_shadows_a_file_of_the_page_and_nothing_else", async (server, stage) => {
  const get = async (path) => (await ask(server, stage, "GET", path)).body;
  assert.equal(await get("/shadow.txt"), "the route");
  assert.equal(await get("/shadow.txt?x=y"), "the route");
  assert.equal(await get("/other.txt"), "the file");
  assert.equal(await get("/healthz"), "ok\n");
  for (const path of ["/run/", "/Run", "/ru", "/run/x", "//run", "/%72un"]) {
    assert.equal((await ask(server, stage, "GET", path)).status, 404, path);
    assert.equal((await ask(server, stage, "POST", path, { body: "x" })).status, 405, path);
  }
}, {
  more: (stage) => {
    const page = `${folder(stage)}/page`;
    mkdirSync(page);
    for (const name of ["shadow", "other"]) writeFileSync(`${page}/${name}.txt`, "the file");
    return { args: [...TIMES, "--page", page] };
  },
});

for (const [name, http_, why] of [
  ["a_table_of_no_routes", "7", /app\.http is a number; it has to be a table/],
  ["a_numbered_route", "{ print }", /app\.http has a key that is a number; keys are strings/],
  ["no_function", '{ ["GET /a"] = 7 }', /app\.http\.GET \/a is a number; it has to be a function/],
  ["no_method", '{ ["/a"] = print }', /app\.http\["\/a"\]: the method has to be GET, POST, PUT, PATCH or DELETE/],
  ["a_method_in_small_letters", '{ ["get /a"] = print }', /app\.http\["get \/a"\]: the method has to be/],
  ["head", '{ ["HEAD /a"] = print }', /the method has to be/],
  ["no_path", '{ ["GET"] = print }', /app\.http\["GET"\]: the path has to begin with \//],
  ["a_query", '{ ["GET /a?b"] = print }', /a path has no \?/],
  ["a_space", '{ ["GET /a b"] = print }', /a path is ASCII without spaces/],
  ["the_servers_own_path", '{ ["GET /healthz"] = print }', /\/healthz is the server's own/],
  ["a_long_key", '{ ["GET /" .. ("x"):rep(300)] = print }', /longer than 256 bytes/],
  ["too_many", '(function() local t = {} for i = 1, 1001 do t["GET /" .. i] = print end return t end)()',
    /app\.http has more than 1000 routes/],
]) {
  test(`app_http_with_${name}_is_refused`, async () => {
    const later = [];
    const script = saveRules({ defer: (f) => later.push(f) }, `return { api = 1, http = ${http_} }`);
    const error = await startServer({ script, threads: 0 }).then((server) => server.stop(), (e) => e);
    later.forEach((f) => f());
    assert.match(error.message ?? "it started", /the server ended \(1\)/);
    assert.match(error.message, why);
  });
}

/* --- waiting ---------------------------------------------------------------------- */

requests("request_may_wait_and_commits_what_came_before", async (server, stage) => {
  const ana = await listener(server, stage, "patio");
  const answer = run(server, stage, `chat.room('patio'):send('"before"')
    local slept = chat.sleep(0.1); chat.room('patio'):send('"after"') return 200, { slept = slept, body = request.body }`,
    { body: "kept" });
  assert.equal(await ana.next(), "before");
  assert.deepEqual(JSON.parse((await answer).body), { slept: true, body: "kept" });
  assert.equal(await ana.next(), "after");
  const { status } = await run(server, stage, `chat.room('patio'):send('"1"') chat.sleep(0) chat.room('patio'):send('"2"') error("x")`);
  assert.equal(status, 500);
  await server.waitLog(/handler failed handler="http POST \/run"/);
  await run(server, stage, `chat.room('patio'):send('"3"') return 200`);
  assert.deepEqual([await ana.next(), await ana.next()], ["1", "3"]);
  await ana.close();
}, { tls: true });

requests("request_whose_connection_has_gone_wakes_its_handler_with_closed", async (server, stage) => {
  const ana = await listener(server, stage, "patio");
  const raw = await dial(server, stage);
  await raw.write(posted(`chat.room('patio'):send('"waits"')
    local slept, why = chat.sleep(3600)
    local again, still = chat.sleep(3600)
    chat.room('patio'):send { slept == nil, why, again == nil, still }
    return 200, "nobody hears it"`, ""));
  assert.equal(await ana.next(), "waits");
  raw.destroy();
  assert.deepEqual(await ana.next(), [true, "closed", true, "closed"]);
  assert.equal((await run(server, stage, "return 200, 'next'")).body, "next");
  assert.doesNotMatch(server.stderr, /failed/);
  await ana.close();
}, { tls: true });

requests("request_that_nobody_awaits_leaves_no_answer_to_the_next_one", async (server, stage) => {
  const ana = await listener(server, stage, "patio");
  for (let i = 0; i < 20; i++) {
    const raw = await dial(server, stage);
    await raw.write(posted(`chat.room('patio'):send('${i}') local till = chat.sleep(3600) return 200, "stale"`, ""));
    assert.equal(await ana.next(), i);
    raw.destroy();
    assert.equal((await run(server, stage, "return 200, 'mine'")).body, "mine");
  }
  await ana.close();
});

/* --- who is no client ------------------------------------------------------------- */

requests("request_is_no_client", async (server, stage) => {
  const ana = await listener(server, stage, "patio");
  const raw = await dial(server, stage);
  await raw.write(posted("chat.send('\"all\"') chat.sleep(0.1) return 200, { n = #chat.clients() }", ""));
  assert.equal(await ana.next(), "all");
  assert.equal(await value(server, stage, "return #chat.clients()"), 1);
  assert.equal((await raw.answer()).body, '{"n":1}');
  await ana.close();
});

/* --- origins and proxies ------------------------------------------------------------ */

requests("request_of_another_sites_page_is_refused", async (server, stage) => {
  const { port } = server;
  for (const [origin, status] of [[`http://127.0.0.1:${port}`, 200], ["http://127.0.0.1:1", 200], ["https://a.test", 200],
    ["http://evil.test", 403], ["null", 403], ["", 403]]) {
    for (const method of ["POST", "GET"]) {
      const answer = await run(server, stage, "kept.n = (kept.n or 0) + 1 return 200", { method, headers: { origin } });
      assert.equal(answer.status, status, `${method} from ${origin}`);
    }
  }
  assert.equal(await value(server, stage, "return kept.n"), 6, "the others were never run");
}, { args: ["--origin", "https://a.test"] });

requests("request_through_a_proxy_is_its_clients_and_the_last_of_its_connection", async (server, stage) => {
  const raw = await dial(server, stage);
  await raw.write(post("return 200, request.ip", "X-Forwarded-For: 192.0.2.7\r\n"));
  const { headers, body } = await raw.answer();
  assert.deepEqual([headers.connection, body], ["close", "192.0.2.7"]);
  await raw.end();
  const held = await dial(server, stage);
  await held.write(post("kept.waits = true chat.sleep(3600) return 200", "X-Forwarded-For: 192.0.2.8\r\n"));
  while (!await value(server, stage, "return kept.waits == true"));
  const second = await run(server, stage, "return 200", { headers: { "x-forwarded-for": "192.0.2.8" } });
  assert.equal(second.status, 429, "too many of that address");
}, { args: ["--trust-proxy", "127.0.0.1", "--max-per-address", "1"] });

/* --- malformed ------------------------------------------------------------------------ */

for (const [name, fields, body, status] of [
  ["length_and_chunks", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", 400],
  ["two_lengths", "Content-Length: 5\r\nContent-Length: 6\r\n", "hello", 400],
  ["a_length_that_is_none", "Content-Length: 0x5\r\n", "hello", 400],
  ["a_coding_that_is_not_read", "Transfer-Encoding: gzip, chunked\r\n", "", 501],
  ["chunks_that_are_not_last", "Transfer-Encoding: chunked, gzip\r\n", "", 400],
  ["a_chunk_that_is_longer_than_it_says", "Transfer-Encoding: chunked\r\n", "2\r\nhello\r\n0\r\n\r\n", 400],
  ["a_chunk_size_that_is_none", "Transfer-Encoding: chunked\r\n", "x\r\n", 400],
]) {
  requests(`request_with_${name}_is_a_${status}`, async (server, stage) => {
    const raw = await dial(server, stage);
    await raw.write(post("kept.run = true return 200", fields, body + posted("kept.run = true return 200", "")));
    assert.equal((await raw.answer()).status, status);
    assert.equal((await raw.end()).length, 0, "and the connection ends: nothing behind it is a request");
    assert.equal(await value(server, stage, "return kept.run == nil"), true);
  });
}

/* --- reload ------------------------------------------------------------------------------ */

const rules = (routes) => `local chat = require "charlua"
  return { api = 1, http = { ${routes} } }`;

async function reload(server, stage, text) {
  const from = server.mark;
  saveRules(stage, text);
  server.signal("SIGHUP");
  await server.waitLog(/rules (not )?reloaded/, { from });
}

async function get(server, stage, path) {
  const { status, body } = await ask(server, stage, "GET", path);
  return `${status} ${body}`;
}

requests("route_goes_and_comes_with_a_reload", async (server, stage) => {
  assert.deepEqual([await get(server, stage, "/a"), await get(server, stage, "/b")], ["200 old", "404 404 Not Found\n"]);
  const waits = get(server, stage, "/wait");
  await server.waitLog(/begun/);
  await reload(server, stage, rules('["GET /b"] = function() return 200, "new" end'));
  /* The shards hear of it a moment after the log does. */
  while (await get(server, stage, "/b") !== "200 new");
  while (await get(server, stage, "/a") !== "404 404 Not Found\n");
  assert.equal(await waits, "200 by the old rules");
  await reload(server, stage, rules('["GET b"] = function() return 200, "broken" end'));
  assert.match(server.stderr, /rules not reloaded.*app\.http\["GET b"\]: the path has to begin with \//);
  assert.equal(await get(server, stage, "/b"), "200 new");
}, {
  more: (stage) => ({
    script: saveRules(stage, rules(`["GET /a"] = function() return 200, "old" end,
      ["GET /wait"] = function() chat.log("begun") chat.sleep(0.5) return 200, "by the old rules" end`)),
  }),
});

const FLEETING = rules(`["GET /a"] = function() return 200 end,
  ["GET /busy"] = function() chat.log("busy") local t = os.clock() while os.clock() < t + 0.1 do end return 200 end`);

requests("request_that_was_underway_to_a_route_that_has_gone_gets_404", async (server, stage) => {
  let body;
  do { /* until the host, while it was busy, got the reload before the request that its shard still took */
    await reload(server, stage, FLEETING);
    while (await get(server, stage, "/a") !== "200 ");
    const raw = await dial(server, stage);
    await raw.write(`GET /healthz HTTP/1.1\r\n${HOST}\r\n`);
    await raw.answer(); /* it has a shard */
    const from = server.mark, busy = get(server, stage, "/busy");
    await server.waitLog(/busy/, { from });
    const reloaded = reload(server, stage, rules(""));
    await raw.write(`GET /a HTTP/1.1\r\n${HOST}\r\n`);
    body = (await raw.answer()).body;
    assert.equal(await busy, "200 ");
    await reloaded;
  } while (body !== '{"error":"not_found"}');
  assert.doesNotMatch(server.stderr, /failed/);
}, { more: (stage) => ({ script: saveRules(stage, FLEETING) }) });

/* --- stop ---------------------------------------------------------------------------------- */

requests("stop_lets_a_waiting_request_be_answered", async (server, stage) => {
  const raw = await dial(server, stage);
  await raw.write(posted("chat.log('begun') chat.sleep(0.5) return 200, 'in time'", ""));
  await server.waitLog(/begun/);
  const stopped = server.stop();
  await server.waitLog(/stopping/);
  const { status, headers, body } = await raw.answer();
  assert.deepEqual([status, headers.connection, body], [200, "close", "in time"]);
  const { code } = await stopped;
  assert.equal(code, 0);
}, { tls: true });

requests("stop_gives_up_requests_that_take_too_long_with_503", async (server, stage) => {
  const [asked, body, late] = [await dial(server, stage), await dial(server, stage), await dial(server, stage)];
  await body.write(post("return 200", "Content-Length: 5\r\n", "hel"));
  await late.write(`GET /healthz HTTP/1.1\r\n${HOST}\r\n`);
  await late.answer();
  await asked.write(posted("chat.log('begun') local _, why = chat.sleep(3600) chat.log('woken: ' .. why) return 200", ""));
  await server.waitLog(/begun/);
  const stopped = server.stop();
  assert.equal((await body.answer()).status, 503, "one that has not come yet at once");
  let answer;
  do { /* its shard may hear of it a moment later, even while the rules answer */
    await late.write(posted("return 200", ""));
    answer = await late.answer();
  } while (answer.status === 200 && answer.headers.connection !== "close");
  if (answer.status !== 200) assert.equal(answer.status, 503, "and one that comes now");
  assert.equal((await asked.answer()).status, 503);
  await server.waitLog(/woken: closed/);
  const { code } = await stopped;
  assert.equal(code, 0);
}, { tls: true });

/* --- logs ------------------------------------------------------------------------------------ */

requests("requests_that_go_well_are_not_logged", async (server, stage) => {
  const from = server.mark;
  for (const status of [200, 404, 503]) await run(server, stage, `return ${status}`, { body: "b0dy", headers: { authorization: "Bearer t0ken" } });
  await run(server, stage, "error('here')", { body: "b0dy", headers: { authorization: "Bearer t0ken" } });
  await server.waitLog(/here/, { from });
  const lines = server.stderr.slice(from).split("\n").filter((line) => /^\d{4}-/.test(line));
  assert.equal(lines.length, 1, server.stderr);
  assert.doesNotMatch(server.stderr, /b0dy|t0ken/);
});
