/* script.test.mjs: what script authors have: modules that share events, the hours of a script's life, `charlua check`
 * and `charlua test`. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connect } from "./client.mjs";
import { BIN, overThreads, ROOT } from "./server.mjs";

/* Runs charlua to its end. */
function charlua(...args) {
  const run = spawnSync(BIN, args, { encoding: "utf8", timeout: 180_000 }); /* crowd_test.lua takes a busy machine a minute */
  return { status: run.status, out: run.stdout, err: run.stderr };
}

/* A folder with these files (name to text), for as long as `use` runs. */
async function inFolder(files, use) {
  const folder = await mkdtemp(join(tmpdir(), "charlua-script-"));
  try {
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/* --- the hours of a script's life ------------------------------------------------------------------------------- */

const LIFE = (version, wrong = "") => `
local chat = require "charlua"
local app = { api = 1, on = {}, version = ${version} }
function app.on_start() chat.log("start") end
function app.on_reload() chat.log("reload") end
function app.on_stop() chat.send { type = "goodbye" } end
function app.on.count(client)
  client.state.n = (client.state.n or 0) + 1
  client:send { type = "count", n = client.state.n, version = ${version} }
end
function app.migrate(old)
  ${wrong}
  for _, client in ipairs(chat.clients()) do client.state.n = client.state.n * 100 + old end
end
return app
`;

const life = async ({ defer }) => {
  const folder = await mkdtemp(join(tmpdir(), "charlua-life-"));
  defer(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "life.lua"), LIFE(1));
  return { script: join(folder, "life.lua") };
};

overThreads("a_script_hears_of_start_reload_and_stop", life, async (server, { options }) => {
  const { script } = options;
  assert.match(server.stderr, /rules loaded.*\n.*script: start\n/);
  const ana = await connect(server.url);
  const count = async () => {
    ana.send({ type: "count" });
    return ana.next();
  };
  const hup = async (said) => {
    const from = server.mark;
    server.signal("SIGHUP");
    await server.waitLog(said, { from });
    assert.doesNotMatch(server.stderr.slice(from), /script: start/);
  };
  assert.equal((await count()).n, 1);

  await writeFile(script, LIFE(2, "error 'not like this'"));
  await hup(/not reloaded.*not like this/);
  assert.deepEqual(await count(), { type: "count", n: 2, version: 1 });

  await writeFile(script, LIFE(2));
  await hup(/script: reload/);
  assert.deepEqual(await count(), { type: "count", n: 202, version: 2 }); /* 2 * 100 + 1, and one more */
  await hup(/script: reload/);
  assert.equal((await count()).n, 203, "the version is the same: nothing to migrate");

  server.signal("SIGTERM");
  assert.deepEqual(await ana.next(), { type: "goodbye" });
  assert.equal((await ana.closed).code, 1001);
});

const stopping = (how) => async ({ defer }) => {
  const folder = await mkdtemp(join(tmpdir(), "charlua-stop-"));
  defer(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "stop.lua"), `
local chat = require "charlua"
local app = { api = 1 }
function app.on_open(client) client:send { type = "hello" } end
function app.on_stop()
  chat.send { type = "soon" }
  ${how}
end
return app`);
  return { script: join(folder, "stop.lua") };
};

overThreads("an_on_stop_that_waits_ends_before_anybody_is_disconnected",
  stopping("assert(chat.sleep(0.05)); chat.send { type = 'goodbye' }; chat.log('on_stop ended')"), async (server) => {
    const ana = await connect(server.url);
    assert.equal((await ana.next()).type, "hello");
    server.signal("SIGTERM");
    assert.deepEqual(await ana.next(), { type: "soon" });
    assert.deepEqual(await ana.next(), { type: "goodbye" });
    assert.equal((await ana.closed).code, 1001);
    await server.waitLog(/script: on_stop ended/);
  });

