/* rules.test.mjs: what scripts can do: every function and field of the API. Transactions, waiting and reloading have
 * files of their own. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { ROOT, startServer } from "./server.mjs";
import { FIXTURES, INTERNAL, scenario, Stage } from "./scenario.mjs";

const RUN = { script: `${FIXTURES}/run.lua` };
const DOOR = { script: `${FIXTURES}/door.lua` };

/* Who hears of every on_close from now on. */
async function witnessOf(stage) {
  const witness = await stage.client("/witness");
  witness.send({ type: "hello" });
  await witness.next();
  return witness;
}

/* --- client -------------------------------------------------------------- */

scenario("client_has_id_ip_secure_and_protocol", RUN, async (stage) => {
  const [ana, beto] = await stage.actors(2);
  const fields = "return math.type(client.id), client.id, client.ip, client.secure, client.protocol";
  const [kind, id, ...rest] = await ana.run(fields);
  assert.equal(kind, "integer");
  assert.ok(Number.isSafeInteger(id) && id > 0);
  assert.deepEqual(rest, ["127.0.0.1", false, null]);
  assert.notEqual(await beto.value("return client.id"), id);
  assert.equal(await ana.value("return tostring(client)"), `client ${id}`);
});

scenario("client_state_is_a_table_of_its_own", RUN, async (stage) => {
  const [ana, beto] = await stage.actors(2);
  await ana.run("client.state.drink = 'mate'");
  await beto.run("client.state.drink = 'tea'");
  assert.deepEqual(await ana.run("return client.state.drink, client.state == client.state"), ["mate", true]);
  assert.equal(await beto.value("return client.state.drink"), "tea");
});

scenario("client_and_room_fields_cannot_be_assigned", RUN, async (stage) => {
  const [ana] = await stage.actors(1);
  const assign = "return pcall(function() (msg.room and chat.room('r') or client).name = 'x' end)";
  const [clientOk, clientWhy] = await ana.run(assign);
  assert.equal(clientOk, false);
  assert.match(clientWhy, /client\.state/);
  const [roomOk, roomWhy] = await ana.run(assign, { room: true });
  assert.equal(roomOk, false);
  assert.match(roomWhy, /room\.state/);
});

scenario("client_is_the_same_object_every_time", RUN, async (stage) => {
  const [ana] = await stage.actors(1);
  await ana.run("kept.ana = client");
  assert.deepEqual(await ana.run("return kept.ana == client, chat.client(client.id) == client"), [true, true]);
});

scenario("send_takes_tables_objects_and_json_text", RUN, async (stage) => {
  const [ana] = await stage.actors(1);
  for (const [value, raw] of [["{ a = 'x/y' }", '{"a":"x\\/y"}'], ["{ 1, 2.5, 'é', true }", '[1,2.5,"\\u00e9",true]'],
    ["chat.object('b', 1, 'a', { 2 })", '{"b":1,"a":[2]}'], ["'  {\"as\": \"it is\"}'", '  {"as": "it is"}'],
    ["{}", "{}"], ["{ n = chat.json.null }", '{"n":null}'], ["{ [5] = 1 }", '{"5":1}']]) {
    ana.say(`return client:send(${value})`);
    await ana.next();
    assert.equal(ana.client.raw, raw);
    assert.deepEqual(await ana.results(), [true]);
  }
});

scenario("send_refuses_what_is_no_json", RUN, async (stage) => {
  const [ana] = await stage.actors(1);
  for (const [value, why] of [["nil", /a table/], ["7", /a table/], ["client", /send client\.id/], ["'\\xff'", /UTF-8/],
    ["{ '\\xff' }", /UTF-8/], ["{ print = next }", /function/], ["{ 0/0 }", /number/], ["{ [true] = 1 }", /key/],
    ["{ client }", /send client\.id/]]) {
    const [ok, error] = await ana.run(`return pcall(client.send, client, ${value})`);
    assert.equal(ok, false, value);
    assert.match(error, why, value);
  }
  const [ok, error] = await ana.run("local t = {}; t[1] = t; return pcall(client.send, client, t)");
  assert.equal(ok, false);
  assert.match(error, /nested/);
  await ana.hearsNothing();
});

scenario("send_binary_sends_any_bytes", RUN, async (stage) => {
  const [ana] = await stage.actors(1);
  ana.say("local t = {}; for i = 0, 255 do t[#t + 1] = string.char(i) end; return client:send_binary(table.concat(t))");
  assert.deepEqual([...await ana.next()], Array.from({ length: 256 }, (_, i) => i));
  assert.deepEqual(await ana.results(), [true]);
});

