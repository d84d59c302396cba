--- nicknames_test.lua: whose name is whose (nicknames.lua, names.lua).
local t = require "charlua.test"
local players = require "players"

local rules, login = players.rules, players.login

t.preset { rules = rules 'require "nicknames"' }

local function expect_refused(s, name, code, room)
  local client = s:client { name = type(name) == "string" and name or nil }
  client:send { type = "login", name = name, room = room }
  client:expect_error(code)
  client:expect_nothing()
end

t.case("a client that knows no nicknames sees the default chat", players.play_default_chat)

t.case("a name that is none is left to login to refuse", function(s)
  expect_refused(s, "", "bad_name")
  expect_refused(s, 7, "bad_name")
  expect_refused(s, ("x"):rep(5000), "bad_name")
end)

t.case("a name that looks like one in the room is taken", function(s)
  local ana = login(s, "Ana <\u{D1}and\u{DA}>  Iv\u{41B}")
  expect_refused(s, " ana <\u{F1}AND\u{FA}> iv\u{43B} ", "name_taken")
  expect_refused(s, "An\u{200B}a <\u{D1}and\u{DA}> Iv\u{41B}", "name_taken")
  login(s, "Ana <nandu> Iv\u{41B}")
  login(s, "ana <\u{F1}and\u{FA}> iv\u{43B}", "den")
  ana:expect { type = "login", name = "Ana &lt;nandu&gt; Iv\u{41B}" }
  ana:expect_nothing()
end)

--- Spellings of "Stra\u{DF}e \u{E9}": capitals, white space, invisible characters, other forms of the same letters.
local SPELLINGS = {
  "stra\u{DF}e \u{E9}", "STRASSE \u{C9}", "Stra\u{1E9E}e e\u{301}", "Strasse\u{A0}\u{E9}", "Strasse\u{3000}\u{E9}",
  "Strasse\u{2003}\u{2028}\u{E9}", "Stra\u{200B}sse \u{E9}", "St\u{2060}rasse \u{E9}", "Stra\u{FE0F}sse \u{E9}",
  "Strasse \u{E9}\u{E0041}", "Strasse\u{2800}\u{E9}", "Strasse\u{3164}\u{E9}", "\u{202E}Strasse \u{E9}\u{202C}",
  "\u{FF33}trasse \u{E9}", "Stra\u{17F}\u{17F}e \u{E9}", "\u{1D54A}trasse \u{E9}",
}

t.case("no spelling of a name is another name, nor of a reserved one", function(s)
  login(s, "Stra\u{DF}e \u{E9}")
  for _, name in ipairs(SPELLINGS) do expect_refused(s, name, "name_taken") end
  s:reload(rules 'require "nicknames".configure { reserved = { "Stra\u{DF}e \u{E9}" } }')
  for _, name in ipairs(SPELLINGS) do expect_refused(s, name, "name_reserved") end
end)

t.case("letters that differ in more than being capitals are different", function(s)
  for _, name in ipairs { "\u{E0}", "\u{E1}", "\u{FF}", "\u{101}", "\u{103}", "\u{3B1}", "\u{430}", "\u{732A}", "a" } do
    login(s, name)
  end
end)

t.case("a name is free again when its client has another one, another room, or has gone", function(s)
  s:reload(rules 'require "rooms", require "nicknames"')
  local ana = login(s, "Ana")
  ana:send { type = "nick", name = "Eva" }
  ana:expect { type = "login", uid = ana.id, name = "Eva" }
  expect_refused(s, "eva", "name_taken")
  local beto = login(s, "Ana")
  beto:send { type = "join", room = "den" }
  local carl = login(s, "Ana")
  carl:send { type = "join", room = "den" }
  carl:expect_error "name_taken"
  carl:send { type = "say", to_uid = "all", content = "still here" }
  carl:expect { type = "say", content = "still here" }
  beto:close()
  carl:send { type = "join", room = "den" }
  carl:expect { type = "user_list", user_list = { { uid = carl.id, name = "Ana" } } }
  ana:close()
  login(s, "Eva")
end)

t.case("nick tells the room in a way that clients know, and refuses what login does", function(s)
  local ana, beto = login(s, "Ana"), login(s, "Beto")
  ana:skip()
  ana:send { type = "nick", name = "beto" }
  ana:expect_error "name_taken"
  ana:send { type = "nick", name = " " }
  ana:expect_error "bad_name"
  ana:send { type = "nick" }
  ana:expect_error "bad_name"
  ana:send { type = "nick", name = "ANA" }
  local text = ('{"type":"login","uid":%d,"name":"ANA","time":"2014-08-12 17:50:30"}'):format(ana.id)
  ana:expect_text(text)
  beto:expect_text(text)
  ana:expect_nothing()
  local eva = s:client {}
  eva:send { type = "nick", name = "Eva" }
  eva:expect_error "not_logged_in"
end)

t.case("reserved names are nobody's", function(s)
  s:reload(rules 'require "nicknames".configure { reserved = { "Admin", "R&D" } }')
  expect_refused(s, "ADMIN", "name_reserved")
  expect_refused(s, " r&d", "name_reserved")
  login(s, "Administrator")
end)

t.case("options that there are not", function(s)
  t.ok(not s:reload(rules 'require "nicknames".configure { resrved = { "Admin" } }', true), "a wrong name")
  s:expect_log "nicknames: there is no option 'resrved'"
  t.ok(not s:reload(rules 'require "nicknames".configure { reserved = "Admin" }', true), "a wrong type")
  s:expect_log "nicknames: the option 'reserved' is a table, not a string"
end)

t.case("names that are there before the module are taken, too", function(s)
  s:reload(rules "")
  login(s, "Ana")
  login(s, "Ana")
  s:reload()
  expect_refused(s, "ana", "name_taken")
  s:reload()
  expect_refused(s, "ana", "name_taken")
end)

t.case("names that were there before the module are free when they are left", function(s)
  s:reload(rules "")
  local ana, beto = login(s, "Ana"), login(s, "Beto")
  s:reload(rules 'require "rooms", require "nicknames"')
  expect_refused(s, "Ana", "name_taken")
  ana:send { type = "nick", name = "Eva" }
  beto:send { type = "join", room = "den" }
  login(s, "Ana")
  login(s, "Beto")
end)

t.case("no more is kept than the names that are in use", { rules = [[
  local app = require "chat"
  app.use = { require "nicknames" }
  function app.on.kept(client)
    client:send { kept = client.state.room.state.names }
  end
  return app
]] }, function(s)
  local ana, beto = login(s, "Ana"), login(s, "Beto")
  for i = 1, 10 do ana:send { type = "nick", name = "Ana " .. i } end
  beto:close()
  ana:skip()
  ana:send { type = "kept" }
  ana:expect_text(('{"kept":{"ana10":%d}}'):format(ana.id))
end)
