--- walk.lua: does something with every client, some at a time.
-- There may be 50,000 of them, and one handler has 50 ms: it waits between two pieces, and others have their turn.
-- Clients that come meanwhile may be met or not.
local chat = require "charlua"

local PIECE = 200 -- clients

--- Calls f(client, ...) for every client; in a handler that may wait.
local function walk(f, ...)
  local last
  repeat
    local some = chat.clients { after = last, limit = PIECE }
    for _, client in ipairs(some) do f(client, ...) end
    last = some[#some] and some[#some].id
    chat.sleep(0)
  until not last
end

return walk
