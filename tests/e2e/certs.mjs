/* certs.mjs: certificates for a scenario, made when it runs by openssl(1), and TLS sockets that trust them. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { Raw, UPGRADE } from "./raw.mjs";
import { within } from "./server.mjs";

/* A folder that goes away with the scenario. */
export function folder(stage) {
  const dir = mkdtempSync(join(tmpdir(), "charlua-e2e-"));
  stage.defer(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

const KEYS = { ec: ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"], rsa: ["-newkey", "rsa:2048"] };

/* Writes `name`.crt and `name`.key into `dir`: a certificate for the host `name`, or with `subject`, signed by itself
 * or by `ca` (what this function gave); `key` is "ec" or "rsa". Returns {cert, key, pem}: two paths, and the certificate's text. */
export function makeCert(dir, name, { subject = `/CN=${name}`, ca, key: kind = "ec" } = {}) {
  const cert = join(dir, `${name}.crt`), key = join(dir, `${name}.key`);
  const signer = ca ? ["-CA", ca.cert, "-CAkey", ca.key] : [];
  execFileSync("openssl", ["req", "-x509", ...KEYS[kind], "-nodes", "-days", "2",
    "-subj", subject, "-addext", `subjectAltName=DNS:${name}`, "-keyout", key, "-out", cert, ...signer], { stdio: "pipe" });
  return { cert, key, pem: readFileSync(cert, "utf8") };
}

/* startServer's options for an encrypted listener that has the certificates `pairs`. */
export const encrypted = (pairs, args = [], rest = {}) => ({
  listen: "tls:127.0.0.1:0",
  args: [...pairs.flatMap(({ cert, key }) => ["--cert", cert, "--key", key]), ...args],
  ...rest,
});

/* A TLS socket to `to` (a server, or {host, port}), through its handshake. `options` are those of tls.connect; which
 * certificate came is for the test to ask. */
export async function dialTls(to, stage, options = {}) {
  const socket = connect({ port: to.port, host: "127.0.0.1", servername: "ana.test", rejectUnauthorized: false, ...options });
  stage.defer(() => socket.destroy());
  await within(new Promise((resolve, reject) => {
    socket.once("secureConnect", resolve);
    socket.once("error", reject);
  }), "TLS handshake");
  return socket;
}

/* An open WebSocket over TLS: a Raw, whose socket is `raw.tls`. */
export async function openTls(to, stage, options = {}) {
  const socket = await dialTls(to, stage, options);
  const raw = new Raw(socket);
  raw.tls = socket;
  await raw.write(UPGRADE);
  const { status } = await raw.answer();
  if (status !== 101) throw new Error(`upgrade answered with ${status}`);
  return raw;
}