scenario("close_ends_a_client_with_code_and_reason", RUN, async (stage) => {
  for (const [args, code, reason] of [["", 1000, ""], ["4001, 'chau'", 4001, "chau"], ["1008", 1008, ""]]) {
    const ana = await stage.actor();
    ana.say(`client:send('"last"'); client:close(${args})`); /* its result is staged after the close: not sent */
    assert.equal(await ana.next(), "last");
    assert.deepEqual(await ana.closed, { code, reason });
  }
});

scenario("close_refuses_codes_and_reasons_that_no_frame_may_carry", RUN, async (stage) => {
  const [ana] = await stage.actors(1);
  for (const args of ["0", "999", "1004", "1005", "1006", "1015", "2999", "5000", "-1", "'x'", "1000, ('x'):rep(124)",
    "1000, '\\xff'"]) {
    assert.equal((await ana.run(`return pcall(client.close, client, ${args})`))[0], false, args);
  }
  await ana.hearsNothing();
});

scenario("join_and_leave_keep_the_order_of_joining", RUN, async (stage) => {
  const [ana, beto, caro] = await stage.actors(3);
  const names = "local t = {}; for i, r in ipairs(client:rooms()) do t[i] = r.name end; return table.concat(t, ' ')";
  for (const actor of [ana, beto, caro]) await actor.run("kept[msg.as] = client; client:join('patio')", { as: "x" });
  assert.deepEqual(await ana.run("return client:join('b'), client:join(chat.room('a')), client:join('b')"), [true, true, true]);
  assert.equal(await ana.value(names), "patio b a");
  assert.deepEqual(await ana.run("return client:leave('b'), client:leave(chat.room('b')), client:leave('never')"), [true, true, true]);
  assert.equal(await ana.value(names), "patio a");

  const ids = await Promise.all([ana, beto, caro].map((actor) => actor.value("return client.id")));
  const members = "local t = {}; for i, c in ipairs(chat.room('patio'):members()) do t[i] = c.id end; return t";
  assert.deepEqual(await ana.value(members), ids);
  await beto.run("client:leave('patio'); client:join('patio')");
  assert.deepEqual(await ana.value(members), [ids[0], ids[2], ids[1]]);
  await ana.run("client:leave('patio')");
  assert.deepEqual(await ana.value(members), [ids[2], ids[1]]);
});

scenario("join_says_no_beyond_the_limits", { ...RUN, args: ["--max-client-rooms", "2", "--max-rooms", "3"] }, async (stage) => {
  const [ana, beto] = await stage.actors(2);
  assert.deepEqual(await ana.run("return client:join('a'), client:join('b'), client:join('a')"), [true, true, true]);
  assert.deepEqual(await ana.run("return client:join('c')"), [null, "too many rooms"]);
  assert.deepEqual(await beto.run("return client:join('c')"), [true]);
  assert.deepEqual(await beto.run("return client:join('d')"), [null, "too many rooms"]);
  assert.deepEqual(await ana.run("client:leave('b'); return client:join('c')"), [true]);
  assert.deepEqual(await beto.run("return client:join('d')"), [true]);
});

scenario("a_stale_client_answers_closed", RUN, async (stage) => {
  const [ana, beto] = await stage.actors(2);
  await beto.run("client:join('witnesses')");
  const id = await ana.value("client.state.seen = true; kept.ana = client; return client.id");
  ana.drop();
  assert.equal((await beto.next()).id, id);
  for (const call of ["send({})", "send_binary('x')", "close()", "join('r')", "leave('r')"]) {
    assert.deepEqual(await beto.run(`return kept.ana:${call}`), [null, "closed"], call);
  }
  assert.deepEqual(await beto.run("return kept.ana.id, kept.ana.ip, #kept.ana:rooms(), kept.ana.state.seen"), [id, null, 0, true]);
  assert.deepEqual(await beto.run("return chat.client(kept.ana.id)"), [null]);
});

/* --- room ---------------------------------------------------------------- */

scenario("room_has_name_size_and_state", RUN, async (stage) => {
  const [ana, beto] = await stage.actors(2);
  assert.deepEqual(await ana.run("local r = chat.room('patio'); return r.name, r.size, #r:members(), tostring(r)"),
    ["patio", 0, 0, "room patio"]);
  await ana.run("client:join('patio'); chat.room('patio').state.topic = 'asado'");
  await beto.run("client:join('patio')");
  assert.deepEqual(await beto.run("local r = chat.room('patio'); return r.size, r.state.topic, r == chat.room('patio')"),
    [2, "asado", true]);
  await ana.run("client:leave('patio')");
  assert.equal(await ana.value("return chat.room('patio').state.topic"), "asado");
  await beto.run("client:leave('patio')");
  assert.equal(await ana.value("return chat.room('patio').state.topic"), null);
});

