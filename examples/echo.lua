--- echo.lua: sends every message back as it came, text as text and binary as binary.
-- Without app.on: on_message takes the frames as they are, so nothing has to be JSON.
local app = { api = 1 }

function app.on_message(client, data, binary)
  if binary then
    client:send_binary(data)
  else
    client:send(data)
  end
end

return app
