/* peer.mjs: one bare connection, plain or TLS: writes any bytes in any portions and reads answers, then frames.
 * Judges what no server may send (RFC 6455 5.1, 5.2, 5.5); knows nothing of what is expected. */
import { connect as dialPlain } from "node:net";
import { connect as dialTls } from "node:tls";
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { within } from "../e2e/server.mjs";

export const OP = { CONTINUATION: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 };
const KEY = Buffer.of(0x37, 0xfa, 0x21, 0x3d); /* RFC 6455 5.7 */
const TAIL = Buffer.of(0, 0, 0xff, 0xff); /* RFC 7692 7.2.1 */

/* A client's frame. `form` forces 7, 16 or 64 bits of length; `said` announces another length than is sent. */
export function frame(op, payload = "", { fin = true, rsv = 0, mask = KEY, form, said } = {}) {
  const data = Buffer.from(payload);
  const length = said ?? data.length;
  const bits = form ?? (length < 126 ? 7 : length < 65536 ? 16 : 64);
  const head = Buffer.alloc(2 + (bits === 7 ? 0 : bits / 8));
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | op;
  head[1] = (mask ? 0x80 : 0) | (bits === 7 ? Number(length) : bits === 16 ? 126 : 127);
  if (bits === 16) head.writeUInt16BE(Number(length), 2);
  if (bits === 64) head.writeBigUInt64BE(BigInt(length), 2);
  if (!mask) return Buffer.concat([head, data]);
  return Buffer.concat([head, mask, Buffer.from(data.map((byte, i) => byte ^ mask[i & 3]))]);
}

export const text = (payload, set) => frame(OP.TEXT, payload, set);
export const binary = (payload, set) => frame(OP.BINARY, payload, set);
export const part = (payload, set) => frame(OP.CONTINUATION, payload, set); /* a continuation, the last one */
export const ping = (payload, set) => frame(OP.PING, payload, set);
export const pong = (payload, set) => frame(OP.PONG, payload, set);
export const more = { fin: false };

/* A Close frame; without a code it is empty. */
export function close(code, reason = "", set) {
  const payload = Buffer.concat([Buffer.alloc(2), Buffer.from(reason)]);
  payload.writeUInt16BE(code ?? 0);
  return frame(OP.CLOSE, code === undefined ? "" : payload, set);
}

/* What RFC 7692 7.2.1 makes of a payload, in a frame of its own message unless `set` says otherwise. */
export const packed = (data, set = {}) =>
  deflateRawSync(data, { finishFlush: constants.Z_SYNC_FLUSH, ...set }).subarray(0, -4);

/* 7.2.2, with a window of `bits`: output in small portions, so that a distance beyond the window is an error. */
const unpacked = (data, bits) => inflateRawSync(Buffer.concat([data, TAIL]),
  { windowBits: bits, chunkSize: 64, finishFlush: constants.Z_SYNC_FLUSH });

export class Peer {
  #socket;
  #inbox = Buffer.alloc(0);
  #wake = () => {};
  #bits = 0;
  answers = []; /* {status, fields: [[name, value]], body} */
  frames = []; /* {op, payload, head} and of a Close {code, reason}; messages are whole and inflated */
  faults = []; /* what the server may never do */
  ended = false;
  error = null;

