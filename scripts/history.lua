--- history.lua: who comes into a room reads the last messages that were said to all in it.
--
--   login    is followed by the room's last messages, oldest first: each the `say` that it was, with its time, and with
--            "id", "history":true and "from_name" behind that, the name of then
--   history  [{"before":id,"limit":n}]  to the asker {"type":"history","history":[...][,"more":true]}: at most n (all
--            that are kept) of those before that id (the newest), oldest first; "more" if there are older ones
--
-- Errors: not_logged_in, bad_before, bad_limit.
-- Ids grow within a room. Whispers are never kept. The messages are in memory and end with the room, that is with its
-- last member: who was alone and comes back finds none, and after a restart of the server there are none.
local chat = require "charlua"
local configure = require "configure"
local refuse = require "refuse"

local history = { on = {} }

local options = {
  messages = 50, -- kept of a room, at most 1,000
  bytes = 65536, -- the same in bytes of names and contents, at most 131,072
  replay = 50, -- sent to who comes
  total = 64 * 1024 * 1024, -- bytes of all rooms' messages; beyond, the oldest of all go
}

local ENTRY_BYTES = 400 -- of a message beside its name and content, for `total`
local FORGOTTEN_MAX = 100 -- at one message: more than it can take the place of

--- Sets options; see above. Returns the module.
function history.configure(changes)
  configure("history", options, changes)
  assert(options.messages <= 1000 and options.bytes <= 131072, "history: at most 1,000 messages and 131,072 bytes")
  return history
end

--- What is kept of `room`: an array of messages, with `last` the id of the newest, and their `bytes`.
local function log_of(room)
  local state = room.state
  local log = state.history
  if type(log) ~= "table" or log.version ~= 2 then
    log = { version = 2, last = 0, bytes = 0 }
    state.history = log
  end
  return log
end

local function size_of(entry)
  return #entry.name + #entry.content
end

--- As it was said, and what is new about it.
local function said(entry)
  return chat.object("type", "say", "from_uid", entry.uid, "to_uid", "all", "content", entry.content,
    "time", entry.time, "id", entry.id, "history", true, "from_name", entry.name)
end

--- The messages of all rooms: each has the next `older` and `newer` one, from `oldest` to `newest`. There may be many
-- rooms, and a room's end is heard by nobody: what it had stays here until it is the oldest.
local function all()
  local kept = chat.state.history
  if type(kept) ~= "table" or kept.version ~= 2 then
    kept = { version = 2, bytes = 0 }
    chat.state.history = kept
  end
  return kept
end

--- Appends `entry` to all messages and to its room's.
local function add(kept, entry)
  local log, newest = entry.log, kept.newest
  entry.older = newest
  if newest then newest.newer = entry else kept.oldest = entry end
  kept.newest, kept.bytes = entry, kept.bytes + size_of(entry) + ENTRY_BYTES
  log[#log + 1], log.last, log.bytes = entry, entry.id, log.bytes + size_of(entry)
end

--- Forgets `entry`, the oldest of its room.
local function forget(kept, entry)
  local log, older, newer = entry.log, entry.older, entry.newer
  if log[1] == entry then
    table.remove(log, 1)
    log.bytes = log.bytes - size_of(entry)
  end
  if older then older.newer = newer else kept.oldest = newer end
  if newer then newer.older = older else kept.newest = older end
  kept.bytes = kept.bytes - size_of(entry) - ENTRY_BYTES
end

--- The app has said it: msg holds what it sent.
local function keep(client, msg)
  if msg.to_uid ~= "all" then return end
  local kept, log = all(), log_of(client.state.room)
  add(kept, { id = log.last + 1, log = log, uid = client.id, name = client.state.name, content = msg.content,
    time = msg.time })
  while #log > options.messages or log.bytes > options.bytes do forget(kept, log[1]) end
  for _ = 1, FORGOTTEN_MAX do
    if kept.bytes <= options.total or not kept.oldest then break end
    forget(kept, kept.oldest)
  end
end

--- The app has let the client in.
local function replay(client, msg)
  if not msg.enters then return end
  local log = log_of(msg.room)
  for i = math.max(1, #log - options.replay + 1), #log do client:send(said(log[i])) end
end

history[1] = chat.hook("on.say", keep, 100)
history[2] = chat.hook("on.login", replay, 10)

--- Whether `n` is a whole number from 1 on.
local function is_count(n)
  return type(n) == "number" and n >= 1 and n <= 2 ^ 53 and n == n // 1
end

function history.on.history(client, msg)
  local room = client.state.room
  if not room then return refuse(client, "not_logged_in") end
  if msg.before ~= nil and not is_count(msg.before) then return refuse(client, "bad_before") end
  if msg.limit ~= nil and not is_count(msg.limit) then return refuse(client, "bad_limit") end
  local log, list = log_of(room), {}
  local last = #log
  while last > 0 and msg.before and log[last].id >= msg.before do last = last - 1 end
  local first = math.max(1, last - (msg.limit or last) + 1)
  for i = first, last do list[#list + 1] = said(log[i]) end
  client:send(chat.object("type", "history", "history", chat.array(list), "more", first > 1 or nil))
end

return history
