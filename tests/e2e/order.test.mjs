/* order.test.mjs: everybody receives what the rules sent in the order in which they sent it; every client that opened
 * is closed once. */
import assert from "node:assert/strict";
import { FIXTURES, scenario } from "./scenario.mjs";

const SENDERS = 50, EACH = 6;

scenario("everybody_receives_in_the_order_of_the_rules_under_50_senders", { script: `${FIXTURES}/order.lua` }, async (stage) => {
  const guests = await Promise.all(Array.from({ length: SENDERS }, () => stage.client()));
  await Promise.all(guests.map(async (guest) => {
    guest.send({ type: "join" });
    guest.id = (await guest.next()).id;
  }));
  for (let seq = 1; seq <= EACH; seq++) for (const guest of guests) guest.send({ type: "say", seq });

  const heard = await Promise.all(guests.map(async (guest) => {
    const messages = [];
    for (let last = 0; last < SENDERS * EACH;) {
      const message = await guest.next();
      messages.push(message);
      if (message.type === "all") last += 1;
    }
    return messages;
  }));
  const totals = { room: 0, all: 0, self: 0, one: 0 };
  const order = heard[0].filter((m) => m.type === "room").map((m) => m.n);
  for (const [i, messages] of heard.entries()) {
    const bySender = new Map();
    let before = 0;
    for (const { type, n, from, seq } of messages) {
      assert.ok(n > before, `${n} after ${before}`);
      before = n;
      totals[type] += 1;
      if (type === "self") assert.equal(from, guests[i].id);
      if (type !== "room") continue;
      assert.equal(seq, (bySender.get(from) ?? 0) + 1, `a message of ${from} is lost, doubled or late`);
      bySender.set(from, seq);
    }
    assert.equal(bySender.size, SENDERS);
    assert.ok([...bySender.values()].every((seq) => seq === EACH));
    assert.deepEqual(messages.filter((m) => m.type === "room").map((m) => m.n), order);
  }
  const all = SENDERS * EACH;
  assert.deepEqual(totals, { room: all * SENDERS, all: all * SENDERS, self: all, one: all });
});

/* The ways to go. Those who never pong are dropped by the server. */
const ENDS = [
  (c) => c.close(1000, "chau"),
  (c) => c.drop(),
  (c) => c.socket._socket.end(), /* half-open: no Close frame, and we still read */
  (c) => c.socket._socket.write(Buffer.from([0x81, 0x01, 0x41])), /* unmasked: a protocol error */
  (c) => c.send({ type: "kick" }),
  (c) => { c.send({ type: "wait" }); c.drop(); },
  (c) => { c.send({ type: "kick" }); c.drop(); },
  () => {}, /* mute: answers no ping */
];

scenario("every_client_that_opened_is_closed_once", {
  script: `${FIXTURES}/count.lua`,
  args: ["--ping-interval", "2", "--ping-timeout", "1"],
}, async (stage) => {
  const count = 200;
  const clerk = await stage.client();
  const guests = await Promise.all(Array.from({ length: count }, (_, i) => {
    return stage.client("/", { autoPong: i % ENDS.length !== ENDS.length - 1 });
  }));
  await Promise.all(guests.map((guest, i) => ENDS[i % ENDS.length](guest)));
  clerk.send({ type: "report", closed: count });
  assert.deepEqual(await clerk.next(), { opened: count + 1, closed: count, doubled: 0, unknown: 0, open: 1 });
  await Promise.all(guests.map((guest) => guest.closed));

  const last = await stage.client();
  await last.close();
  clerk.send({ type: "report", closed: count + 1 });
  assert.deepEqual(await clerk.next(), { opened: count + 2, closed: count + 1, doubled: 0, unknown: 0, open: 1 });
});

/* Rooms with members in common, private messages, joins, leaves and messages to everybody, by the thousand. */
for (const [name, count, options] of [["few", 12, {}], ["many", 150, {}], ["compressed", 60, { perMessageDeflate: true }]]) {
  scenario(`everybody_receives_just_what_was_sent_to_it_in_order_among_${name}`, {
    script: `${FIXTURES}/shuffle.lua`, args: ["--handler-time", "10000", "--deflate-min", "1", "--max-rate", "0"],
  }, async (stage) => {
    const guests = await Promise.all(Array.from({ length: count }, () => stage.client("/", options)));
    for (let i = 0; i < 60; i++) guests[i % guests.length].send({ type: "shuffle", steps: [1, 2, 5, 40][i % 4] });
    const clerk = await stage.client("/", options);
    for (let i = 0; i < 20; i++) clerk.send({ type: "shuffle", steps: 10 });
    clerk.send({ type: "report" });
    await Promise.all([clerk, ...guests].map(async (guest) => {
      const got = [];
      let message = await guest.next();
      for (; message.expected === undefined; message = await guest.next()) got.push(message.n);
      assert.deepEqual(got, Array.isArray(message.expected) ? message.expected : []);
    }));
  });
}
