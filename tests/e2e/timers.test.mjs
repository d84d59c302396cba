/* timers.test.mjs: what is due comes in its time, whatever the wall clock says, and lets others have their turn. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { FIXTURES, scenario } from "./scenario.mjs";
import { ROOT } from "./server.mjs";

const RUN = { script: `${FIXTURES}/run.lua` };

/* --- a wall clock that steps ------------------------------------------------ */

const folder = mkdtempSync(join(tmpdir(), "charlua-wall-"));
after(() => rmSync(folder, { recursive: true }));

const SHIM = join(folder, "wall.so"), FILE = join(folder, "step");
const HOUR = 3600;

/* The server's wall clock is `seconds` off from now on. */
function step(seconds) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(seconds));
  writeFileSync(FILE, bytes, { flag: "r+" });
}

writeFileSync(FILE, Buffer.alloc(8));
const built = spawnSync("cc", ["-O1", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", SHIM, join(ROOT, FIXTURES, "wall.c"), "-ldl"],
  { encoding: "utf8" });
assert.equal(built.status, 0, built.stderr);
const STEPPING = { ...RUN, env: { LD_PRELOAD: SHIM, WALL_FILE: FILE, ASAN_OPTIONS: "verify_asan_link_order=0" } };

/* `count` messages that are ticks; nothing else may come. */
async function ticks(actor, count) {
  for (let i = 0; i < count; i++) assert.deepEqual((await actor.next()).values, ["tick"]);
}

/* The values that `code` returns, among ticks. */
async function among(actor, code) {
  actor.say(code);
  for (;;) {
    const { type, values } = await actor.next();
    if (type === "result") return values;
    assert.deepEqual([type, values], ["timer", ["tick"]]);
  }
}

scenario("timers_come_in_their_time_while_the_wall_clock_steps", STEPPING, async (stage) => {
  step(0);
  const ana = await stage.actor();
  const [before, begun] = await ana.run(`
    chat.after(600, 'tell', client.id, 'early')
    chat.spawn(function() chat.sleep(600); client:send('"early"') end)
    chat.every(0.02, 'tell', client.id, 'tick')
    return chat.now(), chat.clock()`);
  await ticks(ana, 2);
  for (const seconds of [-HOUR, HOUR, 0]) {
    step(seconds);
    await ticks(ana, 40); /* more than half a second: libev looks for jumps so often */
    const [now] = await among(ana, "return chat.now()");
    assert.ok(Math.abs(now - before - seconds) < 600, `chat.now() follows the wall clock: ${before} + ${seconds}, ${now}`);
    const [elapsed] = await among(ana, `return chat.clock() - ${begun}`);
    assert.ok(elapsed > 0 && elapsed < 600, `chat.clock() does not step: ${elapsed}`);
    const [slept] = await among(ana, "return chat.sleep(0.01)");
    assert.equal(slept, true);
  }
});

/* --- many that are due at once ---------------------------------------------- */

const BUSY = "for i = 1, 1000000 do end; kept.done = (kept.done or 0) + 1"; /* some milliseconds */

scenario("timers_that_are_due_together_let_messages_pass", RUN, async (stage) => {
  const [ana, beto] = await stage.actors(2);
  await ana.run(`for i = 1, 100 do chat.spawn(function() ${BUSY} end) end`);
  const done = await beto.value("return kept.done or 0");
  assert.ok(done < 100, `the message waited for ${done} timers`);
  while (await beto.value("return kept.done or 0") < 100);
});

scenario("handlers_that_wake_together_let_messages_pass", RUN, async (stage) => {
  const [ana, beto] = await stage.actors(2);
  await ana.run(`for i = 1, 100 do chat.spawn(function() chat.sleep(0); ${BUSY} end) end`);
  while (await beto.value("return kept.done or 0") === 0);
  const done = await beto.value("return kept.done");
  assert.ok(done < 100, `the message waited for ${done} handlers`);
  while (await beto.value("return kept.done") < 100);
});

scenario("messages_that_waited_for_a_handler_let_others_pass", RUN, async (stage) => {
  const [ana, beto] = await stage.actors(2);
  ana.say("while not kept.open do chat.sleep(0.001) end");
  for (let i = 1; i <= 200; i++) ana.say(`${BUSY}; return ${i}`);
  ana.say("return 'all'");
  await beto.run("kept.open = true");
  let done = 0;
  while (done === 0) done = await beto.value("return kept.done or 0");
  assert.ok(done < 200, `the message waited for ${done} of another client`);
  await ana.results();
  for (let i = 1; i <= 200; i++) assert.deepEqual(await ana.results(), [i]);
  assert.deepEqual(await ana.results(), ["all"]);
});

scenario("messages_that_waited_come_before_on_close_however_many", RUN, async (stage) => {
  const [ana, beto] = await stage.actors(2);
  await beto.run("client:join('witnesses')");
  ana.say("client:send('1'); while chat.sleep(0.001) do end");
  for (let i = 1; i <= 100; i++) ana.say(BUSY);
  assert.equal(await ana.next(), 1);
  await ana.client.close(4321, "gone");
  let message = await beto.next();
  while (message.type !== "end") message = await beto.next();
  assert.deepEqual([message.code, message.reason], [4321, "gone"]);
  assert.equal(await beto.value("return kept.done"), 100);
  await beto.hearsNothing();
});

/* --- a host that has nothing to do ------------------------------------------ */

const PATIENT = { ...RUN, args: ["--handler-time", "5000"] };

scenario("what_handlers_left_behind_is_collected_once_nobody_talks", PATIENT, async (stage) => {
  const [ana] = await stage.actors(1);
  const [before, after] = await ana.run(`
    local before = collectgarbage("count")
    local much = {}
    for i = 1, 100000 do much[i] = { i } end
    chat.after(1, function() chat.after(0, 'tell', client.id, collectgarbage("count")) end)
    return before, collectgarbage("count")`);
  assert.ok(after > before + 4000, `${after} KB are there`);
  const { values: [idle] } = await ana.next();
  assert.ok(idle < before + 1000, `${before} KB before, ${after} KB in the handler, ${idle} KB after a second`);
});
