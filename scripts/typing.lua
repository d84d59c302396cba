--- typing.lua: who is writing just now, and who is away.
--
--   typing  [{"to_uid":"all" or a uid}]  to the room but for the client, or to that one of it:
--           {"type":"typing","uid":...[,"to_uid":...]}. Clients send it while somebody types and show it for some 5
--           seconds, or until a say comes; more than one in `seconds` comes to nothing, without an error.
--   away    {"text":...}  to the room {"type":"away","uid":...,"text":...}; entries of user_list have "away":TEXT
--           until the client is back, or goes
--   back    to the room {"type":"back","uid":...}
--
-- Errors: not_logged_in, no_such_user, bad_text, not_away.
local chat = require "charlua"

local typing = { on = {} }

local options = {
  seconds = 2, -- between two typings of a client that are heard
}
local TEXT_MAX = 200 -- characters

--- Sets options; see above. Returns the module.
function typing.configure(changes)
  for key, value in pairs(changes) do
    if options[key] == nil then error("typing: there is no option '" .. tostring(key) .. "'", 2) end
    options[key] = value
  end
  return typing
end

local function refuse(client, reason)
  client:send(chat.object("type", "error", "error", reason))
  return false
end

function typing.on.typing(client, msg)
  local state = client.state
  local room, last = state.room, state.typing
  if not room then return refuse(client, "not_logged_in") end
  local now = chat.now()
  if type(last) == "number" and now >= last and now - last < options.seconds then return end
  if msg.to_uid == nil or msg.to_uid == "all" then
    room:send(chat.object("type", "typing", "uid", client.id), { except = client })
  else
    local peer = chat.client(msg.to_uid)
    if not peer or peer.state.room ~= room then return refuse(client, "no_such_user") end
    peer:send(chat.object("type", "typing", "uid", client.id, "to_uid", peer.id))
  end
  state.typing = now
end

--- The text that may be shown, HTML-escaped, or nil: 1 to 200 characters, none of them a control character.
local function clean_text(text)
  if type(text) ~= "string" or #text > TEXT_MAX * 4 then return nil end
  local length = utf8.len(text)
  if not length or length > TEXT_MAX or not text:find("%S") then return nil end
  if text:find("%c") or text:find("\xC2[\x80-\x9F]") then return nil end
  return chat.escape_html(text)
end

local function tell_away(client, room, text)
  room:send(chat.object("type", "away", "uid", client.id, "text", text))
end

function typing.on.away(client, msg)
  local room, text = client.state.room, clean_text(msg.text)
  if not room then return refuse(client, "not_logged_in") end
  if not text then return refuse(client, "bad_text") end
  tell_away(client, room, text)
  client.state.away = text -- chat.lua shows it in user_list
end

function typing.on.back(client)
  local room = client.state.room
  if not room then return refuse(client, "not_logged_in") end
  if not client.state.away then return refuse(client, "not_away") end
  room:send(chat.object("type", "back", "uid", client.id))
  client.state.away = nil
end

--- Who comes into another room, and is away, is away there.
local function entered(client, msg)
  if msg.enters and client.state.away then tell_away(client, msg.room, client.state.away) end
end
typing[1] = chat.hook("on.login", entered, 5)

return typing
