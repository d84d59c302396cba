/* reload.test.mjs: new rules while 100 clients talk: nobody is disconnected, no message is lost or doubled; what is
 * noticed of files, and what the log says of it. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "./client.mjs";
import { scenario } from "./scenario.mjs";
import { overThreads } from "./server.mjs";

const ROOMS = 25, MEMBERS = 4, RELOADS = 20;

/* The rules of `version`; `wrong` is put in before their end. */
function rules(version, wrong = "") {
  return `--- rules.lua: what is said comes back with the version of the rules.
local chat = require "charlua"
local app = { api = 1, on = {} }
function app.on.join(client, msg)
  client:join(msg.room)
  client.state.room = chat.room(msg.room)
  client:send(chat.object("type", "joined"))
end
function app.on.say(client, msg)
  local state = client.state
  state.said = (state.said or 0) + 1
  state.room:send(chat.object("type", "say", "from", msg.from, "seq", msg.seq, "said", state.said, "version", ${version}))
end
${wrong}
return app
`;
}

/* What is wrong with the broken ones, in turn, and what the log says of it. */
const BROKEN = [
  ["function app.on.say(", /not reloaded.*rules\.lua:\d+: .*expected/],
  ["local nothing; nothing.x = 1", /not reloaded.*rules\.lua:14: attempt to index a nil value/],
  ["function app.selftest() assert(1 == 2, 'one is not two') end", /not reloaded.*one is not two/],
];

/* A member of a room that says its next word as soon as it has heard its last one. */
class Talker {
  heard = []; /* what came, in order */
  seq = 0;
  #wanted = []; /* {seq, resolve}: who waits for a word of ours */
  #quiet = false;

  constructor(client, name) {
    this.client = client;
    this.name = name;
  }

  async talk() {
    this.#say();
    for (;;) {
      const message = await this.client.next();
      assert.equal(message.type, "say", JSON.stringify(message));
      this.heard.push(message);
      if (message.from !== this.name) continue;
      this.#wanted = this.#wanted.filter((want) => message.seq < want.seq || want.resolve(message));
      if (this.#quiet) return;
      this.#say();
    }
  }

  #say() {
    this.client.send({ type: "say", from: this.name, seq: ++this.seq });
  }

  /* The answer to the first word that is said from now on. */
  nextWord() {
    return new Promise((resolve) => this.#wanted.push({ seq: this.seq + 1, resolve }));
  }

  hush() {
    this.#quiet = true;
  }
}

scenario("20_reloads_under_100_talking_clients_lose_nothing", { rules: rules(0) }, async (stage) => {
  const talkers = await Promise.all(Array.from({ length: ROOMS * MEMBERS }, async (_, i) => {
    const client = await stage.client();
    client.send({ type: "join", room: `room ${i % ROOMS}` });
    assert.equal((await client.next()).type, "joined");
    return new Talker(client, i);
  }));
  const talks = talkers.map((talker) => talker.talk());
  const failed = Promise.all(talks).then(() => new Promise(() => {})); /* rejects when one fails, else never settles */
  failed.catch(() => {});

  let inForce = 0, brokenSoFar = 0;
  for (let version = 1; version <= RELOADS; version++) {
    const [wrong, line] = version % 3 === 0 ? BROKEN[brokenSoFar++ % BROKEN.length] : ["", /rules reloaded/];
    stage.save("rules.lua", rules(version, wrong));
    await stage.reload(line);
    if (!wrong) inForce = version;
    const words = await Promise.race([failed, Promise.all(talkers.map((talker) => talker.nextWord()))]);
    for (const word of words) assert.equal(word.version, inForce, `after reload ${version}`);
  }

  for (const talker of talkers) talker.hush();
  await Promise.all(talks);
  for (let room = 0; room < ROOMS; room++) {
    const members = talkers.filter((talker) => talker.name % ROOMS === room);
    const said = members.reduce((sum, talker) => sum + talker.seq, 0);
    for (const talker of members) {
      while (talker.heard.length < said) talker.heard.push(await talker.client.next());
      assert.deepEqual(talker.heard, members[0].heard);
    }
    const last = new Map();
    let version = 0;
    for (const message of members[0].heard) {
      assert.equal(message.seq, (last.get(message.from) ?? 0) + 1, "lost, doubled or out of order");
      assert.equal(message.said, message.seq, "client.state was lost");
      assert.ok(message.version >= version, "older rules than before");
      last.set(message.from, message.seq);
      version = message.version;
    }
  }
});

scenario("a_broken_reload_says_file_line_and_reason", { rules: rules(0) }, async (stage) => {
  const ana = await stage.client();
  ana.send({ type: "join", room: "patio" });
  await ana.next();
  for (const [i, [wrong, line]] of BROKEN.entries()) {
    stage.save("rules.lua", rules(1, wrong));
    const [said] = await stage.reload(line);
    if (i < 2) assert.match(said, /\/rules\.lua:\d+: /);
    ana.send({ type: "say", from: 0, seq: 1 });
    assert.equal((await ana.next()).version, 0);
  }
});

/* --- what is noticed, and what is said of it ------------------------------- */

/* A folder with these files (name to text), all of one time, which is put away later. */
function folderOf(files, defer) {
  const folder = mkdtempSync(join(tmpdir(), "charlua-reload-"));
  defer(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), text);
    utimesSync(join(folder, name), 1, 1); /* as who builds images does, so that images are the same */
  }
  return folder;
}

