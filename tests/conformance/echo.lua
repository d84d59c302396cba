--- echo.lua: sends every message back as it came, and speaks two subprotocols.
local app = { api = 1, protocols = { "chat.v2", "chat.v1" } }

function app.on_message(client, data, binary)
  if binary then
    client:send_binary(data)
  else
    client:send(data)
  end
end

return app
