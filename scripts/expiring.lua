--- expiring.lua: tables whose entries end by time and are at most so many; kept in chat.state, over reloads.
-- An entry is a table with the field `ends`, a time as of chat.clock(). What has ended is swept out a few entries at
-- each `put`: looking at all of them made the 10,000th address that tries a password cost everybody 3 ms.
local chat = require "charlua"

local expiring = {}

local SWEPT = 8 -- entries looked at by one `put`

local function lives(entry)
  return type(entry) == "table" and type(entry.ends) == "number" and chat.clock() < entry.ends
end

--- The table `name` of chat.state[module]; both are made when they are not there, or are of another shape.
function expiring.table(module, name)
  if type(chat.state[module]) ~= "table" then chat.state[module] = {} end
  local mine = chat.state[module]
  local kept = mine[name]
  if type(kept) ~= "table" or type(kept.entries) ~= "table" or type(kept.count) ~= "number" then
    mine[name] = { entries = {}, count = 0 }
  end
  return mine[name]
end

--- The entry of `key`, or nil if there is none or it has ended.
function expiring.get(kept, key)
  local entry = kept.entries[key]
  return lives(entry) and entry or nil
end

--- Looks at some entries behind the one that was looked at last, and forgets those that have ended.
local function sweep(kept)
  local entries, key = kept.entries, nil
  if kept.at ~= nil and entries[kept.at] ~= nil then key = kept.at end
  local last = key
  for _ = 1, SWEPT do
    key = next(entries, key)
    if key == nil then last = nil break end
    if lives(entries[key]) then last = key
    else entries[key], kept.count = nil, kept.count - 1 end
  end
  kept.at = last
end

--- Keeps `entry`. → true | nil, "full": there are `max` others.
function expiring.put(kept, key, entry, max)
  sweep(kept)
  if kept.entries[key] == nil then
    if kept.count >= max then return nil, "full" end
    kept.count = kept.count + 1
  end
  kept.entries[key] = entry
  return true
end

--- Forgets the entry of `key`, if there is one.
function expiring.drop(kept, key)
  if kept.entries[key] == nil then return end
  kept.entries[key], kept.count = nil, kept.count - 1
end

--- An array of the entries that have not ended.
function expiring.all(kept)
  local all = {}
  for _, entry in pairs(kept.entries) do
    if lives(entry) then all[#all + 1] = entry end
  end
  return all
end

return expiring
