/* systemd.test.mjs: a service of systemd: sockets that it is handed over, READY, STOPPING and the watchdog; and the
 * units of examples/. fixtures/systemd.pl stands in for systemd. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { makeCert, openTls } from "./certs.mjs";
import { dialRaw, frame, OP, openRaw, UPGRADE } from "./raw.mjs";
import { BIN, placements, ROOT, within } from "./server.mjs";

const ECHO = "tests/e2e/fixtures/echo.lua";

/* The program as a service on `sockets`. */
class Service {
  #child;
  #watchers = new Set();
  #ended = false;
  stdout = "";
  stderr = "";

  constructor(sockets, args, env) {
    this.#child = spawn("perl", ["tests/e2e/fixtures/systemd.pl", ...sockets, "--", BIN, ...args],
      { cwd: ROOT, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    for (const name of ["stdout", "stderr"]) {
      this.#child[name].setEncoding("utf8").on("data", (text) => {
        this[name] += text;
        for (const watch of this.#watchers) watch();
      });
    }
    this.#child.once("close", () => {
      this.#ended = true;
      for (const watch of this.#watchers) watch();
    });
  }

  /* The match of `regex` in what `name` said, now or as soon as it is there. */
  async said(regex, name = "stdout") {
    let watch;
    const found = new Promise((resolve, reject) => {
      watch = () => {
        const match = regex.exec(this[name]);
        if (match) resolve(match);
        else if (this.#ended) reject(new Error(`it ended before ${regex}\n${this.stdout}${this.stderr}`));
      };
      this.#watchers.add(watch);
      watch();
    });
    try {
      return await within(found, `${regex}`, () => this.stdout + this.stderr);
    } finally {
      this.#watchers.delete(watch);
    }
  }

  async pid() {
    return Number((await this.said(/^pid (\d+)$/m))[1]);
  }

  get sockets() {
    return [...this.stdout.matchAll(/^socket (.*)$/gm)].map(([, one]) => (/^\d+$/.test(one) ? Number(one) : one));
  }

  get notified() {
    return [...this.stdout.matchAll(/^notify (.*)$/gm)].map((match) => match[1]);
  }

  async signal(name) {
    process.kill(await this.pid(), name);
  }

  /* Ends it; resolves with its exit status. */
  async stop() {
    await this.signal("SIGTERM");
    return Number((await this.said(/^exit (.*)$/m))[1]);
  }

  async kill() {
    if (!/^exit/m.test(this.stdout)) await this.signal("SIGKILL").catch(() => {});
    this.#child.kill("SIGKILL");
  }
}

/* `play(service, stage)` once for threads 0 and 3; `sockets`, `args` and `env` may be functions of the stage. */
function service(name, { sockets = ["127.0.0.1:0"], args = [ECHO], env = {}, ready = true }, play) {
  const of = (value, stage) => (typeof value === "function" ? value(stage) : value);
  for (const threads of placements([0, 3])) {
    test(`${name} (threads ${threads})`, async () => {
      const later = [], dir = mkdtempSync(join(tmpdir(), "charlua-e2e-"));
      const stage = { dir, defer: (f) => later.push(f) };
      const one = new Service(of(sockets, stage), ["--threads", `${threads}`, "--close-time", "1", ...of(args, stage)], { TMP: dir, ...of(env, stage) });
      try {
        if (ready) await one.said(/ ready /, "stderr");
        await play(one, stage);
      } catch (error) {
        error.message += `\n${one.stdout}${one.stderr}`;
        throw error;
      } finally {
        for (const f of later.reverse()) f();
        await one.kill();
        rmSync(dir, { recursive: true, force: true });
      }
    });
  }
}

const at = (port, host = "127.0.0.1") => ({ port, host });

async function echoes(raw) {
  await raw.write(frame(OP.TEXT, "hi"));
  assert.equal((await raw.frame()).payload.toString(), "hi");
}

/* --- notifications ---------------------------------------------------------------- */

for (const kind of ["file", "abstract"]) {
  service(`systemd_is_told_of_the_beginning_and_of_the_end_over_a_socket_of_kind_${kind}`, { env: { NOTIFY: kind } },
    async (one, stage) => {
      await one.said(/^notify READY=1$/m);
      assert.match(one.stderr, / ready /, "not before it is");
      const raw = await openRaw(at(one.sockets[0]), stage);
      await one.signal("SIGTERM");
      await one.said(/^notify STOPPING=1$/m);
      assert.equal((await raw.frame()).code, 1001, "and then it drains");
      assert.doesNotMatch(one.stdout, /^exit/m);
      raw.destroy();
      assert.equal((await one.said(/^exit (.*)$/m))[1], "0");
      assert.deepEqual(one.notified, ["READY=1", "STOPPING=1"]);
    });
}

