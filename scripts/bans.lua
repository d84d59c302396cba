--- bans.lua: the part of moderation.lua that decides who is banned, by address or by name.
-- A ban is {field = "address" or "name", value = as it is shown, reason = ..., ends = ...}.
local chat = require "charlua"
local expiring = require "expiring"
local names = require "names"
local network = require "network"
local refuse = require "refuse"
local roles = require "roles"
local walk = require "walk"

local bans = {}

local NAME_MAX = 64 -- characters

local function all() return expiring.table("moderation", "bans") end

local function key_of_name(shown)
  return "name " .. (names.key(shown) or shown)
end

--- What `msg` bans by its address or name: a ban without an end, and its key; nil and an error's code.
function bans.read(msg)
  if msg.address ~= nil then
    local address = network(msg.address)
    if not address or address == "unix" then return nil, "bad_address" end
    return { field = "address", value = address }, "address " .. address
  end
  local name = names.clean(msg.name, NAME_MAX)
  if not name then return nil, "bad_name" end
  return { field = "name", value = name }, key_of_name(name)
end

--- The ban under `key`, or nil.
function bans.get(key)
  return expiring.get(all(), key)
end

--- Completes `ban` and keeps it under `key`; one that lasts longer goes on as long. → the seconds that are left |
-- nil, "full" if there are `max` others.
function bans.set(key, ban, seconds, reason, max)
  local now, older = chat.clock(), bans.get(key)
  if older then seconds = math.max(seconds, older.ends - now) end
  ban.reason, ban.ends = reason, now + seconds
  if not expiring.put(all(), key, ban, max) then return nil, "full" end
  return seconds
end

function bans.lift(key)
  expiring.drop(all(), key)
end

--- Those in force, the next to end first.
function bans.list()
  local list = expiring.all(all())
  table.sort(list, function(a, b) return a.ends < b.ends end)
  return list
end

local function seconds_left(ban)
  return math.ceil(ban.ends - chat.clock())
end

--- on_open: lets nobody in from a banned address.
function bans.check_address(client)
  local ban = bans.get("address " .. (network(client.ip) or "?"))
  if ban then return false, 1008, ("banned for %d seconds"):format(seconds_left(ban)) end
end

--- on.login: nobody has a banned name, but for moderators.
function bans.check_name(client, msg)
  local name = names.clean(msg.name, NAME_MAX)
  local ban = name and bans.get(key_of_name(name))
  if not ban or roles.is_moderator(client) then return end
  return refuse(client, "banned", "retry_after", seconds_left(ban))
end

--- Whether the ban under `key` is about `client`.
local function is_meant(client, key, ban)
  local name = client.state.name
  if ban.field == "address" then return "address " .. (network(client.ip) or "?") == key end
  return type(name) == "string" and key_of_name(name) == key
end

--- Closes all whom the ban under `key` is about, but for moderators.
function bans.enforce(key, ban)
  walk(function(client)
    if not is_meant(client, key, ban) or roles.is_moderator(client) then return end
    refuse(client, "banned", "retry_after", seconds_left(ban))
    client:close(1008, "banned")
  end)
end

return bans