scenario("room_names_are_utf8_of_1_to_128_bytes", RUN, async (stage) => {
  const [ana] = await stage.actors(1);
  for (const name of ["('x'):rep(128)", "'猪猪'", "' '"]) {
    assert.equal((await ana.run(`return chat.room(${name}).name == ${name}`))[0], true, name);
  }
  for (const name of ["''", "('x'):rep(129)", "'\\xff'", "7", "nil", "{}"]) {
    assert.equal((await ana.run(`return pcall(chat.room, ${name})`))[0], false, name);
  }
  assert.equal((await ana.run("return pcall(client.join, client, '')"))[0], false);
});

scenario("room_send_reaches_its_members_and_nobody_else", RUN, async (stage) => {
  const [ana, beto, caro] = await stage.actors(3);
  await ana.run("client:join('patio')");
  await beto.run("client:join('patio')");
  caro.say("return chat.room('patio'):send({ hi = 1 })");
  assert.deepEqual(await caro.results(), [true]);
  assert.deepEqual(await ana.next(), { hi: 1 });
  assert.deepEqual(await beto.next(), { hi: 1 });
  assert.deepEqual(await ana.run("return chat.room('patio'):send('2', { except = client })"), [true]);
  assert.equal(await beto.next(), 2);
  assert.deepEqual(await ana.run("return chat.room('empty'):send('3')"), [true]);
  for (const actor of [ana, beto, caro]) await actor.hearsNothing();
  assert.equal((await ana.run("return pcall(function() chat.room('patio'):send('4', client) end)"))[0], false);
  assert.equal((await ana.run("return pcall(function() chat.room('patio'):send('4', { except = 7 }) end)"))[0], false);
});

scenario("rooms_lists_those_that_are_there", RUN, async (stage) => {
  const [ana] = await stage.actors(1);
  const names = "local t = {}; for i, r in ipairs(chat.rooms()) do t[i] = r.name end; table.sort(t); return table.concat(t, ' ')";
  assert.equal(await ana.value(names), "");
  await ana.run("client:join('b'); client:join('a'); chat.room('c')");
  assert.equal(await ana.value(names), "a b");
  await ana.run("client:leave('b')");
  assert.equal(await ana.value(names), "a");
});

/* --- chat ---------------------------------------------------------------- */

scenario("chat_client_finds_who_is_there", RUN, async (stage) => {
  const [ana, beto] = await stage.actors(2);
  const id = await ana.value("return client.id");
  assert.equal(await beto.value("return chat.client(msg.id).id", { id }), id);
  for (const what of ["0", "-1", "1.5", "nil", "'ana'", "{}", "true", "math.maxinteger", "client.id + 1e15"]) {
    assert.deepEqual(await ana.run(`return chat.client(${what})`), [null], what);
  }
  const ids = await ana.value("local t = {}; for i, c in ipairs(chat.clients()) do t[i] = c.id end; return t");
  assert.deepEqual(ids.sort(), [id, await beto.value("return client.id")].sort());
});

scenario("chat_send_reaches_everybody", RUN, async (stage) => {
  const [ana, beto, caro] = await stage.actors(3);
  assert.deepEqual(await ana.run("return chat.send({ n = 1 }, { except = client })"), [true]);
  await ana.run("chat.room('patio'):send('2')");
  for (const actor of [beto, caro]) assert.deepEqual(await actor.next(), { n: 1 });
  beto.say("chat.send('\"all\"')");
  for (const actor of [beto, ana, caro]) assert.equal(await actor.next(), "all");
  await beto.results();
  for (const actor of [ana, beto, caro]) await actor.hearsNothing();
});

scenario("now_is_the_time_in_seconds", RUN, async (stage) => {
  const [ana] = await stage.actors(1);
  const before = Date.now() / 1000;
  const [kind, now] = await ana.run("return math.type(chat.now()), chat.now()");
  assert.equal(kind, "float");
  assert.ok(now > before - 2 && now < Date.now() / 1000 + 2, `${now}`);
});

