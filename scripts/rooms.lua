--- rooms.lua: clients change rooms; rooms have topics, and passwords if who makes them wants it.
-- A client that knows none of this stays in the room of its login, and sees the default chat. Three features have
-- files of their own: room_topics.lua, room_passwords.lua, room_list.lua.
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
local configure = require "configure"
local list = require "room_list"
local passwords = require "room_passwords"
local refuse = require "refuse"
local text = require "text"
local topics = require "room_topics"
local walk = require "walk"

local rooms = { on = {} }

local ROOM_MAX = 64 -- characters

local options = {
  home = "lobby", -- belongs to nobody and is never private; false: part leads out
  listed = 100, -- rooms in a list
  attempts = 5, -- wrong passwords of a room and network in a minute
  moderator = false, -- function(client): whether it may set the topic of any room
}

--- Sets options; see above. Returns the module.
function rooms.configure(changes)
  configure("rooms", options, changes, { home = "boolean", moderator = "function" })
  return rooms
end

--- What this module keeps of `room`, whatever an older version of it has left there.
local function state_of(room)
  local state = room.state
  if type(state.rooms) ~= "table" then state.rooms = {} end
  return state.rooms
end

--- Who may not enter is stopped here, before other modules tell it anything about the room.
local function check(client, msg)
  msg.leaves = client.state.room
  local room = msg.room
  if not msg.enters or room.name == options.home then return end
  local kept = room.size > 0 and state_of(room) or {} -- asking for the state of a room that can't be raises
  local problem = passwords.problem(client, msg, kept, options.attempts)
  if problem then return refuse(client, problem) end
end
rooms[1] = chat.hook("on.login", check, -10)

--- The client is in: who made the room has given it a password; who came by `join` hears where it is.
local function entered(client, msg, by)
  if not msg.enters then return end
  local room, kept = msg.room, state_of(msg.room)
  if room.size == 1 and msg.password and room.name ~= options.home then passwords.set(kept, msg.password) end
  if not passwords.is_private(kept) then list.know(room) end
  if msg.leaves and msg.leaves.size == 0 then list.forget(msg.leaves) end
  if by == "join" then
    client:send(chat.object("type", "join", "room", chat.escape_html(room.name),
      "private", passwords.is_private(kept) or nil, "topic", kept.topic))
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
  local login = { type = "login", name = text.unescape(state.name), room = name, password = password }
  return chat.handler("login")(client, login, "join")
end

function rooms.on.join(client, msg)
  local name = text.trim(msg.room, ROOM_MAX)
  if not name then return refuse(client, "bad_room") end
  return move(client, name, msg.password)
end

function rooms.on.part(client)
  local state = client.state
  local room = state.room
  if not room then return refuse(client, "not_logged_in") end
  if options.home then return move(client, options.home) end
  client:leave(room)
  room:send(chat.object("type", "logout", "uid", client.id, "time", text.timestamp()))
  client:send(chat.object("type", "part", "room", chat.escape_html(room.name)))
  if room.size == 0 then list.forget(room) end
  state.room = nil
end

--- Before the app takes the client out of its room.
function rooms.on_close(client)
  local room = client.state.room
  if room and room.size == 1 then list.forget(room) end
end

local function know_room_of(client)
  local room = client.state.room
  if room and not passwords.is_private(state_of(room)) then list.know(room) end
end

--- The rooms that are there already, for a list.
function rooms.on_reload()
  chat.spawn(walk, know_room_of)
end

function rooms.on.rooms(client)
  client:send(list.message(options.listed, function(room) return state_of(room).topic end))
end

function rooms.on.topic(client, msg)
  local room = client.state.room
  if not room then return refuse(client, "not_logged_in") end
  return topics.answer(client, msg, room, state_of(room), options.home, options.moderator)
end

return rooms
