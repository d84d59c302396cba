/* browser.test.mjs: the page of scripts/public/ in a real browser, with several people in the room. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { connect } from "./client.mjs";
import { rulesWith } from "./modules.mjs";
import { DEADLINE_MS, ROOT, startServer } from "./server.mjs";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--no-first-run"];
const SHOTS = `${ROOT}build/e2e/`;
const SERVER = { args: ["--page", "scripts/public"], script: "scripts/chat.lua", threads: 1 };

/* What a browser says by itself about a server that is away: expected only where the scenario takes it away. */
const LINE_LOST = /^WebSocket connection to .* failed/;

let browser;
before(async () => {
  browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
});
after(() => browser?.close());

/* One scenario: its own server, any number of pages (each its own browser profile), and no error on any console. */
function scenario(name, play, script = SERVER.script) {
  test(name, async () => {
    const stage = { server: await startServer({ ...SERVER, script }), pages: [], errors: [], mayLoseLine: false };
    stage.open = (options) => openPage(stage, options);
    stage.join = async (nick, options) => {
      const page = await openPage(stage, options);
      await joinAs(page, nick);
      return page;
    };
    try {
      await play(stage);
      const errors = stage.errors.filter((text) => !(stage.mayLoseLine && LINE_LOST.test(text)));
      assert.deepEqual(errors, [], "the consoles are silent");
    } catch (error) {
      await mkdir(SHOTS, { recursive: true });
      const file = name.replace(/\W+/g, "-");
      await Promise.allSettled(stage.pages.map((page, i) => page.screenshot({ path: `${SHOTS}${file}-${i}.png` })));
      throw error;
    } finally {
      await Promise.allSettled(stage.pages.map((page) => page.context().close()));
      await stage.server.stop();
    }
  });
}

async function openPage(stage, { query = "", locale = "en-GB", ...options } = {}) {
  const context = await browser.newContext({ locale, ...options });
  context.setDefaultTimeout(DEADLINE_MS);
  const page = await context.newPage();
  stage.pages.push(page);
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) stage.errors.push(message.text());
  });
  page.on("pageerror", (error) => stage.errors.push(String(error)));
  page.on("dialog", (dialog) => {
    stage.errors.push(`a dialog opened: ${dialog.message()}`);
    dialog.dismiss();
  });
  await page.goto(stage.server.pageUrl + query);
  return page;
}

async function joinAs(page, nick) {
  await page.locator("#nick").fill(nick);
  await page.keyboard.press("Enter");
  await page.locator('#link[data-state="connected"]').waitFor();
  await page.locator("#text:focus").waitFor();
}

async function say(page, text) {
  await page.locator("#text").fill(text);
  await page.keyboard.press("Enter");
}

const messages = (page) => page.locator("#log .msg .text").allTextContents();
const heard = (page, text) => page.locator("#log .msg .text").getByText(text, { exact: true }).waitFor();
const noted = (page, text) => page.locator("#log .note").filter({ hasText: text }).first().waitFor();
const person = (page, name) => page.locator(".person").filter({ has: page.locator(".name").getByText(name, { exact: true }) });
const away = (page, hidden) => page.evaluate((value) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => value });
  document.dispatchEvent(new Event("visibilitychange"));
}, hidden);
/* Leaves the page's next socket in window.line, so that a scenario can speak as the server. */
const tapLine = (page) => page.evaluate(() => {
  const Real = WebSocket;
  window.WebSocket = class extends Real {
    constructor(...args) {
      super(...args);
      window.line = this;
    }
  };
});
const titleIs = (page, title) => page.waitForFunction((wanted) => document.title === wanted, title);

scenario("page_shows_who_joins_who_talks_and_who_leaves", async (stage) => {
  const ana = await stage.join("Ana");
  const beto = await stage.join("Beto");
  await noted(ana, "Beto joined");
  await person(ana, "Beto").waitFor();
  await person(beto, "Ana").waitFor();
  assert.equal(await ana.locator("#people-count").textContent(), "2");

  await say(ana, "hi,  all !");
  await heard(beto, "hi,  all !");
  await heard(ana, "hi,  all !");
  assert.match(await beto.locator("#log .msg time").textContent(), /^\d\d:\d\d$/);
  await say(beto, "hello Ana");
  await heard(ana, "hello Ana");

  await beto.close();
  await noted(ana, "Beto left");
  await person(ana, "Beto").waitFor({ state: "detached" });
});

