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
local configure = require "configure"
local refuse = require "refuse"
local text = require "text"

local typing = { on = {} }

local options = {
  seconds = 2, -- between two typings of a client that are heard
}
local TEXT_MAX = 200 -- characters

--- Sets options; see above. Returns the module.
function typing.configure(changes)
  configure("typing", options, changes)
  return typing
end

function typing.on.typing(client, msg)
  local state = client.state
  local room, last = state.room, state.typing
  if not room then return refuse(client, "not_logged_in") end
  local now = chat.clock()
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

local function tell_away(client, room, why)
  room:send(chat.object("type", "away", "uid", client.id, "text", why))
end

function typing.on.away(client, msg)
  local room, why = client.state.room, text.line(msg.text, TEXT_MAX)
  if not room then return refuse(client, "not_logged_in") end
  if not why then return refuse(client, "bad_text") end
  why = chat.escape_html(why)
  tell_away(client, room, why)
  client.state.away = why -- chat.lua shows it in user_list
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
