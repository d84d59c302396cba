/* http.test.mjs: chat.http asks services, and nobody else waits for them; chat.env tells what it may. The service is
 * a node http server on loopback that answers when the test says so. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { readFileSync } from "node:fs";
import { createServer as createNetServer } from "node:net";
import { test } from "node:test";
import { folder, makeCert } from "./certs.mjs";
import { FIXTURES, scenario, Stage } from "./scenario.mjs";
import { runToEnd, startServer, within } from "./server.mjs";

const RUN = `${FIXTURES}/run.lua`;

/* A service: `answer(request, response, body)` for each request; `asked` are the requests so far. */
class Service {
  #server;
  #waiting = [];
  asked = [];

  constructor(answer, tls) {
    const handle = (request, response) => {
      const chunks = [];
      request.on("data", (chunk) => chunks.push(chunk)).on("end", () => {
        const { method, url, headers } = request;
        this.asked.push({ method, url, headers, body: Buffer.concat(chunks).toString(), request, response });
        answer(request, response, Buffer.concat(chunks).toString());
        for (const wake of this.#waiting) wake();
      });
    };
    this.#server = tls ? createTlsServer(tls, handle) : createServer(handle);
    this.scheme = tls ? "https" : "http";
  }

  async listen() {
    await new Promise((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    this.port = this.#server.address().port;
    return this;
  }

  get origin() {
    return `${this.scheme}://127.0.0.1:${this.port}`;
  }

  /* Resolves when it has been asked `count` times. */
  heard(count) {
    return within(new Promise((resolve) => {
      const look = () => this.asked.length >= count && resolve();
      this.#waiting.push(look);
      look();
    }), `request ${count} at the service`, () => `${this.asked.length} came`);
  }

  /* The same by the name that certificates have. */
  get named() {
    return `${this.scheme}://localhost:${this.port}`;
  }

  close() {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

const json = (value, status = 200) => (request, response) => {
  response.writeHead(status, { "Content-Type": "application/json; charset=utf-8" }).end(JSON.stringify(value));
};
const silence = () => {};

/* Plays `act` with a service that answers by `answer` and a server that may ask it. */
function ask(name, answer, act, { args = [], tls, threads = [0, 3] } = {}) {
  for (const count of threads) {
    test(`${name} [threads=${count}]`, async () => {
      const stage = new Stage(), later = [];
      const files = tls && tls({ defer: (f) => later.push(f) });
      const service = await new Service(answer, files?.service).listen();
      let ended = false;
      try {
        stage.server = await startServer({ script: RUN, threads: count,
          args: ["--http-allow", service.origin, ...files ? ["--http-allow", service.named] : [], "--handler-time", "5000", ...args, ...files?.args ?? []] });
        await act(stage, service);
        ended = true;
      } catch (error) {
        if (stage.server) error.message += `\nthe server said:\n${stage.server.stderr}`;
        throw error;
      } finally {
        const exit = await stage.clear();
        service.close();
        for (const f of later) f();
        if (ended) assert.equal(exit.code, 0, stage.server.stderr);
      }
    });
  }
}

/* The Lua that asks for `path`; `rest` are more fields. */
const at = (service, path, rest = "") => `chat.http { url = "${service.origin}${path}", ${rest} }`;

/* --- requests and answers ----------------------------------------------------- */

ask("http_get_answers_status_headers_body_and_json", (request, response) => {
  response.writeHead(200, { "Content-Type": "application/json", "X-Two": ["a", "b"], "X-Upper": "As It Is" }).end('{"n":[1,null]}');
}, async (stage, service) => {
  const ana = await stage.actor();
  const r = await ana.value(`return ${at(service, "/a?b=c%20d", "headers = { Authorization = 'Bearer x', ['X-Number'] = '7' }")}`);
  assert.equal(r.status, 200);
  assert.equal(r.body, '{"n":[1,null]}');
  assert.deepEqual(r.json, { n: [1, null] });
  assert.equal(r.headers["content-type"], "application/json");
  assert.equal(r.headers["x-two"], "a, b");
  assert.equal(r.headers["x-upper"], "As It Is");
  const [{ method, url, headers, body }] = service.asked;
  assert.deepEqual([method, url, body], ["GET", "/a?b=c%20d", ""]);
  assert.equal(headers.authorization, "Bearer x");
  assert.equal(headers["x-number"], "7");
  assert.equal(headers["user-agent"], "charlua");
  assert.equal(headers.host, `127.0.0.1:${service.port}`);
  for (const name of ["content-type", "content-length", "expect", "accept-encoding"]) assert.equal(headers[name], undefined, name);
});

ask("http_post_sends_a_string_as_it_is_and_a_table_as_json", (request, response, body) => {
  response.writeHead(201).end(body);
}, async (stage, service) => {
  const ana = await stage.actor();
  for (const [body, type, sent] of [
    ["'plain \\0 text'", undefined, "plain \0 text"], ["''", undefined, ""], ["nil", undefined, ""],
    ["{ 1, 'é' }", "application/json", '[1,"\\u00e9"]'], ["chat.object('b', 1, 'a', 2)", "application/json", '{"b":1,"a":2}'],
    ["{ x = 1 }, headers = { ['content-TYPE'] = 'application/ld+json' }", "application/ld+json", '{"x":1}'],
    ["('x'):rep(200000)", undefined, "x".repeat(200_000)],
  ]) {
    const r = await ana.value(`return ${at(service, "/", `method = "POST", body = ${body}`)}`);
    const asked = service.asked.at(-1);
    assert.deepEqual([asked.method, asked.body, asked.headers["content-type"], asked.headers["content-length"]],
      ["POST", sent, type, String(Buffer.byteLength(sent))], body);
    assert.deepEqual([r.status, r.body], [201, sent]);
    assert.equal(r.json, undefined);
  }
});

ask("http_has_the_usual_methods", (request, response) => response.writeHead(204).end(), async (stage, service) => {
  const ana = await stage.actor();
  const methods = ["GET", "HEAD", "OPTIONS", "DELETE", "PATCH", "POST", "PUT"];
  for (const method of methods) assert.equal(await ana.value(`return ${at(service, "/", `method = "${method}"`)}.status`), 204);
  assert.deepEqual(service.asked.map(({ method }) => method), methods);
});

ask("http_answers_of_every_status_are_answers", (request, response) => {
  const status = Number(request.url.slice(1));
  response.writeHead(status, { Location: "/200", "Content-Type": "application/problem+json" }).end('{"why":1}');
}, async (stage, service) => {
  const ana = await stage.actor();
  for (const status of [200, 301, 302, 307, 404, 429, 500, 503]) {
    const r = await ana.value(`return ${at(service, `/${status}`)}`);
    assert.deepEqual([r.status, r.json, r.headers.location], [status, { why: 1 }, "/200"]);
  }
  assert.equal(service.asked.length, 8, "no redirect was followed");
});

ask("http_json_is_there_for_json_alone", (request, response) => {
  const [type, body] = JSON.parse(decodeURIComponent(request.url.slice(1)));
  response.writeHead(200, type ? { "Content-Type": type } : {}).end(body);
}, async (stage, service) => {
  const ana = await stage.actor();
  for (const [type, body, value] of [["application/json", "{}", {}], ["APPLICATION/JSON ; charset=utf-8", "[7]", [7]], ["application/a+json", "true", true],
    ["application/json", "{", undefined], ["application/json", "", undefined], ["text/json", "{}", undefined], ["application/jsonp", "{}", undefined],
    [null, "{}", undefined], ["+json", "1", undefined]]) {
    const path = `/${encodeURIComponent(JSON.stringify([type, body]))}`;
    const r = await ana.value(`return ${at(service, path)}`);
    assert.deepEqual([r.body, r.json], [body, value], `${type} ${body}`);
  }
});

test("http_reads_awkward_answers", async () => {
  for (const [bytes, status, body, header] of [
    ["HTTP/1.1 100 Continue\r\nX-A: no\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "hi"],
    ["HTTP/1.1 103 Early Hints\r\nX-A: no\r\n\r\nHTTP/1.1 404 No\r\nX-A: yes\r\nContent-Length: 0\r\n\r\n", 404, "", "yes"],
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: one\r\n\r\n2\r\nhi\r\n0\r\nX-A: trailer\r\n\r\n", 200, "hi", "one"],
    ["HTTP/1.0 200 OK\r\nX-A:\r\n\r\nuntil the end", 200, "until the end", ""],
    ["nonsense\r\n\r\n", null], ["", null], ["HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhi", null],
  ]) {
    const service = createNetServer((socket) => socket.on("error", silence).once("data", () => socket.end(bytes)));
    await new Promise((resolve) => service.listen(0, "127.0.0.1", resolve));
    const origin = `http://127.0.0.1:${service.address().port}`;
    const stage = new Stage();
    try {
      stage.server = await startServer({ script: RUN, threads: 0, args: ["--http-allow", origin] });
      const ana = await stage.actor();
      const [r, why] = await ana.run(`return chat.http { url = "${origin}/" }`);
      if (status) assert.deepEqual([r.status, r.body, r.headers["x-a"]], [status, body, header], bytes);
      else assert.ok(r === null && typeof why === "string", bytes);
    } finally {
      await stage.clear();
      service.close();
    }
  }
});

/* --- refusals ------------------------------------------------------------------- */

ask("http_raises_for_what_is_not_allowed", json({}), async (stage, service) => {
  const ana = await stage.actor();
  for (const url of ["http://example.org/", `https://127.0.0.1:${service.port}/`, `http://localhost:${service.port}/`, "http://127.0.0.1/",
    "http://127.0.0.1:1/", `http://127.0.0.1.:${service.port}/`]) {
    const [ok, why] = await ana.run(`return pcall(chat.http, { url = "${url}" })`);
    assert.equal(ok, false, url);
    assert.match(why, /^chat\.http: (https?:\/\/\S+) is not allowed: start with --http-allow \1$/);
  }
  for (const url of [`http://127.0.0.1:${service.port}@example.org/`, `http://user:secret@127.0.0.1:${service.port}/`, "file:///etc/passwd",
    "/path", "", `http://127.0.0.1:${service.port}\\\\@example.org/`, `http://127.0.0.1:${service.port}/a b`, `http://127.0.0.1:${service.port}/\\r\\nX: y`]) {
    const [ok, why] = await ana.run(`return pcall(chat.http, { url = "${url}" })`);
    assert.equal(ok, false, url);
    assert.match(why, /the url has to be http/, url);
    assert.doesNotMatch(why, /secret/);
  }
  assert.equal(service.asked.length, 0);
});

ask("http_raises_for_what_is_no_request", json({}), async (stage, service) => {
  const ana = await stage.actor();
  const u = `url = "${service.origin}/"`;
  for (const [request, why] of [["nil", /table/], ["{}", /url is a nil/], ["{ url = 7 }", /url is a number/], [`{ ${u}, methd = "GET" }`, /takes no 'methd'; there are url, method, /],
    [`{ ${u}, method = "get" }`, /method is GET/], [`{ ${u}, method = "CONNECT" }`, /method is GET/], [`{ ${u}, method = 7 }`, /method is a number/],
    [`{ ${u}, body = "x" }`, /only PATCH, POST and PUT/], [`{ ${u}, method = "POST", body = 7 }`, /body that is no table is a number/],
    [`{ ${u}, method = "POST", body = { print } }`, /function|JSON/], [`{ ${u}, method = "POST", body = ("x"):rep(1048577) }`, /too large: 1048576 .*--http-max/],
    [`{ ${u}, method = "POST", body = { ("x"):rep(1048577) } }`, /too large.*--http-max/],
    [`{ ${u}, headers = 7 }`, /headers is a number/], [`{ ${u}, headers = { "x" } }`, /header's name is a number/], [`{ ${u}, headers = { x = {} } }`, /header's value is a table/],
    [`{ ${u}, headers = { [""] = "x" } }`, /1 to 128/], [`{ ${u}, headers = { ["a b"] = "x" } }`, /letters/], [`{ ${u}, headers = { ["a:b"] = "x" } }`, /letters/],
    [`{ ${u}, headers = { a = "x\\r\\nb: y" } }`, /control/], [`{ ${u}, headers = { a = "x\\0y" } }`, /control/], [`{ ${u}, headers = { a = "" } }`, /empty/],
    ...["Host", "content-length", "Transfer-Encoding", "Connection", "Upgrade"].map((name) => [`{ ${u}, headers = { ["${name}"] = "x" } }`, /not the script's/]),
    [`{ ${u}, headers = { a = ("x"):rep(70000) } }`, /too large/], [`{ ${u}, timeout = 0 }`, /timeout/], [`{ ${u}, timeout = 301 }`, /timeout/],
    [`{ ${u}, timeout = "5" }`, /timeout/], [`{ ${u}, timeout = 0/0 }`, /timeout/]]) {
    const [ok, error] = await ana.run(`return pcall(chat.http, ${request})`);
    assert.equal(ok, false, request);
    assert.match(error, why, request);
  }
  assert.equal(service.asked.length, 0);
  assert.equal(await ana.value(`return ${at(service, "/")}.status`), 200, "and goes on");
});

scenario("http_is_not_there_without_http_allow", { script: RUN, threads: [0] }, async (stage) => {
  const ana = await stage.actor();
  const [ok, why] = await ana.run("return pcall(chat.http, { url = 'https://Example.org:443/x' })");
  assert.deepEqual([ok, why], [false, "chat.http: https://example.org is not allowed: start with --http-allow https://example.org"]);
});

/* The host stands still, as a stopped process does, until the reply has come and its time is over. */
ask("http_answer_that_came_in_time_counts_though_the_host_was_late", silence, async (stage, service) => {
  const [ana, beto] = await stage.actors(2);
  ana.say(`local r, why = ${at(service, "/", "timeout = 0.8")}; client:send { r and r.status or 0, why or "none" }`);
  await service.heard(1);
  beto.say("chat.log('the host is busy') local ends = os.clock() + 1 while os.clock() < ends do end");
  await stage.server.waitLog(/the host is busy/);
  service.asked[0].response.end("ok");
  assert.deepEqual(await ana.next(), [200, "none"]);
}, { args: ["--handler-time", "20000"] });

ask("http_says_timeout", silence, async (stage, service) => {
  const ana = await stage.actor();
  assert.deepEqual(await ana.run(`return ${at(service, "/", "timeout = 0.05")}`), [null, "timeout"]);
  await ana.hearsNothing();
});

ask("http_says_too_large_and_logs_the_limit", (request, response) => {
  const bytes = Number(request.url.slice(1));
  if (bytes % 2) response.writeHead(200, { "Content-Length": bytes });
  response.end("x".repeat(bytes));
}, async (stage, service) => {
  const ana = await stage.actor();
  assert.equal(await ana.value(`return #${at(service, "/10240")}.body`), 10_240);
  for (const bytes of [10_241, 10_242, 10_000_000]) {
    assert.deepEqual(await ana.run(`return ${at(service, `/${bytes}`)}`), [null, "too large"]);
  }
  await stage.server.waitLog(/answer of a service refused: too large limit=--http-max times=1/);
}, { args: ["--http-max", "10k"] });

ask("http_bounds_the_head_of_an_answer", (request, response) => {
  for (let i = 0; i < 30; i++) response.setHeader(`X-${i}`, "x".repeat(3000));
  response.end();
}, async (stage, service) => {
  const ana = await stage.actor();
  assert.deepEqual(await ana.run(`return ${at(service, "/")}`), [null, "too large"]);
}, { threads: [0] });

ask("http_says_not_connected_and_no_such_host", json({}), async (stage, service) => {
  const ana = await stage.actor();
  service.close();
  assert.deepEqual(await ana.run(`return ${at(service, "/")}`), [null, "not connected"]);
  const [r, why] = await ana.run("return chat.http { url = 'http://charlua.invalid/', timeout = 5 }");
  assert.equal(r, null);
  assert.match(why, /^(no such host|timeout)$/); /* a machine without a name server may wait for one */
}, { args: ["--http-allow", "http://charlua.invalid"] });

ask("http_uses_no_proxy_of_the_environment", json({ direct: true }), async (stage, service) => {
  stage.server.signal("SIGTERM");
  await stage.server.exited;
  stage.server = await startServer({ script: RUN, threads: 0, args: ["--http-allow", service.origin],
    env: { http_proxy: "http://127.0.0.1:1", all_proxy: "http://127.0.0.1:1", HTTP_PROXY: "http://127.0.0.1:1", no_proxy: "" } });
  const ana = await stage.actor();
  assert.deepEqual(await ana.value(`return ${at(service, "/")}.json`), { direct: true });
}, { threads: [0] });

/* --- TLS -------------------------------------------------------------------------- */

/* A service's certificate for `name`, and whether we are told to trust it. */
const certified = (name, trust) => (stage) => {
  const dir = folder(stage), { cert, key, pem } = makeCert(dir, name, { subject: `/CN=${name}` });
  return { service: { cert: pem, key: readFileSync(key) }, args: trust ? ["--http-ca", cert] : [] };
};

ask("http_refuses_a_certificate_that_nobody_vouches_for", json({}), async (stage, service) => {
  const ana = await stage.actor();
  assert.deepEqual(await ana.run(`return chat.http { url = "${service.named}/" }`), [null, "bad certificate"]);
  assert.equal(service.asked.length, 0);
}, { tls: certified("localhost", false) });

ask("http_refuses_a_certificate_for_another_host", json({}), async (stage, service) => {
  const ana = await stage.actor();
  assert.deepEqual(await ana.run(`return ${at(service, "/")}`), [null, "bad certificate"]);
  assert.equal(service.asked.length, 0);
}, { tls: certified("ana.test", true) });

ask("http_believes_the_ca_that_it_is_given", json({ secure: true }), async (stage, service) => {
  const ana = await stage.actor();
  assert.deepEqual(await ana.value(`return chat.http { url = "${service.named}/" }.json`), { secure: true });
}, { tls: certified("localhost", true) });

test("http_ca_that_cannot_be_read_ends_the_start", async () => {
  const { code, stderr } = await runToEnd(["--listen", "127.0.0.1:0", "--http-allow", "https://a", "--http-ca", "/nowhere/ca.pem", RUN]);
  assert.equal(code, 1);
  assert.match(stderr, /cannot read --http-ca \/nowhere\/ca\.pem/);
});

/* --- waiting ------------------------------------------------------------------------ */

ask("http_holds_up_nobody_but_its_client", silence, async (stage, service) => {
  const [ana, beto] = await stage.actors(2);
  ana.say(`client:send('"before"'); client:join("patio"); local r = ${at(service, "/")}; return r.status`);
  ana.say("return 2");
  assert.equal(await ana.next(), "before");
  await service.heard(1);
  assert.equal(await beto.value("return chat.room('patio').size"), 1, "what came before the wait is committed");
  json({})(null, service.asked[0].response);
  assert.deepEqual(await ana.results(), [200]);
  assert.deepEqual(await ana.results(), [2]);
});

ask("http_in_a_handler_that_fails_later_was_asked_all_the_same", json({}), async (stage, service) => {
  const ana = await stage.actor();
  await ana.fails(`local r = ${at(service, "/late")}; client:send('1'); error("late")`);
  assert.equal(service.asked.length, 1);
  await ana.hearsNothing();
});

ask("http_works_in_timers_and_spawned_handlers", json({ n: 1 }), async (stage, service) => {
  const ana = await stage.actor();
  await ana.run(`
    chat.spawn(function() client:send({ spawned = ${at(service, "/a")}.json }) end)
    chat.after(0, function() client:send({ timed = ${at(service, "/b")}.json }) end)`);
  const heard = Object.assign({}, await ana.next(), await ana.next());
  assert.deepEqual(heard, { spawned: { n: 1 }, timed: { n: 1 } });
});

ask("http_answers_closed_when_the_client_leaves_and_calls_the_request_off", silence, async (stage, service) => {
  const [ana, beto] = await stage.actors(2);
  await beto.run("kept.beto = client; client:join('witnesses')");
  ana.say(`local r, why = ${at(service, "/", "timeout = 300")}; kept.beto:send({ tostring(r), why });
    kept.beto:send({ "again", select(2, ${at(service, "/")}) })`);
  await service.heard(1);
  const gone = new Promise((resolve) => service.asked[0].response.once("close", resolve));
  ana.drop();
  assert.deepEqual(await beto.next(), ["nil", "closed"]);
  assert.deepEqual(await beto.next(), ["again", "closed"]);
  assert.equal((await beto.next()).type, "end");
  await within(gone, "end of the request");
  assert.equal(service.asked.length, 1);
});

ask("http_works_while_a_client_is_closing", json({ bye: true }), async (stage, service) => {
  const stageRules = stage.save("rules.lua", `local chat = require "charlua"
    local app = { api = 1, on = {} }
    function app.on_open(client, request) if request.path == "/watch" then client:join("watch"); client:send { ready = true } end end
    function app.on_close() chat.room("watch"):send(${at(service, "/")}.json) end
    return app`);
  stage.server.signal("SIGTERM");
  await stage.server.exited;
  stage.server = await startServer({ script: stageRules, threads: 0, args: ["--http-allow", service.origin] });
  const watch = await stage.client("/watch");
  await watch.next();
  (await stage.client("/")).drop();
  assert.deepEqual(await watch.next(), { bye: true });
}, { threads: [0] });

ask("http_can_refuse_who_comes_in", (request, response) => {
  response.writeHead(request.url === "/?name=ana" ? 200 : 403).end();
}, async (stage, service) => {
  const rules = stage.save("rules.lua", `local chat = require "charlua"
    local app = { api = 1, on = {} }
    function app.on_open(client, request)
      local r = chat.http { url = "${service.origin}/?name=" .. (request.query.name or "") }
      if not r or r.status ~= 200 then return false, 4003, "who?" end
      client:send { welcome = true }
    end
    return app`);
  stage.server.signal("SIGTERM");
  await stage.server.exited;
  stage.server = await startServer({ script: rules, threads: 0, args: ["--http-allow", service.origin] });
  assert.deepEqual(await (await stage.client("/?name=ana")).next(), { welcome: true });
  assert.deepEqual(await (await stage.client("/?name=eva")).closed, { code: 4003, reason: "who?" });
}, { threads: [0] });

ask("http_works_in_handlers_only", json({}), async (stage, service) => {
  const ana = await stage.actor();
  for (const code of [`return pcall(coroutine.wrap(function() ${at(service, "/")} end))`,
    `return pcall(table.sort, { 2, 1 }, function() ${at(service, "/")} end)`]) {
    const [ok, why] = await ana.run(code);
    assert.equal(ok, false, code);
    assert.match(why, /chat\.http (works in a handler only|can't wait here)/, code);
  }
  assert.deepEqual(await ana.run(`local ok, r = pcall(chat.http, { url = "${service.origin}" }); return ok, r.status`), [true, 200]);
  for (const rules of [`chat.http { url = "${service.origin}" }`, `app.selftest = function() chat.http { url = "${service.origin}" } end`]) {
    const script = stage.save("bad.lua", `local chat = require "charlua"; local app = { api = 1 }; ${rules}; return app`);
    const { code, stderr } = await runToEnd(["--listen", "127.0.0.1:0", "--http-allow", service.origin, script]);
    assert.equal(code, 1);
    assert.match(stderr, /chat\.http works in a handler only/);
  }
}, { threads: [0] });

/* Ask and keep count: kept.answers[reason or status] = how many. */
const MANY = (service, path, n, timeout = 300) => `
  kept.answers, kept.open = {}, ${n}
  for i = 1, ${n} do
    chat.spawn(function()
      local r, why = ${at(service, path, `timeout = ${timeout}`)}
      local key = r and tostring(r.status) or why
      kept.answers[key] = (kept.answers[key] or 0) + 1
      kept.open = kept.open - 1
      if kept.open == 0 then client:send(kept.answers) end
    end)
  end`;

ask("http_asks_at_most_100_at_once_and_lets_1000_wait", (request, response) => {
  if (request.url === "/now") response.end();
}, async (stage, service) => {
  const ana = await stage.actor();
  await ana.run(MANY(service, "/", 1150));
  await service.heard(100);
  while (await ana.value("return kept.answers['too many requests'] or 0") < 50);
  assert.equal(service.asked.length, 100);
  for (let i = 0; i < 1100; i++) {
    await service.heard(i + 1);
    assert.ok(service.asked.length - i <= 100, "at once");
    service.asked[i].response.end();
  }
  assert.deepEqual(await ana.next(), { 200: 1100, "too many requests": 50 });
  assert.equal(await ana.value(`return ${at(service, "/now")}.status`), 200, "and then there is room again");
});

/* The host is busy while 20 MB come: its inbox is full at 4 MiB, and the rest has to wait in the sockets. */
ask("http_answers_that_are_large_wait_for_a_busy_host", silence, async (stage, service) => {
  const ana = await stage.actor();
  await ana.run(MANY(service, "/", 20, 4.5)); /* less than libcurl takes to look again by itself */
  await service.heard(20);
  ana.say("local from = os.clock(); while os.clock() - from < 0.5 do end");
  for (const { response } of service.asked) response.end("x".repeat(1_000_000));
  await ana.results();
  assert.deepEqual(await ana.next(), { 200: 20 });
});

ask("http_that_waits_does_not_hold_up_the_end", silence, async (stage, service) => {
  const ana = await stage.actor();
  await ana.run(MANY(service, "/", 150));
  ana.say(`${at(service, "/", "timeout = 300")}`);
  await service.heard(100);
  const { code, ms } = await stage.server.stop();
  assert.equal(code, 0);
  assert.ok(ms < 4_000, `${ms} ms`);
});

ask("http_that_waits_ends_by_the_rules_it_began_with", silence, async (stage, service) => {
  const [ana, beto] = await stage.actors(2);
  ana.say(`kept.old = true; local r = ${at(service, "/")}; return r.status, kept.old`);
  await service.heard(1);
  await stage.reload();
  assert.deepEqual(await beto.run("return kept.old"), [null]);
  json({})(null, service.asked[0].response);
  assert.deepEqual(await ana.results(), [200, true]);
});

ask("http_logs_neither_urls_nor_credentials", silence, async (stage, service) => {
  const ana = await stage.actor();
  await ana.run(`return ${at(service, "/hush1", "timeout = 0.05, method = 'POST', body = 'hush2', headers = { Authorization = 'hush3' }")}`);
  await ana.run(`return ${at(service, "/hush1", "timeout = 0.05")}`);
  assert.doesNotMatch(stage.server.stderr, /hush/);
}, { args: ["--log-level", "debug"], threads: [0] });

/* --- chat.env ------------------------------------------------------------------------ */

scenario("env_tells_what_is_allowed_as_it_was_at_the_start", { script: RUN, threads: [0], args: ["--env", "ONE", "--env", "NOT_SET", "--env", "EMPTY"],
  env: { ONE: "a = b", OTHER: "hidden", EMPTY: "" } }, async (stage) => {
  const ana = await stage.actor();
  assert.deepEqual(await ana.run("return chat.env('ONE'), chat.env('NOT_SET'), chat.env('EMPTY')"), ["a = b", null, ""]);
  for (const name of ["OTHER", "PATH", "one", ""]) {
    assert.deepEqual(await ana.run(`return pcall(chat.env, "${name}")`),
      [false, `environment variable '${name}' is not allowed: start with --env ${name}`]);
  }
  assert.equal(await ana.value("return (pcall(chat.env))"), false);
});

scenario("env_is_there_at_load_and_in_selftests", { threads: [0], args: ["--env", "ONE"], env: { ONE: "1" },
  rules: `local chat = require "charlua"
    local one = assert(chat.env("ONE"))
    local app = { api = 1, on = {} }
    function app.selftest() assert(chat.env("ONE") == one) end
    function app.on.ask(client) client:send { one = one } end
    return app` }, async (stage) => {
  const ana = await stage.client();
  ana.send({ type: "ask" });
  assert.deepEqual(await ana.next(), { one: "1" });
});
