/* program.test.mjs: the program from outside: flags, exit codes, signals, drain, the page's files, reload. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, watch } from "node:fs";
import { mkdir, mkdtemp, readFile, readlink, rename, rm, symlink, writeFile } from "node:fs/promises";
import { connect as dial, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { connect } from "./client.mjs";
import { dialRaw, frame, OP, openRaw, Raw, UPGRADE } from "./raw.mjs";
import { BIN, overThreads, ROOT, runToEnd, startServer, within } from "./server.mjs";

const ECHO = "tests/e2e/fixtures/echo.lua";
const ANYWHERE = ["--listen", "127.0.0.1:0"];

/* A folder with `files` {path: text}, that goes away with the scenario. */
async function folder(defer, files = {}) {
  const dir = await mkdtemp(join(tmpdir(), "charlua-"));
  defer(() => rm(dir, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(dir, path, ".."), { recursive: true });
    await writeFile(join(dir, path), text);
  }
  return dir;
}

/* A test with `defer` and no server of its own. */
function alone(name, play) {
  test(name, async () => {
    const later = [];
    try {
      await play((f) => later.push(f));
    } finally {
      for (const f of later.reverse()) await f();
    }
  });
}

/* --- flags ------------------------------------------------------------------ */

const ownOptions = async () => {
  const [, table] = /config_option options\[\] = \{(.*?)\n\};/s.exec(await readFile(`${ROOT}core/config_table.c`, "utf8"));
  return [...table.matchAll(/^ {4}\{"([a-z-]+)"/gm)].map((match) => match[1]);
};

alone("program_help_lists_every_option_and_no_other", async () => {
  const options = await ownOptions();
  const { code, stdout, stderr } = await runToEnd(["--help"]);
  assert.deepEqual([code, stderr], [0, ""]);
  const listed = [...stdout.matchAll(/^ {2}--([a-z-]+)/gm)].map((match) => match[1]);
  assert.ok(options.length > 15);
  assert.deepEqual(listed, [...options, "version", "help"]);
  assert.deepEqual(await runToEnd(["-h"]), { code: 0, signal: null, stdout, stderr });
});

alone("program_listens_on_the_loopback_ports_of_old_by_default", async () => {
  const { stdout } = await runToEnd(["--help"]);
  assert.match(stdout, /--listen ADDR:PORT .*\n.*\(default: 127\.0\.0\.1:7272 and 127\.0\.0\.1:55151\)\n/);
});

alone("program_says_its_version", async () => {
  const [, version] = /#define VERSION "(.*)"/.exec(await readFile(`${ROOT}core/charlua.c`, "utf8"));
  assert.deepEqual(await runToEnd(["--version"]), { code: 0, signal: null, stdout: `charlua ${version}\n`, stderr: "" });
});

const USAGE = [
  [["--nonsense"], /there is no option --nonsense;/],
  [["--listn", "127.0.0.1:0"], /there is no option --listn; did you mean --listen\?/],
  [["--max-mesage=1k"], /there is no option --max-mesage; did you mean --max-message\?/],
  [["-x"], /there is no option -x/],
  [["--threads"], /--threads needs a value: N/],
  [["--help=me"], /--help takes no value/],
  [["test", "--filter"], /--filter needs a value: TEXT/],
  [["reload"], /there is no command and no file 'reload'; the commands are serve, check and test/],
  [["tset", "a.lua"], /there is no command and no file 'tset'; did you mean test\?/],
  [["chek"], /did you mean check\?/],
  [["--max-queued", "64k", "--max-queue", "128k"],
    /--max-queue 131072 is more than --max-queued 65536 lets through: say --max-queued 131072 or more, or less for --max-queue/],
  [["--max-queued", "64k", "--max-message", "2m"], /--max-message 2097152 is more than --max-queued 65536/],
  [["--max-queued", "64k", "--max-body", "1m"], /--max-body 1048576 is more than --max-queued 65536/],
  [["--cert", "x.pem", "--key", "x.key"], /--cert x\.pem is for no listener: say --listen tls:ADDR:PORT/],
  [["--cert", "x.pem"], /1 --cert but 0 --key: they go in pairs/],
  [["--client-ca", "x.pem"], /--client-ca x\.pem needs --cert FILE/],
  [["--http-ca", "x.pem"], /--http-ca x\.pem is for no service: say --http-allow ORIGIN/],
  [["--watch=maybe"], /--watch 'maybe': say yes or no/],
  [["--threads", "many"], /--threads 'many': say a whole number from 0 to \d+/],
  [["--threads", "-1"], /--threads '-1'/],
  [["--threads", "100000"], /--threads '100000'/],
  [["--threads", ""], /--threads ''/],
  [["--threads", "1.5"], /--threads '1\.5'/],
  [["--max-message", "0"], /--max-message '0'/],
  [["--max-message", "1g"], /--max-message '1g': .*k or m/],
  [["--max-fragments", "1k"], /--max-fragments '1k'/],
  [["--ping-interval", "99999999999999999999"], /--ping-interval '9+'/],
  [["--listen", "nowhere"], /'nowhere': say ADDR:PORT/],
  [["--listen", "localhost:80"], /'localhost:80'/],
  [["--listen", "127.0.0.1:70000"], /'127\.0\.0\.1:70000'/],
  [["--listen", "127.0.0.1:"], /'127\.0\.0\.1:'/],
  [["--listen", "fd:4294967299"], /cannot listen on 'fd:4294967299': say ADDR:PORT/],
  [["--page", ""], /--page needs a value: DIR/],
  [["--no-deflate", "--deflate-min", "5"], /--deflate-min 5 is for nothing with --no-deflate/],
  [["--listen", "unix:"], /'unix:'/],
  [["--listen", `unix:/tmp/${"x".repeat(200)}`], /'unix:\/tmp\/x+'/],
  [["--log-level", "loud"], /--log-level 'loud': say error, warn, info or debug/],
  [["--slow", "maybe"], /--slow 'maybe': say close or drop/],
  [["--set", "lonely"], /--set 'lonely': say KEY=VALUE/],
  [["--set", "=value"], /--set '=value'/],
  [["serve", "one.lua", "two.lua"], /'two\.lua' is too many/],
];

alone("program_exits_2_on_wrong_usage_and_says_what_is_wrong", async () => {
  for (const [args, line] of USAGE) {
    const { code, stdout, stderr } = await runToEnd(args);
    assert.deepEqual([code, stdout], [2, ""], args.join(" "));
    assert.match(stderr, line);
    assert.match(stderr, /see charlua --help\n$/);
    assert.ok(stderr.trimEnd().split("\n").length <= 2, stderr);
  }
});

alone("program_does_not_listen_on_a_file_that_is_no_socket", async () => {
  const { code, stderr } = await runToEnd(["--listen", "unix:README.md"]);
  assert.equal(code, 1);
  assert.equal(stderr, "charlua: cannot listen on unix:README.md: Address already in use; that is a file and no socket: choose another path\n");
});

alone("program_takes_a_word_for_a_path_if_the_file_is_there", async (defer) => {
  const dir = await folder(defer, { reload: "return 7" });
  const { code, stderr } = await runToEnd([...ANYWHERE, "reload"], { cwd: dir });
  assert.equal(code, 1);
  assert.match(stderr, /the script returned a number/);
  const absent = await runToEnd([...ANYWHERE, "absent.lua"]);
  assert.deepEqual([absent.code, absent.stderr], [1, "charlua: cannot read the script 'absent.lua'; say the path of a Lua file\n"]);
});

alone("program_lets_a_default_give_way_to_what_is_said", async () => {
  const server = await startServer({ args: ["--max-queued", "64k"] });
  assert.equal((await server.stop()).code, 0);
});

alone("program_is_not_killed_by_signals_that_others_reopen_logs_for", async () => {
  const server = await startServer();
  for (const signal of ["SIGUSR1", "SIGUSR2"]) server.signal(signal);
  assert.equal((await fetch(`${server.pageUrl}healthz`)).status, 200);
  assert.equal((await server.stop()).code, 0);
});

/* --- a start that fails ------------------------------------------------------- */

const BROKEN = {
  "syntax.lua": ["local x = 1\nlocal y = = 2\nreturn {}\n", /syntax\.lua:2: unexpected symbol near '='/],
  "raises.lua": ["\n\nerror('on purpose')\n", /raises\.lua:3: on purpose/],
  "nothing.lua": ["local app = {}\n", /nothing\.lua: the script returned nothing; its last line has to return its app table/],
  "number.lua": ["return 7\n", /number\.lua: the script returned a number/],
  "no_api.lua": ["return {}\n", /app\.api has to be 1/],
  "misspelt.lua": ["return {api = 1, onopen = function() end}\n", /app\.onopen is no field of an app/],
  "handler.lua": ["return {api = 1, on = {say = 5}}\n", /app\.on\.say is a number; it has to be a function/],
  "selftest.lua": ["return {api = 1, selftest = function()\n  error('I am not well')\nend}\n", /selftest\.lua:2: I am not well/],
  "needs.lua": ["local other = require 'other'\nreturn {api = 1, on = other}\n", /other\.lua:1: unexpected symbol/],
  "other.lua": ["= 1\n", /other\.lua:1: unexpected symbol/],
  "absent.lua": ["require 'not_there'\n", /cannot open .*not_there\.lua/],
  "global.lua": ["\nname = 1\nreturn {api = 1}\n", /global\.lua:2: global 'name' is assigned/],
};
const texts = () => Object.fromEntries(Object.entries(BROKEN).map(([name, [text]]) => [name, text]));

alone("program_exits_1_on_a_script_that_is_wrong_and_says_where", async (defer) => {
  const dir = await folder(defer, texts());
  await Promise.all(Object.entries(BROKEN).map(async ([name, [, line]]) => {
    const { code, stderr } = await runToEnd([...ANYWHERE, join(dir, name)]);
    assert.equal(code, 1, name);
    assert.match(stderr, line);
    assert.match(stderr, new RegExp(`charlua: .*${name} could not be loaded`));
    assert.doesNotMatch(stderr, / ready/);
  }));
});

alone("program_exits_1_without_its_script", async (defer) => {
  const missing = join(await folder(defer), "missing.lua");
  for (const args of [[missing], ["serve", missing], ["--script", missing]]) {
    const { code, stderr } = await runToEnd([...ANYWHERE, ...args]);
    assert.equal(code, 1);
    assert.match(stderr, /missing\.lua/);
  }
});

alone("program_exits_1_on_a_taken_port", async (defer) => {
  const other = createServer();
  await new Promise((resolve) => other.listen(0, "127.0.0.1", resolve));
  defer(() => other.close());
  const where = `127.0.0.1:${other.address().port}`;
  const { code, stderr } = await runToEnd([...ANYWHERE, "--listen", where, ECHO]);
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`charlua: cannot listen on ${where}: Address already in use; `));
  assert.doesNotMatch(stderr, / ready/);
});