scenario("page_sends_with_enter_and_breaks_lines_with_shift_enter", async (stage) => {
  const ana = await stage.join("Ana");
  const beto = await stage.join("Beto");
  await ana.locator("#text").pressSequentially("one");
  await ana.keyboard.press("Shift+Enter");
  await ana.locator("#text").pressSequentially("two");
  await ana.keyboard.press("Enter");
  await heard(beto, "one\ntwo");
  assert.equal(await ana.locator("#text").inputValue(), "");
});

scenario("page_whispers_reach_two_people_and_nobody_else", async (stage) => {
  const ana = await stage.join("Ana");
  const beto = await stage.join("Beto");
  const eva = await stage.join("Eva");
  await person(ana, "Beto").click();
  await ana.locator("#target").getByText("In private to Beto").waitFor();
  await say(ana, "psst");
  await heard(beto, "psst");
  await heard(ana, "psst");
  assert.equal(await beto.locator("#log .msg.whisper").count(), 1);
  const hue = (await person(ana, "Beto").locator(".face").getAttribute("class")).match(/hue-\d+/)[0];
  assert.equal(await ana.locator(`#log .msg.whisper .who.${hue}`).count(), 1, "a name has one colour everywhere");

  await ana.keyboard.press("Escape");
  await ana.locator("#target").waitFor({ state: "hidden" });
  await say(ana, "for all");
  await heard(eva, "for all");
  assert.deepEqual(await messages(eva), ["for all"]);
});

scenario("page_never_turns_a_whisper_to_someone_gone_into_a_message_to_all", async (stage) => {
  const ana = await stage.join("Ana");
  const beto = await stage.join("Beto");
  const eva = await stage.join("Eva");
  await person(ana, "Beto").click();
  await beto.close();
  await ana.locator("#target.gone").waitFor();
  await say(ana, "a secret");
  await ana.locator("#notice").getByText("Beto is not here any more").waitFor();
  assert.equal(await ana.locator("#text").inputValue(), "a secret");
  await ana.keyboard.press("Escape");
  await say(ana, "not a secret");
  await heard(eva, "not a secret");
  assert.deepEqual(await messages(eva), ["not a secret"]);
});

scenario("page_is_usable_with_the_keyboard_alone", async (stage) => {
  const ana = await stage.join("Ana");
  const beto = await stage.join("Beto");
  await noted(ana, "Beto joined");
  await ana.keyboard.press("Tab"); /* send */
  await ana.keyboard.press("Tab"); /* people: the first is Ana herself */
  await ana.keyboard.press("ArrowDown");
  await ana.keyboard.press("Enter");
  await ana.locator("#text:focus").waitFor();
  await ana.keyboard.type("by hand");
  await ana.keyboard.press("Enter");
  await beto.locator("#log .msg.whisper").getByText("by hand").waitFor();
});

scenario("page_shows_a_new_name_to_everybody", async (stage) => {
  const ana = await stage.join("Ana");
  const beto = await stage.join("Beto");
  await noted(ana, "Beto joined");
  await person(beto, "Beto").click();
  await beto.locator("#rename-nick").fill("Norberto");
  await beto.keyboard.press("Enter");
  await noted(ana, "Beto is now Norberto");
  await noted(beto, "You are now Norberto");
  await person(ana, "Norberto").waitFor();
  assert.equal(await person(ana, "Beto").count(), 0);
  await say(beto, "me again");
  await heard(ana, "me again");
  await ana.locator("#log .msg .who").getByText("Norberto").waitFor();
});

scenario("page_shows_markup_as_text_and_runs_nothing", async (stage) => {
  const evil = [
    "<script>window.hit = 1</script>",
    '<img src=x onerror="window.hit = 1">',
    "'\"><svg onload=window.hit=1>",
    "javascript:window.hit=1 &lt;b&gt; &amp;amp; &#039; <br />",
    "https://a.example/\"onmouseover=\"window.hit=1",
  ];
  const ana = await stage.join("Ana");
  const beto = await stage.join("<img src=x onerror=window.hit=1>");
  await noted(ana, "<img src=x onerror=window.hit=1> joined");
  for (const text of evil) await say(beto, text);
  for (const page of [ana, beto]) {
    for (const text of evil) await heard(page, text);
    assert.deepEqual(await messages(page), evil);
    assert.equal(await page.locator("#log img, #log script, #log svg, #people-list img").count(), 0);
    assert.equal(await page.evaluate(() => window.hit), undefined);
  }
  const links = await ana.locator("#log a").evaluateAll((all) => all.map((a) => [a.textContent, a.protocol, a.rel]));
  assert.deepEqual(links, [["https://a.example/", "https:", "noopener noreferrer nofollow"]]);
});

