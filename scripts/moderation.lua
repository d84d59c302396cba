--- moderation.lua: moderators kick, ban and mute.
-- app.use = { require "roles", require "moderation" }: who is a moderator, roles.lua says. They send
--
--   {"type":"kick","uid":...,"reason":...}                    it is closed with 1008
--   {"type":"mute","uid":...,"seconds":...,"reason":...}      what it says comes to nothing
--   {"type":"unmute","uid":...,"reason":...}
--   {"type":"ban","uid":...,"seconds":...,"reason":...}       its address
--   {"type":"ban","address":...,"seconds":...,"reason":...}   an address, or of IPv6 the network of 64 bits around it
--   {"type":"ban","name":...,"seconds":...,"reason":...}      a name, in upper or lower case
--   {"type":"unban","address" or "name":...,"reason":...}
--   {"type":"bans"}                                           the answer's "bans" is an array of address or name,
--                                                             seconds (left) and reason
--
-- A reason has 1 to 200 characters, seconds are 1 to a year. The room hears of kick, mute and unmute with from_uid,
-- uid, seconds and reason; of a ban and unban the moderator hears that it is done. Errors: not_allowed (also against
-- moderators), bad_reason, bad_seconds, no_such_user, bad_address, bad_name, no_such_ban, too_many_bans.
--
-- Who is banned is closed with 1008, and hears {"type":"error","error":"banned","retry_after":SECONDS} if it was in,
-- or tries the banned name; who is mute hears the same with "muted". A mute stays with the address of a client that
-- goes. All is logged, with the reason. Bans and mutes survive a reload and end with the server.
local chat = require "charlua"
local expiring = require "expiring"
local network = require "network"
local roles = require "roles"

local REASON_MAX, NAME_MAX = 200, 64 -- characters
local SECONDS_MAX = 366 * 86400
local SLICE = 500 -- clients looked at in one go

local moderation = { on = {} }

local options = {
  bans = 1000,       -- at most; and as many mutes of addresses
  types = { "say" }, -- the messages that a mute takes
}

local silenced = { say = true } -- options.types as a set

--- Sets options by name; returns the module.
function moderation.configure(wanted)
  for key, value in pairs(wanted) do
    if type(options[key]) ~= type(value) then
      error(("moderation: no option '%s' is a %s"):format(key, type(value)), 2)
    end
    options[key] = value
  end
  silenced = {}
  for _, name in ipairs(options.types) do silenced[name] = true end
  return moderation
end

--- `text` as it may be shown, HTML-escaped, if it is a string of 1 to `max` characters without control characters.
local function clean(text, max)
  if type(text) ~= "string" or #text > max * 4 + 64 then return nil end
  text = text:match("^%s*(.*%S)") or ""
  local length = utf8.len(text)
  if not length or length < 1 or length > max or text:find("%c") or text:find("\xC2[\x80-\x9F]") then return nil end
  return chat.escape_html(text)
end

local function refuse(client, code, entry)
  client:send(chat.object("type", "error", "error", code,
    "retry_after", entry and math.ceil(entry.ends - chat.now()) or nil))
end

local function bans() return expiring.table("moderation", "bans") end
local function mutes() return expiring.table("moderation", "mutes") end

--- The key among bans of what `msg` says by address or name, and its field's name and value; nil and an error's code.
local function key_of(msg)
  if msg.address ~= nil then
    local address = network(msg.address)
    if not address or address == "unix" then return nil, "bad_address" end
    return "address " .. address, "address", address
  end
  local name = clean(msg.name, NAME_MAX)
  if not name then return nil, "bad_name" end
  return "name " .. name:lower(), "name", name
end

--- The mute of `client`, or nil.
local function mute_of(client)
  local entry = client.state.moderation
  return type(entry) == "table" and type(entry.ends) == "number" and chat.now() < entry.ends and entry or nil
end

-- What befalls clients ------------------------------------------------------

function moderation.on_open(client)
  local address = network(client.ip) or "?"
  local ban, mute = expiring.get(bans(), "address " .. address), expiring.get(mutes(), address)
  if ban then return false, 1008, ("banned for %d seconds"):format(math.ceil(ban.ends - chat.now())) end
  if mute then client.state.moderation = { ends = mute.ends } end
end

function moderation.on_close(client)
  local mute, address = mute_of(client), network(client.ip)
  if mute and address and not expiring.put(mutes(), address, { ends = mute.ends }, options.bans) then
    chat.log("warn", ("too many mutes: one goes with its client=%d"):format(client.id))
  end
end

function moderation.on.login(client, msg)
  local name = clean(msg.name, NAME_MAX)
  local ban = name and expiring.get(bans(), "name " .. name:lower())
  if not ban or roles.is_moderator(client) then return end
  refuse(client, "banned", ban)
  return false
end

