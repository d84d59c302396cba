/* chart.mjs: one picture: a bar for each server in each scenario, as a multiple of charlua, and for the yardstick.
 * Pure: data in, SVG out. */
import { IDLE, ROWS, isOverloaded, typical } from "./report.mjs";

const SERVERS = ["charlua", "nchan", "ws"];
const LABEL = 290, WIDTH = 880, BAR = 13, GAP = 16, TOP = 64;
const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 15px } .faint { fill: #59636e; font-size: 12px }
  .charlua { fill: #0969da } .nchan { fill: #8250df } .ws { fill: #bf8700 } .bare { fill: #818b98 }
  .ground { fill: #ffffff } .line { stroke: #d1d9e0 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .faint { fill: #9198a1 }
    .charlua { fill: #4493f8 } .nchan { fill: #ab7df8 } .ws { fill: #d29922 } .bare { fill: #656c76 }
    .ground { fill: #0d1117 } .line { stroke: #3d444d }
  }`;

/* The end of the axis. Longer bars are cut there, with a gap before their end: their number says how long they are. */
const END_MAX = 12;
const ceiling = (value) => [2, 3, 4, 5, 6, 8, 10].find((n) => n >= value) ?? END_MAX;

/* null when there is nothing to compare. */
export function drawChart(data) {
  const groups = [...ROWS.map((row) => ({ ...row, unit: "µs" })),
    ...IDLE.slice(1).map((row) => ({ ...row, name: `idle connection ${row.name}`, unit: "bytes" }))]
    .map((row) => {
      const ours = typical(data, row.of, "charlua");
      const bars = [...SERVERS, row.floor].filter(Boolean).map((server) => ({ server, value: typical(data, row.of, server) }))
        .filter(({ value }) => Number.isFinite(value)).map((bar) => ({ ...bar, times: bar.value / ours }));
      return { ...row, bars };
    }).filter(({ bars }) => bars.length > 1 && bars[0].server === "charlua");
  if (!groups.length) return null;
  const end = ceiling(Math.max(...groups.flatMap(({ bars }) => bars.map(({ times }) => times))));
  const scale = (WIDTH - LABEL - 220) / end;
  let y = TOP, body = "";
  for (const { name, of, bars, unit } of groups) {
    body += `  <text x="${LABEL - 10}" y="${y + (bars.length * BAR) / 2 + 4}" text-anchor="end">${name}</text>\n`;
    for (const { server, value, times } of bars) {
      const note = (server === "charlua" ? "" : `, ${times.toFixed(1)} ×`) + (isOverloaded(data, of, server) ? ", overloaded" : "");
      const width = Math.max(1, Math.min(times, end) * scale).toFixed(1);
      const number = value.toLocaleString("en", { maximumFractionDigits: value < 100 ? 1 : 0 });
      body += `  <rect class="${server.split(" ")[0]}" x="${LABEL}" y="${y}" width="${width}" height="${BAR - 2}" rx="2"/>\n` +
        (times > end ? `  <rect class="ground" x="${LABEL + Number(width) - 14}" y="${y}" width="5" height="${BAR - 2}"/>\n` : "") +
        `  <text class="faint" x="${LABEL + Number(width) + 6}" y="${y + BAR - 3}">${server} ${number} ${unit}${note}</text>\n`;
      y += BAR;
    }
    y += GAP;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y + 8}" width="${WIDTH}" role="img"
  aria-label="What a delivery, a handshake and an idle connection cost charlua, nchan and ws">
  <style>${STYLE}
  </style>
  <rect class="ground" width="${WIDTH}" height="${y + 8}"/>
  <text class="title" x="20" y="26">What it costs the server, relative to charlua (shorter is better)</text>
  <text class="faint" x="20" y="46">Processor time a delivery or handshake, resident memory an idle connection; ${data.date.slice(0, 10)}, ` +
    `${data.machine.cores} × ${data.machine.cpu}</text>
  <line class="line" x1="${LABEL + scale}" x2="${LABEL + scale}" y1="${TOP - 6}" y2="${y - GAP + 6}" stroke-dasharray="3 3"/>
${body}</svg>
`;
}
