/* transactions.test.mjs: a handler's effects come all or not at all; what waits keeps its place; what a reload keeps. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { FIXTURES, INTERNAL, scenario } from "./scenario.mjs";
import { ROOT } from "./server.mjs";

const RUN = { script: `${FIXTURES}/run.lua` };

/* What the rules see of the world: rooms with their members in order, and Ana's rooms in order. */
const WORLD = `
  local lines = {}
  for _, room in ipairs(chat.rooms()) do
    local ids = {}
    for i, member in ipairs(room:members()) do ids[i] = member.id end
    lines[#lines + 1] = room.name .. " " .. room.size .. ": " .. table.concat(ids, " ")
  end
  table.sort(lines)
  for _, room in ipairs(kept.ana:rooms()) do lines[#lines + 1] = "ana: " .. room.name end
  return table.concat(lines, "\\n")`;

/* --- all or nothing ------------------------------------------------------ */

/* How a handler that has had effects fails. */
const ENDS = [
  ["raises", (effect) => `${effect}; error("too late")`, [], /handler=on\.run client=\d+: run:1: too late\n\tstack traceback:\n\t/],
  ["is_out_of_time", (effect) => `${effect}; while true do end`, [], /handler=on\.run client=\d+: run:1: out of time/],
  ["is_out_of_memory", (effect) => `${effect}; local t = {}; for i = 1, math.huge do t[i] = { i } end`,
    ["--script-memory", "8m", "--handler-time", "5000"], /handler=on\.run client=\d+: .*not enough memory/],
  ["raises_after_it_waited", (effect) => `chat.sleep(0); ${effect}; error("too late")`, [], /handler=on\.run client=\d+: run:1: too late/],
  ["is_out_of_time_after_it_waited", (effect) => `chat.sleep(0); ${effect}; while true do end`, [], /handler=on\.run client=\d+: run:1: out of time/],
];

/* Ana and Beto are in the patio (Beto came first), Ana in the kitchen too; Caro watches from nowhere, and a timer of
 * hers is due in an hour. */
const EFFECTS = [
  ["send", "client:send('1'); kept.beto:send('2')"],
  ["send_binary", "client:send_binary('1'); kept.beto:send_binary('2')"],
  ["room_send", "chat.room('patio'):send('1'); chat.room('patio'):send('2', { except = client })"],
  ["chat_send", "chat.send('1')"],
  ["join", "client:join('new'); client:join('other'); kept.caro:join('patio'); chat.room('new'):send('1')"],
  ["leave", "client:leave('patio'); kept.beto:leave('patio'); client:leave('kitchen')"],
  ["leave_and_join", "kept.beto:leave('patio'); kept.beto:join('patio'); client:leave('patio'); client:join('kitchen')"],
  ["close", "client:close(); kept.beto:close(4000, 'out'); kept.caro:send('1')"],
  ["after", "chat.after(0, 'tell', client.id, 'no'); chat.after(0, function() kept.caro:send('1') end)"],
  ["every", "chat.every(0.01, 'tell', kept.caro.id, 'no')"],
  ["spawn", "chat.spawn(function() kept.caro:send('1') end)"],
  ["cancel", "assert(chat.cancel(kept.timer)); assert(not chat.cancel(kept.timer))"],
];

for (const [end, code, args, log] of ENDS) {
  for (const [name, effect] of EFFECTS) {
    scenario(`a_handler_that_${end}_undoes_its_${name}`, { ...RUN, args, threads: [0, 3] }, async (stage) => {
      const [ana, beto, caro] = await stage.actors(3);
      await beto.run("kept.beto = client; client:join('patio')");
      await caro.run("kept.caro = client; kept.timer = chat.after(3600, 'tell', client.id)");
      await ana.run("kept.ana = client; client:join('patio'); client:join('kitchen')");
      const before = await caro.value(WORLD);

      await ana.fails(code(effect));
      await stage.server.waitLog(log);
      assert.equal(await caro.value(WORLD), before);
      await caro.run("chat.after(0.03, 'tell', client.id, 'end')"); /* later than what the failed one had set */
      assert.deepEqual((await caro.next()).values, ["end"]);
      await caro.run("chat.room('patio'):send('\"patio\"')");
      assert.equal(await beto.next(), "patio");
      assert.equal(await ana.next(), "patio");
      for (const actor of [ana, beto, caro]) await actor.hearsNothing();
      assert.equal(await caro.value("return chat.cancel(kept.timer)"), true);
    });
  }
}

