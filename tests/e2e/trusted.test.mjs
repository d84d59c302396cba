/* trusted.test.mjs: what --trusted opens, and what it does not; who holds the server is named while he does. */
import assert from "node:assert/strict";
import { FIXTURES, INTERNAL, scenario } from "./scenario.mjs";

const TRUSTED = { script: `${FIXTURES}/run.lua`, args: ["--trusted"], threads: [0, 3] };

scenario("trusted_scripts_have_the_standard_library", TRUSTED, async (stage) => {
  const [ana] = await stage.actors(1);
  const file = stage.save("read.txt", "mate\n");
  assert.equal(await ana.value("return io.open(msg.file):read('l')", { file }), "mate");
  assert.deepEqual(await ana.run("return os.getenv('NO_SUCH_NAME'), type(debug.getinfo(1)), type(package.path), os.execute('exit 3')"),
    [null, "table", "string", null, "exit", 3]);
  assert.equal(await ana.value("return load(string.dump(function() return 7 end))()"), 7);
  assert.deepEqual(await ana.run("return load(string.dump(function() end), 'x', 't')"), [null, "attempt to load a binary chunk (mode is 't')"]);
});

scenario("trusted_scripts_require_modules_of_the_system", TRUSTED, async (stage) => {
  const [ana] = await stage.actors(1);
  assert.deepEqual(await ana.run("local safe = require 'cjson.safe'; return safe.encode({ 1 }), require 'cjson.safe' == safe"), ["[1]", true]);
  const path = stage.save("elsewhere.lua", "return { name = ..., where = select(2, ...), globals = _G }");
  assert.deepEqual(await ana.run(`package.path = msg.path:gsub("elsewhere", "?")
    local m = require "elsewhere"
    return m.name, m.where, m.globals == _G`, { path }), ["elsewhere", path, true]);
  const [ok, why] = await ana.run("return pcall(require, 'nowhere')");
  assert.equal(ok, false);
  assert.match(why, /module 'nowhere' is not beside the script, and there is\n\tno file/);
});

scenario("trusted_scripts_find_modules_beside_them_first", { ...TRUSTED, rules: "return { api = 1 }" }, async (stage) => {
  stage.save("lfs.lua", "return 'ours'");
  stage.save("rules.lua", "print(require 'lfs') return { api = 1 }");
  await stage.reload();
  await stage.server.waitLog(/script: ours/);
});

scenario("trusted_scripts_keep_their_budget", TRUSTED, async (stage) => {
  const [ana, beto] = await stage.actors(2);
  for (const code of ["while true do io.type(1) end", "debug.sethook(); while true do end", "pcall(debug.sethook); while true do end",
    "setmetatable({}, { __gc = print })"]) {
    await ana.fails(`client:send('1'); ${code}`);
    await beto.hearsNothing();
  }
  await stage.server.waitLog(/debug\.sethook: the hook is what ends a handler in time/);
});

scenario("without_trust_there_is_nothing_of_it", { ...TRUSTED, args: [] }, async (stage) => {
  const [ana] = await stage.actors(1);
  assert.deepEqual(await ana.run("return rawget(_G, 'io'), rawget(_G, 'debug'), rawget(_G, 'package'), os.execute"), [null, null, null, null]);
  assert.equal((await ana.run("return pcall(require, 'cjson.safe')"))[0], false);
  assert.deepEqual((await ana.run("return load(string.dump(function() end))"))[0], null);
});

/* --- who holds the server ----------------------------------------------- */

const HOLD = "os.execute('sleep 2.4')"; /* what no budget stops; time that passes is the matter */

scenario("a_handler_that_holds_the_server_is_named_while_it_does", TRUSTED, async (stage) => {
  const [ana, beto] = await stage.actors(2);
  const id = await ana.value("return client.id");
  ana.say(`chat.log("begun"); ${HOLD}; chat.log("done")`);
  await stage.server.waitLog(/script: begun/);
  await stage.server.waitLog(new RegExp(`warn {2}a handler holds the server handler=on\\.run client=${id} seconds=1\\n`));
  assert.doesNotMatch(stage.server.stderr, /script: done/);
  await ana.results();
  await stage.server.waitLog(new RegExp(`a handler held the server handler=on\\.run client=${id} seconds=2\\.\\d\\n`));
  assert.equal(stage.server.stderr.match(/a handler holds/g).length, 2, "once a second");
  await beto.hearsNothing();
  assert.equal(stage.server.stderr.match(/a handler held/g).length, 1);
});

scenario("a_timer_that_holds_the_server_is_named", TRUSTED, async (stage) => {
  const [ana] = await stage.actors(1);
  await ana.run(`chat.after(0, function() ${HOLD} end)`);
  await stage.server.waitLog(/a handler holds the server handler=timer client=0 seconds=1\n/);
  await stage.server.waitLog(/a handler held the server handler=timer client=0 /);
});

for (const [what, rules] of [
  ["load", `${HOLD} return { api = 1 }`],
  ["selftest", `return { api = 1, selftest = function() ${HOLD} end }`],
]) {
  scenario(`a_${what}_that_holds_the_server_is_named`, { ...TRUSTED, script: undefined, rules }, async (stage) => {
    assert.match(stage.server.stderr, new RegExp(`a handler holds the server handler=${what} client=0 seconds=1\n`));
  });
}

scenario("a_handler_that_is_ended_by_its_budget_is_not_told_of", TRUSTED, async (stage) => {
  const [ana] = await stage.actors(1);
  ana.say("while true do end");
  await ana.next();
  assert.equal(ana.client.raw, INTERNAL);
  assert.doesNotMatch(stage.server.stderr, /holds the server/);
});
