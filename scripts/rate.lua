--- rate.lua: drops messages from clients who talk too fast, and slows rooms down.
-- app.use = { require "rate" }, or with other numbers { require("rate").configure { messages = 10 } }.
--
-- Flood control: a client may say `messages` at once, and as many again in every `seconds`; the bucket counts
-- messages of the `types`. Slow mode: between two of them that one client says in a room lie so many seconds.
-- A message that comes too early is dropped and answered; after `refusals` of them without a pause the client is
-- closed with 1008. It has paused when its bucket is full again.
--
--   {"type":"slow_mode","seconds":30}  a moderator (roles.lua) sets it for the own room; 0 to 3600, 0 is off
--
-- The server sends {"type":"slow_mode","from_uid":...,"seconds":30} to the room, and errors:
--   {"type":"error","error":"slow_down","retry_after":3}  whole seconds, after which it is let through
--   not_logged_in, not_allowed, bad_seconds               to slow_mode
local chat = require "charlua"
local configure = require "configure"
local refuse = require "refuse"
local roles = require "roles"

local SLOW_MAX = 3600
local INSTANT = 0.001 -- seconds: sums of fractions are never quite whole

local rate = { on = {} }

local options = {
  types = { "say" }, -- the messages that count
  messages = 5,      -- that may come at once
  seconds = 10,      -- in which as many more are granted
  refusals = 20,     -- then it is closed
  slow_mode = 0,     -- seconds, for rooms in which nobody has set it
  is_moderator = roles.is_moderator, -- says who may set slow mode and is exempt from it
}

local counts = { say = true } -- options.types as a set

--- Sets options by name; returns the module.
function rate.configure(changes)
  configure("rate", options, changes)
  if options.messages < 1 or options.seconds <= 0 or options.refusals < 1 then
    error("rate: messages and refusals are at least 1, seconds are more than 0", 2)
  end
  counts = {}
  for _, name in ipairs(options.types) do counts[name] = true end
  return rate
end

--- What is counted of `client`; it survives a reload.
local function account(client)
  local state, fresh = client.state, { tokens = options.messages, at = chat.now(), refusals = 0, said_at = -1e9 }
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

--- How long `client` has to wait until it may talk; 0, and its message is counted, if it may.
local function wait(client, mine)
  local now, room = chat.now(), client.state.room
  local per_second = options.messages / options.seconds
  mine.tokens = math.min(options.messages, mine.tokens + math.max(0, now - mine.at) * per_second)
  mine.at = now
  if mine.tokens >= options.messages then mine.refusals = 0 end
  local seconds = (1 - mine.tokens) / per_second
  if seconds > INSTANT then return seconds end
  mine.tokens = math.max(0, mine.tokens - 1)
  seconds = room and mine.said_at + slow_mode(room) - now or 0
  if seconds > INSTANT and not options.is_moderator(client) then return seconds end
  mine.said_at = now
  return 0
end

--- Runs before the handlers of every type.
rate.on["*"] = function(client, msg)
  if not counts[msg.type] then return end
  local mine = account(client)
  local seconds = wait(client, mine)
  if seconds <= 0 then return end
  mine.refusals = mine.refusals + 1
  refuse(client, "slow_down", "retry_after", math.ceil(seconds - INSTANT))
  if mine.refusals >= options.refusals then
    chat.log("info", ("closed for flooding client=%d address=%s"):format(client.id, client.ip))
    client:close(1008, "slow down")
  end
  return false
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