scenario("a_timer_whose_cancel_was_undone_goes_on", RUN, async (stage) => {
  const [ana] = await stage.actors(1);
  await ana.run("kept.id = chat.every(0.01, 'tell', client.id)");
  ana.say("assert(chat.cancel(kept.id)); assert(not chat.cancel(kept.id)); error('too late')");
  let failed = false, ticks = 0;
  while (ticks < 2) {
    const message = await ana.next();
    if (message.type === "error") failed = true;
    else if (failed) ticks += 1;
  }
  ana.say("return chat.cancel(kept.id)");
  let answer = await ana.next();
  while (answer.type === "timer") answer = await ana.next();
  assert.deepEqual(answer.values, [true]);
});

scenario("a_failed_handler_leaves_what_others_did", RUN, async (stage) => {
  const [ana, beto] = await stage.actors(2);
  await beto.run("client:join('patio')");
  await ana.run("client:join('patio')");
  for (let i = 0; i < 20; i++) {
    beto.say(`chat.room('patio'):send('${i}')`);
    ana.say("chat.room('patio'):send('-1'); error()");
  }
  for (let i = 0, failed = 0; i < 20 || failed < 20;) {
    const message = await ana.next();
    if (message.type === "error") failed += 1;
    else assert.equal(message, i++);
  }
  for (let i = 0; i < 20;) {
    const message = await beto.next();
    if (message.type !== "result") assert.equal(message, i++);
  }
});

scenario("a_failed_timer_has_no_effect_and_an_every_goes_on", RUN, async (stage) => {
  const [ana] = await stage.actors(1);
  await ana.run(`
    kept.n = 0
    chat.every(0.01, function()
      kept.n = kept.n + 1
      client:send({ n = kept.n })
      if kept.n < 3 then error("tick " .. kept.n) end
    end)`);
  assert.deepEqual(await ana.next(), { n: 3 });
  await stage.server.waitLog(/handler failed handler=timer client=0: .*tick 2/);
});

for (const [name, value] of [["nil", "nil"], ["a_table", "{}"], ["a_number", "7"],
  ["a_raising_tostring", "setmetatable({}, { __tostring = function() error('again') end })"]]) {
  scenario(`a_handler_may_raise_${name}`, RUN, async (stage) => {
    const [ana] = await stage.actors(1);
    await ana.fails(`client:send('1'); error(${value})`);
    await ana.hearsNothing();
  });
}

scenario("a_handler_that_yields_by_itself_fails", RUN, async (stage) => {
  const [ana] = await stage.actors(1);
  await ana.fails("client:send('1'); coroutine.yield()");
  await stage.server.waitLog(/yielded outside of chat\.sleep/);
  await ana.hearsNothing();
});

for (const [name, code] of [
  ["loop", "while true do end"],
  ["loop_of_protected_loops", "while true do pcall(function() while true do end end) end"],
  ["loop_in_a_coroutine", "coroutine.wrap(function() while true do end end)()"],
  ["loop_in_a_sort", "local t = {}; for i = 1, 100 do t[i] = i end; while true do table.sort(t, function(a, b) return a < b end) end"],
]) {
  scenario(`an_endless_${name}_is_ended_and_others_go_on`, RUN, async (stage) => {
    const [ana, beto] = await stage.actors(2);
    const from = performance.now();
    ana.say(`client:send('1'); kept.beto = 1; ${code}`);
    beto.say("return kept.beto");
    await ana.next();
    assert.equal(ana.client.raw, INTERNAL);
    await beto.results();
    assert.ok(performance.now() - from < 2_000, "a budget is 50 ms");
    await stage.server.waitLog(/handler failed .*out of time/);
    await ana.hearsNothing();
    await beto.hearsNothing();
  });
}

