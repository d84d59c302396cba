--- expiring.lua: tables whose entries end by time and are at most so many; for chat.state, where they survive a reload.
-- An entry is a table with the field `ends`, a time as of chat.now().
local chat = require "charlua"

local expiring = {}

--- The table `name` of chat.state[module]; both are made when they are not there.
function expiring.table(module, name)
  if type(chat.state[module]) ~= "table" then chat.state[module] = {} end
  local mine = chat.state[module]
  if type(mine[name]) ~= "table" then mine[name] = {} end
  return mine[name]
end

--- The entry of `key`, or nil if there is none or it has ended.
function expiring.get(entries, key)
  local entry = entries[key]
  return type(entry) == "table" and type(entry.ends) == "number" and chat.now() < entry.ends and entry or nil
end

--- Keeps `entry`. → true | nil, "full": there are `max` others.
function expiring.put(entries, key, entry, max)
  local count = 0
  for other in pairs(entries) do
    if not expiring.get(entries, other) then entries[other] = nil
    elseif other ~= key then count = count + 1 end
  end
  if count >= max then return nil, "full" end
  entries[key] = entry
  return true
end

return expiring
