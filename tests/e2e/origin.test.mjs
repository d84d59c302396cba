/* origin.test.mjs: pages of other hosts: which may talk to us, what they may read (CORS), under which names we are
 * asked, and what the operator hears of those who may not. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { chromium } from "playwright-core";
import { dialTls, encrypted, folder, makeCert } from "./certs.mjs";
import { dialRaw, Raw, UPGRADE } from "./raw.mjs";
import { overThreads, startServer, within } from "./server.mjs";

const RULES = `local chat = require "charlua"
  local app = { api = 1, http = {} }
  function app.on_open(client, request)
    client:send(chat.object("secure", request.secure, "ip", client.ip))
  end
  local function echo(request) return 200, { got = request.json or "nothing", key = request.headers.authorization or "" } end
  app.http["POST /echo"], app.http["PUT /echo"], app.http["GET /echo"] = echo, echo, echo
  app.http["GET /own"] = function() return 200, "own", { ["access-control-allow-origin"] = "https://own.test" } end
  return app`;

const origins = (name, args, play, more = () => ({})) => overThreads(name, (stage) => {
  const rules = `${folder(stage)}/rules.lua`;
  writeFileSync(rules, RULES);
  return { script: rules, args: ["--log-level", "debug", ...args], ...more(stage, rules) };
}, play, { threads: [0, 3] });

/* The answer to "METHOD target" with `fields`; `to` are net.connect's options beside the port. */
async function ask(server, stage, line, fields = [], { host = "chat.test:7272", body = "", to = {}, text } = {}) {
  const raw = await dialRaw({ port: server.port, host: "127.0.0.1", ...to });
  stage.defer(() => raw.destroy());
  const length = body ? [`Content-Length: ${body.length}`] : [];
  await raw.write(text ?? `${line} HTTP/1.1\r\n${[`Host: ${host}`, ...fields, ...length].join("\r\n")}\r\n\r\n${body}`);
  return Object.assign(await raw.answer({ toHead: line.startsWith("HEAD") || line.startsWith("OPTIONS") }), { raw });
}

const upgradeFrom = (origin, target = "/", host = "chat.test:7272") =>
  UPGRADE.replace("GET /", `GET ${target}`).replace("Host: localhost", `Host: ${host}\r\nOrigin: ${origin}`);
const statusOf = async (server, stage, ...args) => (await ask(server, stage, "GET", [], { text: upgradeFrom(...args) })).status;

/* --- who may connect ------------------------------------------------------------ */

origins("origin_option_means_what_browsers_say",
  ["--origin", "HTTPS://A.test:443", "--origin", "https://*.b.test", "--origin", "null", "--origin", "file://",
    "--origin", "capacitor://localhost"],
  async (server, stage) => {
    for (const [origin, status] of [["https://a.test", 101], ["http://a.test", 403], ["https://x.b.test", 101],
      ["https://b.test", 403], ["https://y.x.b.test", 403], ["https://xb.test", 403], ["null", 101], ["file://", 101],
      ["capacitor://localhost", 101], ["capacitor://other", 403]]) {
      assert.equal(await statusOf(server, stage, origin), status, origin);
    }
  });

origins("origin_is_compared_with_the_target_that_names_a_host", [], async (server, stage) => { /* RFC 9112 3.2.2 */
  assert.equal(await statusOf(server, stage, "http://evil.test", "http://chat.test/", "evil.test"), 403);
  assert.equal(await statusOf(server, stage, "http://chat.test", "http://chat.test/", "evil.test"), 101);
});

/* --- what they may read ---------------------------------------------------------- */

const ASK = ["Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: authorization,content-type"];

origins("origin_that_is_allowed_gets_a_preflight_answered", ["--origin", "https://a.test"], async (server, stage) => {
  const { status, headers } = await ask(server, stage, "OPTIONS /echo", ["Origin: https://a.test", ...ASK]);
  assert.equal(status, 204);
  assert.equal(headers["access-control-allow-origin"], "https://a.test");
  assert.deepEqual(headers["access-control-allow-methods"].split(", ").sort(), ["GET", "HEAD", "POST", "PUT"]);
  assert.equal(headers["access-control-allow-headers"], "authorization,content-type");
  assert.ok(Number(headers["access-control-max-age"]) > 0);
  assert.equal(headers.vary, "Origin");
  assert.equal(headers["content-length"], undefined);
  for (const [line, fields, wanted] of [["OPTIONS /echo", ["Origin: https://b.test", ...ASK], 403],
    ["OPTIONS /echo", ["Origin: https://a.test"], 405], ["OPTIONS /echo", ASK, 405], ["OPTIONS /none", ["Origin: https://a.test", ...ASK], 405]]) {
    const answer = await ask(server, stage, line, fields);
    assert.deepEqual([answer.status, answer.headers["access-control-allow-origin"]], [wanted, undefined], `${line} ${fields}`);
  }
});

