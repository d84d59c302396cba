--- game_test.lua: cases for game.lua.
local t = require "charlua.test"

local function player(s, name)
  local client = s:client { name = name }
  client:expect { type = "welcome", you = client.id }
  return client
end

local function both_hear(ana, beto, wanted)
  ana:expect(wanted)
  beto:expect(wanted)
end

--- Two at the table; it is Ana's turn.
local function table_of_two(s)
  local ana, beto = player(s, "Ana"), player(s, "Beto")
  ana:expect { type = "turn", player = ana.id, seconds = 15 }
  return ana, beto
end

t.case("a guess is answered to all, and the turn goes on", function(s)
  local ana, beto = table_of_two(s)
  ana:send { type = "guess", number = 100 }
  both_hear(ana, beto, { type = "guess", player = ana.id, number = 100, answer = "lower", score = 0 })
  both_hear(ana, beto, { type = "turn", player = beto.id })
  beto:send { type = "guess", number = 1 }
  both_hear(ana, beto, { type = "guess", player = beto.id, number = 1, answer = "higher", score = 0 })
  both_hear(ana, beto, { type = "turn", player = ana.id })
end)

t.case("who halves what is left hits within 7 guesses, again and again", function(s)
  local ana = player(s, "Ana")
  for score = 1, 10 do
    local low, high, guesses = 1, 100, 0
    repeat
      local number = (low + high) // 2
      ana:expect { type = "turn", player = ana.id }
      ana:send { type = "guess", number = number }
      local heard = ana:expect { type = "guess", number = number }
      if heard.answer == "higher" then low = number + 1 else high = number - 1 end
      t.equal(heard.score, heard.answer == "hit" and score or score - 1)
      guesses = guesses + 1
    until heard.answer == "hit"
    t.ok(guesses <= 7, "too many guesses")
  end
end)

t.case("who dawdles loses the turn, over a reload, too", function(s)
  local ana, beto = table_of_two(s)
  s:advance(14)
  s:reload()
  beto:expect_nothing()
  s:advance(1)
  both_hear(ana, beto, { type = "turn", player = beto.id })
  s:advance(10)
  beto:send { type = "guess", number = 100 }
  ana:skip()
  s:advance(14) -- the time is counted from the turn's beginning
  ana:expect_nothing()
end)

t.case("who leaves in their turn passes it on, and the last one ends the game", function(s)
  local ana, beto = table_of_two(s)
  ana:close()
  beto:expect { type = "turn", player = beto.id }
  beto:close()
  s:advance(60)
  local caro = player(s, "Caro")
  caro:expect { type = "turn", player = caro.id }
  caro:expect_nothing()
end)

t.case("a guess out of turn, or of no number, is refused", function(s)
  local ana, beto = table_of_two(s)
  beto:send { type = "guess", number = 50 }
  beto:expect_error "not_your_turn"
  for _, number in ipairs { 0, 101, 1.5, "50", {}, false } do
    ana:send { type = "guess", number = number }
    ana:expect_error "bad_number"
  end
  ana:send { type = "guess" }
  ana:expect_error "bad_number"
  beto:expect_nothing()
end)

t.case("the table has 8 seats", function(s)
  for n = 1, 8 do player(s, "player " .. n) end
  s:client { name = "late" }:expect_closed(4000, "the table is full")
end)