  constructor(socket) {
    this.#socket = socket;
    socket.on("data", (data) => {
      this.#inbox = Buffer.concat([this.#inbox, data]);
      while (this.#take());
      this.#wake();
    });
    socket.on("error", (error) => (this.error = error));
    for (const event of ["end", "close"]) {
      socket.on(event, () => {
        this.ended = true;
        this.#wake();
      });
    }
  }

  /* Is done when the kernel has the bytes; what an ended connection does not take is dropped. */
  write(bytes) {
    return within(new Promise((done) => (this.ended ? done() : this.#socket.write(bytes, done))), "room to write");
  }

  /* Byte by byte; the middle of what is long in uneven portions. */
  async drip(bytes) {
    const edge = bytes.length > 1500 ? 100 : bytes.length;
    for (let i = 0; i < bytes.length && !this.ended;) {
      const size = i < edge || i >= bytes.length - 20 ? 1 : Math.min(i % 2 ? 4093 : 1021, bytes.length - 20 - i);
      await this.write(bytes.subarray(i, i + size));
      i += size;
    }
  }

  /* Waits until `holds()`, or the end of the connection. */
  async until(holds, what) {
    await within(new Promise((done) => {
      this.#wake = () => holds() || this.ended ? done() : undefined;
      this.#wake();
    }), what, () => this.history());
    this.#wake = () => {};
  }

  history() {
    const frames = this.frames.map((f) => `${f.op}:${f.code ?? JSON.stringify(f.payload.subarray(0, 40).toString("latin1"))}`);
    return `answers ${this.answers.map((a) => a.status)}; frames ${frames.slice(-8).join(" ")}; ${this.faults}; ` +
      `${this.ended ? "ended" : "open"} ${this.error ?? ""}; not read: ${JSON.stringify(this.#inbox.subarray(0, 80).toString("latin1"))}`;
  }

  get leftover() {
    return this.#inbox.length;
  }

  destroy() {
    this.#socket.destroy();
  }

  #take() {
    return this.answers.at(-1)?.status === 101 ? this.#takeFrame() : this.#takeAnswer();
  }

  #takeAnswer() {
    const end = this.#inbox.indexOf("\r\n\r\n");
    if (end < 0) return false;
    const [line, ...rest] = this.#inbox.subarray(0, end).toString("latin1").split("\r\n");
    const fields = rest.map((field) => [field.slice(0, field.indexOf(":")).toLowerCase(), field.slice(field.indexOf(":") + 1).trim()]);
    const status = Number(/^HTTP\/1\.1 (\d{3}) [\x20-\x7e]*$/.exec(line)?.[1]);
    const length = status === 101 ? 0 : Number(fields.find(([name]) => name === "content-length")?.[1]);
    if (Number.isNaN(status) || Number.isNaN(length)) this.faults.push(`an answer out of form: ${line}`);
    if (this.#inbox.length < end + 4 + length) return false;
    this.answers.push({ status, fields, body: this.#inbox.subarray(end + 4, end + 4 + length) });
    this.#inbox = this.#inbox.subarray(end + 4 + (length || 0));
    const agreed = fields.find(([name]) => name === "sec-websocket-extensions")?.[1];
    this.#bits = agreed ? Number(/server_max_window_bits=(\d+)/.exec(agreed)?.[1] ?? 15) : 0;
    return true;
  }

  #takeFrame() {
    const all = this.#inbox;
    if (all.length < 2) return false;
    const short = all[1] & 0x7f, head = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (all.length < head) return false;
    const length = short < 126 ? short : short === 126 ? all.readUInt16BE(2) : Number(all.readBigUInt64BE(2));
    if (all.length < head + length) return false;
    this.#inbox = all.subarray(head + length);
    this.#keep({ op: all[0] & 15, fin: all[0] >> 7, rsv: (all[0] >> 4) & 7, masked: all[1] >> 7, head, length,
      payload: all.subarray(head, head + length) });
    return true;
  }

  #keep(f) {
    const fault = (holds, what) => holds && this.faults.push(`${what}: ${JSON.stringify(f)}`);
    fault(f.masked, "5.1: a server masks nothing");
    fault(f.head !== (f.length < 126 ? 2 : f.length < 65536 ? 4 : 10), "5.2: a length not in its shortest form");
    fault(![1, 2, 8, 9, 10].includes(f.op) || !f.fin, "5.4: this server does not fragment");
    fault(f.op >= 8 && f.length > 125, "5.5: a long control frame");
    fault(f.rsv && (f.rsv !== 4 || !this.#bits || f.op >= 8), "5.2, RFC 7692 6: reserved bits");
    fault(this.frames.at(-1)?.op === OP.CLOSE, "5.5.1: a frame after Close");
    if (f.rsv === 4 && this.#bits) {
      try {
        f.payload = unpacked(f.payload, this.#bits);
      } catch (error) {
        fault(true, `RFC 7692 7.2.1: ${error.message}`);
      }
    }
    if (f.op === OP.CLOSE) {
      fault(f.length === 1, "5.5.1: half a status code");
      f.code = f.length >= 2 ? f.payload.readUInt16BE(0) : 1005;
      fault([1004, 1005, 1006, 1015].includes(f.length ? f.code : 0), "7.4.1: a status code that is never sent");
    }
    if (f.op === OP.TEXT || f.op === OP.CLOSE) {
      const words = f.op === OP.CLOSE ? f.payload.subarray(2) : f.payload;
      fault(!Buffer.from(words.toString()).equals(words), "5.6: text that is not UTF-8");
    }
    this.frames.push(f);
  }
}

/* Resolves with a Peer on `port` of loopback. */
export async function dial(port, secure) {
  const set = { port, host: "127.0.0.1", allowHalfOpen: true };
  const socket = secure ? dialTls({ ...set, rejectUnauthorized: false }) : dialPlain(set);
  socket.setNoDelay(true);
  const peer = new Peer(socket);
  await within(new Promise((done, failed) => {
    socket.once(secure ? "secureConnect" : "connect", done);
    socket.once("error", failed);
  }), "connection");
  return peer;
}
