--- support.lua: a support desk: visitors wait in a queue, agents take the next one and talk with them in private.
-- A visitor: {"type":"ask","name":...}, then {"type":"place","place":1} whenever that changes. An agent, who knows the
-- secret of --set secret=...: {"type":"agent","secret":...}, {"type":"next"}. Both: {"type":"say","content":...},
-- {"type":"close"}. The queue is a room: its members are in order of joining, and who leaves drops out.
local chat = require "charlua"

local app = { api = 1, on = {} }
local QUEUE_MAX, NAME_MAX, CONTENT_MAX = 100, 64, 4096 -- visitors, characters

local function refuse(client, reason) client:send(chat.object("type", "error", "error", reason)) end

local function is_text(text, max)
  local length = type(text) == "string" and #text <= max * 4 and utf8.len(text)
  return length and length >= 1 and length <= max
end

--- In constant time; without a secret of ours nobody knows it.
local function knows_secret(secret)
  local ours = chat.options.secret or ""
  return ours ~= "" and type(secret) == "string" and chat.crypto.equal(secret, ours)
end

--- All whose place in the queue is a new one hear it, and the agents how many wait.
local function tell_places()
  local waiting = chat.room("queue"):members()
  for place, visitor in ipairs(waiting) do
    if visitor.state.place ~= place then visitor:send(chat.object("type", "place", "place", place)) end
    visitor.state.place = place
  end
  chat.room("agents"):send(chat.object("type", "queue", "waiting", #waiting))
end

--- Ends the talk of the two in `desk`.
local function close(desk)
  for _, member in ipairs(desk:members()) do
    member:send { type = "closed" }
    member:leave(desk)
    member.state.desk = nil
  end
end

function app.on.agent(client, msg)
  if client.state.name then return refuse(client, "logged_in") end
  if not knows_secret(msg.secret) then return client:close(4001, "wrong secret") end -- one guess a connection
  assert(client:join("agents"))
  client:send(chat.object("type", "queue", "waiting", chat.room("queue").size))
  client.state.agent, client.state.name = true, "Support"
end

function app.on.ask(client, msg)
  local state, queue = client.state, chat.room("queue")
  if state.agent or state.desk or state.place then return refuse(client, "busy") end
  if not is_text(msg.name, NAME_MAX) then return refuse(client, "bad_name") end
  if queue.size >= QUEUE_MAX or not client:join(queue) then return refuse(client, "queue_full") end
  state.name = msg.name
  tell_places()
end

function app.on.next(client)
  if not client.state.agent then return refuse(client, "not_an_agent") end
  if client.state.desk then return refuse(client, "busy") end
  local visitor = chat.room("queue"):members()[1]
  if not visitor then return refuse(client, "nobody_waits") end
  local desk = chat.room("desk " .. visitor.id)
  visitor:leave("queue")
  assert(client:join(desk) and visitor:join(desk)) -- a failure undoes all of it
  client:send(chat.object("type", "open", "with", visitor.state.name))
  visitor:send(chat.object("type", "open", "with", client.state.name))
  client.state.desk, visitor.state.desk, visitor.state.place = desk, desk, nil
  tell_places()
end

function app.on.say(client, msg)
  local desk = client.state.desk
  if not desk then return refuse(client, "no_talk") end
  if not is_text(msg.content, CONTENT_MAX) then return refuse(client, "bad_content") end
  desk:send(chat.object("type", "say", "from", client.state.name, "content", msg.content))
end

function app.on.close(client)
  local desk = client.state.desk
  if desk then close(desk) else refuse(client, "no_talk") end
end

function app.on_close(client)
  if client.state.desk then close(client.state.desk) end
  if not client.state.place then return end
  client:leave("queue")
  tell_places()
end

return app
