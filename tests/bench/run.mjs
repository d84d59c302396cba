/* run.mjs: the benchmark. Runs every server through every scenario, in turns (A B C, A B C, ...), so that what else the
 * machine does hits all of them; writes build/bench.json with every single run, prints the tables of report.mjs and
 * draws the chart of chart.mjs. `node tests/bench/run.mjs --help` lists the options. */
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { drawChart } from "./chart.mjs";
import { report } from "./report.mjs";
import { BUILD, STARTS, hasNchan, hasWs } from "./servers.mjs";

const HELP = `usage: node tests/bench/run.mjs [OPTIONS]
  --quick          under a minute: one round, short, only what is said (fanout, rooms, echo)
  --only LIST      of fanout, rooms, echo, handshake, idle, variants, growth
  --servers LIST   of charlua, bare, ws, nchan
  --rounds N       5; quick: 1. What is shown is the median
  --seconds S      3; quick: 1. Of each measurement
  --threads LIST   0,1,3: --threads of charlua in the variants; the first one is that of all other tables
  --tls            variants: only those over TLS
  --deflate        variants: only those that compress
  --from FILE      runs nothing: shows what is in that JSON
  --json FILE      ${join(BUILD, "bench.json")}
  --chart FILE     ${join(BUILD, "bench.svg")}
`;
const list = (text) => text.split(",").filter(Boolean);
const { values: given } = parseArgs({ options: Object.fromEntries([
  ...["quick", "tls", "deflate", "help"].map((name) => [name, { type: "boolean" }]),
  ...["only", "servers", "rounds", "seconds", "threads", "from", "json", "chart"].map((name) => [name, { type: "string" }]),
]) });
if (given.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const variantsGiven = given.tls || given.deflate || given.threads;
const plan = {
  only: list(given.only ?? (given.quick ? `fanout,rooms,echo${variantsGiven ? ",variants" : ""}`
    : "fanout,rooms,echo,handshake,idle,variants,growth")),
  servers: list(given.servers ?? "charlua,bare,ws,nchan"),
  rounds: Number(given.rounds ?? (given.quick ? 1 : 5)),
  seconds: Number(given.seconds ?? (given.quick ? 1 : 3)),
  threads: list(given.threads ?? "0,1,3").map(Number),
  idle: given.quick ? 2000 : 10000,
};
plan.warmup = Math.min(1, plan.seconds * 0.4);
const data = given.from ? JSON.parse(readFileSync(given.from, "utf8")) : {
  date: new Date().toISOString(),
  machine: { cpu: cpus()[0].model, cores: cpus().length, kernel: release(), node: process.version },
  plan, missing: [], failures: [], runs: [],
};

const say = (text) => process.stderr.write(`${((Date.now() - began) / 1000).toFixed(0).padStart(5)} s  ${text}\n`);
const began = Date.now();
const run = promisify(execFile);
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1)); // the servers end with us

/* Runs `load` or `bare` and keeps what it says, a line of JSON each, with `about` in it. */
async function measure(program, args, about) {
  try {
    const { stdout } = await run(join(BUILD, "bench", program), args.map(String), { maxBuffer: 1 << 24 });
    const found = stdout.trim().split("\n").map((line) => JSON.parse(line));
    for (const one of found) data.runs.push({ ...about, ...one });
    const last = found.map((one) => one.cpu_us_per_delivery ?? one.cpu_us_per_handshake ?? one.bytes_per_connection);
    say(`${Object.values(about).join(" ")}: ${last.join(" ")}`);
  } catch (error) {
    const why = (error.stderr || error.message).trim();
    data.failures.push({ ...about, why });
    say(`${Object.values(about).join(" ")}: FAILED: ${why}`);
  }
}

/* One server from its start to its end, under `args` of the load generator. */
async function loaded(name, options, args, about) {
  const server = await STARTS[name](options);
  const pids = server.pids.flatMap((pid) => ["--pid", pid]);
  try {
    await measure("load", ["--port", server.port, ...pids, "--dialect", name === "nchan" ? "plain" : "charlua",
      "--seconds", plan.seconds, "--warmup", plan.warmup, ...args], about);
  } finally {
    await server.stop();
  }
}

const bare = (batch, about) => measure("bare", [1000, batch, plan.seconds], { ...about, server: `bare ${batch}` });

