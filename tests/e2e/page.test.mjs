/* page.test.mjs: the page's files over real sockets: large ones, slow readers, files that change while they leave. */
import assert from "node:assert/strict";
import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { dialTls, encrypted, folder, makeCert } from "./certs.mjs";
import { dialRaw, Raw } from "./raw.mjs";
import { overThreads, rss } from "./server.mjs";

const BIG = Buffer.alloc(6 << 20, "a file of six million bytes, ");
const ask = (path, fields = "") => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${fields}\r\n`;

/* A scenario on a server with a page at stage.page, in which lie big.bin and help/index.html. */
const page = (name, play, { args = [], tls = false } = {}) => overThreads(name, (stage) => {
  stage.page = folder(stage);
  writeFileSync(`${stage.page}/big.bin`, BIG);
  mkdirSync(`${stage.page}/help`);
  writeFileSync(`${stage.page}/help/index.html`, "help");
  const all = ["--page", stage.page, ...args], rules = { script: "tests/e2e/fixtures/echo.lua" };
  return tls ? encrypted([makeCert(stage.page, "ana.test")], all, rules) : { args: all, ...rules };
}, play, { threads: [0, 3] });

async function dial(server, stage) {
  const raw = await dialRaw(server);
  stage.defer(() => raw.destroy());
  return raw;
}

for (const tls of [false, true]) {
  page(`page_gives_a_large_file_whole${tls ? "_over_tls" : ""}`, async (server, stage) => {
    const raw = tls ? new Raw(await dialTls(server, stage)) : await dial(server, stage);
    for (let i = 0; i < 2; i++) {
      await raw.write(ask("/big.bin"));
      const { status, headers, body } = await raw.answer();
      assert.equal(status, 200);
      assert.equal(Number(headers["content-length"]), BIG.length);
      assert.ok(body === BIG.toString());
    }
  }, { tls });
}

page("page_keeps_a_piece_of_a_file_for_readers_that_read_nothing", async (server, stage) => {
  const kib = () => rss(server) / 1024;
  const raws = await Promise.all(Array.from({ length: 60 }, () => dial(server, stage)));
  const before = kib();
  for (const raw of raws) {
    raw.pause();
    await raw.write(ask("/big.bin"));
  }
  /* All of them have been answered once this one, who came last, is: by each shard, as they are dealt out in turn. */
  for (let i = 0; i < 3; i++) {
    const last = await dial(server, stage);
    await last.write(ask("/help/"));
    assert.equal((await last.answer()).status, 200);
  }
  assert.ok(kib() - before < 40_000, `${kib() - before} KiB for 60 readers`);
});

page("page_that_changes_while_it_leaves_ends_in_order", async (server, stage) => {
  const raw = await dial(server, stage);
  raw.pause();
  await raw.write(ask("/big.bin").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")); /* it may be cut before it has begun */
  const other = await dial(server, stage);
  await other.write(ask("/help/"));
  assert.equal((await other.answer()).status, 200);
  truncateSync(`${stage.page}/big.bin`, 100_000);
  raw.resume();
  const came = await raw.end();
  assert.ok(came.length < BIG.length, `${came.length} bytes of a file that is gone`);
});

page("page_leads_to_the_slash_of_a_folder", async (server, stage) => {
  const raw = await dial(server, stage);
  await raw.write(ask("/help?a=1"));
  const { status, headers } = await raw.answer();
  assert.deepEqual([status, headers.location], [301, "/help/?a=1"]);
  await raw.write(ask(headers.location));
  assert.equal((await raw.answer()).body, "help");
});
