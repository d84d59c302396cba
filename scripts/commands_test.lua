--- commands_test.lua: commands stand for messages (commands.lua).
local t = require "charlua.test"
local players = require "players"

local ALL = 'require "commands", require "nicknames", require "rooms", require "history", require "typing"'

local rules, login, say = players.rules, players.enter, players.say

t.preset { rules = rules(ALL) }

--- What history tells who comes now.
local function replayed(s)
  local client = s:client {}
  client:send { type = "login", name = "Newcomer" }
  client:expect { type = "user_list" }
  client:expect { type = "login" }
  return client:skip()
end

t.case("clients that know none of it see the default chat", { rules = rules 'require "commands"' },
  players.play_default_chat)
t.case("with all of these modules they see it, too", players.play_default_chat)

t.case("a command that there is not is refused with a hint, and nobody else hears of it", function(s)
  local ana, beto = login(s, "Ana"), login(s, "Beto")
  ana:skip()
  for _, line in ipairs { "/dance", "/dance with me", "/mee", "/helping" } do
    say(ana, line)
    ana:expect { type = "error", error = "unknown_command", hint = t.like "/help" }
  end
  beto:expect_nothing()
  t.equal(#replayed(s), 0)
end)

t.case("two slashes say one, and what is no slash and word is said as it is", function(s)
  local ana, beto = login(s, "Ana"), login(s, "Beto")
  ana:skip()
  for line, said in pairs {
    ["//me waves"] = "/me waves", ["///"] = "//", ["/"] = "/", ["/ me"] = "/ me", ["/usr/bin"] = "/usr/bin",
    [" /me"] = " /me", ["7/8"] = "7/8",
  } do
    say(ana, line)
    beto:expect { type = "say", to_uid = "all", content = said }
  end
end)

t.case("only what is said to all is a command", function(s)
  local ana, beto = login(s, "Ana"), login(s, "Beto")
  ana:send { type = "say", to_uid = beto.id, content = "/me waves" }
  beto:expect { type = "say", content = "/me waves" }
  local eva = s:client {}
  say(eva, "/help")
  eva:expect_error "not_logged_in"
  ana:skip()
  for _, content in ipairs { 7, "", "/" .. ("x"):rep(20000) } do
    say(ana, content)
    ana:expect_error "bad_content"
  end
end)

t.case("a line of white space costs nobody time", function(s)
  local ana = login(s, "Ana")
  for _, line in ipairs {
    "/me x" .. (" "):rep(16000) .. "x", "/me x" .. ("\n"):rep(16000) .. "x", "/me " .. ("x "):rep(8000) .. "x",
  } do
    say(ana, line)
    ana:expect_error "bad_content"
  end
end)

t.case("/me says it as one's doing, and history has it", function(s)
  local ana, beto = login(s, "Ana"), login(s, "Beto")
  say(ana, "/ME  <waves> ")
  beto:expect { type = "say", from_uid = ana.id, to_uid = "all", content = "*&lt;waves&gt;*" }
  ana:skip()
  say(ana, "/me")
  ana:expect_error "bad_content"
  t.equal(replayed(s), { { content = "*&lt;waves&gt;*", history = true } })
end)

t.case("/msg whispers to who has the name, the longest one that it may be", function(s)
  local ana, beto, marie = login(s, "Ana"), login(s, "Beto & Co"), login(s, "beto & co marie")
  ana:skip()
  beto:skip()
  say(ana, "/msg BETO & CO  hi <there>")
  beto:expect { type = "say", from_uid = ana.id, to_uid = beto.id, content = " hi &lt;there&gt;" }
  ana:expect { type = "say", to_uid = beto.id }
  marie:expect_nothing()
  say(ana, "/msg Beto & Co Marie\nhi")
  marie:expect { type = "say", to_uid = marie.id, content = "hi" }
  beto:expect_nothing()
  ana:skip()
  for line, code in pairs {
    ["/msg Beto hi"] = "no_such_user", ["/msg"] = "no_such_user", ["/msg " .. ("x "):rep(2000)] = "no_such_user",
    ["/msg Beto & Co"] = "bad_content",
  } do
    say(ana, line)
    ana:expect_error(code)
  end
  beto:expect_nothing()
  t.equal(#replayed(s), 0)
end)

t.case("/msg does not guess which of two is meant", { rules = rules 'require "commands"' }, function(s)
  local ana, one, two = login(s, "Ana"), login(s, "Eva"), login(s, "eva")
  ana:skip()
  one:skip()
  say(ana, "/msg Eva hi")
  ana:expect_error "ambiguous_name"
  one:expect_nothing()
  two:expect_nothing()
end)

t.case("/nick renames as nick does, or as the app's login does", function(s)
  local ana, beto = login(s, "Ana"), login(s, "Beto")
  ana:skip()
  say(ana, "/nick beto")
  ana:expect_error "name_taken"
  say(ana, "/nick")
  ana:expect_error "bad_name"
  say(ana, "/nick Eva <3")
  beto:expect { type = "login", uid = ana.id, name = "Eva &lt;3" }
  s:reload(rules 'require "commands"')
  say(beto, "/nick Eva <3")
  beto:expect { type = "login", uid = beto.id, name = "Eva &lt;3" }
end)

t.case("commands of other modules are there when these are in use", function(s)
  local ana, beto = login(s, "Ana"), login(s, "Beto")
  ana:skip()
  say(ana, "/away at lunch")
  beto:expect { type = "away", text = "at lunch" }
  say(ana, "/back")
  beto:expect { type = "back" }
  say(ana, "/topic tea")
  ana:skip()
  say(ana, "/join the den")
  beto:expect { type = "logout", uid = ana.id }
  say(ana, "/topic")
  ana:expect { type = "user_list" }
  ana:expect { type = "login" }
  ana:expect { type = "join", room = "the den" }
  ana:expect { type = "topic", topic = "" }
  say(ana, "/topic tea & cake")
  ana:expect { type = "topic", topic = "tea &amp; cake" }
  say(ana, "/rooms")
  ana:expect { type = "rooms", rooms = function(rooms) return #rooms == 2 end }
  say(ana, "/part")
  beto:expect { type = "login", uid = ana.id }
  s:reload(rules 'require "commands"')
  ana:skip()
  for _, line in ipairs { "/away x", "/back", "/topic", "/rooms", "/join den", "/part" } do
    say(ana, line)
    ana:expect_error "unknown_command"
  end
end)

t.case("a command is subject to what the rules say about its message", { rules = [[
  local chat = require "charlua"
  local app = require "chat"
  app.use = { require "commands", require "nicknames", { chat.hook("on.nick", function() return false end, -1) } }
  return app
]] }, function(s)
  local ana = login(s, "Ana")
  say(ana, "/nick Eva")
  ana:expect_nothing()
end)

t.case("/help lists what there is, in a whisper to oneself that all clients can show", function(s)
  local ana, beto = login(s, "Ana"), login(s, "Beto")
  ana:skip()
  say(ana, "/help")
  local all = ana:expect { type = "say", from_uid = ana.id, to_uid = ana.id, time = "2014-08-12 17:50:30" }
  t.ok(all.content:find("/join ROOM<br />\n", 1, true))
  s:reload(rules 'require "commands"')
  say(ana, "/help")
  ana:expect { content = "/help<br />\n/me TEXT<br />\n/msg NAME TEXT<br />\n/nick NAME" }
  beto:expect_nothing()
end)
