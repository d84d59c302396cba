/* capture.test.mjs: a conversation of workerman-chat, recorded with tcpdump in 2014, whose wire protocol this server
 * keeps: what its browser sent goes in, what its server sent has to come out, byte for byte. Of the masked frames
 * the recording shows no bytes, only their lengths. Two things differ: uids and times are today's, and the recorded
 * server lost the hour of a `say` ("2014-08-12 :51:02"), which makes our frame two bytes longer than its 102. */
import assert from "node:assert/strict";
import { dialRaw, frame, OP } from "./raw.mjs";
import { overThreads, ROOT } from "./server.mjs";

const REQUEST = Buffer.from([
  "GET / HTTP/1.1",
  "Host: 127.0.0.1:7272",
  "User-Agent: Mozilla/5.0 (X11; Ubuntu; Linux i686; rv:31.0) Gecko/20100101 Firefox/31.0",
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
  "Accept-Language: zh-cn,zh;q=0.8,en-us;q=0.5,en;q=0.3",
  "Accept-Encoding: gzip, deflate",
  "Sec-WebSocket-Version: 13",
  "Origin: http://127.0.0.1:55151",
  "Sec-WebSocket-Key: zPDr6m4czzUdOFnsxIUEAw==",
  "Cookie: Hm_lvt_abcf9330bef79b4aba5b24fa373506d9=1402048017; " +
    "Hm_lvt_5fedb3bdce89499492c079ab4a8a0323=1403063068,1403141761; " +
    "Hm_lvt_7b1919221e89d2aa5711e4deb935debd=1407836536; Hm_lpvt_7b1919221e89d2aa5711e4deb935debd=1407837000",
  "Connection: keep-alive, Upgrade",
  "Pragma: no-cache",
  "Cache-Control: no-cache",
  "Upgrade: websocket",
  "", "",
].join("\r\n"));

const RESPONSE = Buffer.from([
  "HTTP/1.1 101 Switching Protocols",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Connection: Upgrade",
  "Sec-WebSocket-Accept: nSsCeIBUsFnDJCRb/BNlFzBUDpM=",
  "", "",
].join("\r\n"));

const MASK = Buffer.from([0xa5, 0x5a, 0x13, 0x7f]);
const LOGIN = frame(OP.TEXT, '{"type":"login","name":"mynick"}', { mask: MASK });
const SAY = frame(OP.TEXT, '{"type":"say","to_uid":"all","content":"hi,  all !"}', { mask: MASK });

const PIG = "783654164";
const MYNICK = "783700053";

/* What the recorded server sent, header and payload. */
const sent = (length, text) => Buffer.concat([Buffer.from([0x81, length]), Buffer.from(text)]);
const USER_LIST = sent(0x6c, '{"type":"user_list","user_list":[{"uid":783654164,"name":"\\u732a\\u732a"},' +
  '{"uid":783700053,"name":"mynick"}]}');
const LOGGED_IN = sent(0x4d, '{"type":"login","uid":783700053,"name":"mynick","time":"2014-08-12 17:50:30"}');
const SAID = sent(0x64 + 2, '{"type":"say","from_uid":783700053,"to_uid":"all","content":"hi,  all !",' +
  '"time":"2014-08-12 17:51:02"}');
const LOGGED_OUT = sent(0x3e, '{"type":"logout","uid":783700053,"time":"2014-08-12 17:52:00"}');

/* `bytes` with the recorded uids and times in the places of today's, which are of the same length. */
function asRecorded(bytes, uids, time) {
  let text = bytes.toString("latin1").replace(/"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"/g, `"${time}"`);
  for (const [ours, theirs] of uids) text = text.replaceAll(`uid":${ours}`, `uid":${theirs}`);
  return text;
}

/* The next frame `raw` gets is `recorded`. */
async function hears(raw, recorded, uids, time = "2014-08-12 17:50:30") {
  const { bytes } = await raw.frame();
  assert.equal(asRecorded(bytes, uids, time), recorded.toString("latin1"));
  assert.equal(bytes.length, recorded.length);
  const [said] = /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/.exec(bytes.toString("latin1")) ?? [];
  if (said) assert.ok(Math.abs(Date.parse(said.replace(" ", "T")) - Date.now()) < 60_000, `the time is now: ${said}`);
}

const OPTIONS = { script: `${ROOT}scripts/chat.lua` };

async function enter(server, stage) {
  const raw = await dialRaw(server);
  stage.defer(() => raw.destroy());
  await raw.write(REQUEST);
  assert.equal((await raw.read(RESPONSE.length)).toString("latin1"), RESPONSE.toString("latin1"));
  return raw;
}

overThreads("capture_request_of_715_bytes_is_answered_with_the_captured_156", OPTIONS, async (server, stage) => {
  assert.equal(REQUEST.length, 715);
  assert.equal(RESPONSE.length, 156);
  const raw = await enter(server, stage);
  await raw.write(frame(OP.CLOSE));
  assert.deepEqual((await raw.frame()).bytes, Buffer.from([0x88, 0]), "and with nothing behind them");
  assert.equal((await raw.end()).length, 0);
});

overThreads("capture_session_of_two_browsers_comes_out_byte_for_byte", OPTIONS, async (server, stage) => {
  assert.deepEqual([LOGIN.length, SAY.length], [38, 58], "the frames that the browser sent, masked");
  assert.deepEqual([USER_LIST.length, LOGGED_IN.length, SAID.length], [110, 79, 102 + 2]);

  const pig = await enter(server, stage);
  await pig.write(frame(OP.TEXT, '{"type":"login","name":"猪猪"}', { mask: MASK }));
  const alone = JSON.parse((await pig.frame()).payload);
  await pig.frame();

  const mynick = await enter(server, stage);
  await mynick.write(LOGIN);
  const list = await mynick.frame();
  const uids = JSON.parse(list.payload).user_list.map(({ uid }, i) => [uid, [PIG, MYNICK][i]]);
  assert.equal(uids[0][0], alone.user_list[0].uid);
  for (const [uid] of uids) assert.match(String(uid), /^\d{9}$/);
  assert.equal(asRecorded(list.bytes, uids, ""), USER_LIST.toString("latin1"));
  await hears(mynick, LOGGED_IN, uids);
  await hears(pig, LOGGED_IN, uids);

  await mynick.write(SAY);
  await hears(mynick, SAID, uids, "2014-08-12 17:51:02");
  await hears(pig, SAID, uids, "2014-08-12 17:51:02");

  await mynick.write(frame(OP.CLOSE));
  await hears(pig, LOGGED_OUT, uids, "2014-08-12 17:52:00");
  assert.deepEqual((await mynick.frame()).bytes, Buffer.from([0x88, 0]));
});