scenario("page_comes_back_with_its_name_when_the_server_does", async (stage) => {
  const ana = await stage.join("Ana", { query: "?room=patio" });
  await say(ana, "before");
  await heard(ana, "before");
  stage.mayLoseLine = true;
  const { port } = stage.server;
  await stage.server.stop("SIGKILL");
  await ana.locator("#link-text").getByText(/^Reconnecting in \d+ s$/).waitFor();
  await noted(ana, "The connection was lost");
  await say(ana, "written meanwhile");
  assert.equal(await ana.locator("#text").inputValue(), "written meanwhile");

  stage.server = await startServer({ ...SERVER, listen: `127.0.0.1:${port}` });
  await noted(ana, "Connected again as Ana");
  assert.deepEqual(await messages(ana), ["before"]);
  const beto = await connect(stage.server.url);
  beto.send({ type: "login", name: "Beto", room: "patio" });
  const { user_list } = await beto.next((m) => m.type === "user_list");
  assert.deepEqual(user_list.map((user) => user.name), ["Ana", "Beto"]);
  await ana.locator("#text").press("Enter");
  assert.equal((await beto.next((m) => m.type === "say")).content, "written meanwhile");
  await beto.close();
});

scenario("page_reconnects_at_once_when_asked_to", async (stage) => {
  const ana = await stage.join("Ana");
  stage.mayLoseLine = true;
  const { port } = stage.server;
  await ana.evaluate(() => { Math.random = () => 1; });
  await stage.server.stop("SIGKILL");
  await ana.locator("#link-text").getByText(/in [4-9] s/).waitFor();
  stage.server = await startServer({ ...SERVER, listen: `127.0.0.1:${port}` });
  await ana.locator("#retry").click();
  await ana.locator('#link[data-state="connected"]').waitFor({ timeout: 2_000 });
});

scenario("page_counts_unread_messages_in_its_title", async (stage) => {
  const ana = await stage.join("Ana");
  const beto = await stage.join("Beto");
  await away(ana, true);
  await say(beto, "one");
  await say(beto, "two");
  await titleIs(ana, "(2) Charlua");
  await away(ana, false);
  await titleIs(ana, "Charlua");
  await titleIs(beto, "Charlua");
});

scenario("page_keeps_the_last_500_lines", async (stage) => {
  const page = await stage.open();
  await tapLine(page);
  await joinAs(page, "Ana");
  await page.evaluate(() => {
    for (let i = 0; i < 600; i++) {
      const say = { type: "say", from_uid: 1, to_uid: "all", content: `n ${i}`, time: "2014-08-12 17:50:30" };
      window.line.onmessage({ data: JSON.stringify(say) });
    }
  });
  await heard(page, "n 599");
  assert.equal(await page.locator("#log > *").count(), 500);
});

scenario("page_survives_a_server_that_talks_nonsense", async (stage) => {
  const page = await stage.open();
  await tapLine(page);
  await joinAs(page, "Ana");
  await page.evaluate(() => {
    const nonsense = ["", "{", "null", "7", "[]", '{"type":"toString"}', '{"type":"__proto__"}', '{"type":"user_list"}',
      '{"type":"login"}', '{"type":"login","uid":"7","name":{}}', '{"type":"say","from_uid":null}',
      '{"type":"say","from_uid":5,"to_uid":{},"content":"<b>raw</b><br />\\nx","time":7}', '{"type":"logout"}',
      '{"type":"error","error":{"a":1}}', '{"type":"error","error":"constructor"}', '{"type":["say"]}',
      '{"type":"user_list","user_list":[null,7,{"uid":1},{"uid":8,"name":""}]}'];
    window.line.send = () => {}; /* the real server would mend the list of people */
    for (const data of nonsense) window.line.onmessage({ data });
  });
  await heard(page, "<b>raw</b>\nx");
  await page.locator("#notice").getByText("The server reported a problem.").waitFor();
  await person(page, "?").waitFor(); /* uid 8, who has no name */
});

