/* chat.test.mjs: the rules of the default chat, scripts/chat.lua, as its clients see them. */
import assert from "node:assert/strict";
import { rulesWith } from "./modules.mjs";
import { frame, OP, openRaw } from "./raw.mjs";
import { scenario } from "./scenario.mjs";
import { overThreads } from "./server.mjs";

const CHAT = { script: "scripts/chat.lua" };
const TIME = "\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d";

/* Someone who is in the room. Whoever was there before has to take the login. */
async function join(stage, name, room) {
  const guest = await stage.client();
  guest.send({ type: "login", name, room });
  const { type, user_list: users } = await guest.next();
  assert.equal(type, "user_list");
  const login = await guest.next();
  assert.equal(login.type, "login");
  guest.uid = login.uid;
  guest.users = users;
  return guest;
}

/* Those who are there take the login of the one who came. */
async function joinAll(stage, ...names) {
  const guests = [];
  for (const name of names) {
    const guest = await join(stage, name);
    for (const other of guests) assert.equal((await other.next()).uid, guest.uid);
    guests.push(guest);
  }
  return guests;
}

async function refused(guest, message, error) {
  guest.send(message);
  await guest.next();
  assert.equal(guest.raw, `{"type":"error","error":"${error}"}`, JSON.stringify(message));
}

