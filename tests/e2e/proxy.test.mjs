/* proxy.test.mjs: what proxies say of their clients is believed from trusted addresses, and from no other. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { dialTls, encrypted, folder, makeCert } from "./certs.mjs";
import { dialRaw, Raw, UPGRADE } from "./raw.mjs";
import { overThreads } from "./server.mjs";

/* Tells everybody who comes which address is theirs. */
const RULES = `local chat = require "charlua"
  local app = { api = 1 }
  function app.on_open(client) client:send(chat.object("ip", client.ip)) end
  return app`;

const TRUST = ["--trust-proxy", "127.0.0.1", "--trust-proxy", "10.0.0.0/8", "--trust-proxy", "2001:db8:1::/48"];

/* A scenario on a server that trusts 127.0.0.1 and two networks, and 127.0.0.2 not. */
const proxy = (name, play, { args = TRUST, more = () => ({}) } = {}) => overThreads(name, (stage) => {
  const rules = `${folder(stage)}/rules.lua`;
  writeFileSync(rules, RULES);
  return { script: rules, args, ...more(stage) };
}, play, { threads: [0, 3] });

const upgrade = (fields) => UPGRADE.replace("\r\n\r\n", `\r\n${fields.map((field) => `${field}\r\n`).join("")}\r\n`);

async function dial(server, stage, localAddress = "127.0.0.1") {
  const raw = await dialRaw({ host: "127.0.0.1", port: server.port, localAddress });
  stage.defer(() => raw.destroy());
  return raw;
}

/* The ip that the rules see of an upgrade on `raw`, whose bytes were sent already; or the status of a refusal. */
async function seen(raw) {
  const { status } = await raw.answer();
  return status === 101 ? JSON.parse((await raw.frame()).payload).ip : status;
}

/* Sends `bytes` from `from`; resolves like seen. */
async function tell(server, stage, bytes, from) {
  const raw = await dial(server, stage, from);
  await raw.write(bytes);
  return seen(raw);
}

/* --- header fields ------------------------------------------------------------ */

const FIELDS = [
  [["X-Forwarded-For: 192.0.2.7"], "192.0.2.7"],
  [["x-forwarded-for: 192.0.2.7"], "192.0.2.7"],
  [["X-Forwarded-For: 192.0.2.7:4711"], "192.0.2.7"],
  [["X-Forwarded-For: 2001:db8:2::7"], "2001:db8:2::7"],
  [["X-Forwarded-For: [2001:db8:2::7]:4711"], "2001:db8:2::7"],
  [["X-Forwarded-For: 198.51.100.1, 192.0.2.7"], "192.0.2.7"], /* what stands before it the client may have written */
  [["X-Forwarded-For: 198.51.100.1, 192.0.2.7, 10.1.2.3, 2001:db8:1::1"], "192.0.2.7"],
  [["X-Forwarded-For: 198.51.100.1", "X-Forwarded-For: 192.0.2.7", "X-Forwarded-For: 10.0.0.1"], "192.0.2.7"],
  [["X-Forwarded-For: 10.0.0.1, 10.0.0.2"], "10.0.0.1"],
  [["X-Forwarded-For: unknown"], "127.0.0.1"],
  [["X-Forwarded-For: 192.0.2.7, nonsense"], "127.0.0.1"],
  [["X-Forwarded-For: 192.0.2.7, nonsense, 10.0.0.1"], "10.0.0.1"],
  [["X-Forwarded-For: 192.0.2.300"], "127.0.0.1"],
  [["X-Forwarded-For:"], "127.0.0.1"],
  [["Forwarded: for=192.0.2.7"], "192.0.2.7"],
  [["Forwarded: For=192.0.2.7;proto=https;by=203.0.113.43"], "192.0.2.7"],
  [["Forwarded: by=203.0.113.43;for=192.0.2.7"], "192.0.2.7"],
  [["Forwarded: for=\"192.0.2.7:4711\""], "192.0.2.7"],
  [["Forwarded: for=\"[2001:db8:2::7]:4711\""], "2001:db8:2::7"],
  [["Forwarded: for=198.51.100.1, for=192.0.2.7, for=10.0.0.1"], "192.0.2.7"],
  [["Forwarded: for=_hidden"], "127.0.0.1"],
  [["Forwarded: proto=https"], "127.0.0.1"],
  [[], "127.0.0.1"],
];

