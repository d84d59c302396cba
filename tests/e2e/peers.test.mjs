/* peers.test.mjs: real clients of other makers against the real server, plain and over TLS: they log in and hear what they
 * say, send compressed messages that resemble each other, big ones and fragments, and close and are closed with a code
 * and a reason. Each client is a program of peers/, which prints a line for each of its cases. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { folder, makeCert } from "./certs.mjs";
import { DEADLINE_MS, overThreads, ROOT, startServer, within } from "./server.mjs";

const CASES = ["chat", "alike", "big", "fragments", "leaves", "sent_away"];
const build = process.env.CHARLUA_BUILD ?? `${ROOT}build`;

/* What runs each client; `cases` if it can't play all of them. Debian's own Python has Debian's libraries. */
const CLIENTS = {
  tornado: { argv: ["/usr/bin/python3", "tornado_client.py"], cases: CASES.filter((name) => name !== "fragments") },
  mojolicious: { argv: ["/usr/bin/perl", "mojolicious_client.pl"] },
  gorilla: { argv: [`${build}/peers/gorilla_client`] },
  "websocket-client": { argv: ["/usr/bin/python3", "websocket_client.py"] },
  ws: { argv: [process.execPath, "ws_client.mjs"] },
};

/* What `argv` printed, line by line, when it has ended by itself. */
async function linesOf(argv, stage) {
  const child = spawn(argv[0], argv.slice(1), { cwd: `${ROOT}tests/e2e/peers`, stdio: ["ignore", "pipe", "pipe"] });
  stage.defer(() => child.kill("SIGKILL"));
  let out = "", err = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (err += text));
  const end = new Promise((resolve, reject) => {
    child.once("error", () => reject(new Error(`${argv[0]} is missing: make deps-test installs it, make e2e builds it`)));
    child.once("close", resolve);
  });
  const code = await within(end, `end of ${argv.join(" ")}`, () => out + err, 3 * DEADLINE_MS);
  assert.equal(code, 0, out + err);
  return out.split("\n").filter(Boolean);
}

/* A certificate for localhost and the authority behind it. */
function listeners(stage) {
  const dir = folder(stage), ca = makeCert(dir, "ca.test"), { cert, key } = makeCert(dir, "localhost", { ca });
  stage.ca = ca.cert;
  stage.listen = ["--listen", "tls:127.0.0.1:0", "--cert", cert, "--key", key, "--deflate-min", "1"];
  return { args: stage.listen, script: "tests/e2e/fixtures/peers.lua" };
}

for (const [client, { argv, cases = CASES }] of Object.entries(CLIENTS)) {
  overThreads(`peers_${client.replace("-", "_")}_talks_plain_and_over_tls`, listeners, async (echo, stage) => {
    const chat = await startServer({ args: stage.listen, threads: stage.threads });
    stage.defer(() => chat.stop());
    for (const [at, scheme] of ["ws", "wss"].entries()) {
      const from = echo.mark;
      const urls = [chat, echo].map((server) => `${scheme}://localhost:${server.ports[at]}/`);
      const lines = await linesOf([...argv, ...urls, stage.ca], stage);
      assert.deepEqual(lines, cases.map((name) => `${name} ok`), `by ${scheme}://`);
      await echo.waitLog(new RegExp(`closed code=4001 reason=\\[${client}\\]`), { from });
    }
  }, { threads: [0, 3] });
}
