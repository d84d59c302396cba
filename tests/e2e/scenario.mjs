/* scenario.mjs: a scenario is played on a server of its own for every placement of THREADS, and the server has to
 * end in order afterwards. What was opened on the stage is put away, whatever happens. */
import assert from "node:assert/strict";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connect } from "./client.mjs";
import { placements, startServer, THREADS } from "./server.mjs";

export const FIXTURES = "tests/e2e/fixtures";
export const INTERNAL = '{"type":"error","error":"internal"}';

/* A server, its clients, its files. */
export class Stage {
  #clients = [];
  #dir = null;
  #saves = 0;
  server = null;

  /* An open client; `path` may hold a query. */
  async client(path = "/", opts = {}) {
    const client = await connect(new URL(path, this.server.url).href, opts);
    this.#clients.push(client);
    return client;
  }

  /* A client that plays a role: it runs Lua through fixtures/run.lua. The rules know of it by now. */
  async actor(path, opts) {
    const actor = new Actor(await this.client(path, opts));
    await actor.run("");
    return actor;
  }

  async actors(count) {
    return Promise.all(Array.from({ length: count }, () => this.actor()));
  }

  /* Saves `text` as `name` in a folder of the stage, at once as far as readers see. Returns its path. */
  save(name, text) {
    this.#dir ??= mkdtempSync(join(tmpdir(), "charlua-e2e-"));
    const draft = join(this.#dir, `.draft-${++this.#saves}`);
    writeFileSync(draft, text);
    renameSync(draft, join(this.#dir, name));
    return join(this.#dir, name);
  }

  /* Asks for a reload and waits for the log line that tells how it went. */
  async reload(line = /rules reloaded/) {
    const from = this.server.mark;
    this.server.signal("SIGHUP");
    return this.server.waitLog(line, { from });
  }

  async clear() {
    for (const client of this.#clients) client.drop();
    const exit = await this.server?.stop();
    if (this.#dir) rmSync(this.#dir, { recursive: true });
    return exit;
  }
}

/* Plays `play(stage)` once a placement. `set` are startServer's options; `rules`, if given, is the text of a script
 * that the stage saves as rules.lua and runs. */
export function scenario(name, { rules, threads = THREADS, ...set }, play) {
  for (const count of placements(threads)) {
    test(`${name} [threads=${count}]`, async () => {
      const stage = new Stage();
      let ended = false;
      try {
        const script = rules === undefined ? set.script : stage.save("rules.lua", rules);
        stage.server = await startServer({ ...set, script, threads: count });
        await play(stage);
        ended = true;
      } catch (error) {
        if (stage.server) error.message += `\nthe server said:\n${stage.server.stderr}`;
        throw error;
      } finally {
        const exit = await stage.clear();
        if (ended) assert.equal(exit.code, 0, stage.server.stderr);
      }
    });
  }
}

/* A client of fixtures/run.lua: the tests say in Lua what its handler does. */
class Actor {
  #client;
  #rounds = 0;

  constructor(client) {
    this.#client = client;
  }

  get client() {
    return this.#client;
  }

  get closed() {
    return this.#client.closed;
  }

  /* Sends `code` to be run; `msg` has more fields for it. */
  say(code, msg = {}) {
    this.#client.send({ type: "run", code, ...msg });
  }

  /* The next message. */
  next() {
    return this.#client.next();
  }

  /* The values that `code` returned, which have to come next. */
  async run(code, msg) {
    this.say(code, msg);
    return this.results();
  }

  async results() {
    const { type, values, error } = await this.#client.next();
    assert.equal(type, "result", error);
    return values;
  }

  /* The first of them. */
  async value(code, msg) {
    return (await this.run(code, msg))[0];
  }

  /* Runs `code`, which has to fail: this client is told so and nothing else. */
  async fails(code, msg) {
    this.say(code, msg);
    await this.#client.next();
    assert.equal(this.#client.raw, INTERNAL);
  }

  /* Nothing has come for it that it did not take: what is asked for now comes next. The host's order makes this
   * true of everything that any handler sent before. */
  async hearsNothing() {
    const round = ++this.#rounds;
    assert.deepEqual(await this.run(`return "quiet", ${round}`), ["quiet", round]);
  }

  drop() {
    this.#client.drop();
  }
}