origins("origin_that_is_allowed_may_read_every_answer_of_the_rules", ["--origin", "https://a.test", "--max-body", "10"], async (server, stage) => {
  const origin = "Origin: https://a.test";
  for (const [line, body, status] of [["POST /echo", '{"a":1}', 200], ["GET /echo", "", 200], ["POST /echo", '{"a":"too long"}', 413]]) {
    const { headers, ...answer } = await ask(server, stage, line, [origin], { body });
    assert.deepEqual([answer.status, headers["access-control-allow-origin"], headers.vary], [status, "https://a.test", "Origin"], line);
  }
  const own = await ask(server, stage, "GET /own", [origin]);
  assert.equal(own.head.match(/access-control-allow-origin/gi).length, 1, "the rules' own word counts");
  const none = await ask(server, stage, "GET /echo");
  assert.deepEqual([none.headers["access-control-allow-origin"], none.headers.vary], [undefined, "Origin"]);
  const raw = await dialRaw(server);
  stage.defer(() => raw.destroy());
  await raw.write(`GET /echo HTTP/1.1\r\nHost: localhost\r\n${origin}\r\n\r\n`.repeat(2) + "GET /echo HTTP/1.1\r\nHost: localhost\r\n\r\n");
  assert.deepEqual([(await raw.answer()).headers["access-control-allow-origin"], (await raw.answer()).headers["access-control-allow-origin"],
    (await raw.answer()).headers["access-control-allow-origin"]], ["https://a.test", "https://a.test", undefined]);
});

/* A page at http://localhost:PORT, whatever is asked for. */
async function site() {
  const server = createServer((request, response) => response.writeHead(200, { "Content-Type": "text/html" }).end("<p>page</p>"));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { origin: `http://localhost:${server.address().port}`, close: () => { server.close(); server.closeAllConnections(); } };
}

test("origin_that_is_allowed_talks_to_the_rules_from_a_browser_and_another_does_not", async (t) => {
  const stage = { defer: (f) => t.after(f) };
  const rules = `${folder(stage)}/rules.lua`;
  writeFileSync(rules, RULES);
  const [ours, others] = [await site(), await site()];
  t.after(() => [ours, others].forEach((each) => each.close()));
  const server = await startServer({ script: rules, threads: 0, args: ["--origin", ours.origin] });
  t.after(() => server.stop());
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--headless", "--no-sandbox", "--disable-gpu"] });
  t.after(() => browser.close());
  const talk = async (from) => {
    const page = await browser.newPage();
    await page.goto(from.origin);
    return within(page.evaluate(async (url) => {
      try {
        const answer = await fetch(url, { method: "PUT", body: '{"a":1}', headers: { "Content-Type": "application/json", Authorization: "Bearer mate" } });
        return [answer.status, await answer.json()];
      } catch (error) {
        return String(error);
      }
    }, `${server.pageUrl}echo`), "fetch");
  };
  assert.deepEqual(await talk(ours), [200, { got: { a: 1 }, key: "Bearer mate" }]);
  assert.match(await talk(others), /Failed to fetch/);
});

/* --- names ------------------------------------------------------------------------- */

origins("host_that_the_operator_has_not_named_is_told_421", ["--host", "chat.test", "--host", "b.test"], async (server, stage) => {
  for (const [host, status] of [["chat.test", 200], ["CHAT.test:80", 200], ["chat.test.", 200], ["b.test", 200], ["localhost", 200],
    ["localhost:7272", 200], ["127.0.0.1:1", 200], ["192.0.2.1", 200], ["[::1]:7272", 200], ["evil.test", 421], ["x.chat.test", 421],
    ["chat.test.evil.test", 421], ["1.evil.test", 421]]) {
    const answer = await ask(server, stage, "GET /healthz", [], { host });
    assert.equal(answer.status, status, host);
    if (status === 421) assert.match(answer.body, /--host NAME/);
  }
  assert.equal((await ask(server, stage, "GET http://evil.test/healthz", [], { host: "chat.test" })).status, 421);
  assert.equal(await statusOf(server, stage, "http://evil.test", "/", "evil.test"), 421);
  assert.ok(!server.stderr.includes("served under a name"));
});

origins("host_on_loopback_that_may_be_rebound_is_warned_of_once", ["--trust-proxy", "127.0.0.9"], async (server, stage) => {
  const names = () => [...server.stderr.matchAll(/warn .*served under a name.*--host NAME.* host=(\S*)/g)].map((m) => m[1]);
  for (const host of ["localhost", "127.0.0.1", "a.test:1", "A.test:1", "b.test", "a.test:1"]) {
    assert.equal((await ask(server, stage, "GET /healthz", [], { host })).status, 200);
  }
  await ask(server, stage, "GET /healthz", [], { host: "proxied.test", to: { localAddress: "127.0.0.9" } });
  for (let i = 0; i < 100; i++) await ask(server, stage, "GET /healthz", [], { host: `n${i}.test` });
  assert.deepEqual(names().slice(0, 2), ["a.test:1", "b.test"]);
  assert.equal(names().length, 64, "the number of names is bounded");
  assert.ok(!names().includes("proxied.test"));
});

/* --- proxies ------------------------------------------------------------------------ */

