--- nicknames.lua: a name belongs to one client of a room, and some belong to nobody.
--
--   login  is refused when somebody else in the room has the name, or it is reserved
--   nick   {"name":...}  another name, once logged in: to the room a login with the same uid, as clients know it
--
-- Errors: name_taken, name_reserved, not_logged_in, and those of login.
-- Names are the same when they differ only in capitals (Latin, Greek, Cyrillic letters), in white space, or in
-- characters that nobody sees.
local chat = require "charlua"

local nicknames = { on = {} }

local reserved = {} -- the key of each name that nobody may have -> true

--- Capitals: from, to, how far the small letter is, and every which one is a capital.
local CAPITALS = {
  { 0xC0, 0xDE, 32, 1 }, { 0x100, 0x136, 1, 2 }, { 0x139, 0x147, 1, 2 }, { 0x14A, 0x176, 1, 2 },
  { 0x179, 0x17D, 1, 2 }, -- Latin
  { 0x391, 0x3AB, 32, 1 }, -- Greek
  { 0x400, 0x40F, 80, 1 }, { 0x410, 0x42F, 32, 1 }, { 0x460, 0x480, 1, 2 }, { 0x48A, 0x4BE, 1, 2 },
  { 0x4D0, 0x52E, 1, 2 }, -- Cyrillic
}
local UNSEEN = "\u{AD}\u{200B}\u{200C}\u{200D}\u{200E}\u{200F}\u{2060}\u{FEFF}"

--- The small letter of the character `c`, nothing if it can't be seen.
local function small(c)
  if UNSEEN:find(c, 1, true) then return "" end
  local code = utf8.codepoint(c)
  for _, range in ipairs(CAPITALS) do
    if code >= range[1] and code <= range[2] and (code - range[1]) % range[4] == 0 then
      return utf8.char(code + range[3])
    end
  end
end

--- What names that look the same have in common; `name` is valid UTF-8.
local function key_of(name)
  local key = name:lower():gsub("[\xC2-\xEF][\x80-\xBF]+", small):gsub("%s+", " ")
  return key:match("^ ?(.-) ?$")
end

--- Sets options: `reserved`, an array of names. Returns the module.
function nicknames.configure(options)
  for key, value in pairs(options) do
    if key ~= "reserved" then error("nicknames: there is no option '" .. tostring(key) .. "'", 2) end
    if type(value) ~= "table" then error("nicknames: reserved is an array of names", 2) end
  end
  for _, name in ipairs(options.reserved or {}) do reserved[key_of(chat.escape_html(name))] = true end
  return nicknames
end

local function refuse(client, reason)
  client:send(chat.object("type", "error", "error", reason))
  return false
end

--- Whose names are whose in `room`: key -> uid. An entry counts only while the client is there under that name.
local function holders(room)
  local state = room.state
  if type(state.nicknames) ~= "table" then
    state.nicknames = {}
    local members = room:members() -- who were here before this module; more of them would take too long
    for i = 1, math.min(#members, 10000) do
      local name = members[i].state.name
      if name then state.nicknames[key_of(name)] = members[i].id end
    end
  end
  return state.nicknames
end

--- Whether another client than `client` has the name with this key in `room`.
local function is_taken(client, room, key)
  local holder = room.size > 0 and chat.client(holders(room)[key])
  return holder and holder ~= client and holder.state.room == room and key_of(holder.state.name) == key
end

--- Takes the name that `client` holds from it.
local function release(client)
  local held = client.state.nicknames
  local room = type(held) == "table" and chat.room(held.room)
  if room and room.size > 0 and holders(room)[held.key] == client.id then holders(room)[held.key] = nil end
end
nicknames.on_close = release

--- Before the app lets the client in. A name that is none is left to the app to refuse.
function nicknames.on.login(client, msg)
  if type(msg.name) ~= "string" or #msg.name > 1024 or not utf8.len(msg.name) then return end
  local key = key_of(chat.escape_html(msg.name))
  if reserved[key] then return refuse(client, "name_reserved") end
  if is_taken(client, msg.room, key) then return refuse(client, "name_taken") end
end

--- The app has let the client in: it holds the name now.
local function hold(client, msg)
  local key = key_of(client.state.name)
  release(client)
  holders(msg.room)[key] = client.id
  client.state.nicknames = { room = msg.room.name, key = key }
end
nicknames[1] = chat.hook("on.login", hold, 5)

function nicknames.on.nick(client, msg)
  if not client.state.room then return refuse(client, "not_logged_in") end
  return chat.handler("login")(client, { type = "login", name = msg.name })
end

return nicknames