/* Nothing waits for this guest: what it asks for now comes next. */
async function hearsNothing(guest) {
  guest.send({ type: "user_list" });
  await guest.next();
  assert.match(guest.raw, /^\{"type":"user_list",/);
}

async function rawOf(guest) {
  await guest.next();
  return guest.raw;
}

scenario("login_answers_the_list_and_tells_everybody", CHAT, async (stage) => {
  const ana = await stage.client();
  ana.send({ type: "login", name: "Ana" });
  const [, uid] = /^\{"type":"user_list","user_list":\[\{"uid":(\d+),"name":"Ana"\}\]\}$/.exec(await rawOf(ana));
  assert.match(await rawOf(ana), new RegExp(`^\\{"type":"login","uid":${uid},"name":"Ana","time":"${TIME}"\\}$`));
  const beto = await stage.client();
  beto.send({ type: "login", name: "Beto" });
  assert.match(await rawOf(beto),
    new RegExp(`^\\{"type":"user_list","user_list":\\[\\{"uid":${uid},"name":"Ana"\\},\\{"uid":\\d+,"name":"Beto"\\}\\]\\}$`));
  const login = await rawOf(beto);
  assert.match(login, /"name":"Beto"/);
  assert.equal(await rawOf(ana), login);
  assert.ok(Number.isSafeInteger(Number(uid)));
});

scenario("times_are_local_and_whole", { ...CHAT, env: { TZ: "Asia/Kolkata" } }, async (stage) => {
  const ana = await stage.client();
  ana.send({ type: "login", name: "Ana" });
  const { time } = await ana.next((m) => m.type === "login");
  const there = Date.parse(`${time.replace(" ", "T")}+05:30`);
  assert.ok(Math.abs(there - Date.now()) < 30_000, time);
});

scenario("names_are_trimmed_and_1_to_64_characters", CHAT, async (stage) => {
  for (const [name, shown] of [["  Ana\t", "Ana"], ["x", "x"], ["x".repeat(64), "x".repeat(64)], ["猪".repeat(64), "猪".repeat(64)],
    ["😀".repeat(64), "😀".repeat(64)], [` ${"é".repeat(64)} `, "é".repeat(64)], ["Ana María", "Ana María"]]) {
    const guest = await join(stage, name, `a room for ${shown[0].codePointAt(0)} ${Buffer.byteLength(name)}`);
    assert.equal(guest.users[0].name, shown);
  }
  const guest = await stage.client();
  for (const name of ["", " ", "\t\n", "x".repeat(65), "猪".repeat(65), "😀".repeat(65), "x".repeat(100_000), 7, null, true, {}, ["Ana"],
    undefined]) {
    await refused(guest, { type: "login", name }, "bad_name");
  }
  await refused(guest, '{"type":"login","name":"\\ud800"}', "bad_json");
  await refused(guest, { type: "say", to_uid: "all", content: "hi" }, "not_logged_in");
});

scenario("names_hold_no_control_characters", CHAT, async (stage) => {
  const guest = await stage.client();
  for (const code of [0, 1, 7, 9, 10, 13, 27, 31, 127, 0x80, 0x85, 0x9b, 0x9f]) {
    await refused(guest, { type: "login", name: `A${String.fromCharCode(code)}na` }, "bad_name");
  }
});

scenario("contents_are_1_to_4096_characters", CHAT, async (stage) => {
  const [ana] = await joinAll(stage, "Ana");
  for (const content of ["x", " ", "\n", "x".repeat(4096), "猪".repeat(4096), "😀".repeat(4096)]) {
    ana.send({ type: "say", to_uid: "all", content });
    assert.equal((await ana.next()).content, content.replace("\n", "<br />\n"));
  }
  for (const content of ["", "x".repeat(4097), "猪".repeat(4097), "😀".repeat(4097), "x".repeat(20_000), 7, null, {}, undefined]) {
    await refused(ana, { type: "say", to_uid: "all", content }, "bad_content");
  }
});

scenario("a_second_login_renames", CHAT, async (stage) => {
  const [ana, beto] = await joinAll(stage, "Ana", "Beto");
  ana.send({ type: "login", name: "Anita", room: "elsewhere" });
  for (const guest of [ana, beto]) {
    assert.match(await rawOf(guest), new RegExp(`^\\{"type":"login","uid":${ana.uid},"name":"Anita","time":"${TIME}"\\}$`));
  }
  beto.send({ type: "user_list" });
  assert.deepEqual((await beto.next()).user_list, [{ uid: ana.uid, name: "Anita" }, { uid: beto.uid, name: "Beto" }]);
  await refused(ana, { type: "login", name: "" }, "bad_name");
  beto.send({ type: "user_list" });
  assert.equal((await beto.next()).user_list[0].name, "Anita");
  await hearsNothing(ana);
});

scenario("who_has_not_logged_in_can_do_nothing", CHAT, async (stage) => {
  const [ana] = await joinAll(stage, "Ana");
  const ghost = await stage.client();
  await refused(ghost, { type: "say", to_uid: "all", content: "boo" }, "not_logged_in");
  await refused(ghost, { type: "say", to_uid: ana.uid, content: "boo" }, "not_logged_in");
  await refused(ghost, { type: "user_list" }, "not_logged_in");
  await ghost.close();
  await hearsNothing(ana);
});

scenario("say_to_all_reaches_the_sender_too", CHAT, async (stage) => {
  const [ana, beto] = await joinAll(stage, "Ana", "Beto");
  beto.send({ type: "say", to_uid: "all", content: "hi,  all !" });
  const expected = new RegExp(`^\\{"type":"say","from_uid":${beto.uid},"to_uid":"all","content":"hi,  all !","time":"${TIME}"\\}$`);
  const raw = await rawOf(ana);
  assert.match(raw, expected);
  assert.equal(await rawOf(beto), raw);
});

scenario("a_whisper_reaches_its_two_and_nobody_else", CHAT, async (stage) => {
  const [ana, beto, caro] = await joinAll(stage, "Ana", "Beto", "Caro");
  ana.send({ type: "say", to_uid: beto.uid, content: "psst" });
  const expected = new RegExp(`^\\{"type":"say","from_uid":${ana.uid},"to_uid":${beto.uid},"content":"psst","time":"${TIME}"\\}$`);
  const raw = await rawOf(beto);
  assert.match(raw, expected);
  assert.equal(await rawOf(ana), raw);
  await hearsNothing(caro);
});

scenario("a_whisper_to_oneself_comes_once", CHAT, async (stage) => {
  const [ana] = await joinAll(stage, "Ana");
  ana.send({ type: "say", to_uid: ana.uid, content: "note" });
  assert.equal((await ana.next()).content, "note");
  await hearsNothing(ana);
});

scenario("a_whisper_to_nobody_is_refused", CHAT, async (stage) => {
  const [ana, beto] = await joinAll(stage, "Ana", "Beto");
  const away = await join(stage, "Caro", "elsewhere");
  const lurker = await stage.client();
  await refused(lurker, { type: "user_list" }, "not_logged_in");
  for (const to_uid of [0, -1, 1.5, 1e300, ana.uid + 1_000_000, "everyone", "", null, true, {}, [], undefined, away.uid]) {
    await refused(ana, { type: "say", to_uid, content: "psst" }, "no_such_user");
  }
  await beto.close();
  await ana.next((m) => m.type === "logout");
  await refused(ana, { type: "say", to_uid: beto.uid, content: "psst" }, "no_such_user");
  await hearsNothing(away);
});

scenario("rooms_are_worlds_of_their_own", CHAT, async (stage) => {
  const [ana, beto] = await joinAll(stage, "Ana", "Beto");
  const caro = await join(stage, "Caro", "kitchen");
  const dora = await join(stage, "Dora", " kitchen ");
  assert.deepEqual(caro.users.map((user) => user.name), ["Caro"]);
  assert.deepEqual(dora.users.map((user) => user.name), ["Caro", "Dora"]);
  assert.equal((await caro.next()).name, "Dora");
  caro.send({ type: "say", to_uid: "all", content: "soup" });
  assert.equal((await caro.next()).content, "soup");
  assert.equal((await dora.next()).content, "soup");
  await refused(caro, { type: "say", to_uid: ana.uid, content: "psst" }, "no_such_user");
  await dora.close();
  assert.match(await rawOf(caro), new RegExp(`^\\{"type":"logout","uid":${dora.uid},"time":"${TIME}"\\}$`));
  for (const guest of [ana, beto]) {
    guest.send({ type: "user_list" });
    assert.deepEqual((await guest.next()).user_list.map((user) => user.name), ["Ana", "Beto"]);
  }
});

/* Moves, and takes what comes of it. */
async function move(guest, room) {
  guest.send({ type: "join", room });
  const heard = [];
  do heard.push(await guest.next()); while (!["join", "error"].includes(heard.at(-1).type));
  return heard.map((message) => message.error ?? message.type);
}

const ROOMS = { script: rulesWith("rooms") };

scenario("a_client_that_may_be_in_one_room_moves", { ...ROOMS, args: ["--max-client-rooms", "1"] }, async (stage) => {
  const [ana, beto] = await joinAll(stage, "Ana", "Beto");
  assert.deepEqual(await move(ana, "den"), ["user_list", "login", "join"]);
  assert.equal((await beto.next()).type, "logout");
  assert.deepEqual(await move(ana, "lobby"), ["user_list", "login", "join"]);
  assert.equal((await beto.next()).type, "login");
});

for (const most of [["--max-rooms", "1"], ["--max-rooms", "1", "--max-client-rooms", "1"]]) {
  const name = `who_asks_for_one_room_too_many_stays_in_its_place_${most.length / 2}`;
  scenario(name, { ...ROOMS, args: most }, async (stage) => {
    const [ana, beto] = await joinAll(stage, "Ana", "Beto");
    assert.deepEqual(await move(ana, "den"), ["bad_room"]);
    await hearsNothing(beto);
    beto.send({ type: "user_list" });
    assert.deepEqual((await beto.next()).user_list.map((user) => user.name), ["Ana", "Beto"]);
  });
}

scenario("the_room_is_the_lobby_unless_said", CHAT, async (stage) => {
  await join(stage, "Ana");
  const beto = await join(stage, "Beto", "lobby");
  assert.deepEqual(beto.users.map((user) => user.name), ["Ana", "Beto"]);
});

scenario("bad_room_names_are_refused", CHAT, async (stage) => {
  const guest = await stage.client();
  for (const room of ["", " ", "x".repeat(65), "猪".repeat(64), 7, true, null, {}]) {
    await refused(guest, { type: "login", name: "Ana", room }, "bad_room");
  }
  await refused(guest, { type: "user_list" }, "not_logged_in");
});

for (const [how, end] of [["closes", (c) => c.close()], ["is_lost", (c) => c.drop()]]) {
  scenario(`logout_is_told_once_when_somebody_${how}`, CHAT, async (stage) => {
    const [ana, beto] = await joinAll(stage, "Ana", "Beto");
    await end(beto);
    assert.match(await rawOf(ana), new RegExp(`^\\{"type":"logout","uid":${beto.uid},"time":"${TIME}"\\}$`));
    ana.send({ type: "user_list" });
    assert.deepEqual((await ana.next()).user_list, [{ uid: ana.uid, name: "Ana" }]);
  });
}

scenario("names_and_contents_are_html_escaped_once", CHAT, async (stage) => {
  const ana = await stage.client();
  ana.send({ type: "login", name: "<b>\"A&a\"'</b>" });
  const escaped = "&lt;b&gt;&quot;A&amp;a&quot;&#039;&lt;\\/b&gt;";
  assert.ok((await rawOf(ana)).includes(`"name":"${escaped}"`), ana.raw);
  assert.ok((await rawOf(ana)).includes(`"name":"${escaped}"`), ana.raw);
  for (const [content, shown] of [["<script>alert('x')</script>", "&lt;script&gt;alert(&#039;x&#039;)&lt;\\/script&gt;"],
    ["&lt;", "&amp;lt;"], ["a & b", "a &amp; b"]]) {
    ana.send({ type: "say", to_uid: "all", content });
    assert.ok((await rawOf(ana)).includes(`"content":"${shown}"`), ana.raw);
  }
});

scenario("line_breaks_become_br_and_the_newline", CHAT, async (stage) => {
  const [ana] = await joinAll(stage, "Ana");
  for (const [content, shown] of [["a\nb", "a<br \\/>\\nb"], ["a\r\nb", "a<br \\/>\\r\\nb"], ["\n\n", "<br \\/>\\n<br \\/>\\n"]]) {
    ana.send({ type: "say", to_uid: "all", content });
    assert.ok((await rawOf(ana)).includes(`"content":"${shown}"`), ana.raw);
  }
});

scenario("what_is_no_ascii_is_escaped_and_so_is_the_slash", CHAT, async (stage) => {
  const [ana] = await joinAll(stage, "Ana");
  for (const [content, shown] of [["猪猪", "\\u732a\\u732a"], ["é", "\\u00e9"], ["😀", "\\ud83d\\ude00"], ["\u{10ffff}", "\\udbff\\udfff"],
    ["\uffff\ue000", "\\uffff\\ue000"], ["a/b", "a\\/b"], ["back\\slash", "back\\\\slash"], ["\t\u0001\u007f", "\\t\\u0001\\u007f"],
    ["\u2028", "\\u2028"], ["nul\u0000", "nul\\u0000"]]) {
    ana.send({ type: "say", to_uid: "all", content });
    assert.ok((await rawOf(ana)).includes(`"content":"${shown}"`), ana.raw);
    assert.match(ana.raw, /^[\x20-\x7e]*$/);
    assert.equal(JSON.parse(ana.raw).content, content);
  }
});

/* --- rate ------------------------------------------------------------------ */

/* What such a client has sent before its Close comes is handled, too. */
overThreads("who_floods_at_one_go_is_closed_and_logged_once", { script: rulesWith("rate") }, async (server, stage) => {
  const raw = await openRaw(server, stage);
  await raw.write(Buffer.concat(Array.from({ length: 500 }, () => frame(OP.TEXT, '{"type":"say"}'))));
  await server.waitLog(/closed for flooding/);
  const ana = await openRaw(server, stage);
  await ana.write(frame(OP.TEXT, '{"type":"say"}'));
  await ana.frame(); /* the host has seen to all that came before */
  assert.equal(server.stderr.match(/closed for flooding/g).length, 1);
});
