/* chat.js: the page's one script: joins a room, shows it, and comes back when the line is lost.
 *
 * Names and messages arrive escaped for HTML. Here they are unescaped once (plain()) and shown as text nodes, so
 * nothing a person or a server sends is ever read as HTML: this file has no innerHTML, and must not get one. */

const MAX_NAME = 64;
const MAX_TEXT = 4096;
const MAX_KEPT = 500; /* lines that stay in the page */
const LIST_MAX = 1000; /* a list of people with so many may have been cut */
const PAGE_SIZE = 200; /* people asked for at a time, beyond these */
const MAX_UNKNOWN = 50; /* people whose names are still to be asked for */
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
const ANSWER_MS = 15_000; /* a server that is silent for this long after a question is taken for lost */
const NOTICE_MS = 8_000;
const SENT_AWAY = 1008; /* the close code of rules, and of limits, that want somebody out */
const HUES = 12;

/* ---- Language ---- */

const LANGUAGES = {
  en: {
    welcome: "Come in and talk", lead: "Choose a name, and you are in.", nickname: "Nickname", join: "Join",
    people: "People", peopleHint: "Choose somebody to write in private.", messages: "Messages", message: "Message",
    send: "Send", hint: "Enter sends, Shift+Enter starts a new line", you: "you", retry: "Retry now",
    renameTitle: "Change your name", cancel: "Cancel", close: "Close", save: "Save", leaveWhisper: "Write to everybody again (Escape)",
    toAll: "Write to everybody", toOne: "Write to {name} in private", writeTo: "{name}: write in private",
    yourself: "{name} (you): change your name", whisperTo: "In private to {name}",
    targetGone: "{name} is not here any more",
    gone: "{name} is not here any more. Press Escape to write to everybody.",
    fromOne: "{name}, in private", fromMe: "to {name}, in private", meToAll: "you",
    joined: "{name} joined", left: "{name} left", renamed: "{old} is now {name}", youJoined: "You joined as {name}",
    youRenamed: "You are now {name}", lost: "The connection was lost", sentAway: "You were sent away.", back: "Connected again as {name}",
    connecting: "Connecting…", connected: "Connected", waiting: "Reconnecting in {n} s",
    nowIn: "You are in {room} now", nowOut: "You have left {room}", topicIs: "Topic: {topic}", topicNone: "There is no topic",
    topicSet: "{name} set the topic: {topic}", rooms: "Rooms: {rooms}", roomsNone: "There are no public rooms",
    isAway: "{name} is away: {text}", isBack: "{name} is back", kicked: "{name} was sent away: {reason}",
    isMuted: "{name} is muted for {n} s: {reason}", isUnmuted: "{name} is not muted any more",
    slowMode: "One message every {n} s now", slowModeOff: "No waiting between messages any more",
    fresh: ["{n} new message", "{n} new messages"], left_chars: "{n} left", over_chars: "{n} too many",
    nameLength: "A name has 1 to 64 characters.", textLength: "A message has at most 4096 characters.",
    offline: "Not connected: your message stays here until the line is back.",
    errors: {
      bad_json: "The server could not read that.", no_type: "The server could not tell what that was.",
      unknown_type: "This room does not know that kind of message.", binary: "This room takes only text.",
      internal: "Something went wrong in the server. Please try again.",
      too_fast: "That was a little too fast. Take a breath and send it again.",
      bad_name: "That name will not do. A name has 1 to 64 characters.",
      bad_content: "That message will not do. It may have 1 to 4096 characters.",
      bad_room: "There cannot be a room with that name.", not_logged_in: "You are not in the room yet.",
      no_such_user: "That person is not here any more.", name_taken: "Somebody here has that name already.",
      name_reserved: "That name is reserved. Choose another one.", password_needed: "That room is private.",
      banned: "You are banned.", muted: "You are muted: nobody hears that.", slow_down: "Slow down, and send it again.",
      unknown_command: "There is no such command. /help lists them.",
      ambiguous_name: "More than one person here has that name.", already_there: "You are in that room already.",
      not_allowed: "You may not do that.", bad_topic: "That topic will not do. It may have 200 characters.",
      bad_text: "That will not do. It may have 1 to 200 characters.", not_away: "You are not away.",
      bad_password: "That is not the password of the room.", not_private: "That room is public: it has no password.",
      too_many_attempts: "Too many wrong tries. Wait a while.",
    },
    unknownError: "The server reported a problem.",
  },
  es: {
    welcome: "Pasa y conversa", lead: "Elige un nombre y ya estás dentro.", nickname: "Apodo", join: "Entrar",
    people: "Personas", peopleHint: "Elige a alguien para escribirle en privado.", messages: "Mensajes",
    message: "Mensaje", send: "Enviar", hint: "Intro envía, Mayús+Intro salta de línea", you: "tú",
    retry: "Reintentar ya", renameTitle: "Cambia tu nombre", cancel: "Cancelar", close: "Cerrar", save: "Guardar",
    leaveWhisper: "Volver a escribir a todos (Escape)", toAll: "Escribe a todos",
    toOne: "Escribe a {name} en privado", writeTo: "{name}: escribir en privado",
    yourself: "{name} (tú): cambiar de nombre", whisperTo: "En privado para {name}",
    targetGone: "{name} ya no está aquí", gone: "{name} ya no está aquí. Pulsa Escape para escribir a todos.",
    fromOne: "{name}, en privado", fromMe: "a {name}, en privado", meToAll: "tú",
    joined: "{name} ha entrado", left: "{name} se ha ido", renamed: "{old} ahora es {name}",
    youJoined: "Has entrado como {name}", youRenamed: "Ahora eres {name}", lost: "Se perdió la conexión", sentAway: "Te han echado.",
    nowIn: "Ahora estás en {room}", nowOut: "Has salido de {room}", topicIs: "Tema: {topic}", topicNone: "No hay tema",
    topicSet: "{name} ha puesto el tema: {topic}", rooms: "Salas: {rooms}", roomsNone: "No hay salas públicas",
    isAway: "{name} no está: {text}", isBack: "{name} ha vuelto", kicked: "Han echado a {name}: {reason}",
    isMuted: "{name} está en silencio {n} s: {reason}", isUnmuted: "{name} ya puede hablar",
    slowMode: "Ahora, un mensaje cada {n} s", slowModeOff: "Ya no hay espera entre mensajes",
    back: "De nuevo en línea como {name}", connecting: "Conectando…", connected: "En línea",
    waiting: "Nuevo intento en {n} s", fresh: ["{n} mensaje nuevo", "{n} mensajes nuevos"],
    left_chars: "quedan {n}", over_chars: "sobran {n}", nameLength: "Un nombre tiene de 1 a 64 caracteres.",
    textLength: "Un mensaje tiene como mucho 4096 caracteres.",
    offline: "Sin conexión: tu mensaje espera aquí hasta que vuelva.",
    errors: {
      bad_json: "El servidor no pudo leer eso.", no_type: "El servidor no supo qué era eso.",
      unknown_type: "Esta sala no conoce ese tipo de mensaje.", binary: "Esta sala solo admite texto.",
      internal: "Algo falló en el servidor. Inténtalo otra vez.",
      too_fast: "Vas un poco rápido. Respira y envíalo otra vez.",
      bad_name: "Ese nombre no vale. Un nombre tiene de 1 a 64 caracteres.",
      bad_content: "Ese mensaje no vale. Puede tener de 1 a 4096 caracteres.",
      bad_room: "No puede haber una sala con ese nombre.", not_logged_in: "Todavía no estás en la sala.",
      no_such_user: "Esa persona ya no está aquí.", name_taken: "Alguien aquí ya tiene ese nombre.",
      name_reserved: "Ese nombre está reservado. Elige otro.", password_needed: "Esa sala es privada.",
      banned: "Estás expulsado.", muted: "Estás silenciado: nadie oye eso.", slow_down: "Más despacio; envíalo otra vez.",
      unknown_command: "No existe esa orden. /help las muestra.",
      ambiguous_name: "Aquí hay más de una persona con ese nombre.", already_there: "Ya estás en esa sala.",
      not_allowed: "No puedes hacer eso.", bad_topic: "Ese tema no vale. Puede tener 200 caracteres.",
      bad_text: "Eso no vale. Puede tener de 1 a 200 caracteres.", not_away: "No estabas ausente.",
      bad_password: "Esa no es la contraseña de la sala.", not_private: "Esa sala es pública: no tiene contraseña.",
      too_many_attempts: "Demasiados intentos fallidos. Espera un rato.",
    },
    unknownError: "El servidor informó de un problema.",
  },
  zh: {
    welcome: "进来聊聊", lead: "取个名字，就可以开始聊天。", nickname: "昵称", join: "加入", people: "在线成员",
    peopleHint: "选择一个人发送私信。", messages: "消息", message: "消息", send: "发送",
    hint: "Enter 发送，Shift+Enter 换行", you: "我", retry: "立即重试", renameTitle: "修改昵称", cancel: "取消", close: "关闭",
    save: "保存", leaveWhisper: "退出私信（Esc）", toAll: "对所有人说", toOne: "给 {name} 发私信",
    writeTo: "{name}：发私信", yourself: "{name}（我）：修改昵称", whisperTo: "私信给 {name}",
    targetGone: "{name} 已离开", gone: "{name} 已离开。按 Esc 可对所有人说话。", fromOne: "{name} 的私信",
    fromMe: "发给 {name} 的私信", meToAll: "我", joined: "{name} 加入了", left: "{name} 离开了",
    renamed: "{old} 改名为 {name}", youJoined: "你以 {name} 的名字加入了", youRenamed: "你现在叫 {name}",
    lost: "连接已断开", sentAway: "你已被请出。", back: "已重新连接，昵称 {name}", connecting: "正在连接…", connected: "已连接",
    waiting: "{n} 秒后重新连接", fresh: ["{n} 条新消息", "{n} 条新消息"], left_chars: "还可输入 {n} 字",
    nowIn: "你现在在 {room}", nowOut: "你离开了 {room}", topicIs: "话题：{topic}", topicNone: "没有话题",
    topicSet: "{name} 设置了话题：{topic}", rooms: "房间：{rooms}", roomsNone: "没有公开的房间", isAway: "{name} 离开一下：{text}",
    isBack: "{name} 回来了", kicked: "{name} 被请出：{reason}", isMuted: "{name} 被禁言 {n} 秒：{reason}",
    isUnmuted: "{name} 已解除禁言", slowMode: "现在每 {n} 秒可发一条消息", slowModeOff: "已取消发言间隔",
    over_chars: "超出 {n} 字", nameLength: "昵称为 1 到 64 个字符。", textLength: "消息最多 4096 个字符。",
    offline: "尚未连接：消息会留在这里，等待恢复连接。",
    errors: {
      bad_json: "服务器无法读取该内容。", no_type: "服务器无法识别该内容。", unknown_type: "本房间不支持这种消息。",
      binary: "本房间只接受文本。", internal: "服务器出了点问题，请再试一次。", too_fast: "发得有点快，请稍等再发。",
      bad_name: "这个昵称不可用。昵称为 1 到 64 个字符。", bad_content: "这条消息无法发送。消息为 1 到 4096 个字符。",
      bad_room: "不能使用这个房间名。", not_logged_in: "你还没有加入房间。", no_such_user: "对方已不在这里。",
      name_taken: "这里已有人使用这个昵称。", name_reserved: "这个昵称已被保留，请换一个。", password_needed: "这个房间是私密的。",
      banned: "你已被封禁。", muted: "你已被禁言。", slow_down: "请慢一点，稍后再发。", unknown_command: "没有这个命令。/help 可查看命令。",
      ambiguous_name: "这里有不止一个人叫这个名字。", already_there: "你已经在那个房间了。", not_allowed: "你没有权限。",
      bad_topic: "这个话题不可用，最多 200 个字符。", bad_text: "这段文字不可用，需 1 到 200 个字符。", not_away: "你并没有离开。",
      bad_password: "房间密码不对。", not_private: "那个房间是公开的，没有密码。", too_many_attempts: "错误次数过多，请稍后再试。",
    },
    unknownError: "服务器报告了一个问题。",
  },
};