const greeting = (word) => `local app = { api = 1 }
function app.on_open(client) client:send { word = "${word}" } end
return app
`;

const linked = ({ defer }) => {
  const folder = folderOf({ "v1/rules.lua": greeting("one"), "v2/rules.lua": greeting("two") }, defer);
  symlinkSync("v1", join(folder, "current"));
  return { folder, script: join(folder, "current/rules.lua"), args: ["--watch"] };
};

overThreads("watch_notices_a_link_that_is_turned_to_a_file_of_the_same_size_and_time", linked, async (server, { options }) => {
  assert.equal((await (await connect(server.url)).next()).word, "one");
  symlinkSync("v2", join(options.folder, "draft"));
  renameSync(join(options.folder, "draft"), join(options.folder, "current"));
  await server.waitLog(/rules reloaded script=\S+ changed=rules\.lua\n/);
  assert.equal((await (await connect(server.url)).next()).word, "two");
}, { threads: [0, 3] });

const modules = ({ defer }) => {
  const folder = folderOf({ "rules.lua": `require "a"\nrequire "b"\n${greeting("x")}`, "a.lua": "return 1", "b.lua": "return 1", "c.lua": "return 1" }, defer);
  return { folder, script: join(folder, "rules.lua") };
};

overThreads("a_reload_says_which_files_are_others", modules, async (server, { options: { folder, script } }) => {
  const reloads = async (line) => {
    const from = server.mark;
    server.signal("SIGHUP");
    await server.waitLog(line, { from });
  };
  await reloads(/rules reloaded script=\S+ changed=none\n/);
  writeFileSync(join(folder, "a.lua"), "return 2");
  await reloads(/rules reloaded script=\S+ changed=a\.lua\n/);
  writeFileSync(script, `require "a"\nrequire "c"\n${greeting("y")}`);
  writeFileSync(join(folder, "a.lua"), "return 3");
  unlinkSync(join(folder, "b.lua"));
  await reloads(/rules reloaded script=\S+ changed=rules\.lua,a\.lua added=c\.lua removed=b\.lua\n/);
  writeFileSync(join(folder, "c.lua"), "return +");
  await reloads(/rules not reloaded, the old ones stay in force script=\S+: .*c\.lua/);
  writeFileSync(join(folder, "c.lua"), "return 1 + 1");
  await reloads(/rules reloaded script=\S+ changed=c\.lua\n/);
  await reloads(/rules reloaded script=\S+ changed=none\n/);
}, { threads: [0, 3] });
