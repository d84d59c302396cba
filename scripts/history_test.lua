--- history_test.lua: what newcomers read (history.lua).
local t = require "charlua.test"
local players = require "players"

local rules, login, say, contents = players.rules, players.login, players.say, players.contents

t.preset { rules = rules 'require "history"' }

t.case("a client that knows no history sees the default chat", players.play_default_chat)

t.case("who comes reads what was said, as it was said and when, from who has gone, too", function(s)
  local ana, beto = login(s, "Ana & Co"), login(s, "Beto")
  say(ana, "<hi>\nall")
  beto:close()
  s:advance(60)
  local old = s:client { name = "old" }
  old:send { type = "login", name = "Beto" }
  old:expect { type = "user_list" }
  old:expect { type = "login", time = "2014-08-12 17:51:30" }
  old:expect_text(('{"type":"say","from_uid":%d,"to_uid":"all","content":"&lt;hi&gt;<br \\/>\\nall",'):format(ana.id)
    .. '"time":"2014-08-12 17:50:30","id":1,"history":true,"from_name":"Ana &amp; Co"}')
  old:expect_nothing()
end)

t.case("a new name brings no history", function(s)
  local ana = login(s, "Ana")
  say(ana, "hi")
  ana:skip()
  ana:send { type = "login", name = "Eva", enters = true } -- which is not for clients to say
  ana:expect { type = "login" }
  ana:expect_nothing()
end)

t.case("whispers and what was refused are not kept", function(s)
  local ana, beto = login(s, "Ana"), login(s, "Beto")
  ana:send { type = "say", to_uid = beto.id, content = "psst" }
  say(ana, "")
  say(ana, 7)
  say(s:client {}, "who is there?")
  login(s, "Eva"):expect_nothing()
end)

t.case("rooms have histories of their own, which end with their last member", function(s)
  s:reload(rules 'require "rooms", require "history"')
  local ana, beto = login(s, "Ana"), login(s, "Beto", "den")
  say(ana, "lobby")
  say(beto, "den")
  ana:skip()
  ana:send { type = "join", room = "den" }
  ana:expect { type = "user_list" }
  ana:expect { type = "login" }
  ana:expect { type = "join", room = "den" }
  ana:expect { type = "say", content = "den", history = true }
  ana:expect_nothing()
  login(s, "Eva"):expect_nothing()
  beto:send { type = "join", room = "lobby" }
  beto:skip()
  beto:send { type = "join", room = "den" }
  t.equal(contents { table.unpack(beto:skip(), 4) }, { "den" })
end)

t.case("only the last ones are kept, by number and by bytes", function(s)
  local ana = login(s, "Ana")
  for i = 1, 60 do say(ana, "n" .. i) end
  local kept = login(s, "Eva"):skip()
  t.equal(#kept, 50)
  t.equal(kept[1], { content = "n11", id = 11 })
  t.equal(kept[50], { content = "n60", id = 60 })
  for _ = 1, 20 do say(ana, ("x"):rep(4096)) end
  kept = login(s, "Eva"):skip()
  t.equal(#kept, 15)
  t.equal(kept[15].id, 80)
  s:reload(rules 'require "history".configure { messages = 3 }')
  say(ana, "last")
  t.equal(#login(s, "Eva"):skip(), 3)
  s:reload(rules 'require "history".configure { bytes = 2 }')
  say(ana, "too long")
  login(s, "Eva"):expect_nothing()
end)

t.case("of all rooms together only so much is kept, and the oldest of all goes first", function(s)
  s:reload(rules 'require "history".configure { total = 2100, messages = 3 }') -- five
  local ana, beto = login(s, "Ana"), login(s, "Beto", "den")
  for i = 1, 3 do say(ana, "a" .. i) end
  for i = 1, 2 do say(beto, "b" .. i) end
  t.equal(contents(login(s, "Eva"):skip()), { "a1", "a2", "a3" })
  say(beto, "b3")
  t.equal(contents(login(s, "Fito"):skip()), { "a2", "a3" })
  for i = 4, 9 do say(beto, "b" .. i) end -- in the place of their own
  t.equal(contents(login(s, "Gabi"):skip()), { "a2", "a3" })
  t.equal(contents(login(s, "Hugo", "den"):skip()), { "b7", "b8", "b9" })
  s:reload(rules 'require "history".configure { total = 2100, messages = 3 }')
  say(ana, ("x"):rep(880))
  t.equal(contents(login(s, "Ines", "den"):skip()), { "b8", "b9" })
  say(ana, ("x"):rep(3000)) -- more than all may be
  login(s, "Juan", "den"):expect_nothing()
  login(s, "Kike"):expect_nothing()
  say(ana, "again")
  t.equal(contents(login(s, "Lola"):skip()), { "again" })
end)

t.case("history has the older ones", function(s)
  s:reload(rules 'require "history".configure { replay = 2 }')
  local ana, eva = login(s, "Ana"), s:client { name = "Eva" }
  eva:send { type = "history" }
  eva:expect_error "not_logged_in"
  for i = 1, 6 do say(ana, "n" .. i) end
  ana:skip()
  eva = login(s, "Eva")
  t.equal(contents(eva:skip()), { "n5", "n6" })
  eva:send { type = "history", before = 5, limit = 2 }
  t.equal(eva:next(), { type = "history", more = true, history = { { id = 3, content = "n3" }, { id = 4 } } })
  eva:send { type = "history", before = 3 }
  local rest = eva:next()
  t.equal(rest.history, { { id = 1, type = "say", from_name = "Ana" }, { id = 2, history = true } })
  t.equal(rest.more, nil)
  eva:send { type = "history", before = 1 }
  eva:expect_text '{"type":"history","history":[]}'
  eva:send { type = "history" }
  t.equal(#eva:next().history, 6)
  for _, bad in ipairs { 0, -1, 1.5, "1", 1e300 } do
    eva:send { type = "history", before = bad }
    eva:expect_error "bad_before"
    eva:send { type = "history", limit = bad }
    eva:expect_error "bad_limit"
  end
end)

t.case("a reload keeps it, and what another version of the module kept is no harm", function(s)
  local ana = login(s, "Ana")
  say(ana, "hi")
  s:reload()
  login(s, "Eva"):expect { type = "say", content = "hi" }
  s:reload [[
    local app = require "chat"
    function app.on.spoil(client) client.state.room.state.history = { "hi" } end
    return app
  ]]
  ana:send { type = "spoil" }
  s:reload()
  login(s, "Beto"):expect_nothing()
end)
