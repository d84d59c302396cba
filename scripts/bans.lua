--- bans.lua: the part of moderation.lua that decides who is banned, by address or by name.
-- A ban is {field = "address" or "name", value = as it is shown, reason = ..., ends = ...}.
local chat = require "charlua"
local expiring = require "expiring"
local names = require "names"
local network = require "network"
local refuse = require "refuse"
local roles = require "roles"

local bans = {}

local NAME_MAX = 64 -- characters
local SLICE = 500 -- clients looked at in one go

local function all() return expiring.table("moderation", "bans") end

local function key_of_name(shown)
  return "name " .. names.key(shown)
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

--- The ban of the address of `client`, or nil.
function bans.of_address(client)
  return bans.get("address " .. (network(client.ip) or "?"))
end

--- The ban of the name that `msg` logs in with, or nil.
function bans.of_name(msg)
  local name = names.clean(msg.name, NAME_MAX)
  return name and bans.get(key_of_name(name))
end

--- → true | nil, "full": there are `max` others.
function bans.put(key, ban, max)
  return expiring.put(all(), key, ban, max)
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

--- Tells `client` that it is banned.
function bans.tell(client, ban)
  return refuse(client, "banned", "retry_after", math.ceil(ban.ends - chat.now()))
end

--- Closes all whom the ban under `key` is about, but for moderators; a part at a time, as there may be many.
function bans.enforce(key, ban)
  for i, client in ipairs(chat.clients()) do
    if i % SLICE == 0 then chat.sleep(0) end
    local address, name = network(client.ip), client.state.name
    if (address and "address " .. address == key or type(name) == "string" and key_of_name(name) == key)
      and not roles.is_moderator(client) then
      bans.tell(client, ban)
      client:close(1008, "banned")
    end
  end
end

return bans
