/* raw.mjs: a bare socket for scenarios about bytes: it writes anything and reads frames and answers as they came.
 * Knows the format of a frame and no rule about it. Every wait has a deadline and shows what did come. */
import { randomBytes } from "node:crypto";
import { connect as dial } from "node:net";
import { within } from "./server.mjs";

export const OP = { CONTINUATION: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 };
export const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
export const UPGRADE = `GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n\r\n`;

/* A client's frame. `form` forces 7, 16 or 64 bits of length; `said` announces another length than is sent. */
export function frame(op, payload = "", { fin = true, rsv = 0, mask = randomBytes(4), form, said } = {}) {
  const data = Buffer.from(payload);
  const length = said ?? data.length;
  const bits = form ?? (length < 126 ? 7 : length < 65536 ? 16 : 64);
  const head = Buffer.alloc(2 + (bits === 7 ? 0 : bits / 8));
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | op;
  head[1] = (mask ? 0x80 : 0) | (bits === 7 ? Number(length) : bits === 16 ? 126 : 127);
  if (bits === 16) head.writeUInt16BE(Number(length), 2);
  if (bits === 64) head.writeBigUInt64BE(BigInt(length), 2);
  if (!mask) return Buffer.concat([head, data]);
  const masked = Buffer.from(data.map((byte, i) => byte ^ mask[i & 3]));
  return Buffer.concat([head, mask, masked]);
}

/* The payload of a Close frame. */
export function closing(code, reason = "") {
  const payload = Buffer.concat([Buffer.alloc(2), Buffer.from(reason)]);
  payload.writeUInt16BE(code);
  return payload;
}

export class Raw {
  #socket;
  #inbox = Buffer.alloc(0);
  #fresh = []; /* what came since; joined when somebody looks, or 6 MB would be copied a hundred times */
  #all = [];
  #ended = false;
  #error = null;
  #wake = () => {};

  constructor(socket) {
    this.#socket = socket;
    this.ended = new Promise((resolve) => socket.once("close", resolve));
    socket.on("data", (data) => {
      this.#all.push(data);
      this.#fresh.push(data);
      this.#wake();
    });
    socket.on("end", () => {
      this.#ended = true;
      this.#wake();
    });
    socket.on("error", (error) => (this.#error = error));
    socket.on("close", () => {
      this.#ended = true;
      this.#wake();
    });
  }

  /* Resolves when the bytes have been handed to the kernel. */
  async write(bytes) {
    await within(new Promise((resolve) => this.#socket.write(bytes, resolve)), "room to write", () => this.#history());
  }

  #joined() {
    if (this.#fresh.length > 0) this.#inbox = Buffer.concat([this.#inbox, ...this.#fresh]);
    this.#fresh = [];
    return this.#inbox;
  }

  /* One write for each byte. */
  async drip(bytes) {
    for (const byte of Buffer.from(bytes)) await this.write(Buffer.of(byte));
  }

  /* Exactly `n` bytes. */
  async read(n) {
    await this.#until(() => this.#joined().length >= n, `${n} bytes`);
    return this.#take(n);
  }

  /* The next frame: {fin, rsv, op, masked, payload, head, bytes}; of a Close frame also {code, reason}. */
  async frame() {
    let head = await this.read(2);
    const short = head[1] & 0x7f;
    if (short > 125) head = Buffer.concat([head, await this.read(short === 126 ? 2 : 8)]);
    const length = short < 126 ? short : short === 126 ? head.readUInt16BE(2) : Number(head.readBigUInt64BE(2));
    const payload = await this.read(length);
    const f = { fin: (head[0] & 0x80) !== 0, rsv: (head[0] >> 4) & 7, op: head[0] & 15, masked: (head[1] & 0x80) !== 0,
      payload, head, bytes: Buffer.concat([head, payload]) };
    if (f.op !== OP.CLOSE) return f;
    const code = length < 2 ? null : payload.readUInt16BE(0);
    return { ...f, code, reason: payload.subarray(2).toString() };
  }

  /* The next answer of HTTP: {status, headers, body, head}; without a body for 101, 304 and HEAD. */
  async answer({ toHead = false } = {}) {
    await this.#until(() => this.#joined().includes("\r\n\r\n"), "answer");
    const head = this.#take(this.#joined().indexOf("\r\n\r\n") + 4).toString("latin1");
    const [line, ...fields] = head.trimEnd().split("\r\n");
    const headers = Object.fromEntries(fields.map((field) => {
      const colon = field.indexOf(":");
      return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()];
    }));
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(line)?.[1]);
    const bodiless = toHead || status === 101 || status === 304;
    const body = bodiless ? "" : (await this.read(Number(headers["content-length"]))).toString();
    return { status, headers, body, head };
  }

  /* Resolves when the server has ended the connection, with the bytes that came and were not taken. A reset, which
   * loses what the server said last, is an error. */
  async end() {
    await this.#until(() => this.#ended, "end of the connection");
    if (this.#error) throw this.#error;
    return this.#take(this.#joined().length);
  }

  /* Ends our side too; resolves when the connection is gone, and a reset is an error. */
  async finish() {
    this.#socket.end();
    await within(this.ended, "end of both sides", () => this.#history());
    if (this.#error) throw this.#error;
  }

  destroy() {
    this.#socket.destroy();
  }

  /* Stops reading, so that the server's writes stand still in the end. */
  pause() {
    this.#socket.pause();
  }

  resume() {
    this.#socket.resume();
  }

  async #until(holds, what) {
    const found = new Promise((resolve, reject) => {
      this.#wake = () => {
        if (holds()) resolve();
        else if (this.#ended) reject(new Error(`the connection ended before ${what}; ${this.#history()}`));
      };
      this.#wake();
    });
    try {
      await within(found, what, () => this.#history());
    } finally {
      this.#wake = () => {};
    }
  }

  #take(n) {
    const taken = this.#joined().subarray(0, n);
    this.#inbox = this.#joined().subarray(n);
    return taken;
  }

  #history() {
    return `what came ends with ${JSON.stringify(Buffer.concat(this.#all).subarray(-300).toString("latin1"))}`;
  }
}

/* Resolves with a connected Raw. `to` is a server, or what net.connect takes. */
export async function dialRaw(to) {
  const socket = dial({ ...(to.pid ? { port: to.port, host: "127.0.0.1" } : to), noDelay: true, allowHalfOpen: true });
  await within(new Promise((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  }), "connection");
  return new Raw(socket);
}

/* A Raw that is through the opening handshake, ended by the stage. */
export async function openRaw(to, stage) {
  const raw = await dialRaw(to);
  stage?.defer(() => raw.destroy());
  await raw.write(UPGRADE);
  const { status } = await raw.answer();
  if (status !== 101) throw new Error(`upgrade answered with ${status}`);
  return raw;
}
