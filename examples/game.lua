--- game.lua: guess the number, in turns: who hits it has a point, who dawdles loses the turn.
-- Who connects sits at the table. {"type":"turn","player":...,"seconds":15} tells all whose turn it is, that one says
-- {"type":"guess","number":...}, and all hear {"type":"guess","player":...,"number":...,"answer":...,"score":...}; the
-- answer is "higher", "lower" or "hit". What counts is in states and a timer with a name, which survive a reload.
local chat = require "charlua"

local app = { api = 1, on = {}, timers = {} }

local HIGHEST, SECONDS, SEATS = 100, 15, 8

--- The turn goes to the next one around the table, in order of joining.
local function pass()
  local room = chat.room("table")
  local game, players, at = room.state, room:members(), 0
  for i, player in ipairs(players) do
    if player.id == game.turn then at = i end
  end
  local player = players[at % #players + 1]
  room:send(chat.object("type", "turn", "player", player.id, "seconds", SECONDS))
  if game.timer then chat.cancel(game.timer) end
  game.turn, game.timer = player.id, chat.after(SECONDS, "pass")
end

app.timers.pass = pass

function app.on_open(client)
  local room = chat.room("table")
  if room.size >= SEATS or not client:join(room) then return false, 4000, "the table is full" end
  client:send(chat.object("type", "welcome", "you", client.id))
  client.state.score = 0
  if room.size == 1 then
    room.state.secret = math.random(HIGHEST)
    pass()
  end
end

function app.on.guess(client, msg)
  local room, number = chat.room("table"), msg.number
  local game, score = room.state, client.state.score
  if client.id ~= game.turn then return client:send { type = "error", error = "not_your_turn" } end
  if type(number) ~= "number" or number % 1 ~= 0 or number < 1 or number > HIGHEST then
    return client:send { type = "error", error = "bad_number" }
  end
  local answer = number < game.secret and "higher" or number > game.secret and "lower" or "hit"
  if answer == "hit" then score, game.secret = score + 1, math.random(HIGHEST) end
  room:send(chat.object("type", "guess", "player", client.id, "number", number, "answer", answer, "score", score))
  client.state.score = score
  pass()
end

--- Whoever leaves is still at the table here; the last one takes the game along.
function app.on_close(client)
  local room = chat.room("table")
  if room.size == 1 then return chat.cancel(room.state.timer) end
  if client.id == room.state.turn then pass() end
end

return app