scenario("after_calls_once_with_its_arguments", RUN, async (stage) => {
  const [ana] = await stage.actors(1);
  const [kind] = await ana.run(`
    kept.fired = 0
    return math.type(chat.after(0.02, function(...)
      kept.fired = kept.fired + 1
      client:send(chat.object("n", select("#", ...), "first", ..., "fired", kept.fired))
    end, "x", nil, nil))`);
  assert.equal(kind, "integer");
  assert.equal((await ana.next()).n, 3);
  await ana.run("chat.after(0.05, 'tell', client.id, 'later'); chat.after(0.01, 'tell', client.id, 'sooner')");
  assert.deepEqual((await ana.next()).values, ["sooner"]);
  assert.deepEqual((await ana.next()).values, ["later"]);
  assert.equal(await ana.value("return kept.fired"), 1);
});

scenario("every_calls_until_it_is_cancelled", RUN, async (stage) => {
  const [ana] = await stage.actors(1);
  const id = await ana.value("return chat.every(0.01, 'tell', client.id, 'tick')");
  for (let i = 0; i < 3; i++) assert.deepEqual((await ana.next()).values, ["tick"]);
  ana.say("return chat.cancel(msg.id), (chat.cancel(msg.id))", { id });
  let answer = await ana.next();
  while (answer.type === "timer") answer = await ana.next();
  assert.deepEqual(answer.values, [true, null]);
  assert.deepEqual(await ana.run("return chat.cancel(msg.id)", { id }), [null, "no such timer"]);
  await ana.run("chat.after(0.05, 'tell', client.id, 'end')");
  assert.deepEqual((await ana.next()).values, ["end"]);
});

scenario("every_may_cancel_itself", RUN, async (stage) => {
  const [ana] = await stage.actors(1);
  await ana.run("kept.n = 0; kept.id = chat.every(0.01, function() kept.n = kept.n + 1; if kept.n == 3 then chat.cancel(kept.id); client:send('3') end end)");
  assert.equal(await ana.next(), 3);
  await ana.run("chat.after(0.05, 'tell', client.id)");
  await ana.next();
  assert.equal(await ana.value("return kept.n"), 3);
});

scenario("timers_refuse_what_they_cannot_call", RUN, async (stage) => {
  const [ana] = await stage.actors(1);
  for (const call of ["chat.after, -1, next", "chat.after, 'x', next", "chat.after, 1", "chat.after, 1, {}",
    "chat.after, 0/0, next", "chat.after, 2e9, next", "chat.every, 0, next", "chat.every, 0.009, next",
    "chat.spawn", "chat.spawn, 'tell'", "chat.cancel", "chat.sleep, -1"]) {
    assert.equal((await ana.run(`return pcall(${call})`))[0], false, call);
  }
});

scenario("a_timer_whose_name_is_gone_is_an_error_in_the_log", RUN, async (stage) => {
  const [ana] = await stage.actors(1);
  await ana.run("chat.after(0, 'nobody')");
  await stage.server.waitLog(/handler="timer nobody".*app\.timers\.nobody is not there/);
});

scenario("spawn_runs_by_itself_after_the_handler", RUN, async (stage) => {
  const [ana] = await stage.actors(1);
  ana.say("chat.spawn(function(word) client:send({ word }); chat.sleep(0); client:send('\"slept\"') end, 'spawned'); client:send('\"handler\"')");
  assert.equal(await ana.next(), "handler");
  await ana.results();
  assert.deepEqual(await ana.next(), ["spawned"]);
  assert.equal(await ana.next(), "slept");
  await ana.run("chat.spawn(error, 'of its own')");
  await stage.server.waitLog(/handler failed handler=timer.*of its own/);
  await ana.hearsNothing();
});

scenario("log_writes_a_line_at_its_level", { ...RUN, args: ["--log-level", "debug"] }, async (stage) => {
  const [ana] = await stage.actors(1);
  await ana.run(`
    chat.log("one", 2, true, nil)
    for _, level in ipairs { "error", "warn", "info", "debug" } do chat.log(level, "at", level) end
    chat.log("error")
    chat.log("forged\\n2026-01-01T00:00:00.000Z error script: line")`);
  await stage.server.waitLog(/Z info {2}script: one 2 true nil$/m);
  for (const level of ["error", "warn ", "info ", "debug"]) {
    await stage.server.waitLog(new RegExp(`Z ${level} script: at ${level.trim()}$`, "m"));
  }
  await stage.server.waitLog(/Z info {2}script: error$/m);
  await stage.server.waitLog(/script: forged\n\t2026/);
});