proxy("proxy_fields_of_a_trusted_proxy_say_who_the_client_is", async (server, stage) => {
  for (const [fields, ip] of FIELDS) assert.equal(await tell(server, stage, upgrade(fields)), ip, fields.join("; "));
});

proxy("proxy_forwarded_beside_x_forwarded_for_is_the_clients_own_and_says_nothing", async (server, stage) => {
  for (const forwarded of ["for=198.51.100.1", "for=unknown", "for=192.0.2.7", "nonsense"]) {
    assert.equal(await tell(server, stage, upgrade([`Forwarded: ${forwarded}`, "X-Forwarded-For: 192.0.2.7"])), "192.0.2.7", forwarded);
  }
  assert.match(server.stderr, /debug Forwarded ignored beside X-Forwarded-For proxy=127\.0\.0\.1/);
}, { args: [...TRUST, "--log-level", "debug"] });

proxy("proxy_fields_of_anybody_else_say_nothing", async (server, stage) => {
  for (const [fields] of FIELDS) {
    assert.equal(await tell(server, stage, upgrade(fields), "127.0.0.2"), "127.0.0.2", fields.join("; "));
  }
});

proxy("proxy_fields_say_nothing_without_trust", async (server, stage) => {
  for (const [fields] of FIELDS) assert.equal(await tell(server, stage, upgrade(fields)), "127.0.0.1", fields.join("; "));
}, { args: [] });

/* --- the PROXY header ------------------------------------------------------------ */

const SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");

/* A header of version 2 with `body`; `said` announces another length. */
function version2(command, family, body, said = body.length) {
  const head = Buffer.from([0x20 | command, family, said >> 8, said & 255]);
  return Buffer.concat([SIGNATURE, head, Buffer.from(body)]);
}

const INET = [192, 0, 2, 7, 127, 0, 0, 1, 0x12, 0x34, 0x1c, 0x68];
const INET6 = [0x20, 1, 0xd, 0xb8, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, ...Array(15).fill(0), 1, 0x12, 0x34, 0x1c, 0x68];
const TLV = [4, 0, 3, 1, 2, 3];

const HEADERS = [
  ["PROXY TCP4 192.0.2.7 127.0.0.1 4711 7272\r\n", "192.0.2.7"],
  ["PROXY TCP6 2001:db8:2::7 ::1 4711 7272\r\n", "2001:db8:2::7"],
  ["PROXY UNKNOWN\r\n", "127.0.0.1"],
  ["PROXY UNKNOWN ffff:f:f:f:f:f:f:f ffff:f:f:f:f:f:f:f 65535 65535\r\n", "127.0.0.1"],
  [version2(1, 0x11, INET), "192.0.2.7"],
  [version2(1, 0x21, INET6), "2001:db8:2::7"],
  [version2(1, 0x11, [...INET, ...TLV]), "192.0.2.7"],
  [version2(0, 0, []), "127.0.0.1"], /* LOCAL: the proxy itself, as for its health checks */
  [version2(0, 0x11, INET), "127.0.0.1"],
  [version2(1, 0, TLV), "127.0.0.1"],
  [version2(1, 0x31, Buffer.alloc(216)), "127.0.0.1"],
];

proxy("proxy_header_says_who_the_client_is", async (server, stage) => {
  for (const [header, ip] of HEADERS) {
    assert.equal(await tell(server, stage, Buffer.concat([Buffer.from(header), Buffer.from(UPGRADE)])), ip, `${header}`);
  }
});

proxy("proxy_fields_behind_a_header_are_the_clients_own", async (server, stage) => {
  for (const [header, ip] of HEADERS) {
    const request = upgrade(["X-Forwarded-For: 198.51.100.1"]);
    assert.equal(await tell(server, stage, Buffer.concat([Buffer.from(header), Buffer.from(request)])), ip, `${header}`);
  }
});

proxy("proxy_header_may_come_byte_by_byte_and_before_the_request", async (server, stage) => {
  for (const [header, ip] of HEADERS) {
    const raw = await dial(server, stage);
    await raw.drip(header);
    await raw.drip(UPGRADE);
    assert.equal(await seen(raw), ip, `${header}`);
  }
});