scenario("page_explains_every_error_and_gives_the_message_back", async (stage) => {
  const page = await stage.open();
  await tapLine(page);
  await joinAs(page, "Ana");
  const fail = (code) => page.evaluate((error) => {
    window.line.onmessage({ data: JSON.stringify({ type: "error", error }) });
  }, code);
  await say(page, "heard");
  await heard(page, "heard");
  await fail("internal");
  assert.equal(await page.locator("#text").inputValue(), "", "what has arrived is not given back");

  await page.evaluate(() => { window.line.send = (text) => { window.sent = JSON.parse(text); }; });
  const explained = new Set();
  for (const error of ["bad_json", "no_type", "unknown_type", "binary", "internal", "too_fast", "bad_name", "bad_content",
    "bad_room", "no_such_user", "name_taken", "name_reserved", "password_needed", "banned",
    "muted", "slow_down", "unknown_command", "ambiguous_name", "already_there", "not_allowed", "bad_topic", "bad_text",
    "not_away", "bad_password", "not_private", "too_many_attempts"]) {
    await say(page, "not heard");
    assert.equal(await page.locator("#text").inputValue(), "");
    await fail(error);
    assert.equal(await page.locator("#text").inputValue(), "not heard", error);
    explained.add(await page.locator("#notice").textContent());
  }
  assert.equal(explained.size, 26, "each has a sentence of its own");
  assert.ok(!explained.has("The server reported a problem."));
  await fail("not_logged_in");
  assert.deepEqual(await page.evaluate(() => window.sent), { type: "login", name: "Ana" });
});

const ROOMS = rulesWith("commands", "nicknames", "rooms", "history", "typing");

scenario("page_gets_along_with_the_ready_made_rules", async (stage) => {
  const ana = await stage.join("Ana");
  const eva = await stage.join("Eva");
  await say(eva, "before you came");
  await heard(ana, "before you came");
  await eva.close();

  const beto = await stage.open();
  await beto.locator("#nick").fill("ana");
  await beto.keyboard.press("Enter");
  await beto.locator("#join-error").getByText("Somebody here has that name already.").waitFor();
  await joinAs(beto, "Beto");
  await heard(beto, "before you came");
  assert.equal(await beto.locator("#log .msg .who .name").textContent(), "Eva");
  assert.equal(await beto.locator(".person").count(), 2);

  await say(beto, "/dance");
  await beto.locator("#notice").getByText("There is no such command. /help lists them.").waitFor();
  await say(beto, "/nick Carl");
  await noted(ana, "Carl");
  await say(beto, "/help");
  await beto.locator("#log .msg.whisper .text").getByText("/msg NAME TEXT").waitFor();
  await say(beto, "/msg Ana psst");
  await heard(ana, "psst");
}, ROOMS);

scenario("page_shows_what_commands_did", async (stage) => {
  const ana = await stage.join("Ana");
  const beto = await stage.join("Beto");
  await noted(ana, "Beto joined");
  await say(beto, "/away at lunch & back at 3");
  await noted(ana, "Beto is away: at lunch & back at 3");
  await say(beto, "/back");
  await noted(ana, "Beto is back");
  await say(ana, "/rooms");
  await noted(ana, "Rooms: lobby (2)");
  await say(ana, "/topic");
  await noted(ana, "There is no topic");
  await say(ana, "/join the <den>");
  await noted(ana, "You are in the <den> now");
  assert.equal(await ana.locator("#room").textContent(), "# the <den>");
  assert.equal(await ana.locator(".person").count(), 1);
  await say(ana, "/topic tea");
  await noted(ana, "Ana set the topic: tea");
  await say(beto, "/join the <den>");
  await noted(beto, "Topic: tea");
  await say(beto, "hi there");
  await heard(ana, "hi there");

  stage.mayLoseLine = true; /* it comes back into the room that it went to */
  const { port } = stage.server;
  await stage.server.stop("SIGKILL");
  await noted(beto, "The connection was lost");
  stage.server = await startServer({ ...SERVER, script: ROOMS, listen: `127.0.0.1:${port}` });
  await Promise.all([noted(ana, "Connected again as Ana"), noted(beto, "Connected again as Beto")]);
  await say(ana, "again");
  await heard(beto, "again");
}, ROOMS);

/* Rules in which whoever says {"type":"kick"} sends everybody else away. */
function rulesThatKick() {
  const path = rulesWith();
  writeFileSync(path, `local app, chat = require "chat", require "charlua"
function app.on.kick(client)
  for _, other in ipairs(chat.clients()) do
    if other ~= client then other:close(1008, "kicked") end
  end
end
return app
`);
  return path;
}

scenario("page_of_who_was_sent_away_stays_at_the_door_until_asked", async (stage) => {
  const ana = await stage.join("Ana");
  const moderator = await connect(stage.server.url);
  moderator.send({ type: "kick" });
  await ana.locator("#join-error").getByText("You were sent away.").waitFor();
  await moderator.close();
  await joinAs(ana, "Ana");
  await ana.locator(".person").waitFor();
}, rulesThatKick());