scenario("object_keeps_the_order_and_drops_nils", RUN, async (stage) => {
  const [ana] = await stage.actors(1);
  for (const [args, raw] of [["'z', 1, 'a', nil, 'm', false", '{"z":1,"m":false}'], ["", "{}"], ["'a', nil", "{}"],
    ["'o', chat.object('b', 1, 'a', 2), 'l', { chat.object('x', 1) }", '{"o":{"b":1,"a":2},"l":[{"x":1}]}'],
    ["'big', 9007199254740991, 'half', 0.5, 'whole', 3.0", '{"big":9007199254740991,"half":0.5,"whole":3}'],
    ["'k\"', '\\\\ \\n\\t\\1'", '{"k\\"":"\\\\ \\n\\t\\u0001"}'], ["'e', '猪 😀 /'", '{"e":"\\u732a \\ud83d\\ude00 \\/"}']]) {
    ana.say(`client:send(chat.object(${args}))`);
    await ana.next();
    assert.equal(ana.client.raw, raw, args);
    await ana.results();
  }
  for (const args of ["'a'", "'a', 1, 'b'", "1, 2", "{}, 1", "'a', next", "'a', '\\xff'"]) {
    assert.equal((await ana.run(`return pcall(chat.object, ${args})`))[0], false, args);
  }
});

scenario("escape_html_makes_five_characters_harmless", RUN, async (stage) => {
  const [ana] = await stage.actors(1);
  assert.equal(await ana.value("return chat.escape_html(msg.text)", { text: "<a href=\"x\">O'Neil & 猪</a>" }),
    "&lt;a href=&quot;x&quot;&gt;O&#039;Neil &amp; 猪&lt;/a&gt;");
  assert.equal((await ana.run("return pcall(chat.escape_html)"))[0], false);
});

scenario("json_decodes_and_encodes_or_says_why_not", RUN, async (stage) => {
  const [ana] = await stage.actors(1);
  assert.deepEqual(await ana.run(`
    local value = chat.json.decode('{"a":[1,null],"b":"\\\\u732a"}')
    return value.a[1], value.a[2] == chat.json.null, value.b, chat.json.encode({ x = 1 })`), [1, true, "猪", '{"x":1}']);
  for (const call of ["decode('{')", "decode('[NaN]')", "encode({ next })"]) {
    const [value, why] = await ana.run(`return chat.json.${call}`);
    assert.equal(value, null, call);
    assert.equal(typeof why, "string", call);
  }
  assert.deepEqual(await ana.run("return chat.json.new, chat.json.decode_max_depth, chat.json.encode_max_depth"), [null, null, null]);
  assert.deepEqual(await ana.run("local t = {}; for _ = 1, 101 do t = { t } end; return pcall(chat.json.encode, t)"),
    [true, null, "Cannot serialise, excessive nesting (101)"]);
  assert.equal(await ana.value("return require('charlua') == chat and require('cjson') == chat.json"), true);
});

scenario("options_native_and_version_are_there", { ...RUN, args: ["--set", "motd=a=b", "--set", "empty="] }, async (stage) => {
  const [ana] = await stage.actors(1);
  assert.deepEqual(await ana.run("return chat.options.motd, chat.options.empty, chat.options.none, type(chat.native), next(chat.native)"),
    ["a=b", "", null, "table", null]);
  assert.match(await ana.value("return chat.version"), /^\d+\.\d+\.\d+$/);
});

scenario("scripts_reach_nothing_outside", RUN, async (stage) => {
  const [ana] = await stage.actors(1);
  for (const name of ["io", "debug", "package", "dofile", "loadfile", "warn"]) {
    assert.equal(await ana.value("return rawget(_G, msg.name)", { name }), null, name);
  }
  for (const name of ["execute", "getenv", "exit", "remove"]) assert.equal(await ana.value(`return os.${name}`), null, name);
  assert.equal((await ana.run("return pcall(function() leak = 1 end)"))[0], false);
  assert.equal((await ana.run("return load('\\27Lua')"))[0], null);
  for (const name of ["../chat", "/etc/passwd", "a..b", "", "socket"]) {
    assert.equal((await ana.run("return pcall(require, msg.name)", { name }))[0], false, name);
  }
  assert.deepEqual(await ana.run("return getmetatable(''), getmetatable(client), getmetatable(chat.room('x')), getmetatable(_G)"),
    ["string", "charlua.client", "charlua.room", "globals"]);
});

/* --- misspelt names ------------------------------------------------------ */

