--- commands.lua: what is said to all and begins with a slash and a word is a command.
--
--   /me TEXT        says *TEXT*                    /join ROOM, /part, /rooms  rooms.lua
--   /msg NAME TEXT  whispers to who has the name   /topic [TEXT]              rooms.lua
--   /nick NAME      another name                   /away TEXT, /back          typing.lua
--   /help           lists those that there are     //TEXT                     says /TEXT
--
-- A command for which the rules have no handler is not there. Each is checked and answered as the message that it
-- stands for. /help is answered by a whisper of the client to itself, which all clients can show.
--
-- Errors: unknown_command (with a "hint"), no_such_user, ambiguous_name, and those of the messages.
-- In app.use it stands behind what counts messages (rate) and before what looks at their content.
local chat = require "charlua"
local names = require "names"
local refuse = require "refuse"
local text = require "text"

local commands = { on = {} }

local CONTENT_MAX = 4096 * 4 + 8 -- bytes; what is longer is left to the app to refuse
local NAME_MAX = 64 * 4 -- bytes

--- What NAME and TEXT are in "NAME TEXT": the client of `room` and the text. The longest name counts, for names may
-- have spaces. Or nil and what is wrong.
local function find_peer(room, said)
  local found, others, ends, longest
  for at in (said:sub(1, NAME_MAX + 1) .. " "):gmatch("()%s") do
    local key = names.key(chat.escape_html(said:sub(1, at - 1)))
    if key and key ~= longest then
      local peer, more = names.find(room, key)
      if peer then found, others, ends, longest = peer, more, at, key end
    end
  end
  if not found then return nil, "no_such_user" end
  if others then return nil, "ambiguous_name" end
  return found, said:sub(ends + 1)
end

--- Commands that become what the client says: run(client, msg, said) changes msg, or returns false.
local function me(_, msg, said)
  msg.content = said ~= "" and "*" .. said .. "*" or ""
end

local function whisper(client, msg, said)
  local peer, content = find_peer(client.state.room, said)
  if not peer then return refuse(client, content) end
  msg.to_uid, msg.content = peer.id, content
end

local help -- below

--- In the order of /help. Those with `types` become a message of the first type that the rules handle, with the text
-- as `field`.
local COMMANDS = {
  { name = "help", usage = "/help", run = function(...) return help(...) end },
  { name = "me", usage = "/me TEXT", run = me },
  { name = "msg", usage = "/msg NAME TEXT", run = whisper },
  { name = "nick", usage = "/nick NAME", types = { "nick", "login" }, field = "name" },
  { name = "away", usage = "/away TEXT", types = { "away" }, field = "text" },
  { name = "back", usage = "/back", types = { "back" } },
  { name = "topic", usage = "/topic [TEXT]", types = { "topic" }, field = "topic" },
  { name = "rooms", usage = "/rooms", types = { "rooms" } },
  { name = "join", usage = "/join ROOM", types = { "join" }, field = "room" },
  { name = "part", usage = "/part", types = { "part" } },
}

--- The first of `types` that the rules handle, and its handler.
local function handled(types)
  for _, type in ipairs(types) do
    local handler = chat.handler(type)
    if handler then return type, handler end
  end
end

function help(client)
  local lines = {}
  for _, command in ipairs(COMMANDS) do
    if command.run or handled(command.types) then lines[#lines + 1] = command.usage end
  end
  client:send(chat.object("type", "say", "from_uid", client.id, "to_uid", client.id,
    "content", table.concat(lines, "<br />\n"), "time", text.timestamp()))
  return false
end

--- Takes commands, so that nobody after it hears of them; the rest goes on.
function commands.on.say(client, msg)
  local content = msg.content
  if msg.to_uid ~= "all" or not client.state.room then return end
  if type(content) ~= "string" or #content > CONTENT_MAX or content:sub(1, 1) ~= "/" then return end
  if content:sub(1, 2) == "//" then
    msg.content = content:sub(2)
    return
  end
  local name, at = content:match("^/(%a+)%f[%s\0]()")
  if not name then return end -- such as /usr/bin or 7/8
  local said = text.strip(content:sub(at))
  for _, command in ipairs(COMMANDS) do
    if command.name == name:lower() then
      if command.run then return command.run(client, msg, said) end
      local type, handler = handled(command.types)
      if not handler then break end
      local meant = { type = type }
      if command.field and said ~= "" then meant[command.field] = said end
      handler(client, meant, "command")
      return false
    end
  end
  return refuse(client, "unknown_command", "hint", "/help lists the commands; // says what begins with /")
end

-- /msg finds names in their index.
commands[1] = chat.hook("on.login", names.hold, 5)
commands.on_close = names.release
commands.on_reload = names.adopt

return commands
