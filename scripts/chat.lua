--- chat.lua: the rules of the chat: login, say, user_list. Edit, save, and they change.
-- The API is told in README.md beside this file; `make run` reloads whenever it is saved.
local chat = require "charlua"
local enter = require "enter"
local names = require "names"
local refuse = require "refuse"
local text = require "text"

local app = { api = 1, on = {} }

local NAME_MAX, CONTENT_MAX = 64, 4096 -- characters
local DEFAULT_ROOM = "lobby"

--- The text that may be shown, HTML-escaped, with line breaks as "<br />" and the newline, or nil.
local function clean_content(content)
  if not text.is_short(content, CONTENT_MAX) or content == "" then return nil end
  content = chat.escape_html(content)
  return content:find("\n", 1, true) and content:gsub("\r?\n", "<br />%0") or content
end

local SHOWN = { "name", "away" } -- of client.state, in each entry of a user_list behind the uid

--- Tells those in `room` that `client` has left it.
local function say_goodbye(client, room)
  room:send(chat.object("type", "logout", "uid", client.id, "time", text.timestamp()))
end

--- Before all modules: msg.room becomes the room that a login is for, and msg.enters whether the client is not in it
-- yet. A room is chosen once, by the first login, and chosen anew when a module logs the client in again `by` a "join".
local function choose_room(client, msg, by)
  local room = client.state.room
  if by == "join" or not room then
    local wanted = msg.room == nil and DEFAULT_ROOM or text.trim(msg.room, NAME_MAX)
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
  local state, room, name = client.state, msg.room, names.clean(msg.name, NAME_MAX)
  if not name then return refuse(client, "bad_name") end
  if msg.enters then
    if not enter(client, room, state.room) then return refuse(client, "bad_room") end
    if state.room then say_goodbye(client, state.room) end
    local own = chat.object("uid", client.id, "name", name, "away", state.away)
    local list = room:list(SHOWN, { except = client, last = own }) -- the first 1,000, and the newcomer
    client:send(chat.object("type", "user_list", "user_list", list))
  end
  room:send(chat.object("type", "login", "uid", client.id, "name", name, "time", text.timestamp()))
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
  msg.content, msg.time = content, text.timestamp() -- as they are sent, for modules that come after
  local say = chat.object("type", "say", "from_uid", client.id, "to_uid", peer and peer.id or "all",
    "content", content, "time", msg.time)
  if not peer then return room:send(say) end
  peer:send(say)
  if peer ~= client then client:send(say) end
end

--- {"type":"user_list"}: to the asker the first 1,000 in order of joining. With "after":uid or "limit":n: those behind
-- that one, so many, and "more" if there are others. With "uid": that one alone.
function app.on.user_list(client, msg)
  local room, limit = client.state.room, msg.limit
  if not room then return refuse(client, "not_logged_in") end
  if limit ~= nil and not (type(limit) == "number" and limit >= 1 and limit <= 1000 and limit % 1 == 0) then
    return refuse(client, "bad_limit")
  end
  local from = msg.uid
  if from == nil then from = msg.after end
  local peer = chat.client(from)
  if from ~= nil and (not peer or peer.state.room ~= room) then return refuse(client, "no_such_user") end
  if msg.uid ~= nil then
    local entry = chat.object("uid", peer.id, "name", peer.state.name, "away", peer.state.away)
    return client:send(chat.object("type", "user_list", "user_list", { entry }, "uid", peer.id))
  end
  local list, more = room:list(SHOWN, { after = peer, limit = limit })
  client:send(chat.object("type", "user_list", "user_list", list, "after", peer and peer.id,
    "more", (peer or limit) and more or nil))
end

--- Tells the room that one of its members has left.
function app.on_close(client)
  local room = client.state.room
  if not room then return end
  client:leave(room)
  say_goodbye(client, room)
end

--- Runs in a scratch state before these rules replace older ones; an error here keeps the old ones.
function app.selftest()
  assert(names.clean("  mynick ", NAME_MAX) == "mynick" and names.clean("a\nb", NAME_MAX) == nil)
  assert(clean_content("hi,  all !") == "hi,  all !")
  assert(clean_content("a\n<b>") == "a<br />\n&lt;b&gt;")
end

return app
