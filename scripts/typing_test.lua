--- typing_test.lua: who is writing, and who is away (typing.lua).
local t = require "charlua.test"
local players = require "players"

local rules, login, meet = players.rules, players.login, players.meet

t.preset { rules = rules 'require "typing"' }

t.case("a client that knows nothing of it sees the default chat", players.play_default_chat)

t.case("typing is heard by the room but not by who types", function(s)
  local ana, beto, eva = meet(s, "Ana", "Beto", "Eva")
  local other = login(s, "Other", "den")
  ana:send { type = "typing" }
  local text = ('{"type":"typing","uid":%d}'):format(ana.id)
  beto:expect_text(text)
  eva:expect_text(text)
  ana:expect_nothing()
  other:expect_nothing()
end)

t.case("typing a whisper is heard by its receiver alone", function(s)
  local ana, beto, eva = meet(s, "Ana", "Beto", "Eva")
  local other = login(s, "Other", "den")
  ana:send { type = "typing", to_uid = beto.id }
  beto:expect_text(('{"type":"typing","uid":%d,"to_uid":%d}'):format(ana.id, beto.id))
  eva:expect_nothing()
  s:advance(2)
  for _, nobody in ipairs { other.id, "x", 1.5, { 1 } } do
    ana:send { type = "typing", to_uid = nobody }
    ana:expect_error "no_such_user"
  end
  other:expect_nothing()
end)

t.case("typing too often comes to nothing, quietly", function(s)
  local ana, beto = meet(s, "Ana", "Beto")
  for _ = 1, 10 do ana:send { type = "typing" } end
  s:reload()
  s:advance(1.9)
  ana:send { type = "typing" }
  beto:expect { type = "typing" }
  beto:expect_nothing()
  s:advance(0.1)
  ana:send { type = "typing" }
  beto:expect { type = "typing" }
  s:reload(rules 'require "typing".configure { seconds = 10 }')
  s:advance(9)
  ana:send { type = "typing" }
  beto:expect_nothing()
  ana:expect_nothing()
end)

t.case("who is away is shown so to those who are here and to those who come, until back", function(s)
  local ana, beto = meet(s, "Ana", "Beto")
  ana:send { type = "away", text = "at <lunch>" }
  local text = ('{"type":"away","uid":%d,"text":"at &lt;lunch&gt;"}'):format(ana.id)
  ana:expect_text(text)
  beto:expect_text(text)
  s:reload()
  beto:send { type = "user_list" }
  beto:expect_text('{"type":"user_list","user_list":['
    .. ('{"uid":%d,"name":"Ana","away":"at &lt;lunch&gt;"},{"uid":%d,"name":"Beto"}]}'):format(ana.id, beto.id))
  ana:send { type = "back" }
  beto:expect_text(('{"type":"back","uid":%d}'):format(ana.id))
  beto:send { type = "user_list" }
  t.equal(beto:next().user_list[1].away, nil)
  ana:skip()
  ana:send { type = "back" }
  ana:expect_error "not_away"
end)

t.case("who is away and changes rooms is away there", function(s)
  s:reload(rules 'require "rooms", require "typing"')
  local ana, beto = login(s, "Ana"), login(s, "Beto", "den")
  ana:send { type = "away", text = "lunch" }
  ana:send { type = "join", room = "den" }
  beto:expect { type = "login", uid = ana.id }
  beto:expect { type = "away", uid = ana.id, text = "lunch" }
end)

t.case("texts are short and for one line, and a login comes first", function(s)
  local ana = s:client {}
  for _, kind in ipairs { "typing", "away", "back" } do
    ana:send { type = kind, text = "x" }
    ana:expect_error "not_logged_in"
  end
  ana = login(s, "Ana")
  for _, text in ipairs { 7, "", "  ", "a\nb", "a\u{85}", ("x"):rep(201), ("x"):rep(5000) } do
    ana:send { type = "away", text = text }
    ana:expect_error "bad_text"
  end
  ana:send { type = "away", text = ("\u{732a}"):rep(200) }
  ana:expect { type = "away" }
end)