overThreads("an_on_stop_that_waits_too_long_holds_nobody_for_ever",
  stopping("chat.sleep(2.7); chat.send { type = 'nobody' }; chat.log('woke'); chat.sleep(60)"), async (server) => {
    const ana = await connect(server.url);
    assert.equal((await ana.next()).type, "hello");
    server.signal("SIGTERM");
    assert.deepEqual(await ana.next(), { type: "soon" });
    assert.equal((await ana.closed).code, 1001);
    await server.waitLog(/script: woke/);
    await server.waitLog(/stopped$/m);
  }, { threads: [0, 3] });

/* --- charlua test and charlua check ----------------------------------------------------------------------------- */

const fixtures = (await readdir(join(ROOT, "tests/e2e/fixtures"))).filter((name) => name.endsWith("_test.lua"));
for (const name of fixtures) {
  test(`cases_of_${name}_pass`, () => {
    const run = charlua("test", join(ROOT, "tests/e2e/fixtures", name));
    assert.equal(run.status, 0, run.out + run.err);
  });
}

const RULES = `
local chat = require "charlua"
local app = { api = 1, on = {} }
function app.on.echo(client, msg) client:send(msg) end
function app.on.fail() error "on purpose" end
return app
`;

/* What a case says, and what it is told. */
const FAILURES = [
  ["c:expect { type = 'x' }", /FAIL case\n\S*rules_test\.lua:3: client 1: expected \{type="x"\}, but nothing came\n/],
  ["c:send { type = 'echo', a = { 1 } } c:expect { a = { 2 } }", /:3: client 1: expected \{a=\{2\}\}, but \{a=\{1\}, type="echo"\} came/],
  ["c:send { type = 'echo' } c:expect_nothing()", /:3: client 1: expected nothing, but \{type="echo"\} came/],
  ["c:send { type = 'echo' } c:expect_text 'x'", /:3: client 1: expected the text\n      x, but\n      \{"type":"echo"\} came/],
  ["c:expect_closed(1000)", /:3: client 1: expected to be closed, but it is not/],
  ["c:send { type = 'fail' } c:expect_error 'internal'", /:2: the log has an error that was not expected.*\n.*on purpose/],
  ["c:send { type = 'fail' } c:expect { type = 'x' }", /:3: the log has an error that was not expected.*\n.*on purpose(.*\n)*.*rules\.lua:5(.*\n)*.*client 1: expected \{type="x"\}, but/],
  ["s:client { nmae = 'Ana' }", /:3: .*s:client has no option 'nmae'; did you mean 'name'\? there are|:3: .*s:client has no option 'nmae'; did you mean 'name'\?; there are cookies, /],
  ["s:client { query = 7 }", /:3: .*s:client: query is a number; it has to be a table or string/],
  ["s:client { headers = 'x' }", /:3: .*s:client: headers is a string; it has to be a table/],
  ["s:client 'Ana'", /:3: .*s:client takes a table of options, not a string/],
  ["s:request('GET /', { bdoy = 'x' })", /:3: .*s:request has no option 'bdoy'; did you mean 'body'\?/],
  ["t.case('x', { scirpt = 'y' }, function() end)", /:3: .*a case has no option 'scirpt'; did you mean 'script'\?/],
  ["s:expect_log 'nothing'", /:3: expected a line with "nothing" in the log; it has\n      info rules loaded/],
  ["t.equal(1 + 1, 3)", /:3: expected 3, but it is 2/],
  ["local x = nil; x()", /:3: \S*rules_test\.lua:3: attempt to call a nil value \(local 'x'\)/],
  ["s:reload('return {')", /:3: the rules could not be loaded: rules not reloaded.*unexpected symbol|'}' expected/],
];

for (const [i, [says, told]] of FAILURES.entries()) {
  test(`a_case_that_fails_says_where_and_what_came_instead ${i}`, () =>
    inFolder({
      "rules.lua": RULES,
      "rules_test.lua": `local t = require "charlua.test"\nt.case("case", function(s) local c = s:client()\n${says}\nend)\n`,
    }, (folder) => {
      const run = charlua("test", join(folder, "rules_test.lua"));
      assert.match(run.out, told);
      assert.match(run.out, /\n0 passed, 1 failed\n$/);
      assert.equal(run.status, 1);
    }));
}

