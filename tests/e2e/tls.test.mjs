/* tls.test.mjs: encrypted listeners: versions, certificates and who sees which, resumption, reload, and the wrong
 * protocol at the door. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { createPrivateKey } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { connect as dial, createServer } from "node:net";
import { connect } from "node:tls";
import { dialTls, encrypted, folder, makeCert, openTls } from "./certs.mjs";
import { closing, dialRaw, frame, OP, openRaw, Raw, UPGRADE } from "./raw.mjs";
import { overThreads, within } from "./server.mjs";

const ECHO = { script: "tests/e2e/fixtures/echo.lua" }, RUN = { script: "tests/e2e/fixtures/run.lua" };

/* A scenario on a server that has the certificates of `names`, on stage.certs. */
const tls = (name, play, { names = ["ana.test"], args = () => [], rules = ECHO, keys } = {}) => overThreads(name, (stage) => {
  const dir = folder(stage);
  stage.dir = dir;
  stage.certs = names.map((host) => makeCert(dir, host, { key: keys }));
  return encrypted(stage.certs, ["--handler-time", "5000", ...args(stage)], rules);
}, play, { threads: [0, 3] });

async function echoes(raw, payload, op = OP.TEXT) {
  await raw.write(frame(op, payload));
  assert.ok((await raw.frame()).payload.equals(Buffer.from(payload)));
}

/* The values of the Lua `code`, run for `raw`. */
async function run(raw, code) {
  await raw.write(frame(OP.TEXT, JSON.stringify({ type: "run", code })));
  return JSON.parse((await raw.frame()).payload).values;
}

const isFor = (socket, host) => assert.equal(socket.getPeerCertificate().subject.CN, host);

/* --- versions and names ------------------------------------------------------- */

tls("tls_speaks_1_2_and_1_3_and_chooses_http_1_1", async (server, stage) => {
  for (const version of ["TLSv1.2", "TLSv1.3"]) {
    const raw = await openTls(server, stage, { minVersion: version, maxVersion: version, ALPNProtocols: ["h2", "http/1.1"] });
    assert.deepEqual([raw.tls.getProtocol(), raw.tls.alpnProtocol], [version, "http/1.1"]);
    await echoes(raw, "hi");
    await raw.write(frame(OP.CLOSE, closing(1000, "bye")));
    assert.equal((await raw.frame()).code, 1000);
    assert.equal((await raw.end()).length, 0);
    await raw.finish();
  }
});

tls("tls_refuses_versions_before_1_2", async (server, stage) => {
  for (const version of ["TLSv1", "TLSv1.1"]) {
    await assert.rejects(dialTls(server, stage, { minVersion: version, maxVersion: version, ciphers: "DEFAULT@SECLEVEL=0" }),
      /alert protocol version|unsupported protocol/);
  }
  await echoes(await openTls(server, stage), "hi");
});

tls("tls_refuses_who_offers_no_protocol_that_it_has", async (server, stage) => { /* RFC 7301 3.2 */
  await assert.rejects(dialTls(server, stage, { ALPNProtocols: ["h2"] }), /no application protocol|alert number 120/);
  await echoes(await openTls(server, stage, { ALPNProtocols: ["h2", "http/1.1"] }), "hi");
});

tls("tls_certificate_is_the_one_of_the_name_that_was_asked_for_or_the_first", async (server, stage) => {
  for (const maxVersion of ["TLSv1.2", "TLSv1.3"]) {
    for (const [servername, host] of [["ana.test", "ana.test"], ["beto.test", "beto.test"], ["BETO.test", "beto.test"],
      ["nobody.test", "ana.test"], ["", "ana.test"]]) {
      isFor(await dialTls(server, stage, { servername, maxVersion }), host);
    }
    const { pem } = stage.certs[1];
    const raw = await openTls(server, stage, { servername: "beto.test", ca: pem, rejectUnauthorized: true, maxVersion });
    assert.ok(raw.tls.authorized);
    await echoes(raw, "hi");
  }
}, { names: ["ana.test", "beto.test"] });

/* --- suites ------------------------------------------------------------------- */

/* openssl s_client to the server with `args`: {child, said(), wrote(regex), exit}. */
function sClient(server, stage, args) {
  const child = spawn("openssl", ["s_client", "-connect", `127.0.0.1:${server.port}`, ...args]);
  let said = "", wake = () => {};
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("latin1").on("data", (text) => { said += text; wake(); });
  child.stdin.on("error", () => {});
  stage.defer(() => child.kill("SIGKILL"));
  const exit = within(new Promise((resolve) => child.once("close", resolve)), "end of s_client", () => said);
  const wrote = (regex) => within(new Promise((resolve) => { (wake = () => regex.test(said) && resolve())(); }), `${regex} of s_client`, () => said);
  return { child, said: () => said, wrote, exit };
}

