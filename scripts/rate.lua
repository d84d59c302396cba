--- rate.lua: drops messages from clients who talk too fast, and slows rooms down.
-- app.use = { require "rate" }, or with other numbers { require("rate").configure { messages = 10 } }.
--
-- Flood control: a client may send `messages` that others hear at once, a login included, and as many again in every
-- `seconds`. What only the client itself hears of (`quiet`, such as asking for a list) has an allowance of its own.
-- Slow mode: between two messages that others in a room hear of one client lie so many seconds, but for moving.
-- A message that comes too early is dropped and answered; after `refusals` of them without a pause the client is
-- closed with 1008. It has paused when its allowance is full again. Coming again is no pause: what a client has used
-- up stays with its address, and the next one from there begins with that.
--
--   {"type":"slow_mode","seconds":30}  a moderator (roles.lua) sets it for the own room; 0 to 3600, 0 is off
--
-- The server sends {"type":"slow_mode","from_uid":...,"seconds":30} to the room, and errors:
--   {"type":"error","error":"slow_down","retry_after":3}  whole seconds, after which it is let through
--   not_logged_in, not_allowed, bad_seconds               to slow_mode
local chat = require "charlua"
local configure = require "configure"
local expiring = require "expiring"
local network = require "network"
local refuse = require "refuse"
local roles = require "roles"

local SLOW_MAX = 3600
local INSTANT = 0.001 -- seconds: sums of fractions are never quite whole
local ADDRESSES_MAX = 10000 -- that are remembered after their clients have gone

local rate = { on = {} }

local options = {
  messages = 5,        -- that may come at once
  seconds = 10,        -- in which as many more are granted
  quiet = {            -- the types that others do not hear
    "user_list", "history", "rooms", "typing", "pong", "auth", "kick", "mute", "unmute", "ban", "unban", "bans",
    "slow_mode",
  },
  quiet_messages = 50, -- of these
  refusals = 20,       -- then it is closed
  slow_mode = 0,       -- seconds, for rooms in which nobody has set it
  is_moderator = roles.is_moderator, -- says who may set slow mode and is exempt from it
}

local MOVES = { join = true, part = true } -- slow mode holds nobody back in a room
local quiet = {} -- options.quiet as a set

--- Sets options by name; returns the module.
function rate.configure(changes)
  configure("rate", options, changes)
  if options.messages < 1 or options.quiet_messages < 1 or options.seconds <= 0 or options.refusals < 1 then
    error("rate: messages, quiet_messages and refusals are at least 1, seconds are more than 0", 2)
  end
  quiet = {}
  for _, name in ipairs(options.quiet) do quiet[name] = true end
  return rate
end

rate.configure {}

local function left_behind() return expiring.table("rate", "accounts") end

--- What is counted of `client`; it survives a reload. Whose first message comes begins with what the last one from its
-- address has left; who is refused before that takes nothing of it away.
local function account(client)
  local state, fresh = client.state, {
    tokens = options.messages, quiet = options.quiet_messages, at = chat.clock(), refusals = 0, said_at = -1e9,
  }
  if state.rate == nil then
    local address, kept = network(client.ip) or "?", left_behind()
    state.rate = expiring.get(kept, address)
    expiring.drop(kept, address)
  end
  for key in pairs(fresh) do
    if type(state.rate) ~= "table" or type(state.rate[key]) ~= "number" then state.rate = fresh end
  end
  return state.rate
end

--- The seconds of slow mode in `room`: what a moderator set, or the option.
local function slow_mode(room)
  local set = room.state.rate
  return type(set) == "table" and type(set.slow_mode) == "number" and set.slow_mode or options.slow_mode
end

--- Fills both allowances of `mine` for the time since they were last looked at.
local function fill(mine)
  local now = chat.clock()
  local part = math.max(0, now - mine.at) / options.seconds
  mine.tokens = math.min(options.messages, mine.tokens + part * options.messages)
  mine.quiet = math.min(options.quiet_messages, mine.quiet + part * options.quiet_messages)
  mine.at = now
  if mine.tokens >= options.messages and mine.quiet >= options.quiet_messages then mine.refusals = 0 end
end

--- How long `client` has to wait until it may send a message of this type; 0, and it is counted, if it may.
local function wait(client, mine, kind)
  fill(mine)
  local purse, most = "tokens", options.messages
  if quiet[kind] then purse, most = "quiet", options.quiet_messages end
  local seconds = (1 - mine[purse]) * options.seconds / most
  if seconds > INSTANT then return seconds end
  mine[purse] = math.max(0, mine[purse] - 1)
  local room = client.state.room
  if purse == "quiet" or not room or MOVES[kind] then return 0 end
  seconds = mine.said_at + slow_mode(room) - mine.at
  if seconds > INSTANT and not options.is_moderator(client) then return seconds end
  mine.said_at = mine.at
  return 0
end

--- Runs before the handlers of every type. What a module makes `by` itself of a client's message has been counted.
rate.on["*"] = function(client, msg, by)
  if by then return end
  if client.state.flooded then -- it said this before it heard that it is closed
    client:close(1008, "slow down")
    return false
  end
  local mine = account(client)
  local seconds = wait(client, mine, msg.type)
  if seconds <= 0 then return end
  mine.refusals = mine.refusals + 1
  refuse(client, "slow_down", "retry_after", math.ceil(seconds - INSTANT))
  if mine.refusals >= options.refusals then
    chat.log("info", ("closed for flooding client=%d address=%s"):format(client.id, client.ip))
    client:close(1008, "slow down")
    client.state.flooded = true
  end
  return false
end

--- Makes `mine` the stricter one of itself and `other` in each respect.
local function add(mine, other)
  fill(other)
  for _, key in ipairs { "tokens", "quiet" } do mine[key] = math.min(mine[key], other[key]) end
  for _, key in ipairs { "refusals", "said_at" } do mine[key] = math.max(mine[key], other[key]) end
end

--- A client that goes leaves its account with its address, unless that is everybody's, beside what others have left.
function rate.on_close(client)
  local mine, address, kept = account(client), network(client.ip), left_behind()
  if not address or address == "unix" then return end
  local other, room = expiring.get(kept, address), client.state.room
  fill(mine)
  if other then add(mine, other) end
  local used = math.max(1 - mine.tokens / options.messages, 1 - mine.quiet / options.quiet_messages)
  local kept_until = math.max(mine.ends or 0, other and other.ends or 0) -- in the room that it was left in
  local seconds = math.max(used * options.seconds, kept_until - mine.at)
  if room then seconds = math.max(seconds, mine.said_at + slow_mode(room) - mine.at) end
  if seconds <= INSTANT then return end
  mine.ends = mine.at + seconds
  expiring.put(kept, address, mine, ADDRESSES_MAX)
end

--- {"type":"slow_mode","seconds":...}: for the moderator's room, as long as it has members.
function rate.on.slow_mode(client, msg)
  local room, seconds = client.state.room, msg.seconds
  local problem
  if not room then problem = "not_logged_in"
  elseif not options.is_moderator(client) then problem = "not_allowed"
  elseif type(seconds) ~= "number" or not (seconds >= 0 and seconds <= SLOW_MAX) then problem = "bad_seconds" end
  if problem then return refuse(client, problem) end
  room:send(chat.object("type", "slow_mode", "from_uid", client.id, "seconds", seconds))
  chat.log("info", ("slow mode client=%d room=%q seconds=%g"):format(client.id, room.name, seconds))
  room.state.rate = { slow_mode = seconds }
end

return rate
