--- room_passwords.lua: the part of rooms.lua that decides who may enter a private room.
-- Wrong ones count by room and network, not by connection: whoever guesses connects again.
local chat = require "charlua"
local expiring = require "expiring"
local network = require "network"
local text = require "text"

local passwords = {}

local PASSWORD_MAX = 64 -- characters
local WINDOW = 60 -- seconds from the first wrong password until they are forgotten
local COUNTED_MAX = 10000 -- pairs of room and network; beyond, nobody new may try

local crypto = chat.crypto

local function digest(password, salt)
  return crypto.sha256(salt .. password)
end

--- Makes a room private; `kept` is what rooms.lua keeps of it. Only a digest of the password is kept.
function passwords.set(kept, password)
  local salt = crypto.token()
  kept.secret = { salt = salt, digest = digest(password, salt) }
end

--- Whether the room that `kept` is of is private.
function passwords.is_private(kept)
  return kept.secret ~= nil
end

--- What is wrong with the password in `msg`, with which `client` wants to enter msg.room; nil if nothing is. `kept` is
-- what rooms.lua keeps of the room, `attempts` how many may be wrong.
function passwords.problem(client, msg, kept, attempts)
  local room, password, secret = msg.room, msg.password, kept.secret
  if password ~= nil and (not text.is_short(password, PASSWORD_MAX) or password == "") then return "bad_password" end
  if room.size == 0 then return nil end
  if not secret then return password and "not_private" end
  if not password then return "password_needed" end
  local counted, key = expiring.table("rooms", "attempts"), (network(client.ip) or "?") .. " " .. room.name
  local wrong = expiring.get(counted, key) or { count = 0, ends = chat.clock() + WINDOW }
  if wrong.count >= attempts then return "too_many_attempts" end
  if not expiring.put(counted, key, wrong, COUNTED_MAX) then return "too_many_attempts" end
  if crypto.equal(digest(password, secret.salt), secret.digest) then
    if wrong.count == 0 then expiring.drop(counted, key) end
    return nil
  end
  wrong.count = wrong.count + 1
  return "bad_password"
end

return passwords