scenario("a_handler_out_of_memory_fails_alone", { ...RUN, args: ["--script-memory", "8m", "--handler-time", "5000"] }, async (stage) => {
  const [ana, beto] = await stage.actors(2);
  for (const code of ["local s = ('x'):rep(1 << 30)", "local t = {}; for i = 1, 1e9 do t[i] = { i } end"]) {
    await ana.fails(`client:send('1'); ${code}`);
    await stage.server.waitLog(/handler failed .*not enough memory/);
    await ana.hearsNothing();
    await beto.hearsNothing();
  }
});

/* --- waiting ------------------------------------------------------------- */

const AWAIT_GATE = "while not kept.open do assert(chat.sleep(0.001)) end;";

scenario("sleep_answers_true_and_what_came_before_is_committed", RUN, async (stage) => {
  const [ana, beto] = await stage.actors(2);
  ana.say(`client:join('patio'); client:send('"before"'); ${AWAIT_GATE} client:send('"after"'); return chat.sleep(0)`);
  assert.equal(await ana.next(), "before");
  assert.equal(await beto.value("return chat.room('patio').size"), 1);
  await beto.run("kept.open = true");
  assert.equal(await ana.next(), "after");
  assert.deepEqual(await ana.results(), [true]);
});

scenario("a_failure_after_sleep_undoes_only_what_came_after", RUN, async (stage) => {
  const [ana, beto] = await stage.actors(2);
  await ana.run("kept.ana = client");
  ana.say("client:join('patio'); client:send('1'); chat.sleep(0); client:send('2'); client:join('kitchen'); client:leave('patio'); error('late')");
  assert.equal(await ana.next(), 1);
  await ana.next();
  assert.equal(ana.client.raw, INTERNAL);
  await stage.server.waitLog(/handler failed handler=on\.run client=\d+: .*late\n\tstack traceback/);
  assert.match(await beto.value(WORLD), /^patio 1: \d+\nana: patio$/);
  await ana.hearsNothing();
});

scenario("a_sleeping_handler_holds_back_its_client_alone", RUN, async (stage) => {
  const [ana, beto] = await stage.actors(2);
  ana.say(`${AWAIT_GATE} client:send('1')`);
  for (let i = 2; i <= 5; i++) ana.say(`chat.sleep(0.00${i % 3}); client:send('${i}')`);
  ana.client.send("{"); /* its error answer keeps its place too */
  ana.say("client:send('6')");
  await beto.run("kept.open = true");
  for (let i = 1; i <= 6; i++) {
    assert.equal(await ana.next(), i);
    assert.equal((await ana.next()).type, "result");
    if (i === 5) assert.deepEqual(await ana.next(), { type: "error", error: "bad_json" });
  }
  await ana.hearsNothing();
});

scenario("a_client_that_talks_on_while_its_handler_sleeps_loses_nothing", RUN, async (stage) => {
  const [ana, beto] = await stage.actors(2);
  const padding = "x".repeat(20_000); /* beyond what the host keeps: the socket is no longer read */
  ana.say(`${AWAIT_GATE}`);
  for (let i = 1; i <= 200; i++) ana.say("return msg.i", { i, padding });
  await beto.run("kept.open = true");
  await ana.results();
  for (let i = 1; i <= 200; i++) assert.deepEqual(await ana.results(), [i]);
});

scenario("a_client_that_leaves_wakes_its_handler_with_closed", RUN, async (stage) => {
  const [ana, beto] = await stage.actors(2);
  await beto.run("kept.beto = client; client:join('witnesses')");
  ana.say("client:send('1'); local ok, why = chat.sleep(3600); kept.beto:send({ 'woke', tostring(ok), why }); return chat.sleep(0)");
  assert.equal(await ana.next(), 1);
  ana.say("local _, why = client:send({}); kept.beto:send({ 'next', why })");
  ana.drop();
  assert.deepEqual(await beto.next(), ["woke", "nil", "closed"]);
  assert.deepEqual(await beto.next(), ["next", "closed"]);
  assert.equal((await beto.next()).type, "end");
  await beto.hearsNothing();
});

scenario("every_sleep_of_a_handler_whose_client_left_answers_closed", RUN, async (stage) => {
  const [ana, beto] = await stage.actors(2);
  await beto.run("kept.beto = client");
  ana.say(`
    client:send('1')
    local whys = {}
    for i = 1, 3 do whys[i] = select(2, chat.sleep(i == 1 and 3600 or 0.001)) or "slept" end
    kept.beto:send(whys)`);
  assert.equal(await ana.next(), 1);
  ana.drop();
  assert.deepEqual(await beto.next(), ["closed", "closed", "closed"]);
});

