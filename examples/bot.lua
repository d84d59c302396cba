--- bot.lua: a small chat with a robot among its members, who answers !time, !dice 6 and !help.
-- It speaks login, say, user_list and logout as the default chat does, in one room and without whispers: the page of
-- that chat works with it. The robot is a module: it hears what the chat did not refuse, and knows nothing else of it.
local chat = require "charlua"

local ROBOT = { uid = 0, name = "Robot" } -- no client ever has the uid 0
local NAME_MAX, CONTENT_MAX = 64, 4096 -- characters

local function timestamp()
  return os.date("%Y-%m-%d %H:%M:%S", math.floor(chat.now()))
end

--- Tells `client` what was wrong; false, so that no other handler sees the message.
local function refuse(client, reason)
  client:send(chat.object("type", "error", "error", reason))
  return false
end

--- `text`, HTML-escaped, if it is a string of 1 to `max` characters, none of them one of `unwanted`; else nil.
local function clean(text, max, unwanted)
  local length = type(text) == "string" and #text <= max * 4 and utf8.len(text)
  return length and length >= 1 and length <= max and not text:find(unwanted) and chat.escape_html(text) or nil
end

local function say(uid, content)
  chat.room("lobby"):send(chat.object("type", "say", "from_uid", uid, "to_uid", "all", "content", content,
    "time", timestamp()))
end

local commands = {} -- the robot's, by name: a function of the rest of the line, which returns the answer

function commands.help() return "I know !time, !dice SIDES and !help." end

function commands.time() return "It is " .. timestamp() .. "." end

function commands.dice(rest)
  local sides = rest == "" and 6 or tonumber(rest:match("^%d%d?%d?$") or "")
  if not sides or sides < 2 then return "A die has 2 to 999 sides: !dice 6" end
  return ("A die of %d shows %d."):format(sides, math.random(sides))
end

--- Comes after the chat's own handler (priority 0): the question is heard before its answer.
local robot = {
  chat.hook("on.say", function(_, msg)
    local name, rest = msg.content:match("^!(%l+)%s*(.*)$")
    local command = commands[name]
    if command then say(ROBOT.uid, command(rest:match("^.*%S") or "")) end
  end, 10),
}

local app = { api = 1, on = {}, use = { robot } }

function app.on.login(client, msg)
  local name, key = clean(msg.name, NAME_MAX, "%c"), chat.name_key(msg.name)
  if not name or not key then return refuse(client, "bad_name") end
  if key == chat.name_key(ROBOT.name) then return refuse(client, "name_taken") end
  if not client:join("lobby") then return refuse(client, "bad_room") end
  local known = client.state.name ~= nil
  client.state.name = name
  if not known then app.on.user_list(client) end
  chat.room("lobby"):send(chat.object("type", "login", "uid", client.id, "name", name, "time", timestamp()))
end

function app.on.say(client, msg)
  if not client.state.name then return refuse(client, "not_logged_in") end
  if msg.to_uid ~= "all" then return refuse(client, "no_such_user") end
  local content = clean(msg.content, CONTENT_MAX, "\0")
  if not content then return refuse(client, "bad_content") end
  say(client.id, content)
end

--- The robot is the first in the list, as it was there before everybody.
function app.on.user_list(client)
  if not client.state.name then return refuse(client, "not_logged_in") end
  local list = { ROBOT }
  for _, member in ipairs(chat.room("lobby"):members { limit = 1000 }) do -- a handler has 50 ms
    list[#list + 1] = chat.object("uid", member.id, "name", member.state.name)
  end
  client:send(chat.object("type", "user_list", "user_list", list))
end

function app.on_close(client)
  if not client.state.name then return end
  client:leave("lobby")
  chat.room("lobby"):send(chat.object("type", "logout", "uid", client.id, "time", timestamp()))
end

return app