for (const [name, code, why] of [
  ["a_global_of_trusted_scripts", "return io.open", "run:1: scripts have no 'io' unless the server has --trusted"],
  ["an_unknown_global", "local x = 1\nreturn x + leek", "run:2: global 'leek' is not there (misspelt, or a missing local?)"],
  ["an_assigned_global", "\n\nleak = 1", "run:3: global 'leak' is assigned: say local, or put it into a table"],
  ["an_unknown_function_of_chat", "return chat.rom('x')", "run:1: chat has no field 'rom'; did you mean 'room'?"],
  ["an_unknown_method_of_a_client", "client:sned('1')", "run:1: a client has no field 'sned'; did you mean 'send'?"],
  ["an_unknown_field_of_a_client", "return client.stat", "run:1: a client has no field 'stat'; did you mean 'state'?"],
  ["an_unknown_field_of_a_room", "return chat.room('x').sise", "run:1: a room has no field 'sise'; did you mean 'size'?"],
  ["a_field_like_no_other", "return client.username", "run:1: a client has no field 'username'"],
  ["a_number_as_a_field", "return client[1]", "run:1: a client has no field that is a number"],
]) {
  scenario(`${name}_is_an_error_that_names_the_line`, { ...RUN, threads: [0] }, async (stage) => {
    const [ana] = await stage.actors(1);
    const [ok, error] = await ana.run("return pcall(load(msg.inner, '=run', 't', setmetatable({ client = client, chat = chat }, { __index = _G, __newindex = _G })))", { inner: code });
    assert.equal(ok, false);
    assert.equal(error, why);
  });
}

scenario("a_request_has_no_unknown_fields", {
  rules: `local app = { api = 1 }
    function app.on_open(client, request)
      local _, why = pcall(function() return request.heders end)
      client:send({ why })
    end
    return app`,
}, async (stage) => {
  const ana = await stage.client();
  assert.match((await ana.next())[0], /rules\.lua:3: a request has no field 'heders'; did you mean 'headers'\?/);
});

for (const [what, text, why] of [
  ["reads", "local x = 1\nreturn x + leek", "util\\.lua:2: global 'leek' is not there"],
  ["assigns", "\nleak = 1", "util\\.lua:2: global 'leak' is assigned"],
]) {
  scenario(`a_module_that_${what}_an_unknown_global_is_refused_with_the_line`, { ...RUN, threads: [0] }, async (stage) => {
    stage.save("util.lua", text);
    const script = stage.save("rules.lua", "require 'util' return { api = 1 }");
    const error = await startServer({ script, threads: 0 }).then((server) => server.stop(), (e) => e);
    assert.match(error.message, new RegExp(why));
  });
}

/* --- app: on ------------------------------------------------------------- */

scenario("messages_that_no_handler_takes_get_an_error_answer", RUN, async (stage) => {
  const [ana] = await stage.actors(1);
  for (const [frame, error] of [["{", "bad_json"], ["", "bad_json"], ["7", "bad_json"], ['"run"', "bad_json"], ["null", "bad_json"],
    ["[NaN]", "bad_json"], ["{\"type\":\"run\"} x", "bad_json"], [`${"[".repeat(100)}${"]".repeat(100)}`, "bad_json"],
    ["{}", "no_type"], ["[]", "no_type"], ['{"type":7}', "no_type"], ['{"type":null}', "no_type"], ['{"type":{}}', "no_type"],
    ['{"type":"jump"}', "unknown_type"], ['{"type":""}', "unknown_type"], ['{"type":"on_close"}', "unknown_type"],
    [Buffer.from('{"type":"run"}'), "binary"]]) {
    ana.client.send(frame);
    await ana.next();
    assert.equal(ana.client.raw, `{"type":"error","error":"${error}"}`, `${frame}`);
  }
  await ana.hearsNothing();
});

scenario("unknown_fields_are_ignored", RUN, async (stage) => {
  const [ana] = await stage.actors(1);
  assert.equal(await ana.value("return msg.code ~= nil", { more: [1, { x: null }], on: "open" }), true);
});

/* --- app: on_open -------------------------------------------------------- */

scenario("on_open_sees_the_request", DOOR, async (stage) => {
  const guest = await stage.client("/tell/%C3%A9?room=a%20b+c&room=2&empty=&bad=%zz&=x", {
    origin: "http://127.0.0.1:55151",
    protocols: ["chat.v2", "chat.v1"],
    headers: { Cookie: "a=1; b=x=y; a=2", "X-Twice": ["one", "two"], "User-Agent": "Test" },
  }).catch((error) => error);
  /* ws wants one of its subprotocols back and gets none: the request was seen all the same. */
  assert.match(guest.message, /subprotocol/i);
  const seen = JSON.parse((await stage.server.waitLog(/script: request (.*)$/m))[1]);
  assert.equal(seen.path, "/tell/%C3%A9");
  assert.deepEqual(seen.query, { room: "a b c", empty: "", bad: "%zz" });
  assert.deepEqual(seen.cookies, { a: "1", b: "x=y" });
  assert.equal(seen.origin, "http://127.0.0.1:55151");
  assert.deepEqual(seen.protocols, ["chat.v2", "chat.v1"]);
  assert.equal(seen.headers["user-agent"], "Test");
  assert.equal(seen.headers["x-twice"], "one, two");
  assert.equal(seen.headers.upgrade, "websocket");
});

