/* report.mjs: what bench.json says, as Markdown. Pure: data in, text out. */

export function median(values) {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b), half = sorted.length >> 1;
  if (!sorted.length) return NaN;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/* The rows of the tables: a name, which runs are meant, and what no server can do without. */
export const ROWS = [
  { name: "room of 1,000, 10 talk in a closed loop", of: { group: "fanout", loop: "closed" }, floor: "bare 16" },
  { name: "room of 1,000, 50 messages a second", of: { group: "fanout", loop: "50" }, floor: "bare 1" },
  { name: "room of 1,000, 800 messages a second", of: { group: "fanout", loop: "800" }, floor: "bare 16" },
  { name: "100 rooms of 10, one talks in each", of: { group: "rooms" }, floor: "bare 1" },
  { name: "echo, 100 alone in their rooms", of: { group: "echo" } },
  { name: "connect, upgrade, close", of: { group: "handshake" } },
];
export const IDLE = [
  { name: "upgraded", of: { group: "idle", kind: "upgraded" } },
  { name: "in rooms of 10", of: { group: "idle", kind: "rooms of 10" } },
  { name: "in one room", of: { group: "idle", kind: "one room" } },
  { name: "chat.lua, in rooms of 10", of: { group: "idle", kind: "chat.lua, rooms of 10" } },
];

/* The runs that have all of `of`. bare has no loops: it is the same for each. */
export function select(data, of, server) {
  return data.runs.filter((run) => run.server === server &&
    Object.entries(of).every(([key, value]) => run[key] === value || (key === "loop" && run.scenario === "bare")));
}

export const cost = (run) => run.cpu_us_per_delivery ?? run.cpu_us_per_handshake ?? run.bytes_per_connection;
export const typical = (data, of, server, field = cost) => median(select(data, of, server).map(field));

export const isOverloaded = (data, of, server) => select(data, of, server).some((run) => run.overloaded);

const shown = (value, digits = 2) => (Number.isFinite(value) ? value.toLocaleString("en", { maximumFractionDigits: digits,
  minimumFractionDigits: digits }) : "–");
const row = (cells) => `| ${cells.join(" | ")} |\n`;
const table = (head, rows) => (rows.length ? row(head) + row(head.map((_, i) => (i ? "---:" : "---"))) + rows.map(row).join("") +
  "\n" : "");
const present = (data, rows, servers) => rows.filter(({ of }) => servers.some((server) => select(data, of, server).length));

function costs(data) {
  const servers = ["charlua", "bare 16", "bare 1", "ws", "nchan"];
  const rows = present(data, ROWS, servers).map(({ name, of }) => [name,
    ...servers.map((server) => shown(typical(data, of, server)) +
      (isOverloaded(data, of, server) ? " (overloaded)" : ""))]);
  return table(["processor time of the server, µs a delivery or handshake", ...servers], rows);
}

function latencies(data) {
  const servers = ["charlua", "ws", "nchan"], fields = ["p50_us", "p99_us", "p999_us"];
  const rows = present(data, ROWS, servers).map(({ name, of }) => [name, ...servers.map((server) =>
    fields.map((field) => shown(typical(data, of, server, (run) => run[field] / 1000), 1)).join(" / "))]);
  return table(["latency, ms: median / 99 % / 99.9 %", ...servers], rows);
}

function idle(data) {
  const servers = ["charlua", "ws", "nchan"];
  const rows = present(data, IDLE, servers).map(({ name, of }) =>
    [name, ...servers.map((server) => shown(typical(data, of, server), 0))]);
  const rooms = [["one more room", "bytes_first_membership"], ["each of 8 more rooms", "bytes_per_membership"]];
  for (const [name, field] of rooms) {
    const bytes = typical(data, IDLE[2].of, "charlua", (run) => run[field]);
    if (Number.isFinite(bytes)) rows.push([name, shown(bytes, 0), "–", "–"]);
  }
  return table(["resident memory of the server, bytes an idle connection", ...servers], rows);
}