service("systemd_watchdog_is_fed_several_times_in_its_time", { env: { WATCHDOG_USEC: "400000" } }, async (one) => {
  await one.said(/READY=1[^]*(notify WATCHDOG=1\n){5}/);
  assert.equal(await one.stop(), 0);
});

service("systemd_watchdog_is_fed_while_a_handler_runs_into_its_limit", {
  env: { WATCHDOG_USEC: "1000000" },
  args: (stage) => {
    writeFileSync(`${stage.dir}/rules.lua`, "return { api = 1, on_message = function() while true do end end }");
    return ["--handler-time", "20", `${stage.dir}/rules.lua`];
  },
}, async (one, stage) => {
  const raw = await openRaw(at(one.sockets[0]), stage);
  for (let i = 0; i < 20; i++) await raw.write(frame(OP.TEXT, "x"));
  for (let i = 0; i < 20; i++) assert.match((await raw.frame()).payload.toString(), /internal/);
  await one.said(/notify WATCHDOG=1/);
});

service("systemd_watchdog_is_not_fed_while_a_thread_is_stuck", {
  env: { WATCHDOG_USEC: "200000" },
  args: (stage) => {
    writeFileSync(`${stage.dir}/rules.lua`, "return { api = 1, on_message = function() while true do end end }");
    return ["--handler-time", "2000", `${stage.dir}/rules.lua`];
  },
}, async (one, stage) => {
  const raw = await openRaw(at(one.sockets[0]), stage);
  await one.said(/notify WATCHDOG=1/);
  await raw.write(frame(OP.TEXT, "x"));
  const fed = () => one.notified.filter((line) => line === "WATCHDOG=1").length, before = fed();
  let answer = await raw.frame();
  while (answer.op === OP.PING) answer = await raw.frame(); /* on a busy machine 2 seconds of a thread are many */
  assert.match(answer.payload.toString(), /internal/);
  assert.ok(fed() - before <= 3, `fed ${fed() - before} times in 2 seconds, which are 40 ticks`);
  await one.said(new RegExp(`(notify WATCHDOG=1\\n[^]*){${before + 5}}`)); /* it goes on */
});

service("systemd_watchdog_is_not_fed_if_nobody_asked", {}, async (one) => {
  await echoes(await openRaw(at(one.sockets[0]), { defer: () => {} }));
  await one.stop();
  assert.deepEqual(one.notified, ["READY=1", "STOPPING=1"]);
});

service("systemd_is_not_needed", { env: { NOTIFY: "none" } }, async (one, stage) => {
  await echoes(await openRaw(at(one.sockets[0]), stage));
  assert.equal(await one.stop(), 0);
});

service("systemd_that_does_not_listen_is_no_reason_to_end", { env: { NOTIFY: "none", NOTIFY_SOCKET: "/nowhere/at/all",
  WATCHDOG_USEC: "200000" } }, async (one, stage) => {
  await echoes(await openRaw(at(one.sockets[0]), stage));
  assert.equal(await one.stop(), 0);
});

service("systemd_hears_no_ready_of_rules_that_are_broken", {
  ready: false,
  args: (stage) => {
    writeFileSync(`${stage.dir}/rules.lua`, "return 7");
    return [`${stage.dir}/rules.lua`];
  },
}, async (one) => {
  assert.equal((await one.said(/^exit (.*)$/m))[1], "1");
  assert.deepEqual(one.notified, []);
});

/* --- activation --------------------------------------------------------------------- */

service("systemd_sockets_are_listened_on_and_no_others",
  { sockets: (stage) => ["127.0.0.1:0", "127.0.0.2:0", `${stage.dir}/chat`] }, async (one, stage) => {
    const [first, second, path] = one.sockets;
    for (const to of [at(first), at(second, "127.0.0.2"), { path }]) await echoes(await openRaw(to, stage));
    const places = [...one.stderr.matchAll(/listening addr=(\S+)/g)].map((match) => match[1]);
    assert.deepEqual(places, [`127.0.0.1:${first}`, `127.0.0.2:${second}`, "fd:5"]);
    assert.equal(await one.stop(), 0);
  });

service("systemd_socket_of_both_kinds_of_address_shows_those_of_ipv4_as_such", { sockets: ["dual"], args: (stage) => {
  writeFileSync(`${stage.dir}/rules.lua`, `local chat = require "charlua"
    return { api = 1, on_open = function(client) client:send(chat.object("ip", client.ip)) end }`);
  return ["--max-per-address", "1", "--trust-proxy", "127.0.0.3", `${stage.dir}/rules.lua`];
} }, async (one, stage) => {
  const ip = async (raw) => JSON.parse((await raw.frame()).payload).ip;
  const [port] = one.sockets;
  assert.equal(await ip(await openRaw(at(port), stage)), "127.0.0.1");
  assert.equal(await ip(await openRaw({ ...at(port), localAddress: "127.0.0.2" }, stage)), "127.0.0.2", "another address");
  const behind = await dialRaw({ ...at(port), localAddress: "127.0.0.3" });
  stage.defer(() => behind.destroy());
  await behind.write(`PROXY TCP4 192.0.2.7 127.0.0.1 1 2\r\n${UPGRADE}`);
  assert.equal((await behind.answer()).status, 101);
  assert.equal(await ip(behind), "192.0.2.7");
});