alone("program_exits_1_on_a_page_folder_or_a_socket_path_that_is_not_there", async (defer) => {
  const dir = await folder(defer, { "file.txt": "" });
  for (const [args, line] of [
    [["--page", join(dir, "gone")], /cannot serve --page .*gone: No such file/],
    [["--page", join(dir, "file.txt")], /cannot serve --page .*file\.txt: Not a directory/],
    [["--listen", `unix:${dir}/gone/socket`], /cannot listen on unix:.*socket: No such file/],
  ]) {
    const { code, stderr } = await runToEnd([...ANYWHERE, ...args, ECHO]);
    assert.equal(code, 1);
    assert.match(stderr, line);
  }
});

/* --- where it listens ------------------------------------------------------------ */

const get = (path, fields = "") => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${fields}\r\n`;

async function ask(to, bytes, options) {
  const raw = await dialRaw(to);
  try {
    await raw.write(bytes);
    return await raw.answer(options);
  } finally {
    raw.destroy();
  }
}

overThreads("program_serves_page_health_and_upgrade_on_every_listener", { args: ANYWHERE }, async (server, stage) => {
  assert.equal(server.ports.length, 2);
  for (const port of server.ports) {
    const to = { host: "127.0.0.1", port };
    assert.equal((await ask(to, get("/"))).status, 200);
    assert.equal((await ask(to, get("/healthz"))).body, "ok\n");
    await openRaw(to, stage);
  }
});

overThreads("program_serves_on_a_unix_socket_and_removes_its_file", async (stage) => ({
  listen: `unix:${await folder(stage.defer)}/socket`, script: ECHO,
}), async (server, stage) => {
  const path = stage.options.listen.slice(5);
  assert.ok(server.stderr.includes(`listening addr=unix:${path}`));
  assert.equal((await ask({ path }, get("/healthz"))).status, 200);
  const raw = await openRaw({ path }, stage);
  await raw.write(frame(OP.TEXT, "hi"));
  assert.equal((await raw.frame()).payload.toString(), "hi");
  raw.destroy();
  assert.equal((await server.stop()).code, 0);
  assert.ok(!existsSync(path));
});

alone("program_takes_over_a_dead_socket_file_but_no_living_one", async (defer) => {
  const path = join(await folder(defer), "socket");
  const options = { listen: `unix:${path}`, script: ECHO };
  const crashed = await startServer(options);
  await crashed.stop("SIGKILL");
  assert.ok(existsSync(path));
  const living = await startServer(options);
  defer(() => living.stop());
  const { code, stderr } = await runToEnd(["--listen", options.listen, ECHO]);
  assert.equal(code, 1);
  assert.match(stderr, /cannot listen on unix:.*: Address already in use/);
  assert.equal((await ask({ path }, get("/healthz"))).status, 200);
});

/* --- the end ----------------------------------------------------------------------- */

/* Clients of which one never answers the Close: enough that each of three shards has some. */
async function crowd(server, stage) {
  const answering = await Promise.all([0, 1, 2, 3, 4].map(() => openRaw(server, stage)));
  return { answering, mute: await openRaw(server, stage) };
}

const closedWith1001 = (server) => server.stderr.match(/closed code=1001 reason=\[server stopping\]/g)?.length ?? 0;

/* These take their seconds, so all of them go side by side. */
describe("the end", { concurrency: true }, () => {
  alone("program_exits_1_on_a_script_that_does_not_return_from_its_load", async (defer) => {
    const script = join(await folder(defer, { "endless.lua": "\nwhile true do end\n" }), "endless.lua");
    const { code, stderr } = await runToEnd([...ANYWHERE, script]);
    assert.equal(code, 1);
    assert.match(stderr, /endless\.lua:2: out of time/);
  });

  /* How long it took to stop, as its own log says: how soon we hear of it is the machine's business. */
  const drainMs = (server) => {
    const [from, to] = ["stopping", "stopped"].map((word) => Date.parse(new RegExp(`^(\\S+) info {2}${word}`, "m").exec(server.stderr)[1]));
    return to - from;
  };

  for (const signal of ["SIGTERM", "SIGINT"]) {
    overThreads(`program_drains_on_${signal.toLowerCase()}_within_5_s_though_a_client_answers_no_close`,
      { script: ECHO, args: ["--close-time", "60"] }, async (server, stage) => {
        const alive = await dialRaw(server);
        stage.defer(() => alive.destroy());
        await alive.write(get("/healthz"));
        assert.deepEqual([(await alive.answer()).status], [200]);
        const { answering, mute } = await crowd(server, stage);
        server.signal(signal);
        for (const raw of [...answering, mute]) {
          const { op, code } = await raw.frame();
          assert.deepEqual([op, code], [OP.CLOSE, 1001]);
        }
        await alive.write(get("/healthz"));
        assert.equal((await alive.answer()).status, 503, "on a connection from before");
        assert.equal((await ask(server, get("/healthz"))).status, 503, "on a new one");
        assert.equal((await ask(server, UPGRADE)).status, 503, "no new clients");
        for (const raw of answering) {
          await raw.write(frame(OP.CLOSE, Buffer.of(0x03, 0xe9)));
          assert.equal((await raw.end()).length, 0);
        }
        const { code } = await within(server.exited, "end of the server", () => server.stderr);
        assert.equal(code, 0);
        assert.ok(drainMs(server) < 5000);
        assert.equal(closedWith1001(server), 6, "on_close ran for each");
      });
  }

  overThreads("program_ends_as_soon_as_everyone_has_answered", { script: ECHO, args: ["--close-time", "60"] },
    async (server, stage) => {
      const clients = await Promise.all([0, 1, 2].map(() => openRaw(server, stage)));
      server.signal("SIGTERM");
      for (const raw of clients) {
        assert.equal((await raw.frame()).code, 1001);
        await raw.write(frame(OP.CLOSE, Buffer.of(0x03, 0xe9)));
      }
      assert.equal((await within(server.exited, "end of the server", () => server.stderr)).code, 0);
      assert.ok(drainMs(server) < 3000);
      assert.equal(closedWith1001(server), 3);
    });

  const LARGE = 6_000_000;
  const largePage = async (stage) => ({ script: ECHO, args: ["--page", await folder(stage.defer, { "large.bin": "x".repeat(LARGE) })] });

  /* A client that has asked for the large file and has read its first bytes only. */
  async function beginsToRead(server, stage) {
    const socket = dial({ port: server.port, host: "127.0.0.1" });
    const raw = new Raw(socket);
    stage.defer(() => raw.destroy());
    await raw.write(get("/large.bin"));
    await raw.read(1);
    socket.pause();
    return [raw, socket];
  }

  overThreads("program_lets_an_answer_that_is_leaving_finish", largePage, async (server, stage) => {
    const [raw, socket] = await beginsToRead(server, stage);
    server.signal("SIGTERM");
    await server.waitLog(/stopping/);
    assert.equal((await ask(server, get("/healthz"))).status, 503); /* every loop has heard of it */
    socket.resume();
    const rest = await raw.end();
    assert.equal(rest.subarray(rest.indexOf("\r\n\r\n") + 4).length, LARGE);
    assert.equal((await within(server.exited, "end of the server", () => server.stderr)).code, 0);
  });

  overThreads("program_ends_within_5_s_though_nobody_reads_an_answer", largePage, async (server, stage) => {
    await beginsToRead(server, stage);
    assert.equal((await server.stop()).code, 0);
    assert.ok(drainMs(server) < 5000);
  });

  overThreads("program_ends_at_once_on_a_second_signal", { script: ECHO, args: ["--close-time", "60"] },
    async (server, stage) => {
      const mute = await openRaw(server, stage);
      server.signal("SIGTERM");
      assert.equal((await mute.frame()).code, 1001);
      server.signal("SIGTERM");
      assert.equal((await within(server.exited, "end of the server", () => server.stderr)).code, 0);
      assert.ok(drainMs(server) < 3000);
      assert.equal(closedWith1001(server), 1);
    });

  overThreads("program_ends_within_5_s_though_an_on_close_waits", async (stage) => ({
    script: join(await folder(stage.defer, { "waits.lua": `local chat = require "charlua"
  return {api = 1, on_close = function() chat.log("waiting") chat.sleep(3600) end}` }), "waits.lua"),
  }), async (server, stage) => {
    (await openRaw(server, stage)).destroy();
    await server.waitLog(/script: waiting/);
    assert.equal((await server.stop()).code, 0);
    assert.ok(drainMs(server) < 5000);
  });
});

/* --- the page ------------------------------------------------------------------------- */

const SECRET = "do not show this";
const FILES = {
  "public/index.html": "<!doctype html><title>Hi</title>", "public/style.css": "p {}", "public/app.js": "let x;",
  "public/module.mjs": "let y;", "public/data.json": "{}", "public/picture.svg": "<svg/>", "public/picture.png": "png",
  "public/note.txt": "note", "public/thing.bin": "bin", "public/plain": "plain", "public/empty.txt": "",
  "public/a b.txt": "spaced", "public/sub/page.html": "sub", "public/sub/index.html": "sub index",
  "public/bare/file.txt": "bare", "public/.secret": SECRET, "public/.git/config": SECRET, "public/sub/.hidden": SECRET,
  "secret.txt": SECRET, "public-beside/secret.txt": SECRET, "rules.lua": "return {api = 1}",
};

/* A script with a folder `public` beside it, which is its page. */
async function site(stage) {
  const dir = await folder(stage.defer, FILES);
  await symlink(join(dir, "secret.txt"), join(dir, "public/out.txt"));
  await symlink("/etc/passwd", join(dir, "public/passwd"));
  await symlink("..", join(dir, "public/up"));
  await symlink("../public-beside", join(dir, "public/beside"));
  await symlink("note.txt", join(dir, "public/within.txt"));
  stage.dir = dir;
  return { script: join(dir, "rules.lua") };
}

overThreads("page_serves_files_with_their_types", site, async (server) => {
  const types = { "/": "text/html; charset=utf-8", "/index.html": "text/html; charset=utf-8",
    "/index.html?v=1": "text/html; charset=utf-8", "/style.css": "text/css; charset=utf-8",
    "/app.js": "text/javascript; charset=utf-8", "/module.mjs": "text/javascript; charset=utf-8",
    "/data.json": "application/json", "/picture.svg": "image/svg+xml", "/picture.png": "image/png",
    "/note.txt": "text/plain; charset=utf-8", "/thing.bin": "application/octet-stream",
    "/plain": "application/octet-stream", "/empty.txt": "text/plain; charset=utf-8",
    "/a%20b.txt": "text/plain; charset=utf-8", "/sub/": "text/html; charset=utf-8",
    "/sub/page.html": "text/html; charset=utf-8", "/%69ndex.html": "text/html; charset=utf-8",
    "/within.txt": "text/plain; charset=utf-8" };
  const texts = { "/": FILES["public/index.html"], "/empty.txt": "", "/a%20b.txt": "spaced", "/sub/": "sub index",
    "/within.txt": "note" };
  for (const [path, type] of Object.entries(types)) {
    const { status, headers, body } = await ask(server, get(path));
    assert.deepEqual([status, headers["content-type"], headers["x-content-type-options"]], [200, type, "nosniff"], path);
    if (path in texts) assert.equal(body, texts[path], path);
  }
});

overThreads("page_answers_head_like_get_without_the_body", site, async (server, stage) => {
  const raw = await dialRaw(server);
  stage.defer(() => raw.destroy());
  for (const path of ["/", "/note.txt", "/nothing", "/healthz"]) {
    await raw.write(get(path));
    const got = await raw.answer();
    await raw.write(get(path).replace("GET", "HEAD"));
    assert.equal((await raw.answer({ toHead: true })).head, got.head, path);
  }
});

overThreads("page_answers_304_to_the_etag_it_gave_until_the_file_changes", site, async (server, stage) => {
  const { headers: { etag }, body } = await ask(server, get("/note.txt"));
  assert.match(etag, /^"[^"]+"$/);
  const asked = (tags) => ask(server, get("/note.txt", `If-None-Match: ${tags}\r\n`));
  for (const tags of [etag, `"other", ${etag}`, `W/${etag}`]) {
    const { status, headers } = await asked(tags);
    assert.deepEqual([status, headers.etag], [304, etag], tags);
    /* RFC 9110 8.6: none, or that of the 200. */
    assert.ok([undefined, String(body.length)].includes(headers["content-length"]), `Content-Length: ${headers["content-length"]}`);
  }
  assert.equal((await asked('"other"')).status, 200);
  await writeFile(join(stage.dir, "public/note.txt"), "another note");
  const later = await asked(etag);
  assert.deepEqual([later.status, later.body], [200, "another note"]);
  assert.notEqual(later.headers.etag, etag);
});

const NOT_THERE = ["/nothing", "/nothing/", "/bare/", "/bare", "/index.html/", "/index.html/x", "/.", "/..", "/../",
  "/../secret.txt", "/sub/../../secret.txt", "/./index.html", "/%2e%2e/secret.txt", "/%2E%2E/secret.txt", "/..%2fsecret.txt",
  "/%2e%2e%2fsecret.txt", "/..%2F..%2F..%2Fetc%2Fpasswd", "/..\\secret.txt", "/..%5csecret.txt", "/%252e%252e/secret.txt",
  "//etc/passwd", "///etc/passwd", "/%2fetc/passwd", "/etc/passwd", "/%00", "/index.html%00", "/index.html%00.png", "/%",
  "/%4", "/%zz", "/.secret", "/%2esecret", "/.git/config", "/.git/", "/sub/.hidden", "/out.txt", "/passwd", "/up/secret.txt",
  "/up/", "/beside/secret.txt", `/${"x".repeat(3000)}`, `/${"x/".repeat(2000)}`,
  "/healthz/", "/healthz/x"];

overThreads("page_shows_nothing_but_files_of_its_folder", site, async (server) => {
  for (const path of NOT_THERE) {
    const { status, body } = await ask(server, get(path));
    assert.equal(status, 404, path);
    assert.equal(body, "404 Not Found\n", path);
  }
  for (const target of ["../secret.txt", "secret.txt", "*", "file:///etc/passwd", "/index.html#x"]) {
    assert.equal((await ask(server, get(target))).status, 400, target);
  }
  assert.equal((await ask(server, get("http://localhost/../secret.txt"))).status, 404);
});

overThreads("page_refuses_other_methods_and_says_which_there_are", site, async (server) => {
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get", "CONNECT"]) {
    const { status, headers, body } = await ask(server, get("/").replace("GET", method));
    assert.deepEqual([status, headers.allow], [405, "GET, HEAD"], method);
    assert.match(body, /^405 Method Not Allowed: only GET, HEAD/);
  }
  const body = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 26\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n\r\n";
  const raw = await dialRaw(server);
  await raw.write(body);
  assert.equal((await raw.answer()).status, 405);
  assert.equal((await raw.end()).length, 0, "a body is never taken for a request");
});

overThreads("page_comes_with_its_security_policy", {}, async (server) => {
  const { status, headers, body } = await ask(server, get("/"));
  assert.equal(status, 200);
  const policy = headers["content-security-policy"];
  for (const part of ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"]) {
    assert.ok(policy.split("; ").includes(part), `${part} in ${policy}`);
  }
  assert.doesNotMatch(policy, /unsafe/);
  assert.equal(headers["x-frame-options"], "DENY");
  assert.equal(headers["referrer-policy"], "no-referrer");
  const parts = [...body.matchAll(/(?:href|src)="([^"]+)"/g)].map((match) => match[1]);
  assert.ok(parts.length >= 3);
  for (const part of parts) assert.equal((await ask(server, get(`/${part}`))).status, 200, part);
}, { threads: [0, 1] });

alone("page_is_the_folder_that_the_option_names_or_none", async (defer) => {
  const dir = await folder(defer, FILES);
  for (const [args, script, status] of [
    [["--page", join(dir, "public/sub")], join(dir, "rules.lua"), 200],
    [[], join(dir, "public/empty.lua"), 404],
  ]) {
    await writeFile(join(dir, "public/empty.lua"), "return {api = 1}");
    const server = await startServer({ args, script });
    defer(() => server.stop());
    const answer = await ask(server, get("/"));
    assert.equal(answer.status, status);
    if (status === 200) assert.equal(answer.body, "sub index");
  }
});

overThreads("healthz_answers_200_while_serving", { script: ECHO }, async (server) => {
  const { status, headers, body } = await ask(server, get("/healthz"));
  assert.deepEqual([status, headers["cache-control"], body], [200, "no-store", "ok\n"]);
});

/* --- reload ------------------------------------------------------------------------------ */

/* Rules that answer every message with `answer`, a Lua expression. */
const rules = (answer, more = "") => `local chat = require "charlua"\n${more}
return {api = 1, on_message = function(client) client:send(${answer}) end}\n`;

async function answersTo(client, expected) {
  client.send("?");
  assert.deepEqual(await client.next(), expected);
}

/* A client, and a script in a folder of its own that answers "old". */
const rulesOf = (files, args = []) => async (stage) => {
  stage.dir = await folder(stage.defer, files);
  stage.script = join(stage.dir, "rules.lua");
  return { script: stage.script, args };
};

async function visitor(server, stage) {
  const client = await connect(server.url);
  stage.defer(() => client.drop());
  return client;
}

overThreads("reload_by_sighup_puts_new_rules_in_force_for_those_who_are_there",
  rulesOf({ "rules.lua": rules('"old"') }), async (server, stage) => {
    const client = await visitor(server, stage);
    await answersTo(client, "old");
    const { mark } = server;
    await writeFile(stage.script, rules('"new"'));
    await answersTo(client, "old");
    server.signal("SIGHUP");
    await server.waitLog(/rules reloaded script=.*rules\.lua/, { from: mark });
    await answersTo(client, "new");
  });

overThreads("reload_of_broken_rules_says_where_and_keeps_the_old_ones",
  rulesOf({ ...texts(), "rules.lua": rules('"old"') }), async (server, stage) => {
    const client = await visitor(server, stage);
    for (const [name, [text, line]] of Object.entries(BROKEN)) {
      const { mark } = server;
      await writeFile(stage.script, text);
      server.signal("SIGHUP");
      const [said] = await server.waitLog(/error rules not reloaded, the old ones stay in force.*/, { from: mark });
      assert.match(said, new RegExp(line.source.replace(name.replace(".", "\\."), "rules\\.lua")), name);
      assert.match(said, /\/(rules|other|not_there)\.lua\b/, `${name}: the file is named`);
      await answersTo(client, "old");
    }
    await rm(stage.script);
    const { mark } = server;
    server.signal("SIGHUP");
    await server.waitLog(/error rules not reloaded, .*rules\.lua/, { from: mark });
    await answersTo(client, "old");
    await writeFile(stage.script, rules('"mended"'));
    server.signal("SIGHUP");
    await server.waitLog(/rules reloaded/, { from: mark });
    await answersTo(client, "mended");
  });

/* Saves as some editors do: a new file takes the old one's place. */
async function saveByRename(path, text) {
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

overThreads("watch_reloads_when_the_script_or_a_module_of_it_is_saved",
  rulesOf({ "rules.lua": rules("part.word", 'local part = require "parts.one"'), "parts/one.lua": 'return {word = "old"}' },
    ["--watch"]), async (server, stage) => {
    const client = await visitor(server, stage);
    const module = join(stage.dir, "parts/one.lua");
    const saved = async (save, path, text, expected) => {
      const { mark } = server;
      await save(path, text);
      await server.waitLog(/rules reloaded/, { from: mark });
      await answersTo(client, expected);
    };
    await answersTo(client, "old");
    await saved(writeFile, module, 'return {word = "from the module"}', "from the module");
    await saved(saveByRename, module, 'return {word = "renamed into place"}', "renamed into place");
    await saved(writeFile, stage.script, rules('"from the script"'), "from the script");
    await saved(saveByRename, stage.script, rules('"renamed too"'), "renamed too");
  });

overThreads("watch_reloads_when_what_was_broken_is_mended", rulesOf({ "rules.lua": rules('"old"') }, ["--watch"]),
  async (server, stage) => {
    const client = await visitor(server, stage);
    let { mark } = server;
    await writeFile(stage.script, "return = 1");
    await server.waitLog(/rules not reloaded.*rules\.lua:1:/, { from: mark });
    await answersTo(client, "old");
    await writeFile(stage.script, rules('"mended"'));
    await server.waitLog(/rules reloaded/, { from: mark });
    await answersTo(client, "mended");
  });

overThreads("watch_reloads_when_a_new_module_that_was_broken_is_mended", rulesOf({ "rules.lua": rules('"old"') }, ["--watch"]),
  async (server, stage) => {
    const client = await visitor(server, stage);
    const { mark } = server;
    await writeFile(join(stage.dir, "part.lua"), "return = 1");
    await writeFile(stage.script, rules("part.word", 'local part = require "part"'));
    await server.waitLog(/rules not reloaded.*part\.lua:1:/, { from: mark });
    await answersTo(client, "old");
    await writeFile(join(stage.dir, "part.lua"), 'return {word = "mended"}');
    await server.waitLog(/rules reloaded/, { from: mark });
    await answersTo(client, "mended");
  });

overThreads("without_watch_a_save_changes_nothing", rulesOf({ "rules.lua": rules('"old"') }), async (server, stage) => {
  const client = await visitor(server, stage);
  const watching = await startServer({ script: stage.script, args: ["--watch"] });
  stage.defer(() => watching.stop());
  await writeFile(stage.script, rules('"new"'));
  await watching.waitLog(/rules reloaded/);
  await answersTo(client, "old");
});

/* --- the rest of the options ------------------------------------------------------------------ */

overThreads("set_shows_in_chat_options", async (stage) => ({
  ...await rulesOf({ "rules.lua": rules("chat.json.encode({chat.options.motto, chat.options.empty, chat.options.sum," +
    " tostring(chat.options.unset)})") })(stage),
  args: ["--set", "motto=¡hola! {x}", "--set", "empty=", "--set", "sum=a=b", "--set", "motto=the last one counts"],
}), async (server, stage) => {
  await answersTo(await visitor(server, stage), ["the last one counts", "", "a=b", "nil"]);
});

describe("log_level_hides_what_is_below_it", { concurrency: true }, () => {
  const levels = ["error", "warn", "info", "debug"];
  for (const [i, level] of levels.entries()) {
    alone(`log_level_${level}_shows_${levels.slice(0, i + 1).join("_")}`, async (defer) => {
      const dir = await folder(defer, { "rules.lua": `local chat = require "charlua"
