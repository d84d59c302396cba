/* closing.test.mjs: a client whose on_close waits is no longer in the slot that its shard gives to the next one. */
import assert from "node:assert/strict";
import { FIXTURES, scenario } from "./scenario.mjs";

const CLOSING = { script: `${FIXTURES}/closing.lua` };
const CROWD = 16; /* so many slots a shard makes at once: then it uses those again that were freed */

const slotOf = (id) => BigInt(id) & ((1n << 29n) - 1n); /* with its shard */

async function ask(client, message) {
  client.send(message);
  const answer = await client.next();
  assert.equal(answer.type, message.type);
  return answer;
}

/* Clients until one has the slot that `id` had. */
async function comeInto(stage, id) {
  for (let i = 0; i < 20 * CROWD; i++) {
    const client = await stage.client();
    const { id: mine } = await ask(client, { type: "who" });
    if (slotOf(mine) === slotOf(id)) return client;
  }
  return assert.fail("the slot was not given away");
}

/* Until on_close of `id` has begun. */
async function closing(witness, id) {
  for (;;) {
    const told = await ask(witness, { type: "tell", id });
    if (told.ends > 0) return told;
  }
}

/* A witness, and a moderator who has just left the slot in which the newcomer is. */
async function takeOver(stage, threads) {
  const witness = await stage.client();
  await ask(witness, { type: "witness" });
  for (let i = 1; i < CROWD * Math.max(1, threads); i++) await stage.client();
  const moderator = await stage.client();
  await ask(moderator, { type: "be", role: "moderator" });
  const { id } = await ask(moderator, { type: "who" });
  moderator.drop();
  await closing(witness, id);
  return { witness, id, newcomer: await comeInto(stage, id) };
}

scenario("a_newcomer_in_the_slot_of_a_closing_client_is_somebody_else", CLOSING, async (stage) => {
  const { witness, id, newcomer } = await takeOver(stage, 3);
  const who = await ask(newcomer, { type: "who" });
  assert.notEqual(who.id, id);
  assert.equal(who.role, undefined);
  assert.equal(who.here, true);
  assert.equal(who.members.filter((it) => it === who.id).length, 1);
  assert.deepEqual(await ask(witness, { type: "tell", id }), { type: "tell", ends: 1, closing: true, found: false });

  witness.send({ type: "let_go" });
  const heard = [await witness.next(), await witness.next()];
  const end = heard.find((it) => it.type === "end");
  assert.deepEqual(end, { type: "end", id, code: 1006, role: "moderator", was: "moderator", reach: "closed", rooms: 1, found: false });

  const after = await ask(newcomer, { type: "who" });
  assert.ok(!after.members.includes(id), "the one that left is out of its room");
  assert.ok(after.members.includes(who.id));
  assert.equal((await ask(witness, { type: "tell", id })).ends, 1);
});

scenario("each_of_two_closing_clients_of_one_slot_has_its_own_end", CLOSING, async (stage) => {
  const { witness, id, newcomer } = await takeOver(stage, 3);
  await ask(newcomer, { type: "be", role: "guest" });
  const { id: second } = await ask(newcomer, { type: "who" });
  newcomer.drop();
  await closing(witness, second);
  witness.send({ type: "let_go" });
  const ends = [];
  while (ends.length < 2) {
    const message = await witness.next();
    if (message.type === "end") ends.push([message.id, message.role]);
  }
  assert.deepEqual(ends.sort(), [[id, "moderator"], [second, "guest"]].sort());
  const { members } = await ask(witness, { type: "who" });
  assert.ok(!members.includes(id) && !members.includes(second));
});

scenario("a_reload_leaves_closing_clients_to_their_on_close", CLOSING, async (stage) => {
  const { witness, id, newcomer } = await takeOver(stage, 3);
  await stage.reload();
  const who = await ask(newcomer, { type: "who" });
  assert.equal(who.role, undefined);
  assert.deepEqual(await ask(witness, { type: "tell", id }), { type: "tell", ends: 1, closing: true, found: false });
  witness.send({ type: "let_go" });
  let end = await witness.next();
  while (end.type !== "end") end = await witness.next();
  assert.deepEqual([end.id, end.role], [id, "moderator"]);
  assert.equal((await ask(witness, { type: "tell", id })).ends, 1);
});
