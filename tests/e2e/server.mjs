/* server.mjs: starts a charlua for a test and stops it again.
 * Ports are the kernel's choice and readiness is read from the log, so nothing here sleeps or guesses. Every wait
 * has a deadline, and its error shows what the server said. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
export const DEADLINE_MS = Number(process.env.CHARLUA_DEADLINE_MS ?? 10_000);

/* The placements every scenario has to hold in; CHARLUA_THREADS="2,8" adds more. */
export const THREADS = [0, 1, 3, ...(process.env.CHARLUA_THREADS ?? "").split(",").filter(Boolean).map(Number)];

/* Those of `threads` that CHARLUA_ONLY_THREADS="0,3" leaves, if it is there: what a sanitizer can find in no other one need
 * not run in all. */
const ONLY = process.env.CHARLUA_ONLY_THREADS?.split(",").map(Number);
export const placements = (threads) => (ONLY ? threads.filter((count) => ONLY.includes(count)) : threads);

export const BIN = process.env.CHARLUA_BIN ?? `${process.env.CHARLUA_BUILD ?? `${ROOT}build`}/charlua`;
const running = new Set();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/* Rejects with `what` and the text of `details()` when `promise` has not settled in time. */
export async function within(promise, what, details = () => "", ms = DEADLINE_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${ms} ms\n${details()}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/* Whether it was built with a sanitizer, with which everything takes longer and nothing that was freed goes. */
export const isSanitized = (server) => /lib[at]san/.test(readFileSync(`/proc/${server.pid}/maps`, "utf8"));

/* The memory that the server has, in bytes; 0 under a sanitizer, which keeps what was freed. */
export function rss(server) {
  if (isSanitized(server)) return 0;
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, "utf8"))[1]) * 1024;
}

class Server {
  #child;
  #exit;
  #watchers = new Set();
  stderr = "";

  constructor(child) {
    this.#child = child;
    running.add(child);
    child.stderr.setEncoding("utf8").on("data", (text) => {
      this.stderr += text;
      for (const watch of this.#watchers) watch();
    });
    this.#exit = new Promise((resolve) => {
      child.once("error", (error) => resolve({ code: null, signal: null, error }));
      child.once("close", (code, signal) => resolve({ code, signal }));
    }).then((exit) => {
      running.delete(child);
      return exit;
    });
  }

  get pid() {
    return this.#child.pid;
  }

  /* Every port it listens on, in the order in which it said so. */
  get ports() {
    return [...new Set([...this.stderr.matchAll(/listening .*?addr=\S*:(\d+)/g)].map((m) => Number(m[1])))];
  }

  get port() {
    return this.ports[0];
  }

  get url() {
    return `ws://127.0.0.1:${this.port}/`;
  }

  get pageUrl() {
    return `http://127.0.0.1:${this.port}/`;
  }

  /* Resolves with {code, signal} when the process has gone. */
  get exited() {
    return this.#exit;
  }

  /* Where the log ends now: give it to waitLog to see only what comes later. */
  get mark() {
    return this.stderr.length;
  }

  /* The match of `regex` in the log from `from` on, now or as soon as it is there. */
  async waitLog(regex, { from = 0 } = {}) {
    let watch;
    const found = new Promise((resolve, reject) => {
      watch = () => {
        const match = regex.exec(this.stderr.slice(from));
        if (match) resolve(match);
      };
      this.#watchers.add(watch);
      this.#exit.then((exit) => {
        watch();
        reject(new Error(`the server ended (${exit.error ?? exit.signal ?? exit.code}) before ${regex}\n${this.stderr}`));
      });
      watch();
    });
    try {
      return await within(found, `line ${regex} in the server's log`, () => this.stderr);
    } finally {
      this.#watchers.delete(watch);
    }
  }

  signal(name) {
    return this.#child.kill(name);
  }

  /* Ends it with `signal` and waits. Resolves with {code, signal, ms}; a server that does not end in time is
   * killed, and that is an error. */
  async stop(signal = "SIGTERM") {
    const from = performance.now();
    this.signal(signal);
    try {
      const exit = await within(this.#exit, `end of the server after ${signal}`, () => this.stderr);
      return { ...exit, ms: performance.now() - from };
    } finally {
      if (running.has(this.#child)) this.signal("SIGKILL");
    }
  }
}

/* Runs the program with `args` to its end. Resolves with {code, signal, stdout, stderr}. */
export async function runToEnd(args, { env = {}, cwd = ROOT } = {}) {
  const child = spawn(BIN, args, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  const said = { stdout: "", stderr: "" };
  running.add(child);
  for (const name of ["stdout", "stderr"]) child[name].setEncoding("utf8").on("data", (text) => (said[name] += text));
  const exit = new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal, ...said }));
  });
  try {
    return await within(exit, `end of charlua ${args.join(" ")}`, () => said.stderr);
  } finally {
    running.delete(child);
    child.kill("SIGKILL");
  }
}

/* Starts a server and resolves when it says it is ready.
 *   args     more options, e.g. ["--page", "scripts/public"]; the array is not changed, so it can be shared
 *   script   the rules, relative to the project's root; none: what the program takes by default
 *   env      more environment
 *   threads  --threads
 *   listen   the address; port 0 lets the kernel choose
 *   ready    the line that says that it serves, where the log level hides the usual one */
export async function startServer({ args = [], script, env = {}, threads, listen = "127.0.0.1:0",
  ready = /^.* ready/m } = {}) {
  const argv = ["--listen", listen, ...args];
  if (threads !== undefined) argv.push("--threads", String(threads));
  if (script !== undefined) argv.push(script);
  const child = spawn(BIN, argv, { cwd: ROOT, env: { ...process.env, ...env }, stdio: ["ignore", "ignore", "pipe"] });
  const server = new Server(child);
  try {
    await server.waitLog(ready);
    if (server.port === undefined && !listen.startsWith("unix:")) throw new Error(`the server named no port\n${server.stderr}`);
    return server;
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
}

/* The scenario `name` over every placement, side by side: `play` gets a server started with `options` (or what a
 * function gives) and a stage, whose `defer(f)` has f() called, last first, before the server is told to stop. That it
 * ends with status 0, which sanitizers deny it when they have found something, is part of every scenario. */
export function overThreads(name, options, play, { threads = THREADS } = {}) {
  const one = async (count) => {
    const later = [];
    const stage = { threads: count, defer: (f) => later.push(f) };
    let server = null, failure = null;
    try {
      stage.options = typeof options === "function" ? await options(stage) : options;
      server = await startServer({ ...stage.options, threads: count });
      await play(server, stage);
    } catch (error) {
      failure = error;
    }
    for (const f of later.reverse()) await f();
    const { code, signal } = server ? await server.stop() : {};
    if (server && !failure && code !== 0) failure = new Error("the scenario went well, but not the server's end");
    if (failure && server) failure.message += `\nexit ${code ?? signal}\n${server.stderr}`;
    if (failure) throw failure;
  };
  describe(name, { concurrency: true }, () => {
    for (const count of placements(threads)) test(`${name} (threads ${count})`, () => one(count));
  });
}
