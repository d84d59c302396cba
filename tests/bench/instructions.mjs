/* instructions.mjs: how many instructions a delivery and an echo take, counted by callgrind. Noise of the machine does not
 * get in: the load is always the same, and each message is heard by all before the next is said. Two runs that differ in
 * the number of messages alone; their difference has no start and no end in it. Compares with baseline.json and fails
 * beyond 3 %; `--update` writes the baseline. */
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

process.env.CHARLUA_BIN = new URL("callgrind.sh", import.meta.url).pathname;
process.env.CHARLUA_DEADLINE_MS ??= "60000";
const { ROOT } = await import("../e2e/server.mjs");
const { BUILD, startCharlua } = await import("./servers.mjs");
process.env.CHARLUA_BUILD = BUILD; // for callgrind.sh

const BASELINE = join(ROOT, "tests/bench/baseline.json"), SLACK = 0.03;
const COUNTS = [
  { name: "instructions a delivery in a room of 100", members: 100, messages: [100, 600], each: 100 },
  { name: "instructions a delivery in a room of 10", members: 10, messages: [200, 1700], each: 10 },
  { name: "instructions an echo", members: 1, messages: [500, 3500], each: 1 },
];
const run = promisify(execFile);

/* All that the server executes from start to end. It is started before this first waits, so two at once do not share
 * what is in the environment. */
async function instructions({ members }, messages) {
  const dir = join(BUILD, "bench");
  mkdirSync(dir, { recursive: true });
  const out = process.env.CALLGRIND_OUT = join(dir, `callgrind.${members}.${messages}`);
  const server = await startCharlua({ threads: 0 });
  try {
    await run(join(dir, "load"), ["--port", server.port, "--pid", server.pids[0], "--scenario", "fanout", "--members", members,
      "--senders", 1, "--lockstep", "--window", 1, "--warm-messages", 1, "--messages", messages].map(String));
  } finally {
    await server.stop();
  }
  return Number(/^(?:summary|totals): (\d+)/m.exec(readFileSync(out, "utf8"))[1]);
}

const measured = {};
for (const count of COUNTS) {
  const [few, many] = count.messages;
  const [less, more] = await Promise.all([instructions(count, few), instructions(count, many)]);
  measured[count.name] = Math.round((more - less) / (many - few) / count.each);
}
if (process.argv.includes("--update")) {
  writeFileSync(BASELINE, `${JSON.stringify(measured, null, 2)}\n`);
  console.log(`${BASELINE}: ${JSON.stringify(measured)}`);
} else {
  const baseline = JSON.parse(readFileSync(BASELINE, "utf8"));
  for (const [name, value] of Object.entries(measured)) {
    const change = value / baseline[name] - 1, worse = !(change <= SLACK);
    console.log(`${name}: ${value}, baseline ${baseline[name]} (${(change * 100).toFixed(1)} %)${worse ? ": TOO MANY" : ""}`);
    if (worse) process.exitCode = 1;
  }
  if (process.exitCode)
    console.log(`More than ${SLACK * 100} % above tests/bench/baseline.json. If that is the price of something, say so in the commit,
and write what it is now with "make bench-baseline".`);
}
