--- roles.lua: tells who is a moderator.
-- app.use = { require "roles", ... }, and start the server with --set moderator_secret=...; or take tokens:
-- require("roles").configure { jwt = { alg = "EdDSA", key = chat.options.moderator_key, aud = "chat" } }.
--
--   {"type":"auth","secret":"..."}  makes its sender a moderator until it goes, and so does
--   {"type":"auth","token":"..."}   a JSON Web Token whose claim "role" is "moderator", until it expires
--
-- The answer is {"type":"auth","role":"moderator"}, or an error:
--   bad_secret, bad_token  it is not the right one, or none is taken
--   too_many_attempts      its address has failed 5 times within ten minutes: nothing of it is looked at meanwhile
local chat = require "charlua"
local configure = require "configure"
local expiring = require "expiring"
local network = require "network"
local refuse = require "refuse"

local TEXT_MAX = 16384      -- bytes of a secret or token
local WINDOW = 600          -- seconds from the first attempt until they are forgotten
local ADDRESSES_MAX = 10000 -- whose attempts are counted; beyond, nobody else may try

local roles = { on = {} }

local options = {
  jwt = {},     -- what chat.crypto.jwt asks of a token; without a key no token is taken
  attempts = 5, -- that may fail
}

--- Sets options by name; returns the module.
function roles.configure(changes)
  configure("roles", options, changes)
  return roles
end

--- Whether `client` is a moderator now.
function roles.is_moderator(client)
  local mine = client.state.roles
  return type(mine) == "table" and mine.role == "moderator" and type(mine.ends) == "number" and chat.clock() < mine.ends
end

--- Until when `token` makes a moderator, or nil and why not.
local function check_token(token)
  if not options.jwt.key or type(token) ~= "string" then return nil, "none is taken" end
  local claims, reason = chat.crypto.jwt(token, options.jwt)
  if not claims then return nil, reason end
  if claims.role ~= "moderator" then return nil, "no moderator's" end
  return chat.clock() + (claims.exp or math.huge) - chat.now() -- a token's time is that of the wall clock
end

--- Until when `secret` makes a moderator, or nil and why not.
local function check_secret(secret)
  local right = chat.options.moderator_secret or ""
  if right == "" or type(secret) ~= "string" or #secret > TEXT_MAX then return nil, "none is taken" end
  if not chat.crypto.equal(secret, right) then return nil, "not the right one" end
  return math.huge
end

--- Counts an attempt of `address`; false if it is one too many.
local function may_try(attempts, address)
  local entry = expiring.get(attempts, address) or { count = 0, ends = chat.clock() + WINDOW }
  if entry.count >= options.attempts then return false end
  entry.count = entry.count + 1
  return expiring.put(attempts, address, entry, ADDRESSES_MAX) == true
end

--- {"type":"auth","secret":...} or {"type":"auth","token":...}
function roles.on.auth(client, msg)
  local address, attempts = network(client.ip) or "?", expiring.table("roles", "attempts")
  if not may_try(attempts, address) then return refuse(client, "too_many_attempts") end
  local check, given, problem = check_secret, msg.secret, "bad_secret"
  if msg.token ~= nil then check, given, problem = check_token, msg.token, "bad_token" end
  local ends, why = check(given)
  if not ends then
    chat.log("info", ("authentication failed client=%d address=%s: %s: %s"):format(client.id, address, problem, why))
    return refuse(client, problem)
  end
  chat.log("info", ("moderator client=%d address=%s"):format(client.id, address))
  client:send(chat.object("type", "auth", "role", "moderator"))
  expiring.drop(attempts, address)
  client.state.roles = { role = "moderator", ends = ends }
end

--- A mistake in options.jwt shows at load.
function roles.selftest()
  if options.jwt.key then chat.crypto.jwt("", options.jwt) end
end

return roles
