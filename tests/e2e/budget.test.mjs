/* budget.test.mjs: nothing that a handler does hurts anybody else: it ends with its budget, its client is told and
 * stays, and what others send before and after arrives in order. */
import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { FIXTURES, INTERNAL, scenario } from "./scenario.mjs";
import { isSanitized } from "./server.mjs";

const RUN = { script: `${FIXTURES}/run.lua`, threads: [0, 3] };
const TIME = /out of time/, MEMORY = /not enough memory/, STACK = /stack overflow/, EITHER = /out of time|not enough memory/;

/* What a broken handler does, and what the log says of it. */
const BROKEN = [
  /* loops, wherever they are */
  ["an_endless_loop", "while true do end", TIME],
  ["a_loop_inside_pcall", "while true do pcall(function() while true do end end) end", TIME],
  ["a_loop_inside_xpcall", "while true do xpcall(function() while true do end end, function() while true do end end) end", TIME],
  ["a_loop_inside_a_coroutine", "coroutine.resume(coroutine.create(function() while true do end end))", TIME],
  ["a_loop_inside_wrap", "coroutine.wrap(function() while true do end end)()", TIME],
  ["a_loop_of_coroutines", "while true do coroutine.wrap(function() coroutine.yield() end)() end", TIME],
  ["a_loop_of_resumes", "local co = coroutine.wrap(function() while true do coroutine.yield() end end) while true do co() end", TIME],
  ["a_loop_inside_nested_coroutines", `
    local function nest(n)
      if n == 0 then while true do end end
      return pcall(coroutine.wrap(function() return nest(n - 1) end))
    end
    while true do nest(50) end`, TIME],
  ["a_loop_inside_sort", "table.sort({ 3, 2, 1 }, function() while true do end end)", TIME],
  ["a_loop_of_sorts", "local t = {}; for i = 1, 1000 do t[i] = -i end; while true do table.sort(t) end", TIME],
  ["a_loop_inside_gsub", "local s = ('x'):gsub('x', function() while true do end end)", TIME],
  ["a_loop_inside_gmatch", "for _ in ('x'):gmatch('x') do while true do end end", TIME],
  ["a_loop_inside_index", "local x = setmetatable({}, { __index = function() while true do end end }).x", TIME],
  ["a_loop_inside_tostring", "tostring(setmetatable({}, { __tostring = function() while true do end end }))", TIME],
  ["a_loop_inside_close", "local x <close> = setmetatable({}, { __close = function() while true do end end })", TIME],
  ["a_loop_inside_close_after_an_error", "local x <close> = setmetatable({}, { __close = function() while true do end end }) error('first')", /run:\d+: first/],
  ["a_loop_inside_pairs", "for _ in pairs(setmetatable({}, { __pairs = function() while true do end end })) do end", TIME],
  ["a_loop_inside_an_operator", "local x = setmetatable({}, { __lt = function() while true do end end }) < 1", TIME],
  ["a_loop_inside_what_is_sent", "client:send(setmetatable({}, { __index = function() while true do end end })[1])", TIME],
  ["a_loop_inside_a_loaded_chunk", "load('while true do end')()", TIME],
  ["a_finalizer", "setmetatable({}, { __gc = function() while true do end end })", /scripts have no __gc/],
  /* C code that takes long */
  ["a_pattern_that_backtracks", "('a'):rep(30):match(('a?'):rep(30) .. ('a'):rep(30))", TIME],
  ["a_pattern_on_a_long_text", "('-'):rep(1000000):find('.-.-.-.-x')", TIME],
  ["a_gsub_that_backtracks", "('a'):rep(100000):gsub('.-.-b', '')", TIME],
  ["a_long_sort", "local t = {}; for i = 1, 1000 do t[i] = ('x'):rep(100000) .. i end; while true do table.sort(t) end", TIME],
  ["a_loop_of_compares", "local a, b = ('x'):rep(4000000), ('x'):rep(4000000) .. 'y'; while true do local _ = a < b end", TIME],
  ["a_loop_of_moves", "local t = {}; for i = 1, 50000 do t[i] = i end; while true do table.insert(t, 1, 0); table.remove(t, 1) end", TIME],
  ["a_loop_of_moves_at_floats_and_strings", "local t = {}; for i = 1, 50000 do t[i] = i end; while true do table.insert(t, 1.0, 0); table.remove(t, ' 0x1 ') end", TIME],
  ["a_loop_of_escapes", "local s = ('<'):rep(15000); while true do chat.escape_html(s) end", TIME],
  ["a_loop_of_names", "while true do chat.name_key(('\\u{FDFA}'):rep(170)) end", TIME],
  ["a_move_of_everything", "while true do table.move({}, 1, 1e9 // 1 | 0, 2) end", TIME],
  ["a_queue_that_was_emptied", "local t = {}; for i = 1, 50000 do t['k' .. i] = i end; while true do local k = next(t); if k then t[k] = nil end end", TIME],
  ["a_long_source", "while true do load(('x = x + 1 '):rep(100000)) end", TIME],
  ["a_loop_of_decodes", "local s = '[' .. ('1,'):rep(100000) .. '1]'; while true do chat.json.decode(s) end", TIME],
  ["a_loop_of_encodes", "local t = {}; for i = 1, 10000 do t[i] = i end; while true do chat.json.encode(t) end", TIME],
  ["a_vast_message", "local t = {}; for _ = 1, 28 do t = { t, t } end; client:send(t)", /out of time|too large/],
  ["a_loop_of_lists", "while true do chat.clients() end", TIME],
  /* memory */
  ["a_string_that_doubles", "local s = 'x'; while true do s = s .. s end", EITHER],
  ["a_string_that_grows", "local s = ''; while true do s = s .. ('x'):rep(1000) end", EITHER],
  ["a_long_chain_of_strings", "local s = ('x'):rep(1000000); while true do local _ = s .. s .. s .. s .. s .. s .. s .. s end", EITHER],
  ["a_repeated_string", "local s = ('x'):rep(1 << 30)", MEMORY],
  ["a_long_concat", "local t = {}; for i = 1, 100 do t[i] = ('x'):rep(1000000) end; local s = table.concat(t)", EITHER],
  ["a_long_format", "local s = ('x'):rep(30000000); local f = string.format('%s%s%s', s, s, s)", EITHER],
  ["a_long_gsub", "local s = ('x'):rep(1000):gsub('x', ('y'):rep(1000000))", EITHER],
  ["tables", "local t = {}; for i = 1, math.huge do t[i] = { i } end", EITHER],
  ["closures", "local t = {}; for i = 1, math.huge do t[i] = function() return t end end", EITHER],
  ["coroutines", "local t = {}; for i = 1, math.huge do t[i] = coroutine.create(print) end", EITHER],
  ["memory_inside_pcall", "while true do pcall(function() local s = 'x'; while true do s = s .. s end end) end", EITHER],
  ["too_many_results", "local t = {}; for i = 1, 20000 do t[i] = i end; select('#', table.unpack(t))", /too many results to unpack/],
  ["too_many_bytes", "select('#', ('x'):rep(20000):byte(1, -1))", /string slice too long/],
  /* recursion */
  ["a_deep_recursion", "local function f() return 1 + f() end; f()", /stack overflow|out of time|not enough memory/],
  ["nested_pcalls", "local function f() return pcall(f) end; f(); error('deep')", /deep|out of time|stack overflow/],
  ["nested_gsubs", "local function f() return (('x'):gsub('x', f)) end; f()", STACK],
  ["nested_tostrings", "local t = setmetatable({}, {}); getmetatable(t).__tostring = function() return string.format('%s', t) end; tostring(t)", STACK],
  ["nested_sorts", "local function f() table.sort({ 2, 1 }, f) end; f()", STACK],
  ["nested_brackets", "assert(load('return ' .. ('('):rep(100000) .. '1'))", /overflow|too many|levels/],
  ["an_index_of_itself", "local t = {}; setmetatable(t, { __index = t }); local x = t.x", /'__index' chain too long/],
  /* error objects */
  ["an_error_without_a_value", "error(nil)", /an error object that is a nil/],
  ["an_error_that_is_a_table", "error({})", /an error object that is a table/],
  ["an_error_whose_tostring_raises", "error(setmetatable({}, { __tostring = function() error('again') end }))", /an error object that is a table/],
  ["an_error_whose_tostring_loops", "error(setmetatable({}, { __tostring = function() while true do end end }))", /an error object that is a table/],
  ["an_error_that_is_huge", "error(('x'):rep(1000000))", /xxxxx/],
  ["an_error_that_is_huge_and_caught", "local _, why = pcall(error, ('x'):rep(1000000)); error(why, 0)", /xxxxx/],
];

