--- ops.lua: a room for operators: everyone in it sees the alerts of embed_ops and may ask how the machine is.
-- chat.native.load_average is a C function of embed_ops.c; run this script with that program.
local chat = require "charlua"

local app = { api = 1, on = {} }

--- Everyone who connects is in the room that embed_ops posts to.
function app.on_open(client)
  client:join("ops")
end

--- {"type":"status"}: how many are here, and the machine's load over 1, 5 and 15 minutes.
function app.on.status(client)
  local load = { chat.native.load_average() }
  client:send(chat.object("type", "status", "here", chat.room("ops").size, "load", load))
end

--- Fails the start under a program that registers no load_average, instead of each status later.
function app.selftest()
  assert(chat.native.load_average, "run this script with embed_ops, which has the C function for it")
end

return app