service("systemd_socket_may_be_an_encrypted_one", { args: (stage) => {
  const { cert, key } = makeCert(stage.dir, "ana.test");
  return ["--listen", "tls:fd:3", "--cert", cert, "--key", key, ECHO];
} }, async (one, stage) => {
  assert.equal([...one.stderr.matchAll(/listening addr=/g)].length, 1, "once, not in plain text as well");
  for (let i = 0; i < 10; i++) await echoes(await openTls(at(one.sockets[0]), stage));
});

service("systemd_socket_keeps_who_came_before_the_start", { ready: false }, async (one, stage) => {
  await one.said(/^socket/m); /* it listens; the program is still to be started */
  const early = await dialRaw(at(one.sockets[0]));
  stage.defer(() => early.destroy());
  await early.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  assert.equal((await early.answer()).status, 200);
});

service("systemd_sockets_go_with_more_of_our_own", { args: ["--listen", "127.0.0.1:0", ECHO] }, async (one, stage) => {
  const ports = [...one.stderr.matchAll(/listening addr=\S+:(\d+)/g)].map((match) => Number(match[1]));
  assert.equal(ports.length, 2);
  assert.ok(ports.includes(one.sockets[0]));
  for (const port of ports) await echoes(await openRaw(at(port), stage));
});

service("systemd_sockets_of_another_process_are_left_alone", { env: { WRONG_PID: "1" }, args: ["--listen", "127.0.0.1:0", ECHO] },
  async (one) => {
    assert.equal([...one.stderr.matchAll(/listening addr=/g)].length, 1);
    assert.ok(!one.stderr.includes(`listening addr=127.0.0.1:${one.sockets[0]}`));
  });

for (const [what, spec] of [["a_file", "fd:0"], ["nothing", "fd:77"]]) {
  service(`systemd_socket_that_is_${what}_is_an_error`, { ready: false, sockets: [], args: ["--listen", spec, ECHO] }, async (one) => {
    assert.equal((await one.said(/^exit (.*)$/m))[1], "1");
    await one.said(new RegExp(`charlua: cannot listen on ${spec}: it is no listening socket`), "stderr");
  });
}

/* --- the units of examples/ ------------------------------------------------------------ */

/* The values of `key` in a unit. */
const values = (unit, key) => [...readFileSync(`${ROOT}examples/${unit}`, "utf8").matchAll(new RegExp(`^${key}=(.*)$`, "gm"))]
  .map((match) => match[1]);

test("units_start_the_program_with_options_that_it_has", async () => {
  const [command] = values("charlua.service", "ExecStart");
  const [program, ...args] = command.split(/\s+/);
  assert.match(program, /^\/usr\/local\/bin\/charlua$/, "where make install puts it");
  const one = new Service(["127.0.0.1:0"], [...args, "scripts/chat.lua"], { TMP: mkdtempSync(join(tmpdir(), "charlua-e2e-")) });
  try {
    await one.said(/^notify READY=1$/m);
    assert.equal(await one.stop(), 0);
  } finally {
    await one.kill();
  }
});

test("units_are_of_a_notify_service_with_a_watchdog_and_without_rights", () => {
  for (const [key, value] of Object.entries({ Type: "notify", DynamicUser: "yes", NoNewPrivileges: "yes", ProtectSystem: "strict",
    ExecReload: "/bin/kill -HUP $MAINPID", CapabilityBoundingSet: "", SystemCallFilter: "@system-service" })) {
    assert.equal(values("charlua.service", key)[0], value, key);
  }
  for (const key of ["WatchdogSec", "MemoryMax", "LimitNOFILE"]) assert.ok(values("charlua.service", key)[0], key);
});

const hasVerify = spawnSync("systemd-analyze", ["--version"]).status === 0;

test("units_are_what_systemd_understands", { skip: !hasVerify && "no systemd-analyze here" }, () => {
  const dir = mkdtempSync(join(tmpdir(), "charlua-e2e-"));
  try {
    for (const unit of ["charlua.service", "charlua.socket"]) {
      const text = readFileSync(`${ROOT}examples/${unit}`, "utf8").replaceAll("/usr/local/bin/charlua", "/bin/true");
      writeFileSync(`${dir}/${unit}`, text);
    }
    const { stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", `${dir}/charlua.service`, `${dir}/charlua.socket`],
      { encoding: "utf8" });
    const ours = stderr.split("\n").filter((line) => line.includes("charlua"));
    assert.deepEqual(ours, []);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
