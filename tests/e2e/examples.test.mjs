/* examples.test.mjs: every file of examples/ does what its first lines promise. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdir } from "node:fs/promises";
import { test } from "node:test";
import { connect } from "./client.mjs";
import { overThreads, ROOT, runToEnd, within } from "./server.mjs";

const EMBED_OPS = `${process.env.CHARLUA_BUILD ?? `${ROOT}build`}/examples/embed_ops`;

/* A run of embed_ops: what it prints comes line by line, what is typed goes to its standard input. */
class Ops {
  #child;
  #watch = () => {};
  stdout = "";
  stderr = "";

  constructor(args) {
    this.#child = spawn(EMBED_OPS, args, { cwd: ROOT });
    for (const name of ["stdout", "stderr"]) {
      this.#child[name].setEncoding("utf8").on("data", (text) => {
        this[name] += text;
        this.#watch();
      });
    }
    this.exited = new Promise((resolve) => {
      this.#child.once("error", (error) => resolve({ error }));
      this.#child.once("close", (code, signal) => resolve({ code, signal }));
    });
    this.exited.then(() => this.#watch());
  }

  type(line) {
    this.#child.stdin.write(`${line}\n`);
  }

  /* The match of `regex` in what it prints, standard output unless `on` says otherwise. */
  says(regex, on = "stdout") {
    const found = new Promise((resolve) => {
      this.#watch = () => {
        const match = regex.exec(this[on]);
        if (match) resolve(match);
      };
      this.#watch();
    });
    return within(found, `${regex}`, () => this.#said());
  }

  /* Ends its input and resolves with its {code, signal}. */
  async end() {
    this.#child.stdin.end();
    return within(this.exited, "end of embed_ops", () => this.#said());
  }

  kill() {
    this.#child.kill("SIGKILL");
  }

  #said() {
    return `${this.stdout}\n${this.stderr}`;
  }
}

/* One run, which is gone when `play` is over, however that ends. */
async function withOps(args, play) {
  const ops = new Ops(args);
  try {
    await play(ops);
  } catch (error) {
    error.message += `\n${ops.stdout}\n${ops.stderr}`;
    throw error;
  } finally {
    ops.kill();
  }
}

async function operator(ops) {
  const [, port] = await ops.says(/^port (\d+)$/m);
  return connect(`ws://127.0.0.1:${port}/`);
}

/* The two files for systemd are played in systemd.test.mjs, those with a NAME_test.lua beside them by make rules. */
test("examples_are_all_played", async () => {
  assert.deepEqual((await readdir(`${ROOT}examples`)).sort(), [
    "README.md", "alerts.lua", "alerts_test.lua", "bot.lua", "bot_test.lua", "charlua.service", "charlua.socket", "echo.lua",
    "embed_ops.c", "game.lua", "game_test.lua", "jwt.lua", "jwt_test.lua", "ops.lua", "support.lua", "support_test.lua",
  ]);
});

overThreads("echo_sends_back_text_as_text_and_binary_as_binary", { script: "examples/echo.lua" }, async (server) => {
  const ana = await connect(server.url);
  ana.send("no JSON: \u732a");
  assert.equal(await ana.next(), "no JSON: \u732a");
  ana.send(Buffer.from([0, 255, 128]));
  assert.deepEqual(await ana.next(), Buffer.from([0, 255, 128]));
  ana.send("");
  assert.equal(await ana.next(), "");
  await ana.close();
});

test("embed_ops_answers_status_with_its_c_function", () => withOps([], async (ops) => {
  const ana = await operator(ops);
  ana.send({ type: "status" });
  const { here, load } = await ana.next();
  assert.equal(here, 1);
  assert.equal(load.length, 3);
  assert.ok(load.every((x) => x >= 0));
}));

test("embed_ops_posts_what_is_typed_to_everyone_in_ops", () => withOps([], async (ops) => {
  const people = [await operator(ops), await operator(ops)];
  for (const one of people) {
    one.send({ type: "status" });
    await one.next(); /* so it is in the room */
  }
  ops.type('disk "sda" is \\full\t\u732a');
  for (const one of people) assert.deepEqual(await one.next(), { type: "alert", text: 'disk "sda" is \\full\t\u732a' });
}));

test("embed_ops_prints_statistics", () => withOps([], async (ops) => {
  const ana = await operator(ops);
  for (let i = 0; i < 3; i++) {
    ana.send({ type: "status" });
    await ana.next();
  }
  ops.type("stats");
  await ops.says(/^connections=1 messages_in=3 messages_out=3 handler_errors=0 load_asked=3$/m);
}));

test("embed_ops_prints_which_limits_were_reached", () => withOps([], async (ops) => {
  const ana = await operator(ops);
  for (let i = 0; i < 2; i++) {
    ana.send({ type: "status", x: JSON.parse("[".repeat(100) + "]".repeat(100)) });
    assert.equal((await ana.next()).error, "bad_json");
  }
  ops.type("stats");
  await ops.says(/^limit --max-json-depth reached=2$/m);
}));

test("embed_ops_reloads_and_keeps_its_c_function", () => withOps([], async (ops) => {
  const ana = await operator(ops);
  ops.type("reload");
  await ops.says(/rules reloaded/, "stderr");
  ana.send({ type: "status" });
  assert.equal((await ana.next()).type, "status");
}));

test("embed_ops_stops_the_server_at_the_end_of_its_input", () => withOps([], async (ops) => {
  const ana = await operator(ops);
  assert.deepEqual(await ops.end(), { code: 0, signal: null });
  assert.equal((await within(ana.closed, "close")).code, 1001);
}));

test("embed_ops_says_why_it_cannot_start", async () => {
  await withOps(["nowhere"], async (ops) => {
    assert.equal((await ops.end()).code, 1);
    assert.match(ops.stderr, /^embed_ops: .*'nowhere'/m);
  });
  await withOps(["127.0.0.1:0", "examples/missing.lua"], async (ops) => {
    assert.equal((await ops.end()).code, 1);
    assert.match(ops.stderr, /examples\/missing\.lua/);
  });
});

test("ops_lua_refuses_to_start_without_the_c_function_of_embed_ops", async () => {
  const { code, stderr } = await runToEnd(["--listen", "127.0.0.1:0", "examples/ops.lua"]);
  assert.equal(code, 1);
  assert.match(stderr, /ops\.lua:\d+: run this script with embed_ops/);
});
