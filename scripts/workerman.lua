--- workerman.lua: the rules of workerman-chat as its later versions speak them, so that their page works unchanged.
-- An app of its own: charlua scripts/workerman.lua. All values are strings; the fields come in this order:
--
--   client sends                                             server answers
--   {"type":"login","client_name":"Ana","room_id":"1"}       login to the others there, and with client_list to Ana
--   {"type":"say","to_client_id":"all","to_client_name":"...","content":"hi"}      say to all in the room
--   {"type":"say","to_client_id":"536870913","to_client_name":"...","content":"psst"}   say to that one and to Ana
--   {"type":"pong"}                                          nothing
--
--   {"type":"login","client_id","client_name","time"[,"client_list":{client_id:client_name,...}]}
--   {"type":"say","from_client_id","from_client_name","to_client_id","content","time"}
--   {"type":"logout","from_client_id","from_client_name","time"}  to who is left
--   {"type":"ping"}                                               to everybody every 10 seconds
--   {"type":"error","error":CODE}                                 which that page ignores: bad_name, bad_room,
--                                                                 bad_content, not_logged_in, no_such_user
--
-- A private content begins with "<b>对你说: </b>", and what comes back to its sender with "<b>你对NAME说: </b>". Names
-- and contents are HTML-escaped, line breaks get a "<br />". Who is silent for a minute is closed.
--
-- Unlike there: names are escaped once everywhere (login escaped them twice); NAME is who it is, whatever
-- to_client_name says; private messages stay within the room, and one to a stranger is an error; a second login with
-- another room leaves the first one; nobody's silence was limited there; a client_list has at most 1,000 names, the
-- newcomer's among them.
--
-- With app.use = { require "roles", require "moderation", require "rate", require "nicknames" }, or some of these, they
-- do here what they do in the default chat; what they send is ignored by that page.
local chat = require "charlua"
local enter = require "enter"
local names = require "names"
local refuse = require "refuse"
local text = require "text"
local walk = require "walk"

local NAME_MAX, ROOM_MAX, CONTENT_MAX = 64, 64, 4096 -- characters
local PING_SECONDS, SILENCE_SECONDS = 10, 60
local LIST_MAX = 1000 -- names in a client_list

local app = { api = 1, on = {}, timers = {} }

--- The room's name that `id` is, a string or an integer, or nil.
local function room_name(id)
  local number = type(id) == "number" and math.tointeger(id)
  local name = text.line(number and ("%d"):format(number) or id, ROOM_MAX)
  return name and #name <= 128 and name or nil
end

--- `run` of CR and LF with "<br />" before each line break: CR LF, LF CR, or one of them.
local function break_lines(run)
  local at, parts = 1, {}
  while at <= #run do
    local pair = run:sub(at, at + 1)
    local length = (pair == "\r\n" or pair == "\n\r") and 2 or 1
    parts[#parts + 1] = "<br />" .. run:sub(at, at + length - 1)
    at = at + length
  end
  return table.concat(parts)
end

--- The text that may be shown, or nil.
local function clean_content(content)
  if not text.is_short(content, CONTENT_MAX) or content == "" then return nil end
  return (chat.escape_html(content):gsub("[\r\n]+", break_lines))
end

local function id_of(client)
  return ("%d"):format(client.id)
end

--- Tells `room` that `client` is no longer there.
local function say_goodbye(client, room)
  room:send(chat.object("type", "logout", "from_client_id", id_of(client), "from_client_name", client.state.name,
    "time", text.timestamp()))
end

--- Who is in `room`, id to name, in order of joining: the first LIST_MAX, and `client`, whose name is `name`.
local function client_list(room, client, name)
  local list, found = {}, false
  for _, member in ipairs(room:members { limit = LIST_MAX }) do
    found = found or member == client
    list[#list + 1] = id_of(member)
    list[#list + 1] = member == client and name or member.state.name
  end
  if not found then list[#list - 1], list[#list] = id_of(client), name end
  return chat.object(table.unpack(list))
end

function app.on_open(client)
  client.state.heard_at = chat.clock()
end

--- Before all modules, which may take the message away: it was heard all the same.
app[1] = chat.hook("on.*", function(client) client.state.heard_at = chat.clock() end, -100)

function app.on.pong() end

--- Before all modules: a login says what they look at: msg.name, msg.room (the object) and msg.enters, as in chat.lua.
app[2] = chat.hook("on.login", function(client, msg)
  local wanted = room_name(msg.room_id)
  if not wanted then return refuse(client, "bad_room") end
  msg.name, msg.room = msg.client_name, chat.room(wanted)
  msg.enters = msg.room ~= client.state.room
end, -100)

--- {"type":"login","client_name":...,"room_id":...}: joins, moves to another room, or renames.
function app.on.login(client, msg)
  local state, room, name = client.state, msg.room, names.clean(msg.name, NAME_MAX)
  if not name then return refuse(client, "bad_name") end
  local id, time, old = id_of(client), text.timestamp(), msg.enters and state.room or nil
  if not enter(client, room, old) then return refuse(client, "bad_room") end
  if old then say_goodbye(client, old) end
  room:send(chat.object("type", "login", "client_id", id, "client_name", name, "time", time), { except = client })
  client:send(chat.object("type", "login", "client_id", id, "client_name", name, "time", time,
    "client_list", client_list(room, client, name)))
  state.name, state.room = name, room -- last: what fails above leaves them as they were
end

--- The member of `room` whose id is `id`, or nil.
local function member_of(room, id)
  local peer = type(id) == "string" and #id <= 16 and id:find("^%d+$") and chat.client(math.tointeger(id))
  return peer and peer.state.room == room and peer or nil
end

--- {"type":"say","to_client_id":"all" or an id,"content":...}: to the room, or to one member of it.
function app.on.say(client, msg)
  local name, room = client.state.name, client.state.room
  if not room then return refuse(client, "not_logged_in") end
  local content = clean_content(msg.content)
  if not content then return refuse(client, "bad_content") end
  local function say(to, said)
    return chat.object("type", "say", "from_client_id", id_of(client), "from_client_name", name, "to_client_id", to,
      "content", said, "time", text.timestamp())
  end
  if msg.to_client_id == "all" then return room:send(say("all", content)) end
  local peer = member_of(room, msg.to_client_id)
  if not peer then return refuse(client, "no_such_user") end
  peer:send(say(id_of(peer), "<b>对你说: </b>" .. content))
  client:send(say(id_of(peer), "<b>你对" .. peer.state.name .. "说: </b>" .. content))
end

function app.on_close(client)
  local room = client.state.room
  if not room then return end
  client:leave(room)
  say_goodbye(client, room)
end

--- Closes `client` if it has been silent.
local function close_silent(client)
  local heard_at = client.state.heard_at or chat.clock() -- nil: it came under other rules
  client.state.heard_at = heard_at
  if chat.clock() - heard_at >= SILENCE_SECONDS then client:close(1008, "silent for a minute") end
end

function app.timers.ping()
  chat.send(chat.object("type", "ping"))
  walk(close_silent)
end

chat.every(PING_SECONDS, "ping")

--- Runs in a scratch state before these rules replace older ones; an error here keeps the old ones.
function app.selftest()
  assert(room_name("1") == "1" and room_name(1.0) == "1" and room_name(1.5) == nil)
  assert(clean_content("a\r\n\n\rb\n\n<") == "a<br />\r\n<br />\n\rb<br />\n<br />\n&lt;")
end

return app
