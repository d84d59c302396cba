--- refuse.lua: tells a client what was wrong with its message: {"type":"error","error":CODE} and pairs behind that.
-- Returns false: a handler that returns that keeps the message from all behind it.
local chat = require "charlua"

local function refuse(client, code, ...)
  client:send(chat.object("type", "error", "error", code, ...))
  return false
end

return refuse
