--- chat.lua: the rules of the chat: login, say, user_list. Edit, save, and they change.
-- The API is told in README.md beside this file; `make run` reloads whenever it is saved.
local chat = require "charlua"

local app = { api = 1, on = {} }

local NAME_MAX, CONTENT_MAX = 64, 4096 -- characters
local DEFAULT_ROOM = "lobby"

local stamped_at, stamp -- the last timestamp, for as long as it is that second

--- The time as clients expect it: "2014-08-12 17:50:30", local.
local function timestamp()
  local now = math.floor(chat.now())
  if now ~= stamped_at then
    stamped_at, stamp = now, os.date("%Y-%m-%d %H:%M:%S", now)
  end
  return stamp
end

--- Tells `client` what was wrong with its message; false, so that nobody else hears of it.
local function refuse(client, reason)
  client:send(chat.object("type", "error", "error", reason))
  return false
end

--- `text` without white space around it if it is a string of 1 to `max` characters, else nil.
local function trimmed(text, max)
  if type(text) ~= "string" or #text > max * 4 + 64 then return nil end
  local inner = text:match("^%s*(.*%S)") or ""
  local length = utf8.len(inner)
  return length and length >= 1 and length <= max and inner or nil
end

--- Whether `text`, valid UTF-8, has a control character (U+0000-U+001F, U+007F-U+009F).
local function has_control(text)
  return text:find("%c") ~= nil or text:find("\xC2[\x80-\x9F]") ~= nil
end

--- The name that may be shown, HTML-escaped, or nil: 1 to 64 characters, none of them a control character.
local function clean_name(name)
  name = trimmed(name, NAME_MAX)
  return name and not has_control(name) and chat.escape_html(name) or nil
end

--- The text that may be shown, HTML-escaped, with line breaks as "<br />" and the newline, or nil.
local function clean_content(content)
  if type(content) ~= "string" or #content > CONTENT_MAX * 4 then return nil end
  local length = utf8.len(content)
  if not length or length < 1 or length > CONTENT_MAX then return nil end
  content = chat.escape_html(content)
  return content:find("\n", 1, true) and content:gsub("\r?\n", "<br />%0") or content
end

--- Sends `client`, whose name is `name`, everybody who is in `room`, in order of joining.
local function send_user_list(client, room, name)
  local list = {}
  for _, member in ipairs(room:members()) do
    local state = member.state
    list[#list + 1] = chat.object("uid", member.id, "name", member == client and name or state.name,
      "away", state.away)
  end
  client:send(chat.object("type", "user_list", "user_list", list))
end

--- Takes `client` out of `room` and tells those who are left.
local function leave(client, room)
  client:leave(room)
  room:send(chat.object("type", "logout", "uid", client.id, "time", timestamp()))
end

--- Before all modules: msg.room becomes the room that a login is for, and msg.enters whether the client is not in it
-- yet. A room is chosen once, by the first login; a module that `moves` the client chooses another one.
local function choose_room(client, msg, moves)
  local room = client.state.room
  if moves or not room then
    local wanted = msg.room == nil and DEFAULT_ROOM or trimmed(msg.room, NAME_MAX)
    if not wanted or #wanted > 128 then return refuse(client, "bad_room") end
    msg.room = chat.room(wanted)
  else
    msg.room = room
  end
  msg.enters = msg.room ~= room
end
app[1] = chat.hook("on.login", choose_room, -100)

--- {"type":"login","name":...[,"room":...]}: joins, or renames who has joined already.
function app.on.login(client, msg)
  local state, room, name = client.state, msg.room, clean_name(msg.name)
  if not name then return refuse(client, "bad_name") end
  if msg.enters then
    if not client:join(room) then return refuse(client, "bad_room") end
    if state.room then leave(client, state.room) end
    send_user_list(client, room, name)
  end
  room:send(chat.object("type", "login", "uid", client.id, "name", name, "time", timestamp()))
  state.name, state.room = name, room -- last: what fails above leaves them as they were
end

--- {"type":"say","to_uid":"all" or a uid,"content":...}: to the room, or to one member of it.
function app.on.say(client, msg)
  local room = client.state.room
  if not room then return refuse(client, "not_logged_in") end
  local content = clean_content(msg.content)
  if not content then return refuse(client, "bad_content") end
  local peer
  if msg.to_uid ~= "all" then
    peer = chat.client(msg.to_uid)
    if not peer or peer.state.room ~= room then return refuse(client, "no_such_user") end
  end
  msg.content, msg.time = content, timestamp() -- as they are sent, for modules that come after
  local say = chat.object("type", "say", "from_uid", client.id, "to_uid", peer and peer.id or "all",
    "content", content, "time", msg.time)
  if not peer then return room:send(say) end
  peer:send(say)
  if peer ~= client then client:send(say) end
end

--- {"type":"user_list"}: to the asker.
function app.on.user_list(client)
  local room = client.state.room
  if not room then return refuse(client, "not_logged_in") end
  send_user_list(client, room, client.state.name)
end

--- Tells the room that one of its members has left.
function app.on_close(client)
  local room = client.state.room
  if room then leave(client, room) end
end

--- Runs in a scratch state before these rules replace older ones; an error here keeps the old ones.
function app.selftest()
  assert(clean_name("  mynick ") == "mynick")
  assert(clean_name("") == nil and clean_name("a\nb") == nil and clean_name(("x"):rep(65)) == nil)
  assert(clean_name("a\u{85}") == nil and clean_name("\u{732a}\u{c5}") ~= nil)
  assert(clean_content("hi,  all !") == "hi,  all !")
  assert(clean_content("a\n<b>") == "a<br />\n&lt;b&gt;")
end

return app
