/* servers.mjs: starts what is measured. Every start gives {port, pids, stop()}; ports are free ones. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { makeCert } from "../e2e/certs.mjs";
import { ROOT, startServer, within } from "../e2e/server.mjs";

export const BUILD = process.env.CHARLUA_BUILD ?? join(ROOT, "build");
const HERE = join(ROOT, "tests/bench");
const UNLIMITED = ["--max-connections", "0", "--max-per-address", "0", "--max-connect-rate", "0", "--max-rate", "0",
  "--max-byte-rate", "0", "--handler-time", "2000"];
const children = new Set();
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});

function start(command, args, options) {
  const child = spawn(command, args, options);
  children.add(child);
  child.once("close", () => children.delete(child));
  const stop = async () => {
    if (child.exitCode !== null) return;
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), 5000);
    await once(child, "close");
    clearTimeout(timer);
  };
  return { child, stop };
}

/* `quiet`: the rules that tell nobody who logs in. */
export async function startCharlua({ threads = 0, tls = false, deflate = false, quiet = false } = {}) {
  const args = [...UNLIMITED, ...(deflate ? ["--deflate-min", "1"] : [])];
  if (tls) {
    mkdirSync(join(BUILD, "bench"), { recursive: true });
    const { cert, key } = makeCert(join(BUILD, "bench"), "localhost");
    args.push("--cert", cert, "--key", key);
  }
  const server = await startServer({ args, threads, listen: tls ? "tls:127.0.0.1:0" : "127.0.0.1:0",
    script: quiet ? "tests/bench/member.lua" : undefined });
  return { port: server.port, pids: [server.pid], stop: () => server.stop() };
}

export async function startWs() {
  const { child, stop } = start("node", [join(HERE, "ws_server.mjs")], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await within(once(child.stdout.setEncoding("utf8"), "data"), "ws server");
  return { port: Number(line.split(" ")[1]), pids: [child.pid], stop };
}

export const hasWs = () => existsSync(join(ROOT, "tests/e2e/node_modules/ws"));
export const hasNchan = () =>
  spawnSync("nginx", ["-v"]).status === 0 && existsSync("/usr/lib/nginx/modules/ngx_nchan_module.so");

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/* Resolves with its workers when nginx serves. It listens before it has any. */
async function serving(port, child) {
  for (;;) {
    if (child.exitCode !== null) throw new Error("nginx did not start");
    const workers = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").match(/\d+/g);
    const socket = connect(port, "127.0.0.1");
    const up = await new Promise((resolve) => socket.once("connect", () => resolve(true)).once("error", () => resolve(false)));
    socket.destroy();
    if (up && workers) return workers.map(Number);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export async function startNchan() {
  const port = await freePort(), dir = join(BUILD, "bench/nginx");
  mkdirSync(dir, { recursive: true });
  const conf = readFileSync(join(HERE, "nginx.conf.in"), "utf8");
  writeFileSync(join(dir, "nginx.conf"), conf.replace("127.0.0.1:PORT", `127.0.0.1:${port}`));
  const { child, stop } = start("nginx", ["-p", `${dir}/`, "-c", "nginx.conf", "-e", "error.log"],
    { stdio: ["ignore", "inherit", "inherit"] });
  const workers = await within(serving(port, child), "nginx");
  return { port, pids: [child.pid, ...workers], stop };
}

export const STARTS = { charlua: startCharlua, ws: startWs, nchan: startNchan };