for (const [name, code, why] of BROKEN) {
  scenario(`a_handler_with_${name}_hurts_nobody_else`, RUN, async (stage) => {
    const [ana, beto, caro] = await stage.actors(3);
    for (const actor of [ana, beto, caro]) await actor.run("client:join('patio'); kept[#kept + 1] = client");

    beto.say("chat.room('patio'):send('\"before\"')");
    assert.equal(await beto.next(), "before");
    await beto.results();
    ana.say(`client:send('"never"'); chat.room('patio'):send('"never"'); client:leave('patio'); kept[3]:close()
      chat.after(0, function() kept[2]:send('"never"') end);
      ${code}`);
    caro.say("chat.room('patio'):send('\"after\"')"); /* does not wait for Ana's end */

    assert.equal(await ana.next(), "before");
    const heard = [];
    for (let i = 0; i < 2; i++) heard.push((await ana.next(), ana.client.raw));
    assert.deepEqual(heard.sort(), ['"after"', INTERNAL]);
    assert.equal(await beto.next(), "after");
    assert.deepEqual([await caro.next(), await caro.next()], ["before", "after"]);
    await caro.results();

    const [, line, traceback] = await stage.server.waitLog(/ error handler failed handler=on\.run client=\d+: (.*)((?:\n\t.*)*)\n/);
    assert.match(line, why);
    assert.match(line + traceback, /\brun:\d+:/);
    assert.deepEqual(await ana.run("return #client:rooms(), chat.room('patio').size"), [1, 3]);
    for (const actor of [ana, beto, caro]) await actor.hearsNothing();
    assert.equal(stage.server.stderr.match(/handler failed/g).length, 1);
  });
}