origins("proxy_says_whether_its_client_came_over_tls_and_which_host_it_asked", ["--trust-proxy", "127.0.0.1"], async (server, stage) => {
  for (const [fields, secure, origin = "https://chat.test"] of [
    [["X-Forwarded-Proto: https", "X-Forwarded-Host: chat.test"], true], [["X-Forwarded-Proto: http", "X-Forwarded-Host: chat.test"], false],
    [["Forwarded: for=192.0.2.7;proto=https;host=chat.test"], true], [["Forwarded: proto=http;host=\"chat.test:443\""], false],
    [["X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https", "X-Forwarded-Host: chat.test", "Forwarded: proto=http;host=evil.test"], true],
    [["X-Forwarded-Host: chat.test"], false], [["X-Forwarded-Host: chat.test"], null, "https://backend"],
    [["Forwarded: host=evil.test"], null], [[], null]]) {
    const text = upgradeFrom(origin, "/", "backend").replace("\r\n\r\n", `\r\n${fields.map((f) => `${f}\r\n`).join("")}\r\n`);
    const { status, raw } = await ask(server, stage, "GET", [], { text });
    assert.equal(status, secure === null ? 403 : 101, fields.join("; "));
    if (status === 101) assert.equal(JSON.parse((await raw.frame()).payload).secure, secure, fields.join("; "));
  }
  for (const name of ["chat.test", "evil.test"]) { /* nobody else may say so */
    const text = upgradeFrom("https://chat.test", "/", "backend").replace("\r\n\r\n", `\r\nX-Forwarded-Host: ${name}\r\nX-Forwarded-Proto: https\r\n\r\n`);
    assert.equal((await ask(server, stage, "GET", [], { text, to: { localAddress: "127.0.0.2" } })).status, 403);
  }
});

origins("host_that_a_proxy_says_is_the_one_that_has_to_be_named", ["--trust-proxy", "127.0.0.1", "--host", "chat.test"], async (server, stage) => {
  assert.equal((await ask(server, stage, "GET /healthz", ["X-Forwarded-Host: chat.test"], { host: "backend" })).status, 200);
  assert.equal((await ask(server, stage, "GET /healthz", ["X-Forwarded-Host: evil.test"], { host: "chat.test" })).status, 421);
  await server.waitLog(/debug request refused status=421 .* host=evil\.test/);
});

/* --- what the operator hears ---------------------------------------------------------- */

origins("refusals_are_told_each_at_debug_and_once_a_minute_a_reason_at_info", ["--host", "chat.test"], async (server, stage) => {
  for (let i = 0; i < 3; i++) assert.equal(await statusOf(server, stage, "http://evil.test", "/?secret=1", "chat.test"), 403);
  assert.equal((await ask(server, stage, "GET", [], { text: upgradeFrom("http://chat.test", "/").replace("Version: 13", "Version: 8") })).status, 426);
  assert.equal((await ask(server, stage, "GET /", [], { host: "evil.test" })).status, 421);
  assert.equal((await ask(server, stage, "GET", [], { text: "nonsense\r\n\r\n" })).status, 400);
  await server.waitLog(/debug request refused status=400 reason="malformed request" ip=127\.0\.0\.1/);
  assert.equal(server.stderr.match(/debug request refused status=403 reason="pages from this origin .*" ip=127\.0\.0\.1 origin=http:\/\/evil\.test host=chat\.test/g).length, 3);
  assert.match(server.stderr, /debug request refused status=426 reason="Sec-WebSocket-Version is not 13" ip=127\.0\.0\.1 origin=http:\/\/chat\.test/);
  assert.match(server.stderr, /debug request refused status=421 .* host=evil\.test/);
  assert.equal(server.stderr.match(/info {2}requests refused reason="pages from this origin .*" times=1$/gm).length, 1);
  await server.stop();
  assert.match(server.stderr, /info {2}requests refused reason="pages from this origin .*" times=2$/m);
  assert.ok(!server.stderr.includes("secret"), "no query strings");
});

/* --- HSTS -------------------------------------------------------------------------------- */

const hsts = (headers) => headers["strict-transport-security"];

origins("hsts_is_said_over_tls_alone_and_if_asked_for", ["--hsts", "86400"], async (server, stage) => {
  const raw = new Raw(await dialTls({ port: server.ports[0] }, stage));
  for (const line of ["GET /healthz", "GET /echo", "GET /none", "HEAD /healthz"]) {
    await raw.write(`${line} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    assert.equal(hsts((await raw.answer({ toHead: line.startsWith("HEAD") })).headers), "max-age=86400", line);
  }
  const plain = await ask({ port: server.ports[1] }, stage, "GET /healthz");
  assert.deepEqual([plain.status, hsts(plain.headers)], [200, undefined]);
}, (stage, rules) => encrypted([makeCert(folder(stage), "ana.test")], ["--hsts", "86400", "--listen", "127.0.0.1:0"], { script: rules }));

origins("hsts_is_not_said_by_default", [], async (server, stage) => {
  const raw = new Raw(await dialTls({ port: server.ports[0] }, stage));
  await raw.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  assert.equal(hsts((await raw.answer()).headers), undefined);
}, (stage, rules) => encrypted([makeCert(folder(stage), "ana.test")], [], { script: rules }));
