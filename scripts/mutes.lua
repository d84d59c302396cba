--- mutes.lua: the part of moderation.lua that decides who is mute.
-- A mute belongs to the address of a client (IPv6: its network of 64 bits), so that another tab, or coming again, is no
-- way around it. A client whose address stands for many, as behind a unix socket, is muted alone, until it goes.
local chat = require "charlua"
local expiring = require "expiring"
local network = require "network"
local refuse = require "refuse"
local roles = require "roles"

local mutes = {}

local taken = {} -- type of message -> true

--- Messages of these types, an array, are what a mute takes.
function mutes.take(types)
  taken = {}
  for _, name in ipairs(types) do taken[name] = true end
end

local function of_addresses() return expiring.table("moderation", "mutes") end

--- The address that `client` shares its mute with, or nil.
local function address_of(client)
  local address = network(client.ip)
  return address ~= "unix" and address or nil
end

--- The mute of `client`, or nil: a table that has `ends`.
function mutes.of(client)
  local kept, own = of_addresses(), client.state.moderation
  if type(own) == "table" and type(own.ends) == "number" and chat.clock() < own.ends then return own end
  if kept.count == 0 then return nil end -- almost always, and reading an address costs
  local address = address_of(client)
  return address and expiring.get(kept, address)
end

--- Mutes `client` for so many seconds; a mute that lasts longer stays. → how many seconds are left | nil, "full" if
-- `max` other addresses are mute.
function mutes.set(client, seconds, max)
  local mute, now = mutes.of(client), chat.clock()
  if mute and mute.ends >= now + seconds then return mute.ends - now end
  local address = address_of(client)
  if not address then
    client.state.moderation = { ends = now + seconds }
  elseif not expiring.put(of_addresses(), address, { ends = now + seconds }, max) then
    return nil, "full"
  end
  return seconds
end

function mutes.lift(client)
  local address = address_of(client)
  if address then expiring.drop(of_addresses(), address) end
  client.state.moderation = nil
end

--- Whether nobody else hears of `msg` although a mute takes its type: a client comes in, or asks for the topic.
local function is_quiet(client, msg)
  return msg.type == "login" and not client.state.room or msg.type == "topic" and msg.topic == nil
end

--- Runs before the handlers of every type.
function mutes.check(client, msg)
  local mute = taken[msg.type] and not is_quiet(client, msg) and mutes.of(client)
  if not mute or roles.is_moderator(client) then return end
  return refuse(client, "muted", "retry_after", math.ceil(mute.ends - chat.clock()))
end

return mutes
