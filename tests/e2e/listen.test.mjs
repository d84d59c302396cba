/* listen.test.mjs: who may use a unix socket, and whose file its path is. */
import assert from "node:assert/strict";
import { chmodSync, existsSync, readFileSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { folder } from "./certs.mjs";
import { dialRaw } from "./raw.mjs";
import { overThreads, runToEnd, startServer } from "./server.mjs";

const ECHO = "tests/e2e/fixtures/echo.lua";

/* A group that this user may give a file to: the last of its own. */
const groups = process.getgroups();
const gid = groups[groups.length - 1];
const name = readFileSync("/etc/group", "utf8").split("\n").map((line) => line.split(":")).find((entry) => Number(entry[2]) === gid)?.[0];

async function serves(path) {
  const raw = await dialRaw({ path });
  try {
    await raw.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    return (await raw.answer()).status;
  } finally {
    raw.destroy();
  }
}

for (const [what, more, mode] of [["mode", ",mode=0660", 0o660], ["a_short_mode", ",mode=777", 0o777], ["group", `,group=${gid}`],
  ["both", `,group=${name ?? gid},mode=0600`, 0o600]]) {
  overThreads(`listen_gives_a_unix_socket_its_${what}`, (stage) => {
    stage.path = `${folder(stage)}/socket`;
    return { listen: `unix:${stage.path}${more}`, script: ECHO };
  }, async (server, stage) => {
    const st = statSync(stage.path);
    if (mode !== undefined) assert.equal(st.mode & 0o7777, mode);
    if (more.includes("group")) assert.equal(st.gid, gid);
    assert.equal(await serves(stage.path), 200);
    assert.equal((await server.stop()).code, 0);
    assert.ok(!existsSync(stage.path));
  }, { threads: [0] });
}

test("listen_refuses_modes_and_groups_that_are_none", async (t) => {
  const path = `${folder({ defer: (f) => t.after(f) })}/socket`;
  for (const [more, said] of [[",mode=0888", /mode is three octal digits/], [",mode=", /mode is three/], [",mode=7", /mode is three/],
    [",mode=000", /mode is three/], [",mode=10660", /mode is three/], [",group=no-such-group", /there is no such group/], [",group=", /no such group/],
    [",group=-1", /no such group/], [",b", /a path has no comma/], [",", /a path has no comma/], [",mode=0660,owner=root", /a path has no comma/]]) {
    const { code, stderr } = await runToEnd(["--listen", `unix:${path}${more}`, ECHO]);
    assert.equal(code, 2, more);
    assert.match(stderr, said, more);
    assert.ok(!existsSync(path), more);
  }
});

test("listen_replaces_a_dead_socket_and_nothing_else", async (t) => {
  const stage = { defer: (f) => t.after(f) };
  const path = `${folder(stage)}/socket`, listen = `unix:${path},mode=0660`;
  const crashed = await startServer({ listen, script: ECHO });
  await crashed.stop("SIGKILL");
  const living = await startServer({ listen, script: ECHO });
  t.after(() => living.stop());
  assert.equal(statSync(path).mode & 0o777, 0o660);
  chmodSync(path, 0o600);
  const { code, stderr } = await runToEnd(["--listen", listen, ECHO]);
  assert.equal(code, 1);
  assert.match(stderr, /cannot listen on unix:.*: Address already in use; stop what runs there/);
  assert.equal(await serves(path), 200, "the living one is still there");
  assert.equal(statSync(path).mode & 0o777, 0o600, "and its file is as it was");
  const file = `${folder(stage)}/file`;
  writeFileSync(file, "text");
  const other = await runToEnd(["--listen", `unix:${file}`, ECHO]);
  assert.equal(other.code, 1);
  assert.match(other.stderr, /that is a file and no socket/);
  assert.equal(readFileSync(file, "utf8"), "text");
});

test("listen_removes_no_socket_that_another_server_has_made_since", async (t) => {
  const path = `${folder({ defer: (f) => t.after(f) })}/socket`, listen = `unix:${path}`;
  const older = await startServer({ listen, script: ECHO });
  unlinkSync(path); /* as some deployments do, so that the next one can start */
  const newer = await startServer({ listen, script: ECHO });
  assert.equal((await older.stop()).code, 0);
  assert.equal(await serves(path), 200, "the newer one's socket is still there");
  assert.equal((await newer.stop()).code, 0);
  assert.ok(!existsSync(path));
});
