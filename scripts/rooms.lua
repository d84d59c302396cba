--- rooms.lua: clients change rooms; rooms have topics, and passwords if who makes them wants it.
-- A client that knows none of this stays in the room of its login, and sees the default chat.
--
--   join   {"room":...[,"password":...]}  out of the present room and into this one; who makes a room may give it a
--          password, and has to be logged in. To those left: logout; then as after a login; then to the client
--          {"type":"join","room":...[,"private":true][,"topic":...]}
--   part   back to the room `home`; without one out of all rooms: {"type":"part","room":...}
--   rooms  {"type":"rooms","rooms":[{"name":...,"size":...[,"topic":...]}][,"more":true]}: the largest public ones
--   topic  [{"topic":...}]  what it is, or a new one, "" for none: to the room {"type":"topic","topic":...,"uid":...}
--   login  may have a "password", too, and is followed by a topic if there is one
--
-- Errors: not_logged_in, bad_room, already_there, bad_password, password_needed, not_private, too_many_attempts,
-- bad_topic, not_allowed.
-- A topic is set by who has been longest in the room, that is its maker until it leaves. A password is known by its
-- digest only. A room ends with its last member, and its topic and password with it.
local chat = require "charlua"

local rooms = { on = {} }

local options = {
  home = "lobby", -- belongs to nobody and is never private; false: part leads out
  listed = 100, -- rooms in a list
  attempts = 5, -- wrong passwords of one client in a minute
  moderator = false, -- function(client): whether it may set the topic of any room
}
local TOPIC_MAX, PASSWORD_MAX = 200, 64 -- characters
local LIST_SECONDS = 1 -- a list is made once in this time
local KNOWN_MAX = 10000 -- public rooms that a list chooses from
local PLAIN = { ["&amp;"] = "&", ["&lt;"] = "<", ["&gt;"] = ">", ["&quot;"] = '"', ["&#039;"] = "'" }

local crypto = chat.crypto
local known, known_count = {}, 0 -- public rooms by name: going through chat.rooms() for every list takes too long
local listed, listed_at -- the last list

--- Sets options; see above. Returns the module.
function rooms.configure(changes)
  for key, value in pairs(changes) do
    if options[key] == nil then error("rooms: there is no option '" .. tostring(key) .. "'", 2) end
    options[key] = value
  end
  return rooms
end

local function refuse(client, reason)
  client:send(chat.object("type", "error", "error", reason))
  return false
end

--- What this module keeps of `room` or `client`, whatever an older version of it has left there.
local function state_of(owner)
  local state = owner.state
  if type(state.rooms) ~= "table" then state.rooms = {} end
  return state.rooms
end

--- Whether `text` is a string of at most `max` characters.
local function is_short(text, max)
  return type(text) == "string" and #text <= max * 4 and (utf8.len(text) or max + 1) <= max
end

local function know(room)
  if known[room.name] or known_count >= KNOWN_MAX then return end
  known[room.name], known_count = room, known_count + 1
end

local function forget(room)
  if not known[room.name] then return end
  known[room.name], known_count = nil, known_count - 1
end

local function digest(password, salt)
  return crypto.sha256(salt .. password)
end

--- What is wrong with the password in `msg`, which is for entering msg.room; nil if nothing is.
local function password_problem(client, msg)
  local room, password = msg.room, msg.password
  if room.name == options.home then return nil end
  if password ~= nil and (not is_short(password, PASSWORD_MAX) or password == "") then return "bad_password" end
  if room.size == 0 then return nil end
  local secret = state_of(room).secret
  if not secret then return password and "not_private" end
  if not password then return "password_needed" end
  local tries, now = state_of(client), chat.now()
  if type(tries.since) ~= "number" or now - tries.since >= 60 then tries.since, tries.wrong = now, 0 end
  if tries.wrong >= options.attempts then return "too_many_attempts" end
  if crypto.equal(digest(password, secret.salt), secret.digest) then return nil end
  tries.wrong = tries.wrong + 1
  return "bad_password"
end

--- Who may not enter is stopped here, before other modules tell it anything about the room.
local function check(client, msg)
  msg.leaves = client.state.room
  local problem = msg.enters and password_problem(client, msg)
  if problem then return refuse(client, problem) end
end
rooms[1] = chat.hook("on.login", check, -10)

