--- room_passwords.lua: the part of rooms.lua that decides who may enter a private room.
local chat = require "charlua"
local text = require "text"

local passwords = {}

local PASSWORD_MAX = 64 -- characters

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

--- What is wrong with `password`, by which a client wants to enter a room with `size` members; nil if nothing is.
-- `tries` is what is kept of the client, `attempts` how many may be wrong in a minute.
function passwords.problem(kept, size, password, tries, attempts)
  if password ~= nil and (not text.is_short(password, PASSWORD_MAX) or password == "") then return "bad_password" end
  if size == 0 then return nil end
  local secret = kept.secret
  if not secret then return password and "not_private" end
  if not password then return "password_needed" end
  local now = chat.now()
  if type(tries.since) ~= "number" or now - tries.since >= 60 then tries.since, tries.wrong = now, 0 end
  if tries.wrong >= attempts then return "too_many_attempts" end
  if crypto.equal(digest(password, secret.salt), secret.digest) then return nil end
  tries.wrong = tries.wrong + 1
  return "bad_password"
end

return passwords