const TWO = `local t = require "charlua.test"
t.preset { rules = [[return { api = 1 }]] }
t.case("good", function() end)
t.case("bad", function() t.ok(false, "no") end)
`;

test("charlua_test_speaks_tap_filters_and_counts", () =>
  inFolder({ "two.lua": TWO, "none.lua": "", "broken.lua": "x = = 1" }, (folder) => {
    const file = join(folder, "two.lua");
    const tap = charlua("test", "--tap", file);
    assert.equal(tap.out, `TAP version 13
ok 1 - ${file}: good
not ok 2 - ${file}: bad
  ---
  at: ${file}:4
  message: |
    no
  ...
1..2
# 1 passed, 1 failed
`);
    assert.equal(tap.status, 1);
    assert.equal(charlua("test", "--filter", "good", file).status, 0);
    assert.match(charlua("test", "--filter", "nobody", file).err, /no case was run; no name has what --filter says/);
    assert.equal(charlua("test", "--filter", "nobody", file).status, 1);
    assert.match(charlua("test", join(folder, "none.lua")).err, /none\.lua: no case in it: say t\.case/);
    assert.match(charlua("test", join(folder, "broken.lua")).err, /broken\.lua:1: unexpected symbol/);
    assert.match(charlua("test", join(folder, "missing.lua")).err, /cannot open .*missing\.lua/);
    assert.equal(charlua("test").status, 1);
  }));

test("rules_that_never_rest_fail_the_case_and_do_not_hang", () =>
  inFolder({
    "restless_test.lua": `local t = require "charlua.test"
t.preset { rules = [[
  local chat = require "charlua"
  local app = { api = 1, on = {}, timers = {} }
  function app.timers.again() chat.after(0, "again") end
  function app.on.go() chat.after(0, "again") end
  return app ]] }
t.case("restless", function(s)
  s:client():send { type = "go" }
end)`,
  }, (folder) => {
    assert.match(charlua("test", join(folder, "restless_test.lua")).out, /:9: .*the rules do not come to rest/);
  }));