--- The client is in: who made the room has given it a password; who came by `join` hears where it is.
local function entered(client, msg, moves)
  if not msg.enters then return end
  local room, kept = msg.room, state_of(msg.room)
  if room.size == 1 and msg.password and room.name ~= options.home then
    local salt = crypto.token()
    kept.secret = { salt = salt, digest = digest(msg.password, salt) }
  end
  if not kept.secret then know(room) end
  if msg.leaves and msg.leaves.size == 0 then forget(msg.leaves) end
  if moves then
    client:send(chat.object("type", "join", "room", chat.escape_html(room.name),
      "private", kept.secret and true or nil, "topic", kept.topic))
  elseif kept.topic then
    client:send(chat.object("type", "topic", "topic", kept.topic))
  end
end
rooms[2] = chat.hook("on.login", entered, 5)

--- Into the room named `name`, by a login with the name that the client has.
local function move(client, name, password)
  local state = client.state
  if not state.name then return refuse(client, "not_logged_in") end
  if state.room and state.room.name == name then return refuse(client, "already_there") end
  local login = { type = "login", name = state.name:gsub("&#?%w+;", PLAIN), room = name, password = password }
  return chat.handler("login")(client, login, true)
end

function rooms.on.join(client, msg)
  if type(msg.room) ~= "string" then return refuse(client, "bad_room") end
  return move(client, msg.room:match("^%s*(.-)%s*$"), msg.password)
end

function rooms.on.part(client)
  local state = client.state
  local room = state.room
  if not room then return refuse(client, "not_logged_in") end
  if options.home then return move(client, options.home) end
  client:leave(room)
  room:send(chat.object("type", "logout", "uid", client.id, "time", os.date("%Y-%m-%d %H:%M:%S", chat.now() // 1 | 0)))
  client:send(chat.object("type", "part", "room", chat.escape_html(room.name)))
  if room.size == 0 then forget(room) end
  state.room = nil
end

--- Before the app takes the client out of its room.
function rooms.on_close(client)
  local room = client.state.room
  if room and room.size == 1 then forget(room) end
end

--- The rooms that are there already, for a list.
function rooms.on_reload()
  for _, room in ipairs(chat.rooms()) do
    local member = room:members()[1]
    if member and member.state.room == room and not state_of(room).secret then know(room) end
  end
end

--- The largest public rooms, as the message that lists them.
local function make_list()
  local found, sizes = {}, {}
  for _, room in pairs(known) do
    local size, at = room.size, #found + 1
    if size == 0 then forget(room) end -- it has ended unheard
    if size > (sizes[options.listed] or 0) then
      while at > 1 and sizes[at - 1] < size do at = at - 1 end
      table.insert(found, at, room)
      table.insert(sizes, at, size)
      found[options.listed + 1], sizes[options.listed + 1] = nil, nil
    end
  end
  if not found[1] then return '{"type":"rooms","rooms":[]}' end -- an empty table would be an object
  for i, room in ipairs(found) do
    found[i] = chat.object("name", chat.escape_html(room.name), "size", sizes[i], "topic", state_of(room).topic)
  end
  return chat.object("type", "rooms", "rooms", found, "more", known_count > #found or nil)
end

function rooms.on.rooms(client)
  local now = chat.now()
  if not listed or now - listed_at >= LIST_SECONDS or now < listed_at then
    listed, listed_at = make_list(), now
  end
  client:send(listed)
end

--- Whether `client` may say what its room is about.
local function may_set_topic(client, room)
  if options.moderator and options.moderator(client) then return true end
  return room.name ~= options.home and room:members()[1] == client
end

function rooms.on.topic(client, msg)
  local room, topic = client.state.room, msg.topic
  if not room then return refuse(client, "not_logged_in") end
  if topic == nil then
    return client:send(chat.object("type", "topic", "topic", state_of(room).topic or ""))
  end
  if not is_short(topic, TOPIC_MAX) or topic:find("%c") or topic:find("\xC2[\x80-\x9F]") then
    return refuse(client, "bad_topic")
  end
  if not may_set_topic(client, room) then return refuse(client, "not_allowed") end
  topic = chat.escape_html(topic)
  room:send(chat.object("type", "topic", "topic", topic, "uid", client.id))
  state_of(room).topic = topic ~= "" and topic or nil
end

return rooms
