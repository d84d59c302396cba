/* Standard error that nobody reads, as a pipe and as a socket: it costs lines of the log, and nothing else. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, rmSync } from "node:fs";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connect } from "./client.mjs";
import { BIN, placements, ROOT, THREADS, within } from "./server.mjs";

/* A named pipe: the server's end and ours. */
function openPipe(t) {
  const dir = mkdtempSync(join(tmpdir(), "charlua-"));
  execFileSync("mkfifo", [join(dir, "pipe")]);
  const end = openSync(join(dir, "pipe"), constants.O_RDWR);
  const reader = new Socket({ fd: openSync(join(dir, "pipe"), constants.O_RDONLY | constants.O_NONBLOCK), readable: true });
  t.after(() => {
    reader.destroy();
    rmSync(dir, { recursive: true });
  });
  return { end, reader };
}

/* A server whose standard error is a pipe or (node's "pipe") a socket, and what it has said. */
async function serve(t, kind, threads) {
  const pipe = kind === "pipe" ? openPipe(t) : null;
  const child = spawn(BIN, ["--listen", "127.0.0.1:0", "--threads", String(threads), "--handler-time", "5000",
    "tests/e2e/fixtures/run.lua"], { cwd: ROOT, stdio: ["ignore", "ignore", pipe?.end ?? "pipe"] });
  const exit = new Promise((resolve) => child.once("exit", (code) => resolve(code)));
  t.after(() => child.kill("SIGKILL"));
  if (pipe) closeSync(pipe.end);
  const log = { text: "", reader: pipe?.reader ?? child.stderr };
  let heard = () => {};
  log.reader.setEncoding("utf8").on("data", (text) => {
    log.text += text;
    heard();
  });
  log.says = (regex) => within(new Promise((resolve) => {
    heard = () => regex.test(log.text) && resolve(regex.exec(log.text));
    heard();
  }), `line ${regex}`, () => log.text.slice(-2000));
  const [, port] = await log.says(/addr=127\.0\.0\.1:(\d+)[^]* ready /);
  return { child, exit, log, port: Number(port) };
}

const run = async (client, code) => {
  client.send({ type: "run", code });
  return (await client.next((m) => m.type === "result")).values;
};
const FLOOD = "for i = 1, 50 do chat.log(('x'):rep(3000)) end return 'flooded'";

async function flood(client) {
  for (let i = 0; i < 10; i++) assert.deepEqual(await run(client, FLOOD), ["flooded"]);
}

for (const kind of ["pipe", "socket"]) {
  for (const threads of placements(THREADS)) {
    test(`stderr_that_nobody_reads_stops_nobody (${kind}, threads ${threads})`, async (t) => {
      const { child, exit, log, port } = await serve(t, kind, threads);
      const ana = await connect(`ws://127.0.0.1:${port}/`);
      t.diagnostic("Nobody reads the log, and Ana's handlers write 1.5 MB into it. She and /healthz are answered.");
      log.reader.pause();
      await flood(ana);
      assert.equal((await within(fetch(`http://127.0.0.1:${port}/healthz`), "answer of /healthz")).status, 200);

      t.diagnostic("It is read again: it says how much was lost, no line is torn, and what comes now is there.");
      log.reader.resume();
      await log.says(/Z warn {2}lines of the log were lost lost=\d+\n/);
      await run(ana, "chat.log('here again') return 1");
      await log.says(/here again\n/);
      const whole = /^\d{4}-\d\d-\d\dT\S+Z (info |warn |error|debug) .*$/;
      assert.deepEqual(log.text.split("\n").slice(0, -1).filter((line) => !whole.test(line)), []);
      const floods = log.text.split("\n").filter((line) => /x{3000}$/.test(line)).length;
      const lost = [...log.text.matchAll(/ lost=(\d+)\n/g)].reduce((sum, [, n]) => sum + Number(n), 0);
      assert.equal(floods + lost, 500);

      t.diagnostic("Nobody reads it again. The server ends when it is told to.");
      log.reader.pause();
      await flood(ana);
      child.kill("SIGTERM");
      assert.equal((await within(ana.closed, "Ana's close")).code, 1001);
      assert.equal(await within(exit, "end of the server"), 0);
    });
  }
}
