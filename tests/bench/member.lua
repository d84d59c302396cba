--- member.lua: rules for what is measured without anybody being told: 10,000 who log in would tell each other
-- 50 million times. "login" joins a room and answers its client alone, "join" joins more rooms, "say" is that of
-- scripts/chat.lua without its checks.
local chat = require "charlua"

local app = { api = 1, on = {} }

local function timestamp()
  return os.date("%Y-%m-%d %H:%M:%S", math.floor(chat.now()))
end

--- Everybody may come in. It is here so that every connection has its client in Lua.
function app.on_open() end

--- {"type":"login","name":...,"room":...}
function app.on.login(client, msg)
  local room = chat.room(msg.room)
  client:join(room)
  client:send(chat.object("type", "login", "uid", client.id, "name", msg.name, "time", timestamp()))
  client.state.name, client.state.room = msg.name, room
end

--- {"type":"join","from":F,"count":N}: into the rooms "m<F>", "m<F+1>", ..., N of them.
function app.on.join(client, msg)
  for i = msg.from, msg.from + msg.count - 1 do
    assert(client:join("m" .. math.tointeger(i)))
  end
  client:send(chat.object("type", "join"))
end

--- {"type":"say","content":...}
function app.on.say(client, msg)
  local content = chat.escape_html(msg.content):gsub("\r?\n", "<br />%0")
  client.state.room:send(chat.object("type", "say", "from_uid", client.id, "to_uid", "all", "content", content,
    "time", timestamp()))
end

return app