scenario("on_open_sees_empty_fields_of_a_bare_request", DOOR, async (stage) => {
  await stage.client("/tell");
  const seen = JSON.parse((await stage.server.waitLog(/script: request (.*)$/m))[1]);
  const { headers, ...rest } = seen;
  assert.equal(headers.connection, "Upgrade");
  assert.deepEqual(rest, { path: "/tell", query: {}, cookies: {}, protocols: {} }); /* no origin */
});

for (const [how, code, reason] of [["plain", 1008, ""], ["code", 4003, ""], ["reason", 4003, "not today"],
  ["bad-code", 1008, "odd"], ["reserved-code", 1008, "odd"], ["after-sleep", 4004, "thought about it"],
  ["bad-reason", 4003, ""], ["long-reason", 4003, `x${"猪".repeat(40)}`]]) {
  scenario(`on_open_refuses_with_false_${how}`, DOOR, async (stage) => {
    const witness = await witnessOf(stage);
    const guest = await stage.client(`/refuse/${how}`);
    guest.send({ type: "shout" });
    assert.deepEqual(await guest.closed, { code, reason });
    const other = await stage.client("/");
    await other.close(4100, "done");
    const end = await witness.next();
    assert.equal(end.code, 4100, "what is heard first is the on_close of the one who was let in");
    assert.equal(end.count, 1);
  });
}

for (const how of ["nil", "true", "zero"]) {
  scenario(`on_open_lets_in_with_${how}`, DOOR, async (stage) => {
    const guest = await stage.client(`/accept/${how}`);
    guest.send({ type: "hello" });
    assert.deepEqual(await guest.next(), { type: "hello" });
  });
}

scenario("on_open_that_fails_lets_in_and_says_so", DOOR, async (stage) => {
  const guest = await stage.client("/fail");
  await guest.next();
  assert.equal(guest.raw, INTERNAL);
  await stage.server.waitLog(/handler failed handler=on_open.*at the door/);
  guest.send({ type: "hello" });
  assert.deepEqual(await guest.next(), { type: "hello" });
});

/* --- app: on_close ------------------------------------------------------- */

for (const [name, end, code, reason] of [
  ["a_close_with_code_and_reason", (c) => c.close(4100, "chau"), 4100, "chau"],
  ["a_close_without_a_code", (c) => c.close(), 1005, ""],
  ["a_lost_connection", (c) => c.drop(), 1006, ""],
  ["a_close_by_the_script", (c) => c.send({ type: "kick" }), 4200, "kicked"],
  ["a_protocol_error", (c) => c.socket._socket.write(Buffer.from([0x83, 0x80, 0, 0, 0, 0])), 1002, undefined],
]) {
  scenario(`on_close_tells_of_${name}`, DOOR, async (stage) => {
    const witness = await witnessOf(stage);
    const guest = await stage.client("/");
    await end(guest);
    const seen = await witness.next();
    assert.equal(seen.code, code);
    if (reason !== undefined) assert.equal(seen.reason, reason);
    assert.equal(seen.count, 1);
  });
}

scenario("on_close_comes_when_its_client_is_out_of_reach_but_still_a_member", DOOR, async (stage) => {
  const witness = await witnessOf(stage);
  const guest = await stage.client("/");
  await guest.close(1000);
  const { sent, joined, found, member, left, state } = await witness.next();
  assert.deepEqual({ sent, joined, found, member, left, state },
    { sent: "closed", joined: "closed", found: false, member: true, left: true, state: "kept" });
});

scenario("on_close_that_fails_still_ends_the_client", DOOR, async (stage) => {
  const witness = await witnessOf(stage);
  const guest = await stage.client("/fail-on-close");
  await guest.close(1000);
  await stage.server.waitLog(/handler failed handler=on_close.*at the end/);
  await (await stage.client("/")).close(4100);
  assert.equal((await witness.next()).members, 1, "the witness and the one that goes are all that is left");
});

