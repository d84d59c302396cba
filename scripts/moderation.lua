--- moderation.lua: moderators kick, ban and mute.
-- app.use = { require "roles", require "moderation" }: who is a moderator, roles.lua says. They send
--
--   {"type":"kick","uid":...,"reason":...}                    it is closed with 1008
--   {"type":"mute","uid":...,"seconds":...,"reason":...}      what others would hear of it comes to nothing
--   {"type":"unmute","uid":...,"reason":...}
--   {"type":"ban","uid":...,"seconds":...,"reason":...}       its address
--   {"type":"ban","address":...,"seconds":...,"reason":...}   an address, or of IPv6 the network of 64 bits around it
--   {"type":"ban","name":...,"seconds":...,"reason":...}      a name, however it is written
--   {"type":"unban","address" or "name":...,"reason":...}
--   {"type":"bans"}                                           the answer's "bans" is an array of address or name,
--                                                             seconds (left) and reason
--
-- A reason has 1 to 200 characters, seconds are 1 to a year. The room hears of kick, mute and unmute with from_uid,
-- uid, seconds and reason; of a ban and unban the moderator hears that it is done. Errors: not_allowed (also against
-- moderators), bad_reason, bad_seconds, no_such_user, bad_address, bad_name, no_such_ban, too_many_bans,
-- too_many_mutes.
--
-- Who is banned is closed with 1008, and hears {"type":"error","error":"banned","retry_after":SECONDS} if it was in,
-- or tries the banned name; who is mute hears the same with "muted". A mute is one of an address, as a ban by uid is.
-- Of two mutes or bans the longer one holds. All is logged, with the reason. Bans and mutes survive a reload and end
-- with the server.
local chat = require "charlua"
local bans = require "bans"
local configure = require "configure"
local mutes = require "mutes"
local refuse = require "refuse"
local roles = require "roles"
local text = require "text"

local REASON_MAX = 200 -- characters
local SECONDS_MAX = 366 * 86400

local moderation = { on = {} }

local options = {
  bans = 1000, -- at most; and as many mutes of addresses
  types = { "say", "login", "nick", "away", "back", "topic", "join", "part", "typing" }, -- what a mute takes
}

--- Sets options by name; returns the module.
function moderation.configure(changes)
  configure("moderation", options, changes)
  mutes.take(options.types)
  return moderation
end

moderation.configure {}

moderation.on_open = bans.check_address
moderation.on.login = bans.check_name
moderation.on["*"] = mutes.check

--- Adds the message `name`; `act(client, msg, reason, seconds)` returns an error's code if it could not.
local function command(name, is_timed, act)
  moderation.on[name] = function(client, msg)
    local reason, seconds = text.line(msg.reason, REASON_MAX), is_timed and msg.seconds or nil
    local problem
    if not roles.is_moderator(client) then problem = "not_allowed"
    elseif not reason then problem = "bad_reason"
    elseif is_timed and not (type(seconds) == "number" and seconds >= 1 and seconds <= SECONDS_MAX) then
      problem = "bad_seconds"
    else problem = act(client, msg, chat.escape_html(reason), seconds) end
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

--- Tells the room of `target`, and the moderator if it is not there.
local function announce(what, client, target, seconds, reason)
  local news = chat.object("type", what, "from_uid", client.id, "uid", target.id, "seconds", seconds, "reason", reason)
  local room = target.state.room
  if room then room:send(news) else target:send(news) end
  if client.state.room ~= room or not room then client:send(news) end
  local whom = ("client=%d %q address=%s"):format(target.id, target.state.name or "", target.ip)
  audit(what, client, whom, seconds, reason)
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
  local left = mutes.set(target, seconds, options.bans)
  if not left then return "too_many_mutes" end
  announce("mute", client, target, left, reason)
end)

command("unmute", false, function(client, msg, reason)
  local target, problem = target_of(msg)
  if not target then return problem end
  announce("unmute", client, target, nil, reason)
  mutes.lift(target)
end)

command("ban", true, function(client, msg, reason, seconds)
  local wanted = msg
  if msg.uid ~= nil then
    local target, problem = target_of(msg)
    if not target then return problem end
    wanted = { address = target.ip }
  end
  local ban, key = bans.read(wanted)
  if not ban then return key end
  local left = bans.set(key, ban, seconds, reason, options.bans)
  if not left then return "too_many_bans" end
  audit("ban", client, ("%s=%q"):format(ban.field, ban.value), left, reason)
  client:send(chat.object("type", "ban", ban.field, ban.value, "seconds", left, "reason", reason))
  chat.spawn(bans.enforce, key, ban)
end)

command("unban", false, function(client, msg, reason)
  local ban, key = bans.read(msg)
  if not ban then return key end
  if not bans.get(key) then return "no_such_ban" end
  audit("unban", client, ("%s=%q"):format(ban.field, ban.value), nil, reason)
  client:send(chat.object("type", "unban", ban.field, ban.value, "reason", reason))
  bans.lift(key)
end)

function moderation.on.bans(client)
  if not roles.is_moderator(client) then return refuse(client, "not_allowed") end
  local list = bans.list()
  for i, ban in ipairs(list) do
    list[i] = chat.object(ban.field, ban.value, "seconds", math.ceil(ban.ends - chat.clock()), "reason", ban.reason)
  end
  client:send(chat.object("type", "bans", "bans", chat.array(list)))
end

return moderation