/* What is wrong with the rules, and what check says of it behind the file's name. */
const FINDINGS = [
  ["local app = { api = 1 }\nx = = 3\nreturn app", 1, /^:2: error: unexpected symbol near '='\n1 errors, 0 warnings\n$/],
  ["local app = { api = 1 }\nfunction app.selftest()\n  assert(1 == 2, 'sums')\nend\nreturn app", 1, /^:\d: error: sums\n/],
  ["return { api = 2 }", 1, /^:1: error: app\.api has to be 1/],
  ["local chat = require 'charlua'\nlocal app = { api = 1, on = {} }\nfunction app.on.x() chat.rom('a'):send('{}') end\nreturn app", 0,
    /^:3: warning: chat\.rom: charlua has nothing of that name; did you mean chat\.room\?\n0 errors, 1 warnings\n$/],
  ["local app = { api = 1, on = {} }\n-- chat.rom\nfunction app.on.x() end\nfunction app.on.x() end\nreturn app", 0,
    /^:3: warning: app\.on\.x is never called: line 4 defines it again\n/],
  ["local chat = require 'charlua'\nlocal app = { api = 1, timers = {} }\nfunction app.timers.sweep() chat.every(1, 'swep') end\nreturn app", 0,
    /^:3: warning: app\.timers\.swep is not there; did you mean app\.timers\.sweep\?\n.*app\.timers\.sweep is never called/],
  ["return { api = 1, on = { say = function() end }, on_message = function() end }", 0,
    /^:1: warning: app\.on\.say is never called: app\.on_message takes every message\n/],
  ["local app = { api = 1, on = {} }\nfunction app.on.x(client)\n  client:sned { a = 1 }\nend\nreturn app", 0,
    /^:3: warning: client:sned: a client has nothing of that name; did you mean client:send\?\n/],
  ["local chat = require 'charlua'\nlocal json = chat.json\nlocal app = { api = 1 }\nfunction app.on_stop() chat.log(json.encode(chat.json.null)) end\nreturn app", 0,
    /^0 errors, 0 warnings\n$/],
  ["local app = { api = 1, on = {} }\nfunction app.on.x(client)\n  local ok = pcall(function()\n    pirnt(client)\n  end)\n  okk = ok\nend\nreturn app", 0,
    /^:4: warning: global 'pirnt' is not there; did you mean print\?\n:6: warning: global 'okk' is assigned: say local, or put it into a table\n0 errors, 2 warnings\n$/],
  ["local app = { api = 1 }\nfunction app.on_open(client)\n  local _ENV = { client = client }\n  return client, other\nend\nreturn app", 0, /^0 errors, 0 warnings\n$/],
  ["local app = { api = 1 }\nfunction app.on_stop()\n  local t = { " + Array.from({ length: 300 }, (_, i) => `k${i} = ${i}.5`).join(", ") + " }\n  missing(t)\nend\nreturn app", 0,
    /^:4: warning: global 'missing' is not there\n/],
  ["local chat = require 'charlua'\nlocal app = { api = 1 }\n-- chat.env 'NO'\nfunction app.on_open()\n  chat.log(chat.env 'API_KEY', chat.env(\"API_KEY\"))\nend\nreturn app", 0,
    /^:5: warning: chat\.env "API_KEY": it is not allowed; start with --env API_KEY\n:5: warning: chat\.env "API_KEY"[^]*\n0 errors, 2 warnings\n$/],
  ["local chat = require 'charlua'\nlocal app = { api = 1 }\nfunction app.on_open()\n  chat.http {\n    method = 'POST', url = 'https://API.example.org/v1?' .. 1 }\nend\nreturn app", 0,
    /^:4: warning: chat\.http: https:\/\/api\.example\.org is not allowed; start with --http-allow https:\/\/api\.example\.org\n0 errors, 1 warnings\n$/],
  ["return { api = 1 }", 0, /^0 errors, 0 warnings\n$/],
];

for (const [i, [rules, status, told]] of FINDINGS.entries()) {
  test(`charlua_check_finds_what_is_wrong ${i}`, () =>
    inFolder({ "rules.lua": rules }, (folder) => {
      const file = join(folder, "rules.lua");
      const run = charlua("check", file);
      assert.match(run.out.replaceAll(file, ""), told);
      assert.equal(run.status, status);
    }));
}

test("charlua_check_reads_modules_too", () =>
  inFolder({
    "rules.lua": "local m = require 'sub'\nreturn { api = 1, use = { m } }",
    "sub.lua": "local chat = require 'charlua'\nreturn { on_open = function() chat.sned() end }",
  }, (folder) => {
    assert.match(charlua("check", join(folder, "rules.lua")).out, /sub\.lua:2: warning: chat\.sned: .*did you mean chat\.send\?/);
  }));

/* --- what the manual shows --------------------------------------------------------------------------------------- */

test("examples_of_the_manual_are_clean_and_their_cases_pass", async () => {
  const manual = await readFile(join(ROOT, "scripts/README.md"), "utf8");
  const blocks = [...manual.matchAll(/```lua\n(--- (\w+\.lua):[^]*?)```/g)].map((m) => [m[2], m[1]]);
  assert.ok(blocks.length > 4);
  await inFolder(Object.fromEntries(blocks), (folder) => {
    for (const [name, text] of blocks) {
      if (name.endsWith("_test.lua")) {
        const run = charlua("test", join(folder, name));
        assert.equal(run.status, 0, run.out + run.err);
      } else if (text.includes("api = 1")) {
        const options = text.match(/--(http-allow|env) \S+/g) ?? []; /* its first line says how to start it */
        assert.equal(charlua("check", join(folder, name), ...options.flatMap((o) => o.split(" "))).out, "0 errors, 0 warnings\n", name);
      }
    }
  });
});
