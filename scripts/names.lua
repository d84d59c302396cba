--- names.lua: when two names are the same, and which client of a room has which.
-- A name is shown HTML-escaped, so that is what the rules keep in client.state.name. Names are the same if their keys
-- are (chat.name_key): they differ in nothing but capitals, white space, characters that nobody sees, and other forms
-- of the same letters.
--
-- The index room.state.names has the key of each name that is in use in that room -> the uid, or a set of uids if
-- several clients have it; client.state.names says where the client stands in one. An entry counts only while its
-- client is in the room under that name, so nothing breaks if it is late. Finding a name costs the same in a room of
-- 50,000 as in one of five.
local chat = require "charlua"
local text = require "text"
local walk = require "walk"

local names = {}

--- The key of a name as it is shown, HTML-escaped; nil if there is nothing to see in it.
function names.key(shown)
  return (chat.name_key(text.unescape(shown)))
end

--- The name that may be shown, HTML-escaped, or nil: 1 to `max` characters, no control character, something to see.
function names.clean(name, max)
  name = text.line(name, max)
  return name and chat.name_key(name) and chat.escape_html(name) or nil
end

-- The index -----------------------------------------------------------------

local function index(room)
  local state = room.state
  if type(state.names) ~= "table" then state.names = {} end
  return state.names
end

--- Whether the client `id` is in `room` under a name with this key: the client, or nil.
local function holder(room, key, id)
  local client = chat.client(id)
  local name = client and client.state.room == room and client.state.name
  return name and names.key(name) == key and client or nil
end

--- A client of `room` whose name has this key, other than `except`, and whether there are more; or nil.
function names.find(room, key, except)
  local ids, found = room.size > 0 and index(room)[key], nil
  for id in pairs(type(ids) == "table" and ids or { [ids or 0] = true }) do
    local client = holder(room, key, id)
    if client and client ~= except then
      if found then return found, true end
      found = client
    end
  end
  return found, false
end

--- Takes the name that `client` holds from it.
function names.release(client)
  local held = client.state.names
  local room = type(held) == "table" and chat.room(held.room)
  if not room or room.size == 0 then return end
  local keys, id = index(room), client.id
  local ids = keys[held.key]
  if type(ids) == "table" then ids[id] = nil end
  if ids == id or type(ids) == "table" and not next(ids) then keys[held.key] = nil end
end

--- `client` holds the name that it has in its room now, if it is in one.
function names.hold(client)
  local name, room, held = client.state.name, client.state.room, client.state.names
  local key = room and name and names.key(name)
  if not key then return end
  if type(held) == "table" and held.room == room.name and held.key == key then return end
  names.release(client)
  local keys, id = index(room), client.id
  local ids = keys[key]
  if type(ids) == "table" then ids[id] = true
  elseif ids and ids ~= id then keys[key] = { [ids] = true, [id] = true }
  else keys[key] = id end
  client.state.names = { room = room.name, key = key }
end

--- Lets those hold their names who were there before a module that asks for them.
function names.adopt()
  chat.spawn(walk, names.hold)
end

return names
