--- nicknames.lua: a name belongs to one client of a room, and some belong to nobody.
--
--   login  is refused when somebody else in the room has the name, or it is reserved
--   nick   {"name":...}  another name, once logged in: to the room a login with the same uid, as clients know it
--
-- Errors: name_taken, name_reserved, not_logged_in, and those of login. When names are the same, names.lua says.
local chat = require "charlua"
local configure = require "configure"
local names = require "names"
local refuse = require "refuse"

local nicknames = { on = {} }

local NAME_MAX = 64 -- characters

local options = {
  reserved = {}, -- an array of names
}

local reserved = {} -- the key of each name that nobody may have -> true

--- Sets options by name; returns the module.
function nicknames.configure(changes)
  configure("nicknames", options, changes)
  reserved = {}
  for _, name in ipairs(options.reserved) do
    local key, why = chat.name_key(name)
    if not key then error(("nicknames: the reserved name %q is %s"):format(tostring(name), why), 2) end
    reserved[key] = true
  end
  return nicknames
end

--- Before the app lets the client in. A name that is none is left to the app to refuse.
function nicknames.on.login(client, msg)
  local name = names.clean(msg.name, NAME_MAX)
  if not name then return end
  local key = names.key(name)
  if reserved[key] then return refuse(client, "name_reserved") end
  if names.find(msg.room, key, client) then return refuse(client, "name_taken") end
end

function nicknames.on.nick(client, msg)
  if not client.state.room then return refuse(client, "not_logged_in") end
  return chat.handler("login")(client, { type = "login", name = msg.name }, "nick")
end

--- The app has let the client in: it holds the name now.
nicknames[1] = chat.hook("on.login", names.hold, 5)
nicknames.on_close = names.release
nicknames.on_reload = names.adopt

return nicknames