/* Everybody who is asked for and here. */
const rivals = () => plan.servers.filter((name) => STARTS[name] && !data.missing.includes(name));

async function compare(round, group, args) {
  for (const name of rivals()) {
    const options = name === "charlua" ? { threads: plan.threads[0] } : {};
    // ws would be busy for seconds with telling 1,000 who logs in, which is not what is measured.
    await loaded(name, options, ["--scenario", group, "--quiet", ...args], { round, group, server: name });
  }
  if (plan.servers.includes("bare") && (group === "fanout" || group === "rooms"))
    for (const batch of [16, 1]) await bare(batch, { round, group });
}

/* A server each, as what one has left behind would be there for the next. */
async function idle(round) {
  const memberships = ["--memberships", 8];
  const kinds = {
    upgraded: ["--rooms", plan.idle / 10, "--members", 10, "--no-login"],
    "rooms of 10": ["--rooms", plan.idle / 10, "--members", 10],
    "one room": ["--rooms", 1, "--members", plan.idle],
  };
  for (const [kind, args] of Object.entries(kinds))
    for (const name of rivals()) {
      if (name === "nchan" && kind === "upgraded") continue; // to connect is to be in a room
      const more = name === "charlua" && kind === "one room" ? memberships : [];
      await loaded(name, name === "charlua" ? { threads: plan.threads[0], quiet: true } : {},
        ["--scenario", "idle", "--quiet", ...args, ...more], { round, group: "idle", kind, server: name });
    }
  // What people run: the rules of scripts/chat.lua, with all that they keep of a client.
  if (plan.servers.includes("charlua"))
    await loaded("charlua", { threads: plan.threads[0] }, ["--scenario", "idle", ...kinds["rooms of 10"]],
      { round, group: "idle", kind: "chat.lua, rooms of 10", server: "charlua" });
}

/* What TLS, compression and threads cost. */
async function variants(round) {
  const wires = given.tls || given.deflate ? [["tls", given.tls], ["deflate", given.deflate]].filter(([, on]) => on)
    .map(([name]) => name) : ["plain", "tls", "deflate"];
  for (const scenario of ["fanout", "echo"])
    for (const threads of plan.threads)
      for (const wire of wires)
        await loaded("charlua", { threads, [wire]: true }, ["--scenario", scenario, ...(wire === "plain" ? [] : [`--${wire}`])],
          { round, group: "variants", wire, threads, server: "charlua" });
}

/* Many small rooms, and one that grows. */
async function growth(round) {
  for (const count of [10, 100, 1000, 10000])
    for (const [shape, rooms] of [["rooms of 10", count / 10], ["one room", 1]])
      await loaded("charlua", { threads: plan.threads[0], quiet: true },
        ["--scenario", "fanout", "--quiet", "--rooms", rooms, "--members", count / rooms,
          "--senders", shape === "one room" ? 10 : 1], { round, group: "growth", shape, count, server: "charlua" });
}

const GROUPS = {
  fanout: (round) => compare(round, "fanout", ["--loops", "closed,50,800"]),
  rooms: (round) => compare(round, "rooms", []),
  echo: (round) => compare(round, "echo", []),
  handshake: (round) => compare(round, "handshake", []),
  idle,
  variants: (round) => (round < 3 ? variants(round) : undefined),
  growth: (round) => (round < 3 ? growth(round) : undefined),
};

const unknown = [...plan.only.filter((name) => !GROUPS[name]),
  ...plan.servers.filter((name) => !STARTS[name] && name !== "bare")];
if (unknown.length) {
  console.error(`there is no ${unknown.join(", ")}: see --help`);
  process.exit(2);
}
if (!given.from) {
  if (plan.servers.includes("nchan") && !hasNchan()) data.missing.push("nchan");
  if (plan.servers.includes("ws") && !hasWs()) data.missing.push("ws");
  for (let round = 0; round < plan.rounds; round++)
    for (const group of plan.only) await GROUPS[group](round);
  writeFileSync(given.json ?? join(BUILD, "bench.json"), `${JSON.stringify(data, null, 1)}\n`);
}
process.stdout.write(report(data));
const chart = drawChart(data);
if (chart) writeFileSync(given.chart ?? join(BUILD, "bench.svg"), chart);
for (const { why, ...about } of data.failures) console.error(`FAILED: ${Object.values(about).join(" ")}: ${why}`);
process.exitCode = data.failures.length ? 1 : 0;