proxy("proxy_header_outweighs_the_fields_and_counts_for_the_whole_connection", async (server, stage) => {
  const raw = await dial(server, stage);
  await raw.write(`${HEADERS[0][0]}GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  assert.equal((await raw.answer()).status, 200);
  await raw.write(upgrade(["X-Forwarded-For: 198.51.100.1"]));
  assert.equal(await seen(raw), "192.0.2.7");
});

proxy("proxy_header_is_not_needed", async (server, stage) => {
  for (const before of ["", "\r\n", "\r\n\r\n"]) {
    const raw = await dial(server, stage);
    await raw.drip(before + UPGRADE);
    assert.equal(await seen(raw), "127.0.0.1");
  }
});

proxy("proxy_header_that_is_malformed_is_refused_with_400", async (server, stage) => {
  for (const header of [
    "PROXY TCP4 192.0.2.300 127.0.0.1 4711 7272\r\n", "PROXY TCP4 2001:db8::1 ::1 4711 7272\r\n",
    "PROXY TCP6 192.0.2.7 127.0.0.1 4711 7272\r\n", "PROXY TCP4 192.0.2.7 127.0.0.1 4711 72720000\r\n",
    "PROXY TCP4 192.0.2.7 127.0.0.1 99999 7272\r\n", "PROXY TCP4 192.0.2.7 127.0.0.1 4711\r\n", "PROXY TCP4\r\n", "PROXY \r\n",
    "PROXY UDP4 192.0.2.7 127.0.0.1 4711 7272\r\n", "PROXY TCP4 192.0.2.7 127.0.0.1 4711 7272\n",
    "PROXY TCP4 192.0.2.7 127.0.0.1 4711 7272 more\r\n", `PROXY UNKNOWN ${"x".repeat(120)}`,
    Buffer.concat([SIGNATURE, Buffer.of(0x11, 0x11, 0, 12), Buffer.from(INET)]), /* version 1 of the binary form */
    version2(2, 0x11, INET), version2(1, 0x11, INET.slice(0, 8)), version2(1, 0x21, INET),
  ]) {
    const raw = await dial(server, stage);
    await raw.write(header);
    assert.equal((await raw.answer()).status, 400, `${header}`);
    assert.equal((await raw.end()).length, 0);
  }
});

proxy("proxy_header_from_anybody_else_is_no_request", async (server, stage) => {
  for (const [header] of HEADERS) {
    assert.equal(await tell(server, stage, Buffer.concat([Buffer.from(header), Buffer.from(UPGRADE)]), "127.0.0.2"), 400,
      `${header}`);
  }
});

proxy("proxy_header_that_never_ends_is_ended_by_the_time_for_a_head", async (server, stage) => {
  const headers = ["PRO", "PROXY TCP4 192.0.2.7", SIGNATURE, version2(1, 0x11, INET, 60000)];
  await Promise.all(headers.map(async (header) => assert.equal(await tell(server, stage, header), 408)));
}, { args: [...TRUST, "--head-time", "1"] });

/* --- other listeners ---------------------------------------------------------------- */

proxy("proxy_fields_count_over_tls", async (server, stage) => {
  const raw = new Raw(await dialTls(server, stage));
  await raw.write(upgrade(["X-Forwarded-For: 192.0.2.7"]));
  assert.equal(await seen(raw), "192.0.2.7");
}, { more: (stage) => encrypted([makeCert(folder(stage), "ana.test")], TRUST) });

/* TLS over a connection on which `header` was sent first, at once or byte by byte. */
async function tlsBehind(server, stage, header, drip, from = "127.0.0.1") {
  const socket = connect({ host: "127.0.0.1", port: server.port, localAddress: from, noDelay: true });
  const raw = new Raw(socket);
  await (drip ? raw.drip(header) : raw.write(header));
  return new Raw(await dialTls(server, stage, { socket }));
}

const withTls = (...args) => ({ args: TRUST, more: (stage) => encrypted([makeCert(folder(stage), "ana.test")], [...TRUST, ...args]) });

proxy("proxy_header_is_read_in_front_of_tls", async (server, stage) => {
  for (const [header, ip] of HEADERS) {
    for (const drip of [false, true]) {
      const raw = await tlsBehind(server, stage, header, drip);
      await raw.write(upgrade(["X-Forwarded-For: 198.51.100.1"]));
      assert.equal(await seen(raw), ip, `${header}`);
    }
  }
}, withTls());

proxy("proxy_header_in_front_of_tls_that_is_malformed_or_of_nobody_we_trust_ends_the_connection", async (server, stage) => {
  for (const [header, from] of [["PROXY \r\n"], ["PROXY TCP4 1.2.3.4\r\n"], [version2(2, 0x11, INET)], ["\r\n\r\nGET"],
    [HEADERS[0][0], "127.0.0.2"], [HEADERS[4][0], "127.0.0.2"]]) {
    await assert.rejects(tlsBehind(server, stage, header, false, from), `${header}`);
  }
  assert.equal(await seen(await behindOnce(server, stage)), "192.0.2.7", "others are served");
}, withTls());

const behindOnce = async (server, stage) => {
  const raw = await tlsBehind(server, stage, HEADERS[0][0], false);
  await raw.write(UPGRADE);
  return raw;
};

proxy("proxy_header_in_front_of_tls_counts_the_client_behind_it", async (server, stage) => {
  for (let i = 0; i < 2; i++) assert.equal(await seen(await behindOnce(server, stage)), "192.0.2.7");
  await assert.rejects(behindOnce(server, stage));
  await server.waitLog(/limit=--max-per-address ip=192\.0\.2\.7 /);
}, withTls("--max-per-address", "2"));

proxy("proxy_header_in_front_of_tls_that_never_ends_is_ended_by_the_time_for_a_head", async (server, stage) => {
  await Promise.all(["PRO", SIGNATURE, version2(1, 0x11, INET, 60000)].map(async (header) => {
    const raw = await dial(server, stage);
    await raw.write(header);
    assert.equal((await raw.end()).length, 0);
  }));
  await server.waitLog(/limit=--head-time /);
}, withTls("--head-time", "1"));

for (const [name, args, ip] of [
  ["proxy_on_a_unix_socket_is_believed_if_told_so", ["--trust-proxy", "unix"], "192.0.2.7"],
  ["proxy_on_a_unix_socket_is_not_believed_by_itself", TRUST, "unix"],
]) {
  proxy(name, async (server, stage) => {
    const raw = await dialRaw({ path: stage.options.listen.slice(5) });
    stage.defer(() => raw.destroy());
    await raw.write(upgrade(["X-Forwarded-For: 192.0.2.7"]));
    assert.equal(await seen(raw), ip);
  }, { args, more: (stage) => ({ listen: `unix:${folder(stage)}/socket` }) });
}

/* --- limits -------------------------------------------------------------------------- */

const as = (ip) => upgrade([`X-Forwarded-For: ${ip}`]);

proxy("proxy_limits_count_the_client_behind_it_and_not_itself", async (server, stage) => {
  const first = await dial(server, stage);
  await first.write(as("192.0.2.7"));
  assert.equal(await seen(first), "192.0.2.7");
  assert.equal(await tell(server, stage, as("192.0.2.7")), "192.0.2.7");
  assert.equal(await tell(server, stage, as("192.0.2.7")), 429);
  assert.equal(await tell(server, stage, Buffer.from(`PROXY TCP4 192.0.2.7 127.0.0.1 1 2\r\n${UPGRADE}`)), 429);
  for (let i = 1; i < 20; i++) assert.equal(await tell(server, stage, as(`198.51.100.${i}`)), `198.51.100.${i}`);
  for (let i = 1; i < 3; i++) assert.equal(await tell(server, stage, as(`2001:db8:2:1::${i}`)), `2001:db8:2:1::${i}`);
  assert.equal(await tell(server, stage, as("2001:db8:2:1:ffff::")), 429, "one household has one /64");
  assert.equal(await tell(server, stage, as("2001:db8:2:2::1")), "2001:db8:2:2::1");
  first.destroy();
  for (let status = 429, tries = 0; status === 429; tries++) { /* as soon as the server has seen that it went */
    assert.ok(tries < 1000, "who has gone counts on");
    status = await tell(server, stage, as("192.0.2.7"));
  }
}, { args: [...TRUST, "--max-per-address", "2"] });

proxy("proxy_clients_that_come_too_fast_are_told_429", async (server, stage) => {
  let last, tries = 0;
  do last = await tell(server, stage, as("192.0.2.7")); while (last !== 429 && ++tries < 500);
  assert.equal(last, 429);
  assert.ok(tries >= 4, `${tries} of twice 2 were let in`);
  await server.waitLog(/too many a second of this address limit=--max-connect-rate ip=192\.0\.2\.7 times=1/);
  assert.equal(await tell(server, stage, as("192.0.2.8")), "192.0.2.8");
}, { args: [...TRUST, "--max-connect-rate", "2"] });
