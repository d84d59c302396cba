--- mutes.lua: the part of moderation.lua that decides who is mute.
local chat = require "charlua"
local expiring = require "expiring"
local network = require "network"

local mutes = {}

local function of_addresses() return expiring.table("moderation", "mutes") end

--- The mute of `client`, or nil.
function mutes.of(client)
  local entry = client.state.moderation
  return type(entry) == "table" and type(entry.ends) == "number" and chat.now() < entry.ends and entry or nil
end

function mutes.set(client, seconds)
  client.state.moderation = { ends = chat.now() + seconds }
end

function mutes.lift(client)
  of_addresses()[network(client.ip) or "?"] = nil
  client.state.moderation = nil
end

--- A client has come: the mute that its address was left with is its own.
function mutes.take_over(client)
  local mute = expiring.get(of_addresses(), network(client.ip) or "?")
  if mute then client.state.moderation = { ends = mute.ends } end
end

--- A client goes, and leaves its mute with its address; at most `max` addresses have one.
function mutes.leave(client, max)
  local mute, address = mutes.of(client), network(client.ip)
  if mute and address and not expiring.put(of_addresses(), address, { ends = mute.ends }, max) then
    chat.log("warn", ("too many mutes: one goes with its client=%d"):format(client.id))
  end
end

return mutes
