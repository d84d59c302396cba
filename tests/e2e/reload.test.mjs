/* reload.test.mjs: new rules while 100 clients talk: nobody is disconnected, no message is lost or doubled. */
import assert from "node:assert/strict";
import { scenario } from "./scenario.mjs";

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
