/* client.mjs: one WebSocket client of a scenario: awaits what comes instead of registering for it.
 * Messages wait in order until they are taken; every wait has a deadline that shows what did come. */
import WebSocket from "ws";
import { within } from "./server.mjs";

class Client {
  #socket;
  #inbox = []; /* {raw, value}, not yet taken */
  #taken = [];
  #waiting = null;

  constructor(socket) {
    this.#socket = socket;
    this.raw = null; /* the text (or Buffer) of the message next() gave last, as it came */
    this.closed = new Promise((resolve) => {
      socket.once("close", (code, reason) => {
        resolve({ code, reason: reason.toString() });
        this.#waiting?.();
      });
    });
    socket.on("message", (data, isBinary) => {
      const raw = isBinary ? data : data.toString();
      this.#inbox.push({ raw, value: isBinary ? data : parse(raw) });
      this.#waiting?.();
    });
  }

  /* The ws socket, for what this wrapper does not do (ping, fragments, pause). */
  get socket() {
    return this.#socket;
  }

  /* Sends an object as JSON, a string or a Buffer as it is. */
  send(value) {
    const asItIs = typeof value === "string" || Buffer.isBuffer(value);
    this.#socket.send(asItIs ? value : JSON.stringify(value));
  }

  /* The next message; with `pred`, the next one it holds for: those before it are dropped. Text that is JSON comes
   * parsed, other text as a string, binary as a Buffer. One wait at a time. */
  async next(pred = () => true) {
    if (this.#waiting) throw new Error("next() is already waiting");
    const found = new Promise((resolve, reject) => {
      this.#waiting = () => {
        while (this.#inbox.length > 0) {
          const message = this.#inbox.shift();
          this.#taken.push(message.raw);
          if (!pred(message.value)) continue;
          this.#waiting = null; /* what comes within this very tick is for the next wait */
          this.raw = message.raw;
          resolve(message.value);
          return;
        }
        if (this.#socket.readyState === WebSocket.CLOSED) {
          reject(new Error(`closed while waiting for a message${this.#history()}`));
        }
      };
      this.#waiting();
    });
    try {
      return await within(found, "message", () => this.#history());
    } finally {
      this.#waiting = null;
    }
  }

  /* Closes and waits for the end. Resolves with {code, reason}. */
  async close(code, reason) {
    this.#socket.close(code, reason);
    return within(this.closed, "close");
  }

  /* Ends without a closing handshake, as a lost connection does. */
  drop() {
    this.#socket.terminate();
  }

  #history() {
    return `\nthe last messages were:\n${this.#taken.slice(-20).join("\n")}`;
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/* Resolves with an open client. `opts` are those of ws, and `protocols`. A refusal rejects with an error whose
 * `status` and `headers` are those of the answer. */
export async function connect(url, { protocols = [], ...opts } = {}) {
  const socket = new WebSocket(url, protocols, { perMessageDeflate: false, ...opts });
  const client = new Client(socket);
  const open = new Promise((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("unexpected-response", (request, response) => {
      const { statusCode: status, headers } = response;
      reject(Object.assign(new Error(`refused with ${status}`), { status, headers }));
      request.destroy();
    });
    socket.on("error", reject); /* after the opening an error ends in `closed`, and this does nothing */
  });
  await within(open, `connection to ${url}`);
  return client;
}