scenario("sleep_works_in_handlers_only", RUN, async (stage) => {
  const [ana] = await stage.actors(1);
  for (const code of ["return pcall(coroutine.wrap(function() chat.sleep(0) end))",
    "return pcall(table.sort, { 2, 1 }, function() chat.sleep(0) end)"]) {
    const [ok, why] = await ana.run(code);
    assert.equal(ok, false, code);
    assert.match(why, /chat\.sleep/, code);
  }
  assert.deepEqual(await ana.run("return pcall(chat.sleep, 0)"), [true, true]);
});

/* --- reloading ----------------------------------------------------------- */

const run = await readFile(`${ROOT}${FIXTURES}/run.lua`, "utf8");

scenario("state_survives_a_reload_and_locals_do_not", { rules: run }, async (stage) => {
  const [ana, beto] = await stage.actors(2);
  await ana.run(`
    kept.local_ = 1; client.state.name = 'Ana'; chat.state.day = 'Sunday'
    client:join('patio'); chat.room('patio').state.topic = 'asado'`);
  await beto.run("client:join('patio')");
  await stage.reload();
  assert.deepEqual(await ana.run(`
    local room = chat.room('patio')
    return kept.local_, client.state.name, chat.state.day, room.state.topic, room.size, room:members()[1] == client,
      client:rooms()[1] == room`),
  [null, "Ana", "Sunday", "asado", 2, true, true]);
  beto.say("chat.room('patio'):send('1', { except = client })");
  assert.equal(await ana.next(), 1);
});

scenario("named_timers_survive_a_reload_and_functions_do_not", { rules: run }, async (stage) => {
  const [ana] = await stage.actors(1);
  await ana.run(`
    kept.functions = chat.every(0.01, function() client:send('"function"') end)
    client.state.named = chat.every(0.01, 'tell', client.id, 'named')
    client.state.once = chat.after(0.03, 'tell', client.id, 'once')`);
  while (await ana.next() !== "function");
  stage.save("rules.lua", run.replace('"timer", "values"', '"new", "values"'));
  await stage.reload();
  let message = await ana.next();
  while (message.type !== "new") message = await ana.next();
  for (let named = 0; named < 5;) {
    message = await ana.next();
    assert.notEqual(message, "function");
    assert.equal(message.type, "new");
    named += message.values[0] === "named" ? 1 : 0;
  }
  ana.say("return chat.cancel(client.state.named)");
  while (message.type !== "result") message = await ana.next();
  assert.deepEqual(message.values, [true]);
});

scenario("a_function_timer_of_the_load_is_set_once_however_often_it_is_reloaded", {
  rules: `local chat = require "charlua"
    local app = { api = 1, on = {} }
    local ticks, load = 0, tostring({})
    chat.every(0.01, function() ticks = ticks + 1; chat.room("all"):send({ tick = ticks, load = load }) end)
    function app.on_open(client) client:join("all") end
    function app.on.load(client) client:send({ now = load }) end
    return app`,
}, async (stage) => {
  const ana = await stage.client();
  for (let i = 0; i < 3; i++) await stage.reload();
  ana.send({ type: "load" });
  let heard;
  do heard = await ana.next(); while (!heard.now);
  let { tick } = await ana.next();
  for (let i = 0; i < 6; i++) assert.deepEqual(await ana.next(), { tick: ++tick, load: heard.now });
});

scenario("a_handler_that_sleeps_ends_by_the_rules_it_began_with", { rules: run }, async (stage) => {
  const [ana, beto] = await stage.actors(2);
  ana.say("client:send('1'); while not client.state.open do chat.sleep(0.001) end; kept.old = true; return kept.old");
  assert.equal(await ana.next(), 1);
  await stage.reload();
  await beto.run("for _, c in ipairs(chat.clients()) do c.state.open = true end");
  assert.deepEqual(await ana.results(), [true]);
  assert.deepEqual(await ana.run("return kept.old"), [null]);
});