for _, level in ipairs {"debug", "info", "warn", "error"} do chat.log(level, "this is " .. level) end
return {api = 1}` });
      const server = await startServer({ args: ["--log-level", level], listen: `unix:${dir}/socket`,
        script: join(dir, "rules.lua"), ready: /script: this is error/ });
      assert.equal((await ask({ path: `${dir}/socket` }, get("/healthz"))).status, 200);
      assert.equal((await server.stop()).code, 0);
      for (const [k, other] of levels.entries()) {
        assert.equal(server.stderr.includes(`this is ${other}`), k <= i, other);
      }
      assert.equal(/listening|ready|stopped| info /.test(server.stderr), i >= 2);
    });
  }
});

alone("program_takes_the_word_serve_before_its_script", async (defer) => {
  const { code, stderr } = await runToEnd([...ANYWHERE, "serve", join(await folder(defer, { "x.lua": "return 1" }), "x.lua")]);
  assert.equal(code, 1);
  assert.match(stderr, /x\.lua: the script returned a number/);
});

test("program_fills_standard_files_that_it_was_started_without", async (t) => {
  const dir = await mkdtemp(join(tmpdir(), "charlua-"));
  const watcher = watch(dir);
  const there = new Promise((resolve) => watcher.once("change", resolve));
  const child = spawn("sh", ["-c", 'exec "$0" "$@" <&- >&- 2>&-', BIN, "--listen", `unix:${dir}/socket`, "scripts/chat.lua"],
    { cwd: ROOT, stdio: "ignore" });
  const gone = new Promise((resolve) => child.once("close", resolve));
  t.after(async () => {
    watcher.close();
    child.kill("SIGKILL");
    await gone;
    await rm(dir, { recursive: true });
  });
  await within(there, "socket of the server");
  for (const fd of [0, 1, 2]) assert.equal(await readlink(`/proc/${child.pid}/fd/${fd}`), "/dev/null", `fd ${fd}`);
});

test("tls_names_the_reason_why_a_file_cannot_be_used", async () => {
  for (const [option, args] of [
    ["cert", ["--cert", "/nowhere.pem", "--key", "/nowhere.pem"]],
    ["client-ca", ["--client-ca", "/nowhere.pem", "--cert", "/nowhere.pem", "--key", "/nowhere.pem"]],
  ]) {
    const { code, stderr } = await runToEnd(["--listen", "tls:127.0.0.1:0", ...args, "scripts/chat.lua"]);
    assert.equal(code, 1);
    assert.match(stderr, /^charlua: cannot use --\S+ \/nowhere\.pem: No such file or directory$/m, option);
  }
});

test("log_shows_no_traceback_that_names_no_line_of_a_script", async () => {
  const dir = await mkdtemp(join(tmpdir(), "charlua-"));
  try {
    for (const [text, traced] of [["return {", false], ["return { api = 1, onopen = 2 }", false], ["local x = y.z", true]]) {
      await writeFile(join(dir, "rules.lua"), text);
      const { code, stderr } = await runToEnd(["--listen", "127.0.0.1:0", join(dir, "rules.lua")]);
      assert.equal(code, 1);
      assert.equal(stderr.includes("stack traceback:"), traced, stderr);
    }
  } finally {
    await rm(dir, { recursive: true });
  }
});
