--- room_list.lua: the part of rooms.lua that lists public rooms, the largest first.
-- Going through chat.rooms() for every list takes too long: up to KNOWN_MAX public rooms are known by name, and the
-- message is made at most once in LIST_SECONDS.
local chat = require "charlua"

local list = {}

local KNOWN_MAX = 10000
local LIST_SECONDS = 1

local known, known_count = {}, 0 -- name -> room
local made, made_at -- the last message

function list.know(room)
  if known[room.name] or known_count >= KNOWN_MAX then return end
  known[room.name], known_count = room, known_count + 1
end

function list.forget(room)
  if not known[room.name] then return end
  known[room.name], known_count = nil, known_count - 1
end

--- The `most` largest rooms and their sizes.
local function largest(most)
  local found, sizes = {}, {}
  for _, room in pairs(known) do
    local size, at = room.size, #found + 1
    if size == 0 then list.forget(room) end -- it has ended unheard
    if size > (sizes[most] or 0) then
      while at > 1 and sizes[at - 1] < size do at = at - 1 end
      table.insert(found, at, room)
      table.insert(sizes, at, size)
      found[most + 1], sizes[most + 1] = nil, nil
    end
  end
  return found, sizes
end

local function make(most, topic_of)
  local found, sizes = largest(most)
  for i, room in ipairs(found) do
    found[i] = chat.object("name", chat.escape_html(room.name), "size", sizes[i], "topic", topic_of(room))
  end
  return chat.object("type", "rooms", "rooms", chat.array(found), "more", known_count > #found or nil)
end

--- The message that lists at most `most` rooms; `topic_of(room)` is a topic or nil.
function list.message(most, topic_of)
  local now = chat.clock()
  if not made or now - made_at >= LIST_SECONDS or now < made_at then made, made_at = make(most, topic_of), now end
  return made
end

return list