scenario("strings_are_repeated_as_ever", RUN, async (stage) => {
  const [ana] = await stage.actors(1);
  assert.deepEqual(await ana.run(`return ("ab"):rep(3), ("ab"):rep(3, ", "), ("x"):rep(0), ("x"):rep(-1), (""):rep(5), (""):rep(3, "-"),
    ("x"):rep(1), ("x"):rep(1, "---"), #("abc"):rep(1000, "--"), ("ab"):rep(5)`),
  ["ababab", "ab, ab, ab", "", "", "", "--", "x", "x", 4998, "ababababab"]);
});

/* --- the budget itself --------------------------------------------------- */

const COUNT = "local n = 0; for i = 1, 3000000 do n = n + 1 end; return n";

scenario("a_longer_handler_time_lets_a_handler_finish", { ...RUN, args: ["--handler-time", "60000"] }, async (stage) => {
  const [ana, beto] = await stage.actors(2);
  await beto.run("client:join('patio')");
  ana.say(`chat.room('patio'):send('"first"'); ${COUNT}`);
  assert.equal(await beto.next(), "first"); /* once that handler has returned */
  assert.deepEqual(await ana.results(), [3000000]);
});

scenario("a_shorter_handler_time_ends_it_and_the_next_one_goes_on", { ...RUN, args: ["--handler-time", "1"] }, async (stage) => {
  const [ana, beto] = await stage.actors(2);
  await ana.fails(COUNT);
  assert.deepEqual(await beto.run("return 1"), [1]);
  await ana.fails("pcall(function() while true do end end); client:send('1')");
  await ana.hearsNothing();
});

/* C code that no hook stops, and that is not short. */
const RSA_KEY = createPublicKey({ format: "jwk", key: { kty: "RSA", e: "AQAB", n: Buffer.alloc(1024, 0xff).toString("base64url") } })
  .export({ type: "spki", format: "pem" });
const LONG = [
  ["a_long_date", "os.date(('%p'):rep(1000):rep(3000))"],
  ["a_long_format_of_numbers", "local t = {}; for i = 1, 9990 do t[i] = 1e308 end; local s = ('%99.99f'):rep(#t):format(table.unpack(t))"],
  ["a_loop_of_new_keys", `
    local options, jwt = {}, chat.crypto.jwt
    for i = 1, 20 do options[i] = { alg = "RS256", key = ("\\n"):rep(i) .. [[${RSA_KEY}]] } end
    while true do for i = 1, 20 do jwt("", options[i]) end end`],
];

for (const [name, code] of LONG) {
  scenario(`${name}_takes_no_longer_than_the_budget`, RUN, async (stage) => {
    const [ana] = await stage.actors(1);
    const [before] = await ana.run("return os.clock()");
    await ana.fails(code);
    const [after] = await ana.run("return os.clock()");
    assert.match(stage.server.stderr, TIME);
    assert.ok(after - before < (isSanitized(stage.server) ? 1 : 0.14), `${after - before} s of the processor`);
  });
}

scenario("a_caught_lack_of_memory_is_not_the_end", { ...RUN, args: ["--script-memory", "16m", "--handler-time", "5000"] }, async (stage) => {
  const [ana] = await stage.actors(1);
  const [ok, why] = await ana.run("return pcall(string.rep, 'x', 1 << 30)");
  assert.equal(ok, false);
  assert.match(why, /not enough memory/);
  for (let i = 0; i < 5; i++) {
    await ana.fails("local t = {}; for i = 1, math.huge do t[i] = { i } end");
    assert.equal(await ana.value("return #('x'):rep(1000000)"), 1_000_000);
  }
  await stage.server.waitLog(/not enough memory: a handler may not use that much/);
});

const WORK = `chat.log("info", "begun")
  local till = os.clock() + 0.1
  while os.clock() < till do end
  return "done"`;

scenario("a_server_that_is_stopped_for_a_while_costs_no_handler_its_time", {
  script: `${FIXTURES}/run.lua`,
  args: ["--handler-time", "400"],
}, async (stage) => {
  const ana = await stage.client();
  ana.send({ type: "run", code: WORK });
  await stage.server.waitLog(/begun/);
  stage.server.signal("SIGSTOP");
  await new Promise((resolve) => setTimeout(resolve, 600)); /* no wait for an event: time that passes is the matter */
  stage.server.signal("SIGCONT");
  assert.deepEqual((await ana.next()).values, ["done"]);
});