/* The suite that the server takes of `suites`, or null. */
async function chosen(server, stage, suites) {
  const { child, said, exit } = sClient(server, stage, ["-tls1_2", "-cipher", `${suites.join(":")}:@SECLEVEL=0`]);
  child.stdin.end();
  await exit;
  const [, suite] = /^\s+Cipher\s+: (\S+)$/m.exec(said()) ?? [];
  return suite === "0000" || suite === undefined ? null : suite;
}

for (const [keys, auth] of [["rsa", "RSA"], ["ec", "ECDSA"]]) {
  tls(`tls_1_2_takes_ephemeral_keys_and_aead_alone_with_a_key_of_${keys}`, async (server, stage) => { /* RFC 9325 4.2 */
    let left = execFileSync("openssl", ["ciphers", "-tls1_2", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"], { encoding: "utf8" }).trim().split(":")
      .filter((suite) => !suite.startsWith("TLS_"));
    const taken = [];
    for (let suite; left.length && (suite = await chosen(server, stage, left)) !== null;) {
      taken.push(suite);
      left = left.filter((name) => name !== suite);
    }
    assert.deepEqual(taken.sort(), ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"].map((name) => `ECDHE-${auth}-${name}`));
  }, { keys });
}

/* --- ends --------------------------------------------------------------------- */

const GOODBYE = /<<< TLS 1\.[23],? .*Alert.*warning close_notify/;

/* Each way in which the server ends a connection says so (RFC 8446 6.1): a reader can tell the end from a cut. */
for (const [name, args, talk, act] of [
  ["the_time_for_a_next_request_is_over", ["--keep-alive-time", "1"], "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", () => {}],
  ["it_stops_while_a_connection_is_idle", [], "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", (server) => server.signal("SIGTERM")],
  ["a_client_does_not_answer_a_close_in_time", ["--close-time", "1"], UPGRADE, (server) => server.signal("SIGTERM")],
  ["it_has_answered_the_last_request", [], "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", () => {}],
]) {
  tls(`tls_says_close_notify_when_${name}`, async (server, stage) => {
    const clients = ["-tls1_2", "-tls1_3"].map((version) => sClient(server, stage, [version, "-quiet", "-msg"]));
    for (const client of clients) client.child.stdin.write(talk);
    await Promise.all(clients.map((client) => client.wrote(/HTTP\/1\.1 (200|101)/)));
    act(server);
    for (const client of clients) {
      await client.exit;
      assert.match(client.said(), GOODBYE);
    }
  }, { args: () => args });
}

/* --- resumption ----------------------------------------------------------------- */

for (const version of ["TLSv1.2", "TLSv1.3"]) {
  tls(`tls_resumes_a_session_of_${version.slice(4).replace(".", "_")}`, async (server, stage) => {
    for (const servername of ["ana.test", "beto.test"]) {
      const options = { servername, minVersion: version, maxVersion: version };
      const socket = connect({ port: server.port, host: "127.0.0.1", rejectUnauthorized: false, ...options });
      stage.defer(() => socket.destroy());
      const ticket = within(new Promise((resolve) => socket.once("session", resolve)), "session ticket");
      const first = new Raw(socket);
      await first.write(UPGRADE);
      assert.equal((await first.answer()).status, 101);
      assert.equal(socket.isSessionReused(), false);
      const again = await openTls(server, stage, { ...options, session: await ticket });
      assert.equal(again.tls.isSessionReused(), true);
      await echoes(again, "hi");
    }
  }, { names: ["ana.test", "beto.test"] });
}

/* --- clients' certificates --------------------------------------------------------- */

const DOOR = `local chat = require "charlua"
  local app = { api = 1 }
  function app.on_open(client, request)
    client:send(chat.object("tls", request.tls or "none", "secure", client.secure))
  end
  return app`;

const withClients = (name, play) => overThreads(name, (stage) => {
  const dir = folder(stage), rules = `${dir}/door.lua`;
  const ca = makeCert(dir, "ca", { subject: "/CN=Our CA" });
  stage.ana = makeCert(dir, "ana", { subject: "/O=Example/CN=Ana", ca });
  stage.stranger = makeCert(dir, "stranger", { subject: "/CN=Stranger" });
  writeFileSync(rules, DOOR);
  return { ...encrypted([makeCert(dir, "ana.test")], ["--client-ca", ca.cert, "--listen", "127.0.0.1:0"]), script: rules };
}, play, { threads: [0, 3] });

const seen = async (raw) => JSON.parse((await raw.frame()).payload);
const pair = ({ cert, key }) => ({ cert: readFileSync(cert), key: readFileSync(key) });

withClients("tls_gives_the_rules_the_subject_of_a_verified_certificate", async (server, stage) => {
  for (const maxVersion of ["TLSv1.2", "TLSv1.3"]) {
    const socket = connect({ port: server.port, host: "127.0.0.1", servername: "ana.test", rejectUnauthorized: false, maxVersion,
      ...pair(stage.ana) });
    stage.defer(() => socket.destroy());
    const ticket = within(new Promise((resolve) => socket.once("session", resolve)), "session ticket");
    const first = new Raw(socket);
    await first.write(UPGRADE);
    assert.equal((await first.answer()).status, 101);
    assert.deepEqual(await seen(first), { tls: "CN=Ana,O=Example", secure: true });
    const again = await openTls(server, stage, { maxVersion, session: await ticket });
    assert.deepEqual([again.tls.isSessionReused(), await seen(again)], [true, { tls: "CN=Ana,O=Example", secure: true }]);
  }
});

withClients("tls_lets_in_who_has_no_certificate_and_refuses_one_of_a_stranger", async (server, stage) => {
  assert.deepEqual(await seen(await openTls(server, stage)), { tls: "none", secure: true });
  assert.deepEqual(await seen(await openRaw({ port: server.ports[1], host: "127.0.0.1" }, stage)), { tls: "none", secure: false });
  await assert.rejects(openTls(server, stage, pair(stage.stranger)), /alert|ended before|ECONNRESET/);
});

/* --- reload -------------------------------------------------------------------------- */

tls("tls_certificates_are_loaded_again_without_dropping_anyone", async (server, stage) => {
  const [{ cert, key }] = stage.certs;
  const old = await openTls(server, stage);
  isFor(old.tls, "ana.test");
  const next = makeCert(stage.dir, "next", { subject: "/CN=next.test" });
  const reload = async (files, line) => {
    files.forEach(([path, text]) => writeFileSync(path, text));
    const from = server.mark;
    server.signal("SIGHUP");
    await server.waitLog(line, { from });
    return server.waitLog(/rules reloaded/, { from });
  };
  const keyText = readFileSync(next.key);
  await reload([], /info {2}certificates reloaded count=\d+ changed=0\n/);
  await reload([[cert, next.pem], [key, keyText]],
    /info {2}certificate changed cert=\S+ subject=\/CN=next\.test expires=20\S+Z sha256=[0-9a-f]{8}\n.*info {2}certificates reloaded count=\d+ changed=1\n/);
  isFor(await dialTls(server, stage), "next.test");
  await echoes(old, "still here");
  const locked = createPrivateKey(keyText).export({ type: "pkcs8", format: "pem", cipher: "aes-128-cbc", passphrase: "x" });
  for (const [files, what, why] of [
    [[[cert, "no certificate\n"]], "--cert", "it holds no certificate in PEM"],
    [[[cert, next.pem], [key, "no key\n"]], "--key", "it holds no private key in PEM"],
    [[[key, locked]], "--key", "it is encrypted; save it without a passphrase"],
    [[[key, readFileSync(makeCert(stage.dir, "other").key)]], "--key", ""], /* one that does not fit */
  ]) {
    await reload(files, new RegExp(`error certificates not reloaded, the old ones stay in use: cannot use ${what} ${stage.dir}\\S+: ${why}`));
    isFor(await dialTls(server, stage), "next.test");
    await echoes(old, "still here");
  }
  await reload([[key, keyText]], /rules reloaded/);
  await echoes(await openTls(server, stage), "all is well");
});

/* --- the wrong protocol ---------------------------------------------------------------- */

tls("tls_ends_plain_text_at_once", async (server, stage) => {
  for (const bytes of [UPGRADE, "hello\r\n", Buffer.alloc(4096, 0xff), "\0"]) {
    const raw = await dialRaw(server);
    stage.defer(() => raw.destroy());
    const from = performance.now();
    await raw.write(bytes);
    if (bytes === "\0") continue; /* too short to tell; the time for a head ends it */
    const said = await raw.end().catch((error) => (assert.equal(error.code, "ECONNRESET"), Buffer.alloc(0)));
    assert.ok(said.length === 0 || said[0] === 21, "nothing but an alert");
    assert.ok(performance.now() - from < 8000, "it was the time for a head that ended it");
  }
  await echoes(await openTls(server, stage), "hi");
});

overThreads("tls_to_a_plain_port_is_told_400_and_ended", ECHO, async (server, stage) => {
  await assert.rejects(dialTls(server, stage), /wrong version number|packet length|http request|EPROTO|ECONNRESET/);
  const raw = await dialRaw(server);
  stage.defer(() => raw.destroy());
  await raw.write(Buffer.of(22, 3, 1, 0, 200, 1));
  assert.equal((await raw.answer()).status, 400);
  assert.equal((await raw.end()).length, 0);
}, { threads: [0, 3] });

/* --- bytes ------------------------------------------------------------------------------- */

tls("tls_carries_big_messages_both_ways_on_many_connections", async (server, stage) => {
  const big = Buffer.alloc(1 << 20, Buffer.from(Array.from({ length: 251 }, (_, i) => i)));
  const open = await Promise.all(Array.from({ length: 5 }, () => openTls(server, stage)));
  await Promise.all(open.map(async (raw, i) => {
    for (const size of [0, 1, 16383, 16384, 16385, 65536, big.length]) {
      await echoes(raw, big.subarray(0, size - Math.min(i, size)), OP.BINARY);
    }
  }));
}, { args: () => ["--max-byte-rate", "0", "--max-queue", "8m"] });

tls("tls_takes_a_handshake_and_a_request_byte_by_byte", async (server, stage) => {
  /* Between the two ends every byte travels alone. */
  const between = createServer({ noDelay: true, allowHalfOpen: true }, (near) => {
    const far = dial({ port: server.port, host: "127.0.0.1", noDelay: true });
    near.on("data", (data) => data.forEach((byte) => far.write(Buffer.of(byte))));
    near.on("error", () => {}).on("close", () => far.destroy());
    far.on("error", () => {}).on("close", () => near.destroy());
    far.pipe(near);
  });
  await new Promise((resolve) => between.listen(0, "127.0.0.1", resolve));
  stage.defer(() => between.close());
  for (const maxVersion of ["TLSv1.2", "TLSv1.3"]) {
    await echoes(await openTls(between.address(), stage, { maxVersion, host: "127.0.0.1" }), "slowly, slowly");
  }
});

tls("tls_keeps_what_a_slow_reader_has_not_read_and_loses_nothing", async (server, stage) => {
  const raw = await openTls(server, stage);
  raw.tls.pause();
  const sends = `for i = 1, 100 do
      client:send(('"%08d' .. ('x'):rep(99990) .. '"'):format(i))
      chat.sleep(0.001)
    end`;
  await raw.write(frame(OP.TEXT, JSON.stringify({ type: "run", code: sends })));
  await run(await openTls(server, stage), "chat.sleep(0.5) return 1");
  raw.tls.resume();
  for (let i = 1; i <= 100; i++) {
    const { payload } = await raw.frame();
    assert.deepEqual([payload.length, Number(payload.toString("latin1", 1, 9))], [100_000, i]);
  }
  assert.equal(JSON.parse((await raw.frame()).payload).type, "result");
}, { rules: RUN, args: () => ["--max-queue", "64m"] });

tls("tls_closes_1013_a_reader_that_is_too_slow", async (server, stage) => {
  const [raw, other] = [await openTls(server, stage), await openTls(server, stage)];
  const tooSlow = /client reads too slowly/;
  assert.deepEqual(await run(raw, "return client:join('slow')"), [true]);
  raw.tls.pause();
  for (let i = 0; i < 1000 && !tooSlow.test(server.stderr); i++) {
    await run(other, `chat.room('slow'):send('"' .. ('x'):rep(65000) .. '"')`);
  }
  await server.waitLog(tooSlow);
  raw.tls.resume();
  let last;
  do last = await raw.frame(); while (last.op !== OP.CLOSE);
  assert.equal(last.code, 1013);
  assert.equal((await raw.end()).length, 0);
}, { rules: RUN, args: () => ["--max-queue", "256k", "--close-time", "60"] });

tls("tls_ends_in_order_when_the_client_vanishes_in_the_handshake", async (server, stage) => {
  for (const bytes of [Buffer.alloc(0), Buffer.of(22), Buffer.of(22, 3, 1, 2, 0, 1, 0)]) {
    const raw = await dialRaw(server);
    if (bytes.length) await raw.write(bytes);
    raw.destroy();
  }
  await echoes(await openTls(server, stage), "hi");
});
