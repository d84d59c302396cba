--- jwt.lua: lets in who brings a token (RFC 7519) that our website has signed, for as long as it is valid.
-- {"type":"login","token":...} is answered to all members with {"type":"login","name":...}, or to the sender with
-- {"type":"error","error":"bad_token","reason":...}; members say {"type":"say","content":...}. A login with a newer
-- token prolongs the stay. The website's public key, which is no secret, comes as --set key="$(cat public.pem)".
local chat = require "charlua"

local app = { api = 1, on = {}, timers = {} }

local NAME_MAX, CONTENT_MAX = 64, 4096 -- characters
local TERMS = { alg = "EdDSA", key = chat.options.key, aud = "chat" }

local function is_text(text, max)
  local length = type(text) == "string" and #text <= max * 4 and utf8.len(text)
  return length and length >= 1 and length <= max
end

--- The claims of a token that lets somebody in | nil, reason.
local function verify(token)
  local claims, why = chat.crypto.jwt(token, TERMS)
  if not claims then return nil, why end
  if not claims.exp then return nil, "never expires" end
  if not is_text(claims.name, NAME_MAX) then return nil, "no name" end
  return claims
end

function app.on.login(client, msg)
  local claims, why = verify(msg.token)
  if not claims then
    return client:send(chat.object("type", "error", "error", "bad_token", "reason", why))
  end
  local state = client.state
  if state.timer then chat.cancel(state.timer) end
  local timer = chat.after(math.min(claims.exp - chat.now(), 1e9), "expire", client.id)
  assert(client:join("members"))
  chat.room("members"):send(chat.object("type", "login", "name", claims.name))
  state.name, state.timer = claims.name, timer
end

function app.timers.expire(id)
  local client = chat.client(id)
  if client then client:close(4001, "expired") end
end

function app.on.say(client, msg)
  local name = client.state.name
  if not name then return client:send { type = "error", error = "not_logged_in" } end
  if not is_text(msg.content, CONTENT_MAX) then return client:send { type = "error", error = "bad_content" } end
  chat.room("members"):send(chat.object("type", "say", "from", name, "content", msg.content))
end

function app.on_close(client)
  if client.state.timer then chat.cancel(client.state.timer) end
end

function app.on_start()
  if not TERMS.key then chat.log("warn", 'nobody can log in: say --set key="$(cat public.pem)"') end
end

--- A key that is unfit fails the load instead of each login.
function app.selftest()
  if TERMS.key then assert(verify("") == nil) end
end

return app