/* --- app: on_message ----------------------------------------------------- */

scenario("on_message_takes_every_frame_as_it_is", { script: `${FIXTURES}/raw.lua` }, async (stage) => {
  const ana = await stage.client();
  for (const text of ["", "not json", '{"type":"hello"}', "猪猪"]) {
    ana.send(text);
    const answer = (await ana.next(), ana.raw);
    assert.equal(answer, `text:${text}`);
  }
  ana.send(Buffer.from([0, 255, 1]));
  assert.deepEqual([...await ana.next()], [..."binary:"].map((c) => c.charCodeAt(0)).concat(0, 255, 1));
});

/* --- app: its shape ------------------------------------------------------ */

for (const [name, rules, why] of [
  ["no_table", "return 7", /its last line has to return its app table/],
  ["nothing", "", /returned nothing/],
  ["an_unknown_field", "return { api = 1, on_opne = function() end }", /app\.on_opne is no field/],
  ["a_field_of_another_type", "return { api = 1, on_open = 7 }", /app\.on_open is a number; it has to be a function/],
  ["a_handler_that_is_no_function", "return { api = 1, on = { say = 7 } }", /app\.on\.say is a number/],
  ["a_timer_that_is_no_function", "return { api = 1, timers = { tick = {} } }", /app\.timers\.tick is a table/],
  ["a_numbered_handler", "return { api = 1, on = { function() end } }", /app\.on has a key that is a number/],
  ["no_api", "return { on = {} }", /app\.api has to be 1/],
  ["another_api", "return { api = 2 }", /app\.api has to be 1/],
  ["a_failing_selftest", "return { api = 1, selftest = function() error('two and two') end }", /rules\.lua:1: two and two/],
  ["a_syntax_error", "return {\n", /rules\.lua:2: unexpected symbol|rules\.lua:1|'}' expected/],
  ["a_global", "x = 1", /rules\.lua:1: global 'x' is assigned/],
  ["an_unknown_global", "return foo", /rules\.lua:1: global 'foo' is not there/],
  ["an_endless_loop_at_load", "while true do end", /out of time/],
]) {
  scenario(`app_with_${name}_is_refused`, { ...RUN, threads: [0] }, async (stage) => {
    const script = stage.save("rules.lua", rules);
    const error = await startServer({ script, threads: 0 }).then((server) => server.stop(), (e) => e);
    assert.match(error.message ?? "it started", /the server ended \(1\)/);
    assert.match(error.message, why);
  });
}

scenario("app_may_be_bare", { rules: "return { api = 1 }" }, async (stage) => {
  const ana = await stage.client();
  ana.send({ type: "hello" });
  assert.deepEqual(await ana.next(), { type: "error", error: "unknown_type" });
  await ana.close();
});

scenario("selftest_changes_nothing_that_clients_see", {
  rules: `local chat = require "charlua"
    local n = 0
    local app = { api = 1, on = {} }
    function app.on.count(client) client:send({ n = n, rooms = #chat.rooms() }) end
    function app.selftest() n = n + 1; chat.room("x").state.y = 1; chat.every(0.01, function() n = n + 1 end) end
    return app`,
}, async (stage) => {
  const ana = await stage.client();
  ana.send({ type: "count" });
  assert.deepEqual(await ana.next(), { n: 0, rooms: 0 });
});

scenario("timers_of_the_load_wait_their_time", {
  rules: `local chat = require "charlua"
    local app = { api = 1, on = {} }
    local early, loaded = false, chat.now()
    chat.after(3600, function() early = true end)
    function app.on.ask(client) chat.sleep(0.02); client:send({ early = early, loaded = loaded }) end
    return app`,
}, async (stage) => {
  const ana = await stage.client();
  ana.send({ type: "ask" });
  const { early, loaded } = await ana.next();
  assert.ok(Math.abs(loaded - Date.now() / 1000) < 60, `chat.now() at load is ${loaded}`);
  assert.equal(early, false);
});

/* --- the reference ------------------------------------------------------- */

test("the_scripts_of_the_reference_run", async () => {
  const text = await readFile(`${ROOT}scripts/README.md`, "utf8");
  const blocks = [...text.matchAll(/^```lua\n(.*?)^```/gms)].filter(([, script]) => script.includes("api = 1"));
  assert.ok(blocks.length >= 3);
  for (const [, script] of blocks) {
    const stage = new Stage();
    try {
      stage.server = await startServer({ script: stage.save("rules.lua", script), threads: 0 });
    } finally {
      await stage.clear();
    }
  }
});
