/* stopped.test.mjs: the process stands still (SIGSTOP, a suspended machine) until deadlines have passed. Whoever had done
 * in time what was asked of them is served when it goes on: what has come is read before any deadline is judged. */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { closing, dialRaw, frame, OP, openRaw } from "./raw.mjs";
import { overThreads } from "./server.mjs";

const RUN = "tests/e2e/fixtures/run.lua", REQUESTS = "tests/e2e/fixtures/requests.lua";

/* Every wait is a second long here, and a pause longer than any. */
const WAITS = ["--head-time", "1", "--keep-alive-time", "1", "--answer-time", "1", "--ping-interval", "2", "--ping-timeout", "1",
  "--close-time", "1"], PAUSE_MS = 1500;

const stopped = (name, play, script = RUN) =>
  overThreads(name, { args: [...WAITS, "--handler-time", "5000"], script }, play, { threads: [0, 3] });

/* Stops the server, has `act` done meanwhile, and lets it go on when all deadlines have passed. */
async function meanwhile(server, act) {
  process.kill(server.pid, "SIGSTOP");
  try {
    await act();
    for (const until = performance.now() + PAUSE_MS; performance.now() < until;) await setImmediate();
  } finally {
    process.kill(server.pid, "SIGCONT");
  }
}

const text = (value) => frame(OP.TEXT, JSON.stringify(value));

async function dial(server, stage) {
  const raw = await dialRaw(server);
  stage.defer(() => raw.destroy());
  return raw;
}

async function run(raw, code) {
  await raw.write(text({ type: "run", code }));
  for (;;) {
    const f = await raw.frame();
    if (f.op === OP.PING) await raw.write(frame(OP.PONG, f.payload));
    else return JSON.parse(f.payload);
  }
}

stopped("stopped_server_hears_a_pong_that_came_in_time", async (server, stage) => {
  const raw = await openRaw(server, stage);
  assert.equal((await raw.frame()).op, OP.PING);
  await meanwhile(server, () => raw.write(frame(OP.PONG)));
  assert.deepEqual((await run(raw, "return 1")).values, [1]);
  assert.doesNotMatch(server.stderr, /limit=--ping-timeout/);
});

stopped("stopped_server_reads_a_head_that_came_in_time", async (server, stage) => {
  const raw = await dial(server, stage);
  await raw.write("GET /healthz HTTP/1.1\r\nHost: local");
  await meanwhile(server, () => raw.write("host\r\n\r\n"));
  assert.equal((await raw.answer()).status, 200);
});

stopped("stopped_server_reads_a_body_that_came_in_time", async (server, stage) => {
  const raw = await dial(server, stage);
  await raw.write("POST /run?code=return%20%23request.body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n");
  await meanwhile(server, () => raw.write("x".repeat(60_000)));
  assert.notEqual((await raw.answer()).status, 408);
}, REQUESTS);

stopped("stopped_server_answers_the_next_request_that_came_in_time", async (server, stage) => {
  const raw = await dial(server, stage), healthz = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
  await raw.write(healthz);
  assert.equal((await raw.answer()).status, 200);
  await meanwhile(server, () => raw.write(healthz));
  assert.equal((await raw.answer()).status, 200);
});

stopped("stopped_server_takes_a_close_that_came_in_time", async (server, stage) => {
  const [raw, witness] = [await openRaw(server, stage), await openRaw(server, stage)];
  await run(witness, "client:join('witnesses')");
  await raw.write(text({ type: "run", code: "client:close(4000, 'chau')" }));
  let f;
  do f = await raw.frame(); while (f.op !== OP.CLOSE);
  assert.equal(f.code, 4000);
  await meanwhile(server, () => raw.write(frame(OP.CLOSE, closing(4000))));
  let end;
  do end = await witness.frame(); while (end.op === OP.PING);
  assert.deepEqual(JSON.parse(end.payload).code, 4000);
  assert.doesNotMatch(server.stderr, /limit=--close-time/);
});

stopped("stopped_server_gives_the_rules_their_time_to_answer", async (server, stage) => {
  const raw = await dial(server, stage);
  await raw.write(`GET /run?code=${encodeURIComponent("chat.log('info', 'asked') chat.sleep(0.9) return 200, 'late'")} \
HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  await server.waitLog(/asked/);
  await meanwhile(server, () => {});
  assert.equal((await raw.answer()).status, 200);
}, REQUESTS);
