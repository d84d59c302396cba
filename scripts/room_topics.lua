--- room_topics.lua: the part of rooms.lua that shows and sets what a room is about.
local chat = require "charlua"
local refuse = require "refuse"
local text = require "text"

local topics = {}

local TOPIC_MAX = 200 -- characters

--- Whether `client` may say what `room` is about: who has been longest in it may, and `is_moderator(client)`.
local function may_set(client, room, home, is_moderator)
  if is_moderator and is_moderator(client) then return true end
  return room.name ~= home and room:members { limit = 1 }[1] == client
end

--- {"type":"topic"[,"topic":...]}; `kept` is what rooms.lua keeps of `room`.
function topics.answer(client, msg, room, kept, home, is_moderator)
  local topic = msg.topic
  if topic == nil then return client:send(chat.object("type", "topic", "topic", kept.topic or "")) end
  if not text.is_short(topic, TOPIC_MAX) or text.has_control(topic) then return refuse(client, "bad_topic") end
  if not may_set(client, room, home, is_moderator) then return refuse(client, "not_allowed") end
  topic = chat.escape_html(topic)
  room:send(chat.object("type", "topic", "topic", topic, "uid", client.id))
  kept.topic = topic ~= "" and topic or nil
end

return topics