/* The first of the reader's languages that is spoken here: [its key above, the reader's own tag for dates]. */
function pickLanguage() {
  for (const tag of navigator.languages) {
    const base = tag.toLowerCase().split("-")[0];
    if (Object.hasOwn(LANGUAGES, base)) return [base, tag];
  }
  return ["en", "en"];
}

const [language, locale] = pickLanguage();
const strings = LANGUAGES[language];

function fill(template, values) {
  return template.replace(/\{(\w+)\}/g, (whole, key) => (key in values ? values[key] : whole));
}

/* The template as nodes, each {name} isolated, so that one name's direction cannot reorder the sentence. */
function sentence(template, values) {
  return template.split(/(\{\w+\})/).filter((part) => part !== "").map((part) => {
    const key = /^\{(\w+)\}$/.exec(part)?.[1];
    return key === undefined ? part : make("bdi", "name", values[key]);
  });
}

function translatePage() {
  document.documentElement.lang = language === "zh" ? "zh-Hans" : language;
  for (const node of document.querySelectorAll("[data-t]")) node.textContent = strings[node.dataset.t];
  for (const node of document.querySelectorAll("[data-t-label]")) {
    node.setAttribute("aria-label", strings[node.dataset.tLabel]);
    if (node.tagName === "BUTTON") node.title = strings[node.dataset.tLabel];
  }
}

