--- enter.lua: takes a client from one room into another, all or nothing.
local chat = require "charlua"

--- Whether a room of this name is there, or can be (--max-rooms): its state, once asked for, makes it.
local function can_be(room)
  return room.size > 0 or pcall(function() return room.state end)
end

--- `client` joins `room` and leaves `old`, a room or nil. → true | nil: it may not join, and is where it was.
-- Joining comes first, so that a client that may not stays in its place among the members of `old`. A client that is in
-- as many rooms as it may be (--max-client-rooms) has to leave first; by then it is known that the new room can be.
local function enter(client, room, old)
  if not client:join(room) then
    if not old or not chat.client(client.id) or not can_be(room) then return nil end
    client:leave(old)
    if not client:join(room) then -- other rooms of the script's own fill the limit
      client:join(old)
      return nil
    end
  elseif old then
    client:leave(old)
  end
  return true
end

return enter