/* Rules in which a client of "/?silent" is in the lobby, as n1, n2 and so on, without having told anybody. */
function rulesOfCrowd() {
  const path = rulesWith();
  writeFileSync(path, `local app, chat, n = require "chat", require "charlua", 0
app.use = { { on_open = function(client, request)
  if not request.query.silent then return end
  n = n + 1
  client.state.name, client.state.room = "n" .. n, chat.room "lobby"
  client:join("lobby")
end } }
return app
`);
  return path;
}

scenario("page_is_usable_in_a_room_of_thousands", async (stage) => {
  const crowd = [];
  for (let i = 0; i < 1500; i++) crowd.push(await connect(`${stage.server.url}?silent`));
  const ana = await stage.join("Ana");
  const count = ana.locator("#people-count");
  assert.equal(await count.textContent(), "1000+");
  assert.equal(await ana.locator(".person").count(), 1000);

  const say = (guest, content) => guest.send({ type: "say", to_uid: "all", content });
  say(crowd[1399], "hello from afar");
  await heard(ana, "hello from afar");
  await ana.locator("#log .msg .who .name").getByText("n1400", { exact: true }).waitFor();
  assert.equal(await ana.locator(".person").count(), 1000);

  const beto = await stage.join("Beto");
  await say(crowd[0], "after Beto");
  await heard(ana, "after Beto");
  await crowd[0].close();
  await person(ana, "n1").waitFor({ state: "detached" });
  assert.equal(await ana.locator("#log .note").count(), 1, "only that Ana joined");

  const toEnd = () => ana.locator("#people-list").evaluate((list) => { list.scrollTop = list.scrollHeight; });
  for (let pages = 0; (await count.textContent()).endsWith("+"); pages++) {
    assert.ok(pages < 10);
    const before = await ana.locator(".person").count();
    await toEnd();
    await ana.waitForFunction((n) => document.querySelectorAll(".person").length > n, before);
  }
  assert.equal(await count.textContent(), "1501");
  assert.equal(await ana.locator(".person").count(), 1501);
  await person(ana, "n1450").click();
  await ana.locator("#text").fill("psst");
  await ana.keyboard.press("Enter");
  const { content } = await crowd[1449].next((message) => message.to_uid !== "all" && message.type === "say");
  assert.equal(content, "psst");
  await beto.close();
  await noted(ana, "Beto left"); /* all are listed: it is a room like any other */
  for (const guest of crowd) guest.drop();
}, rulesOfCrowd());

scenario("page_sends_no_half_composed_word", async (stage) => {
  const ana = await stage.join("Ana");
  await ana.locator("#text").fill("ni");
  await ana.locator("#text").dispatchEvent("keydown", { key: "Enter", isComposing: true, bubbles: true, cancelable: true });
  assert.equal(await ana.locator("#text").inputValue(), "ni");
  await ana.keyboard.press("Enter");
  await heard(ana, "ni");
});

scenario("page_explains_a_name_it_cannot_send", async (stage) => {
  const page = await stage.open();
  await page.locator("#nick").fill("x".repeat(65));
  await page.keyboard.press("Enter");
  await page.locator("#join-error").getByText("A name has 1 to 64 characters.").waitFor();
  await joinAs(page, "\u{1F319}".repeat(64));
});

for (const [locale, words] of [["es-AR", ["Entrar", "ha entrado"]], ["zh-CN", ["加入", "加入了"]], ["fr-FR", ["Join", "joined"]]]) {
  scenario(`page_speaks_the_language_of_the_browser_${locale}`, async (stage) => {
    const page = await stage.open({ locale });
    assert.equal(await page.locator("#join-button").textContent(), words[0]);
    await joinAs(page, "Ana");
    await stage.join("Beto");
    await noted(page, words[1]);
  });
}

scenario("page_fits_a_phone", async (stage) => {
  const ana = await stage.join("Ana");
  const beto = await stage.join("Beto", { viewport: { width: 360, height: 640 }, hasTouch: true, isMobile: true });
  await say(ana, `a long word: ${"x".repeat(300)}`);
  await beto.locator("#log .msg").waitFor();
  const overflow = await beto.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.equal(overflow, 0);
  assert.equal(await person(beto, "Ana").isVisible(), false);
  await beto.locator("#people-toggle").tap();
  await person(beto, "Ana").tap();
  await beto.locator("#target").getByText("In private to Ana").waitFor();
  await person(beto, "Ana").waitFor({ state: "hidden" });
});