--- Runs before the handlers of every type.
moderation.on["*"] = function(client, msg)
  local mute = silenced[msg.type] and mute_of(client)
  if not mute or roles.is_moderator(client) then return end
  refuse(client, "muted", mute)
  return false
end

--- Closes all whom the ban under `key` is about, but for moderators; a part at a time, as there may be many.
local function close_banned(key, ban)
  for i, client in ipairs(chat.clients()) do
    if i % SLICE == 0 then chat.sleep(0) end
    local address, name = network(client.ip), client.state.name
    if (address and "address " .. address == key or type(name) == "string" and "name " .. name:lower() == key)
      and not roles.is_moderator(client) then
      refuse(client, "banned", ban)
      client:close(1008, "banned")
    end
  end
end

-- What moderators say -------------------------------------------------------

--- Adds the message `name`; `act(client, msg, reason, seconds)` returns an error's code if it could not.
local function command(name, is_timed, act)
  moderation.on[name] = function(client, msg)
    local reason, seconds = clean(msg.reason, REASON_MAX), is_timed and msg.seconds or nil
    local problem
    if not roles.is_moderator(client) then problem = "not_allowed"
    elseif not reason then problem = "bad_reason"
    elseif is_timed and not (type(seconds) == "number" and seconds >= 1 and seconds <= SECONDS_MAX) then
      problem = "bad_seconds"
    else problem = act(client, msg, reason, seconds) end
    if problem then refuse(client, problem) end
  end
end

--- The client with msg.uid, or nil and an error's code: nobody, or a moderator.
local function target_of(msg)
  local target = chat.client(msg.uid)
  if not target then return nil, "no_such_user" end
  if roles.is_moderator(target) then return nil, "not_allowed" end
  return target
end

local function audit(what, client, whom, seconds, reason)
  chat.log("info", ("%s by=%d %q of %s%s reason=%q"):format(what, client.id, client.state.name or "", whom,
    seconds and (" seconds=%d"):format(math.ceil(seconds)) or "", reason))
end

local function describe(target)
  return ("client=%d %q address=%s"):format(target.id, target.state.name or "", target.ip)
end

--- Tells the room of `target`, and the moderator if it is not there.
local function announce(what, client, target, seconds, reason)
  local news = chat.object("type", what, "from_uid", client.id, "uid", target.id, "seconds", seconds, "reason", reason)
  local room = target.state.room
  if room then room:send(news) else target:send(news) end
  if client.state.room ~= room or not room then client:send(news) end
  audit(what, client, describe(target), seconds, reason)
end

command("kick", false, function(client, msg, reason)
  local target, problem = target_of(msg)
  if not target then return problem end
  announce("kick", client, target, nil, reason)
  target:close(1008, "kicked")
end)

command("mute", true, function(client, msg, reason, seconds)
  local target, problem = target_of(msg)
  if not target then return problem end
  announce("mute", client, target, seconds, reason)
  target.state.moderation = { ends = chat.now() + seconds }
end)

command("unmute", false, function(client, msg, reason)
  local target, problem = target_of(msg)
  if not target then return problem end
  announce("unmute", client, target, nil, reason)
  mutes()[network(target.ip) or "?"] = nil
  target.state.moderation = nil
end)

command("ban", true, function(client, msg, reason, seconds)
  local wanted = msg
  if msg.uid ~= nil then
    local target, problem = target_of(msg)
    if not target then return problem end
    wanted = { address = target.ip }
  end
  local key, field, value = key_of(wanted)
  if not key then return field end
  local ban = { field = field, value = value, reason = reason, ends = chat.now() + seconds }
  if not expiring.put(bans(), key, ban, options.bans) then return "too_many_bans" end
  audit("ban", client, ("%s=%q"):format(field, value), seconds, reason)
  client:send(chat.object("type", "ban", field, value, "seconds", seconds, "reason", reason))
  chat.spawn(close_banned, key, ban)
end)

command("unban", false, function(client, msg, reason)
  local key, field, value = key_of(msg)
  if not key then return field end
  if not expiring.get(bans(), key) then return "no_such_ban" end
  audit("unban", client, ("%s=%q"):format(field, value), nil, reason)
  client:send(chat.object("type", "unban", field, value, "reason", reason))
  bans()[key] = nil
end)

function moderation.on.bans(client)
  if not roles.is_moderator(client) then return refuse(client, "not_allowed") end
  local list = {}
  for key in pairs(bans()) do list[#list + 1] = expiring.get(bans(), key) end
  if #list == 0 then return client:send '{"type":"bans","bans":[]}' end -- an empty table would be sent as {}
  table.sort(list, function(a, b) return a.ends < b.ends end)
  for i, ban in ipairs(list) do
    list[i] = chat.object(ban.field, ban.value, "seconds", math.ceil(ban.ends - chat.now()), "reason", ban.reason)
  end
  client:send(chat.object("type", "bans", "bans", list))
end

return moderation