function variants(data) {
  const runs = data.runs.filter((run) => run.group === "variants");
  const threads = [...new Set(runs.map((run) => run.threads))], wires = [...new Set(runs.map((run) => run.wire))];
  const rows = ["fanout", "echo"].flatMap((scenario) => wires.map((wire) => [`${scenario}, ${wire}`, ...threads.map((n) =>
    shown(typical(data, { group: "variants", scenario, wire, threads: n }, "charlua")))]));
  return runs.length ? table(["charlua, µs a delivery, closed loop", ...threads.map((n) => `--threads ${n}`)], rows) : "";
}

function growth(data) {
  const runs = data.runs.filter((run) => run.group === "growth");
  const counts = [...new Set(runs.map((run) => run.count))];
  const rows = ["rooms of 10", "one room"].map((shape) =>
    [shape, ...counts.map((count) => shown(typical(data, { group: "growth", shape, count }, "charlua")))]);
  return runs.length ? table(["charlua, µs a delivery, closed loop; connections:",
    ...counts.map((n) => n.toLocaleString("en"))], rows) : "";
}

const [CLOSED, SLOW, FAST, ROOMS, ECHO, HANDSHAKE] = ROWS.map(({ of }) => of);
export const TARGETS = [
  { name: "room of 1,000, closed loop", of: CLOSED, most: 1.75, than: "bare 16" },
  { name: "room of 1,000 at 50 a second", of: SLOW, most: 0.42, than: "ws" },
  { name: "room of 1,000 at 50 a second", of: SLOW, most: 0.6, than: "nchan" },
  { name: "100 rooms of 10", of: ROOMS, most: 1.05, than: "bare 1" },
  { name: "room of 1,000 at 800 a second", of: FAST, most: 3, than: "bare 16" },
  { name: "99 % latency at 800 a second", of: FAST, most: 20, unit: "ms", field: (run) => run.p99_us / 1000 },
  { name: "echo", of: ECHO, most: 0.62, than: "nchan" },
  { name: "handshake", of: HANDSHAKE, most: 0.75, than: "nchan" },
  { name: "idle connection, its Lua client included", of: IDLE[0].of, most: 540, unit: "bytes", field: cost },
  { name: "room membership", of: IDLE[2].of, most: 64, unit: "bytes", field: (run) => run.bytes_per_membership },
];

/* Ours over theirs, of the same round each: what disturbs a round disturbs both. One value a round. */
export function reached(data, { of, than, field = cost }) {
  const ours = select(data, of, "charlua"), theirs = than ? select(data, of, than) : [];
  return ours.map((run) => (than ? field(run) / field(theirs.find(({ round }) => round === run.round) ?? {}) : field(run)))
    .filter(Number.isFinite);
}

function targets(data) {
  const rows = TARGETS.map((target) => {
    const values = reached(data, target), value = median(values), unit = target.than ? `× ${target.than}` : target.unit;
    if (!values.length) return null;
    const digits = target.than ? 2 : 0;
    return [target.name, `≤ ${target.most} ${unit}`, `${shown(value, digits)} ${unit}`,
      `${shown(Math.min(...values), digits)} to ${shown(Math.max(...values), digits)}`,
      (value <= target.most ? "met" : `missed by ${shown((value / target.most - 1) * 100, 0)} %`) +
        (isOverloaded(data, target.of, "charlua") ? ", but overloaded: counts for nothing" : "")];
  });
  return table(["target", "at most", "measured", "rounds", ""], rows.filter(Boolean));
}

export function report(data) {
  const { machine, plan, missing } = data;
  const without = missing.map((name) => `${name} is not installed (make deps-bench): its column is empty.\n\n`).join("");
  return `${data.date.slice(0, 10)}, ${machine.cores} × ${machine.cpu}, Linux ${machine.kernel}, node ${machine.node}: ` +
    `medians of ${plan.rounds}, ${plan.seconds} s each.\n\n${without}` +
    [costs, latencies, idle, variants, growth, targets].map((part) => part(data)).join("");
}