/* ---- Text ---- */

const ENTITIES = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#039;": "'", "&#39;": "'", "&amp;": "&" };

/* Undoes the server's escaping, once: one pass, so that "&amp;lt;" is the text "&lt;" and nothing else. */
function plain(escaped) {
  return escaped.replace(/<br \/>\r?\n?|&(?:lt|gt|quot|amp|#0?39);/g, (found) => ENTITIES[found] ?? "\n");
}

/* A name as it is, so that it can be sent again; only a line break or nothing at all could spoil the page. */
function plainName(escaped) {
  const name = [...plain(escaped).replace(/[\r\n]+/g, " ")].slice(0, MAX_NAME).join("");
  return name.trim() === "" ? "?" : name;
}

function countCharacters(text) {
  let n = 0;
  for (const _ of text) n++;
  return n;
}

function hueOf(name) {
  let h = 0;
  for (let i = 0; i < name.length; i++) h = (h * 31 + name.charCodeAt(i)) >>> 0;
  return `hue-${h % HUES}`;
}

function initialOf(name) {
  const first = Intl.Segmenter ? new Intl.Segmenter().segment(name)[Symbol.iterator]().next().value?.segment : [...name][0];
  return (first ?? "?").toLocaleUpperCase();
}

/* ---- Nodes ---- */

const $ = (id) => document.getElementById(id);

function make(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

/* "2014-08-12 17:50:30" as the server's clock says it; null for anything else. */
function readTime(time) {
  const m = typeof time === "string" && /^(\d{4})-(\d\d)-(\d\d) (\d\d:\d\d):\d\d$/.exec(time);
  return m ? { full: time, day: time.slice(0, 10), short: m[4], utc: Date.UTC(+m[1], m[2] - 1, +m[3]) } : null;
}

function timeNode(at) {
  if (!at) return "";
  const node = make("time", "", at.short);
  node.dateTime = at.full.replace(" ", "T");
  node.title = at.full;
  return node;
}

/* Web addresses become links: http and https only, and what is shown is what is opened. */
function textNodes(text) {
  return text.split(/(https?:\/\/[^\s<>"']*[^\s<>"'.,;:!?)\]}])/).map((part, i) => {
    if (i % 2 === 0 || !URL.canParse(part)) return part;
    const link = make("a", "", part);
    link.href = part;
    link.target = "_blank";
    link.rel = "noopener noreferrer nofollow";
    return link;
  });
}

/* ---- The line to the server: keeps one socket open, waiting longer after every failure ---- */

class Line {
  #url;
  #on;
  #socket = null;
  #failures = 0;
  #isSettled = false;
  #timer = 0;
  #deadline = 0;

  /* on.open(), on.text(string), on.lost(), on.sentAway() (the rules closed it: coming again at once would be no answer),
   * on.state("connecting" | "connected" | "waiting" | "off", seconds) */
  constructor(url, on) {
    this.#url = url;
    this.#on = on;
  }

  connect() {
    this.stop();
    this.#on.state("connecting");
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    this.expectAnswer();
    socket.onopen = () => this.#on.open();
    socket.onclose = ({ code }) => (code === SENT_AWAY ? this.#on.sentAway() : this.fail());
    socket.onmessage = ({ data }) => {
      if (typeof data !== "string") return;
      if (this.#isSettled) this.#answered();
      this.#on.text(data);
    };
  }

  /* The server has let us in: the next failure starts again from the shortest wait. */
  settled() {
    this.#failures = 0;
    this.#isSettled = true;
    this.#answered();
    this.#on.state("connected");
  }

  send(value) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(value));
    this.expectAnswer();
    return true;
  }

  expectAnswer() {
    this.#deadline ||= setTimeout(() => this.fail(), ANSWER_MS);
  }

  #answered() {
    clearTimeout(this.#deadline);
    this.#deadline = 0;
  }

  /* Gives this socket up and plans the next one. */
  fail() {
    this.stop();
    this.#on.lost();
    const most = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(this.#failures++, 16));
    this.#wait(performance.now() + most / 2 + (Math.random() * most) / 2);
  }

  #wait(until) {
    const left = until - performance.now();
    if (left <= 0) {
      this.connect();
      return;
    }
    this.#on.state("waiting", Math.ceil(left / 1000));
    this.#timer = setTimeout(() => this.#wait(until), Math.min(left, left % 1000 || 1000));
  }

  get isWaiting() {
    return this.#timer !== 0;
  }

  /* Leaves the socket for good: whatever it still has to say is not heard. */
  stop() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#isSettled = false;
    this.#answered();
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onclose = socket.onmessage = null;
    socket.close();
  }
}

/* ---- The log ---- */

const log = $("log");
let lastDay = "";
let lastSaid = null; /* whose line is the last one: {key, day}, or null when it is not a message */
let following = true; /* the reader is at the end, so new lines scroll into view */
let fresh = 0;
let unread = 0;
let scrollAsked = false;

function isAway() {
  return document.hidden || !document.hasFocus();
}

function showUnread() {
  document.title = unread > 0 ? `(${unread > 99 ? "99+" : unread}) Charlua` : "Charlua";
}

function markRead() {
  if (isAway() || unread === 0) return;
  unread = 0;
  showUnread();
}

function showFresh() {
  $("jump").hidden = fresh === 0;
  $("jump").textContent = `↓ ${fill(strings.fresh[fresh === 1 ? 0 : 1], { n: fresh })}`;
}

function scrollToEnd() {
  following = true;
  fresh = 0;
  showFresh();
  if (scrollAsked) return;
  scrollAsked = true;
  setTimeout(() => {
    scrollAsked = false;
    if (following) log.scrollTop = log.scrollHeight;
  }, 0);
}

function append(node) {
  log.append(node);
  while (log.childElementCount > MAX_KEPT) log.firstElementChild.remove();
  log.firstElementChild.classList.remove("follow");
  if (following) scrollToEnd();
}

function startDay(at) {
  if (!at || at.day === lastDay) return;
  lastDay = at.day;
  lastSaid = null;
  const format = new Intl.DateTimeFormat(locale, { dateStyle: "full", timeZone: "UTC" });
  append(make("div", "day", make("span", "", format.format(at.utc))));
}

function addNote(template, values, time, className = "") {
  const at = readTime(time);
  startDay(at);
  lastSaid = null;
  append(make("div", `note ${className}`, ...sentence(template, values), timeNode(at)));
}

/* who: {uid, name, known, mine, to}, where `to` is the other's name in a whisper of mine, and "" in one to me. */
function addMessage(who, content, time) {
  const at = readTime(time);
  startDay(at);
  const whisper = who.to !== undefined;
  const key = `${who.mine ? "me" : who.uid}>${whisper ? who.toUid : "all"}`;
  const names = ["msg"];
  if (who.mine) names.push("mine");
  if (whisper) names.push("whisper");
  if (lastSaid === key) names.push("follow");
  lastSaid = key;

  const hue = hueOf(who.name);
  let template = who.mine ? strings.meToAll : "{name}";
  if (whisper) template = who.mine ? strings.fromMe : strings.fromOne;
  const head = make("div", `who ${who.mine && whisper ? hueOf(who.to) : hue}`); /* the name that it shows */
  for (const part of sentence(template, { name: who.mine ? who.to : who.name })) {
    head.append(typeof part === "string" ? make("span", "aside", part) : part);
  }
  const face = make("span", `face ${hue}`, initialOf(who.name));
  face.setAttribute("aria-hidden", "true");
  const text = make("span", "text", ...textNodes(content));
  text.dir = "auto";
  const message = make("div", names.join(" "), face, head, make("div", "bubble", text, timeNode(at)));
  if (!who.known) message.dataset.unknown = who.uid;
  append(message);

  if (who.mine) {
    scrollToEnd();
    return;
  }
  if (!following) {
    fresh++;
    showFresh();
  }
  if (isAway()) {
    unread++;
    showUnread();
  }
}

/* The name of somebody who has spoken already is known now. */
function nameMessages(uid, name) {
  const hue = hueOf(name);
  for (const message of log.querySelectorAll(`[data-unknown="${uid}"]`)) {
    delete message.dataset.unknown;
    const [face, who] = message.children;
    face.className = `face ${hue}`;
    face.textContent = initialOf(name);
    who.className = `who ${hue}`;
    who.querySelector(".name").textContent = name;
  }
}

log.addEventListener("scroll", () => {
  following = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  if (following && fresh > 0) {
    fresh = 0;
    showFresh();
  }
}, { passive: true });
$("jump").addEventListener("click", () => {
  scrollToEnd();
  $("text").focus();
});
new ResizeObserver(() => {
  if (following) scrollToEnd();
}).observe(log);
document.addEventListener("visibilitychange", markRead);
window.addEventListener("focus", markRead);

/* ---- People ----
 *
 * In a room of thousands the server's list has the first 1,000 in order of joining: such a room is a crowd here. The
 * panel then shows those who were listed, in that order, and asks for more when the reader comes to their end. Others
 * are known by name alone once they have come or spoken (button is null), until the list reaches them. Who comes and
 * goes is not told in the log of a crowd: the talk would drown in it. */

const list = $("people-list");
const people = new Map(); /* uid -> {uid, name, button} */
const unknown = new Set(); /* uids of people who have spoken and whose names are to be asked for */
let crowd = false;
let asked = null; /* what of the list is being asked for: null, "page", or a uid */

function nameOf(uid) {
  return people.get(uid)?.name ?? `#${uid}`;
}

function fillPerson(person) {
  if (!person.button) return;
  const mine = person.uid === me.uid;
  const face = make("span", `face ${hueOf(person.name)}`, initialOf(person.name));
  face.setAttribute("aria-hidden", "true");
  person.button.replaceChildren(face, make("bdi", "name", person.name));
  if (mine) person.button.append(make("span", "you", strings.you));
  const label = fill(mine ? strings.yourself : strings.writeTo, { name: person.name });
  person.button.setAttribute("aria-label", label);
  person.button.title = label;
  if (mine) {
    person.button.removeAttribute("aria-pressed");
    person.button.setAttribute("aria-haspopup", "dialog");
    list.prepend(person.button.parentNode);
  } else {
    person.button.setAttribute("aria-pressed", String(target?.uid === person.uid && !target.gone));
  }
}

function addPerson(uid, name) {
  const button = make("button", "person");
  button.type = "button";
  button.tabIndex = -1;
  const person = { uid, name, button };
  button.addEventListener("click", () => {
    showDrawer(false);
    if (uid === me.uid) openRename();
    else setTarget({ uid, name: person.name, gone: false });
  });
  people.set(uid, person);
  const item = make("li", "", button);
  item.dataset.uid = uid;
  list.append(item);
  fillPerson(person);
}

/* Somebody has come, or has been asked for. */
function meet(uid, name) {
  if (crowd) people.set(uid, { uid, name, button: null });
  else addPerson(uid, name);
  showCount();
}

function showCount() {
  $("people-count").textContent = $("people-count-short").textContent = `${people.size}${crowd ? "+" : ""}`;
  if (!list.querySelector('[tabindex="0"]') && list.firstElementChild) list.firstElementChild.firstElementChild.tabIndex = 0;
}

function removePerson(person) {
  people.delete(person.uid);
  if (!person.button) {
    showCount();
    return;
  }
  const item = person.button.parentNode;
  const hadFocus = document.activeElement === person.button;
  const next = item.nextElementSibling ?? item.previousElementSibling;
  item.remove();
  showCount();
  if (hadFocus) focusPerson(next);
}

function replacePeople(entries, isCut) {
  const hadFocus = list.contains(document.activeElement);
  crowd = isCut;
  people.clear();
  list.replaceChildren();
  for (const { uid, name } of entries) if (!people.has(uid)) addPerson(uid, name);
  showCount();
  checkTarget();
  if (crowd && target?.gone) askName(target.uid);
  if (hadFocus) focusPerson(list.firstElementChild);
}

/* The next page of a crowd's list has come. */
function addPage(entries, isCut) {
  crowd = isCut;
  for (const { uid, name } of entries) if (!people.get(uid)?.button) addPerson(uid, name);
  showCount();
}

/* Asks for one name, or one page, at a time. */
function askNext() {
  const [uid] = unknown;
  if (asked !== null || uid === undefined) return;
  unknown.delete(uid);
  if (line.send({ type: "user_list", uid })) asked = uid;
}

function askName(uid) {
  if (asked !== uid && unknown.size < MAX_UNKNOWN) unknown.add(uid);
  askNext();
}

function askPage() {
  if (!crowd || asked !== null || list.scrollHeight - list.scrollTop - list.clientHeight > 600) return;
  const last = [...list.children].findLast((item) => Number(item.dataset.uid) !== me.uid);
  if (last && line.send({ type: "user_list", after: Number(last.dataset.uid), limit: PAGE_SIZE })) asked = "page";
}

function answered() {
  asked = null;
  askNext();
}

list.addEventListener("scroll", askPage, { passive: true });

/* One person can be reached with Tab; the arrows go from there. */
function focusPerson(item) {
  if (!item) {
    $("text").focus();
    return;
  }
  for (const other of list.querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
  item.firstElementChild.tabIndex = 0;
  item.firstElementChild.focus();
}

list.addEventListener("keydown", (event) => {
  const item = event.target.closest("li");
  const next = {
    ArrowDown: () => item?.nextElementSibling, ArrowUp: () => item?.previousElementSibling,
    Home: () => list.firstElementChild, End: () => list.lastElementChild,
  }[event.key]?.();
  if (!next) return;
  event.preventDefault();
  focusPerson(next);
});

function showDrawer(open) {
  const wasOpen = $("chat").classList.contains("drawer");
  $("chat").classList.toggle("drawer", open);
  $("people-toggle").setAttribute("aria-expanded", String(open));
  if (open) list.querySelector('[tabindex="0"]')?.focus();
  else if (wasOpen) $("people-toggle").focus();
}

$("people-toggle").addEventListener("click", () => showDrawer(!$("chat").classList.contains("drawer")));
for (const id of ["shade", "people-close"]) $(id).addEventListener("click", () => showDrawer(false));

/* ---- Writing ---- */

const text = $("text");
let target = null; /* {uid, name, gone} while writing in private */
let unanswered = null; /* the last message sent and not yet seen back: {content, uid} */
let noticeTimer = 0;

function notify(message) {
  clearTimeout(noticeTimer);
  $("notice").textContent = message;
  $("notice").hidden = message === "";
  if (message !== "") noticeTimer = setTimeout(() => notify(""), NOTICE_MS);
}

function setTarget(to) {
  target = to;
  $("target").hidden = target === null;
  $("composer").classList.toggle("whispering", target !== null);
  if (target) {
    $("target").classList.toggle("gone", target.gone);
    $("target-text").replaceChildren(...sentence(target.gone ? strings.targetGone : strings.whisperTo, target));
    text.placeholder = fill(strings.toOne, target);
  } else {
    text.placeholder = strings.toAll;
  }
  for (const button of list.querySelectorAll('[aria-pressed="true"]')) button.setAttribute("aria-pressed", "false");
  if (target && !target.gone && target.uid !== me.uid) {
    people.get(target.uid)?.button?.setAttribute("aria-pressed", "true");
  }
  text.focus();
}

/* A whisper never turns into a message to everybody by itself: when its target has gone the writer is told, and
 * chooses. After a reconnection the same number may be somebody else, so the name has to agree too. */
function checkTarget() {
  if (!target) return;
  const person = people.get(target.uid);
  if (!person || person.name !== target.name) target.gone = true;
  const focused = document.activeElement;
  setTarget(target);
  if (focused instanceof HTMLElement && focused !== document.body && focused.isConnected) focused.focus();
}

function fitText() {
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight + 2}px`;
  const left = MAX_TEXT - countCharacters(text.value);
  $("count").hidden = left > 200;
  $("count").classList.toggle("over", left < 0);
  $("count").textContent = fill(left < 0 ? strings.over_chars : strings.left_chars, { n: Math.abs(left) });
}

/* Puts a message that did not arrive back where it was written, unless the writer has gone on meanwhile. */
function giveBack() {
  if (unanswered && text.value === "" && (target?.uid ?? "all") === unanswered.uid) {
    text.value = unanswered.content;
    fitText();
  }
  unanswered = null;
}

function say() {
  const content = text.value.trimEnd();
  if (content === "") return;
  if (countCharacters(content) > MAX_TEXT) {
    notify(strings.textLength);
    return;
  }
  if (target?.gone) {
    notify(fill(strings.gone, target));
    return;
  }
  const uid = target?.uid ?? "all";
  if (me.phase !== "joined" || !line.send({ type: "say", to_uid: uid, content })) {
    notify(strings.offline);
    return;
  }
  unanswered = { content, uid };
  notify("");
  text.value = "";
  fitText();
}

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  say();
  text.focus();
});
text.addEventListener("input", fitText);
text.addEventListener("keydown", (event) => {
  /* 229: the Enter that ends a composition in an input method chooses a word and sends nothing. */
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  say();
});
$("target-clear").addEventListener("click", () => setTarget(null));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.isComposing || $("rename").open) return;
  if ($("chat").classList.contains("drawer")) showDrawer(false);
  else if (target) setTarget(null);
});

/* ---- Who I am ---- */

let room = new URLSearchParams(location.search).get("room") || null; /* the one to log into; null: the default */
/* phase: "out", then "asked" (login sent), "listed" (the list has come, the last in it is me), "joined".
 * It goes back to "asked" at every reconnection; `was` stays true from the first time in. */
const me = { phase: "out", uid: null, name: "", expected: null, was: false };

function rememberedName() {
  try {
    return localStorage.getItem("charlua.name") ?? "";
  } catch {
    return ""; /* storage may be forbidden; the page goes on without */
  }
}

function rememberName(name) {
  try {
    localStorage.setItem("charlua.name", name);
  } catch {
    /* as above */
  }
}

/* The name as it may be sent, or null after telling the reader what is wrong with it. */
function checkName(value, errorNode) {
  const name = value.trim();
  const n = countCharacters(name);
  errorNode.textContent = n < 1 || n > MAX_NAME ? strings.nameLength : "";
  return errorNode.textContent === "" ? name : null;
}

function askIn(name) {
  return line.send(room === null ? { type: "login", name } : { type: "login", name, room });
}

function showView(view) {
  document.body.dataset.view = view;
  $("chat").hidden = view !== "chat";
  $("join").hidden = view !== "join";
}

function backToDoor(message) {
  line.stop();
  showState("off");
  me.phase = "out";
  me.was = false;
  showView("join");
  $("join-error").textContent = message;
  $("join-button").disabled = false;
  $("nick").focus();
}

function openRename() {
  $("rename-error").textContent = "";
  $("rename-nick").value = me.name;
  $("rename").showModal();
  $("rename-nick").select();
}

$("join-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = checkName($("nick").value, $("join-error"));
  if (name === null) {
    $("nick").focus();
    return;
  }
  me.name = name;
  $("join-button").disabled = true;
  line.connect();
});
$("nick").addEventListener("input", () => {
  $("join-error").textContent = "";
  if (me.phase === "out") line.stop();
  showState("off");
  $("join-button").disabled = false;
});
$("rename-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = checkName($("rename-nick").value, $("rename-error"));
  if (name === null) return;
  $("rename").close();
  if (name !== me.name && !(me.phase === "joined" && askIn(name))) notify(strings.offline);
});
$("rename-cancel").addEventListener("click", () => $("rename").close());
$("rename").addEventListener("close", () => text.focus());

/* ---- What the server says ---- */

const isUid = (value) => Number.isSafeInteger(value);

function entriesOf(raw) {
  if (!Array.isArray(raw)) return [];
  return raw.filter((entry) => isUid(entry?.uid) && typeof entry.name === "string")
    .map((entry) => ({ uid: entry.uid, name: plainName(entry.name) }));
}

function learnName(uid, name) {
  if (!people.has(uid)) meet(uid, name);
  nameMessages(uid, name);
  if (target?.uid === uid && target.gone && target.name === name) setTarget({ ...target, gone: false });
}

function amIn(uid, name, time) {
  me.uid = uid;
  me.name = name;
  me.phase = "joined";
  showRoom(room ?? "lobby");
  rememberName(name);
  line.settled();
  fillPerson(people.get(uid));
  addNote(me.was ? strings.back : strings.youJoined, { name }, time);
  $("chat").classList.remove("cut");
  $("announce").textContent = strings.connected;
  if (me.was) return;
  me.was = true;
  $("join-button").disabled = false;
  showView("chat");
  setTarget(null);
  fitText();
}

/* What trying once more does not mend: the reader has to choose another name or room. */
const DOOR_ERRORS = new Set(["bad_name", "bad_room", "name_taken", "name_reserved", "password_needed", "banned"]);

/* Answers to a question for the list of people. */
const LIST_ERRORS = new Set(["no_such_user", "bad_limit", "slow_down", "too_fast"]);

const HANDLERS = {
  user_list(message) {
    const entries = entriesOf(message.user_list);
    const isCut = message.more === true;
    if (isUid(message.uid)) {
      for (const { uid, name } of entries) learnName(uid, name);
      answered();
      return;
    }
    if (isUid(message.after)) {
      addPage(entries, isCut);
      answered();
      return;
    }
    replacePeople(entries, isCut || entries.length >= LIST_MAX);
    answered();
    if ((me.phase !== "asked" && me.phase !== "listed") || entries.length === 0) return;
    me.expected = entries.at(-1).uid;
    me.phase = "listed";
  },

  login(message) {
    const { uid } = message;
    if (!isUid(uid) || typeof message.name !== "string") return;
    const name = plainName(message.name);
    const person = people.get(uid);
    if (me.phase === "listed" && uid === me.expected && person) {
      person.name = name;
      amIn(uid, name, message.time);
    } else if (!person) {
      meet(uid, name);
      if (!crowd) addNote(strings.joined, { name }, message.time);
    } else if (person.name !== name) {
      const old = person.name;
      person.name = name;
      if (uid === me.uid) {
        me.name = name;
        rememberName(name);
      }
      if (target?.uid === uid && !target.gone) target.name = name;
      fillPerson(person);
      checkTarget();
      if (uid === me.uid) addNote(strings.youRenamed, { old, name }, message.time);
      else if (!crowd) addNote(strings.renamed, { old, name }, message.time);
    }
  },

  say(message) {
    if (!isUid(message.from_uid) || typeof message.content !== "string") return;
    const mine = message.from_uid === me.uid;
    const whisper = message.to_uid !== "all";
    if (mine) unanswered = null;
    const told = typeof message.from_name === "string" ? plainName(message.from_name) : null; /* from before we came */
    const known = told !== null || people.has(message.from_uid);
    const who = { uid: message.from_uid, name: told ?? nameOf(message.from_uid), known, mine };
    if (whisper) Object.assign(who, { toUid: message.to_uid, to: mine ? nameOf(message.to_uid) : "" });
    addMessage(who, plain(message.content), message.time);
    if (!known) askName(message.from_uid);
  },

  logout(message) {
    const person = people.get(message.uid);
    if (!person || person.uid === me.uid) return;
    removePerson(person);
    checkTarget();
    if (!crowd) addNote(strings.left, { name: person.name }, message.time);
  },

  /* What the ready-made rules tell (rooms, typing, moderation, rate). */

  join(message) {
    if (typeof message.room !== "string") return;
    const name = plain(message.room);
    if (message.private !== true) room = name; /* where a reconnection leads; it could not give the password */
    showRoom(name);
    addNote(strings.nowIn, { room: name });
    if (typeof message.topic === "string") addNote(strings.topicIs, { topic: plain(message.topic) });
  },

  part(message) {
    if (typeof message.room !== "string") return;
    replacePeople([], false);
    addNote(strings.nowOut, { room: plain(message.room) });
  },

  topic(message) {
    if (typeof message.topic !== "string") return;
    const topic = plain(message.topic);
    if (topic === "") addNote(strings.topicNone, {});
    else if (isUid(message.uid)) addNote(strings.topicSet, { name: nameOf(message.uid), topic });
    else addNote(strings.topicIs, { topic });
  },

  rooms(message) {
    const named = (Array.isArray(message.rooms) ? message.rooms : []).filter((entry) => typeof entry?.name === "string");
    const rooms = named.map((entry) => `${plain(entry.name)} (${Number(entry.size)})`).join(", ");
    if (rooms === "") addNote(strings.roomsNone, {});
    else addNote(strings.rooms, { rooms: message.more === true ? `${rooms}, …` : rooms });
  },

  away(message) {
    if (!isUid(message.uid) || typeof message.text !== "string") return;
    addNote(strings.isAway, { name: nameOf(message.uid), text: plain(message.text) });
  },

  back(message) {
    if (isUid(message.uid)) addNote(strings.isBack, { name: nameOf(message.uid) });
  },

  kick(message) {
    if (isUid(message.uid)) addNote(strings.kicked, { name: nameOf(message.uid), reason: plain(String(message.reason)) });
  },

  mute(message) {
    if (!isUid(message.uid)) return;
    const values = { name: nameOf(message.uid), n: Math.ceil(message.seconds), reason: plain(String(message.reason)) };
    addNote(strings.isMuted, values);
  },

  unmute(message) {
    if (isUid(message.uid)) addNote(strings.isUnmuted, { name: nameOf(message.uid) });
  },

  slow_mode(message) {
    const n = Number(message.seconds);
    addNote(n > 0 ? strings.slowMode : strings.slowModeOff, { n });
  },

  error({ error }) {
    const wasAsked = asked !== null;
    answered();
    if (wasAsked && unanswered === null && LIST_ERRORS.has(error)) return; /* the reader did not ask */
    const sentenceOf = Object.hasOwn(strings.errors, error) ? strings.errors[error] : strings.unknownError;
    if (me.phase === "asked" || me.phase === "listed") {
      if (DOOR_ERRORS.has(error)) backToDoor(sentenceOf);
      else line.fail();
      return;
    }
    notify(sentenceOf);
    giveBack();
    if (error === "not_logged_in") {
      me.phase = "asked";
      askIn(me.name);
    }
  },
};

function receive(data) {
  let message = null;
  try {
    message = JSON.parse(data);
  } catch {
    return; /* not ours: a server of another kind */
  }
  if (message !== null && Object.hasOwn(HANDLERS, message.type)) HANDLERS[message.type](message);
}

function showState(state, seconds) {
  $("link").dataset.state = state;
  $("link-text").textContent = state === "off" ? "" : fill(strings[state], { n: seconds });
  $("retry").hidden = state !== "waiting";
}

const address = `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/`;
const line = new Line(address, {
  state: showState,
  text: receive,
  open() {
    me.phase = "asked";
    askIn(me.name);
  },
  lost() {
    if (me.phase === "joined" && me.was) {
      addNote(strings.lost, {}, undefined, "lost");
      $("announce").textContent = strings.lost;
      $("chat").classList.add("cut");
    }
    giveBack();
    asked = null;
    unknown.clear();
    me.phase = "out";
    me.uid = null;
  },
  sentAway() {
    backToDoor(strings.sentAway);
    me.uid = null;
  },
});

$("retry").addEventListener("click", () => {
  line.connect();
  (me.was ? text : $("nick")).focus();
});
window.addEventListener("online", () => {
  if (line.isWaiting) line.connect();
});

function showRoom(name) {
  $("room").textContent = `# ${name}`;
}

translatePage();
showRoom(room ?? "lobby");
$("nick").value = rememberedName();
text.placeholder = strings.toAll;
