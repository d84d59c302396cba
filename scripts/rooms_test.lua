--- rooms_test.lua: rooms, their topics, passwords and list (rooms.lua, room_*.lua).
local t = require "charlua.test"
local players = require "players"

local function rules(configured)
  return players.rules('require "rooms"' .. (configured or ""))
end
t.preset { rules = rules() }

local login = players.login

t.case("a client that knows no rooms sees the default chat", players.play_default_chat)

t.case("a second login changes no room", function(s)
  local nick = login(s, "mynick")
  nick:send { type = "login", name = "other", room = "den", password = "x" }
  nick:expect { type = "login", uid = nick.id, name = "other" }
  nick:expect_nothing()
end)

t.case("join leaves one room and enters the other, under the same name", function(s)
  local ana, beto, eva = login(s, "Ana <3"), login(s, "Beto"), login(s, "Eva", "den")
  ana:skip()
  ana:send { type = "join", room = " den " }
  ana:expect { type = "user_list", user_list = { { name = "Eva" }, { uid = ana.id, name = "Ana &lt;3" } } }
  ana:expect { type = "login", uid = ana.id, name = "Ana &lt;3" }
  ana:expect_text '{"type":"join","room":"den"}'
  ana:expect_nothing()
  beto:expect { type = "logout", uid = ana.id }
  beto:expect_nothing()
  eva:expect { type = "login", uid = ana.id }
  ana:send { type = "say", to_uid = "all", content = "hi" }
  eva:expect { type = "say", content = "hi" }
  beto:expect_nothing()
  ana:close()
  eva:expect { type = "logout", uid = ana.id }
  beto:expect_nothing()
end)

t.case("a client that may be in no more rooms than it is moves all the same", {
  rules = [[
    local app = require "chat"
    app.use = { require "rooms", { on_open = function(client)
      for n = 1, 63 do client:join("full " .. n) end
    end } }
    return app
  ]],
}, function(s)
  local ana, beto = login(s, "Ana"), login(s, "Beto")
  ana:skip()
  ana:send { type = "join", room = "den" }
  ana:expect { type = "user_list", user_list = { { uid = ana.id } } }
  ana:expect { type = "login", uid = ana.id }
  ana:expect { type = "join", room = "den" }
  beto:expect { type = "logout", uid = ana.id }
  beto:send { type = "say", to_uid = "all", content = "hi" }
  ana:expect_nothing()
end)

t.case("part leads home, and with no home out of all rooms", function(s)
  local ana = login(s, "Ana", "den")
  ana:send { type = "part" }
  ana:expect { type = "user_list" }
  ana:expect { type = "login" }
  ana:expect { type = "join", room = "lobby" }
  ana:send { type = "part" }
  ana:expect_error "already_there"
  local beto = login(s, "Beto")
  s:reload(rules ".configure { home = false }")
  ana:skip()
  ana:send { type = "part" }
  ana:expect { type = "part", room = "lobby" }
  beto:expect { type = "logout", uid = ana.id, time = "2014-08-12 17:50:30" }
  ana:send { type = "say", to_uid = "all", content = "hi" }
  ana:expect_error "not_logged_in"
  ana:send { type = "part" }
  ana:expect_error "not_logged_in"
  ana:send { type = "join", room = "lobby" }
  beto:expect { type = "login", uid = ana.id, name = "Ana" }
end)

t.case("join asks for a login, and for a room that is another one", function(s)
  local ana = s:client {}
  ana:send { type = "join", room = "den" }
  ana:expect_error "not_logged_in"
  ana = login(s, "Ana")
  for _, room in ipairs { 7, true, "", "  ", ("x"):rep(65), ("x"):rep(1000) } do
    ana:send { type = "join", room = room }
    ana:expect_error "bad_room"
  end
  ana:send '{"type":"join"}'
  ana:expect_error "bad_room"
  ana:send { type = "join", room = "lobby " }
  ana:expect_error "already_there"
  ana:expect_nothing()
end)

t.case("a name of white space costs nobody time", function(s)
  local ana = login(s, "Ana")
  for _, room in ipairs { (" "):rep(60000), "x" .. (" "):rep(60000) .. "x" } do
    for _, kind in ipairs { "join", "topic" } do
      ana:send { type = kind, room = room, topic = room }
      ana:expect_error("bad_" .. (kind == "join" and "room" or "topic"))
    end
    local eva = s:client {}
    eva:send { type = "login", name = room, room = room }
    eva:expect_error "bad_room"
    eva:send { type = "login", name = room }
    eva:expect_error "bad_name"
  end
end)

t.case("who makes a room may give it a password; nobody enters without, by login neither", function(s)
  local ana, beto = login(s, "Ana"), login(s, "Beto")
  ana:skip()
  ana:send { type = "join", room = "den", password = "mate" }
  ana:expect { type = "user_list" }
  ana:expect { type = "login" }
  ana:expect { type = "join", room = "den", private = true }
  beto:skip()
  beto:send { type = "join", room = "den" }
  beto:expect_error "password_needed"
  beto:send { type = "join", room = "den", password = "Mate" }
  beto:expect_error "bad_password"
  beto:send { type = "join", room = "den", password = 5 }
  beto:expect_error "bad_password"
  local eva = s:client { name = "Eva" }
  eva:send { type = "login", name = "Eva", room = "den" }
  eva:expect_error "password_needed"
  eva:send { type = "login", name = "Eva", room = "den", password = "no" }
  eva:expect_error "bad_password"
  eva:send { type = "say", to_uid = "all", content = "hi" }
  eva:expect_error "not_logged_in"
  ana:expect_nothing()
  s:reload()
  ana:send { type = "login", name = "Anna" } -- is in already
  ana:expect { type = "login", name = "Anna" }
  beto:send { type = "join", room = "den", password = "mate" }
  ana:expect { type = "login", name = "Beto" }
  eva:send { type = "login", name = "Eva", room = "den", password = "mate" }
  ana:expect { type = "login", name = "Eva" }
end)

t.case("who may not enter a room hears nothing of who is in it", {
  rules = players.rules 'require "nicknames", require "rooms"',
}, function(s)
  login(s, "Ana", "den", "mate")
  local beto = s:client {}
  beto:send { type = "login", name = "Ana", room = "den" }
  beto:expect_error "password_needed"
  beto:send { type = "login", name = "Ana", room = "den", password = "mate" }
  beto:expect_error "name_taken"
end)

t.case("a wrong password costs: after five the right one has to wait a minute", function(s)
  local ana, beto = login(s, "Ana", "den", "mate"), login(s, "Beto")
  for _ = 1, 5 do
    beto:send { type = "join", room = "den", password = "x" }
    beto:expect_error "bad_password"
  end
  beto:send { type = "join", room = "den", password = "mate" }
  beto:expect_error "too_many_attempts"
  s:reload()
  s:advance(59)
  beto:send { type = "join", room = "den", password = "mate" }
  beto:expect_error "too_many_attempts"
  s:advance(1)
  beto:send { type = "join", room = "den", password = "mate" }
  ana:expect { type = "login", name = "Beto" }
end)

t.case("wrong passwords count by room and network, so that coming again is no new chance", function(s)
  local ana = login(s, "Ana", "den", "mate")
  login(s, "Carl", "cave", "mate")
  local function try(ip, room, password)
    local client = s:client { ip = ip }
    client:send { type = "login", name = "Beto", room = room, password = password }
    local answer = client:next()
    client:close()
    return answer.error or answer.type
  end
  for i = 1, 5 do t.equal(try("2001:db8::" .. i, "den", "x"), "bad_password") end
  t.equal(try("2001:db8::6", "den", "mate"), "too_many_attempts")
  t.equal(try("2001:db8::6", "cave", "mate"), "user_list")
  t.equal(try("2001:db8:0:1::1", "den", "mate"), "user_list")
  ana:skip()
  s:advance(60)
  t.equal(try("2001:db8::6", "den", "mate"), "user_list")
end)

t.case("a password is known by its digest only", { rules = [[
  local chat = require "charlua"
  local app = require "chat"
  app.use = { require "rooms" }
  function app.on.kept(client)
    local secret = client.state.room.state.rooms.secret
    local digest = chat.crypto.sha256(secret.salt .. "mate")
    client:send { salt = secret.salt, said = secret.digest == digest }
  end
  return app
]] }, function(s)
  local ana, beto = login(s, "Ana", "den", "mate"), s:client {}
  ana:send { type = "kept" }
  ana:expect { said = true, salt = t.like "^[%w_-]+$" }
  beto:send { type = "login", name = "Beto", room = "den", password = "matt" }
  beto:expect_error "bad_password"
  beto:send { type = "login", name = "Beto", room = "den", password = "mate" }
  ana:expect { type = "login", name = "Beto" }
end)

t.case("a password makes no public room private, nor the lobby", function(s)
  local ana, beto = login(s, "Ana", "den"), login(s, "Beto", "lobby", "mate")
  beto:send { type = "join", room = "den", password = "mate" }
  beto:expect_error "not_private"
  ana:send { type = "login", name = "Ana", password = "mate" } -- a new name, in a room of one
  ana:skip()
  beto:send { type = "join", room = "den" }
  ana:expect { type = "login", name = "Beto" }
  ana:send { type = "join", room = "lobby" }
  ana:expect { type = "user_list" }
  for _, password in ipairs { "", ("x"):rep(65), { 1 } } do
    ana:skip()
    ana:send { type = "join", room = "nook", password = password }
    ana:expect_error "bad_password"
  end
end)

t.case("a room ends with its last member, and its password and topic with it", function(s)
  local ana, beto = login(s, "Ana", "den", "mate"), login(s, "Beto")
  ana:send { type = "topic", topic = "tea" }
  ana:close()
  beto:send { type = "join", room = "den" }
  beto:expect { type = "user_list" }
  beto:expect { type = "login" }
  beto:expect_text '{"type":"join","room":"den"}'
end)

t.case("the list has public rooms, the largest first, and is capped", function(s)
  local eva = s:client {}
  eva:send { type = "rooms" }
  eva:expect_text '{"type":"rooms","rooms":[]}'
  s:reload(rules ".configure { listed = 2 }")
  local gone, moved = login(s, "Gone", "gone"), login(s, "Moved", "left")
  gone:close()
  moved:send { type = "join", room = "secret", password = "mate" }
  for _, room in ipairs { "a<b", "den", "den", "nook", "nook", "nook", "one" } do login(s, "Ana", room) end
  for _ = 1, 4 do login(s, "Beto", "secret", "mate") end
  eva:send { type = "rooms" }
  eva:expect_text '{"type":"rooms","rooms":[{"name":"nook","size":3},{"name":"den","size":2}],"more":true}'
  s:reload()
  eva:send { type = "rooms" }
  local names = {}
  local list = eva:next()
  for i, room in ipairs(list.rooms) do names[i] = room.name end
  table.sort(names)
  t.equal(names, { "a&lt;b", "den", "nook", "one" })
  t.equal(list.more, nil)
end)

t.case("rooms that have ended make place for others in the list", function(s)
  for i = 1, 10001 do login(s, "Ana", "closed " .. i):close() end
  local beto = login(s, "Beto")
  for i = 1, 10001 do beto:send { type = "join", room = "left " .. i } end
  beto:skip()
  beto:send { type = "rooms" }
  beto:expect { type = "rooms", rooms = { { name = "left 10001", size = 1 } } }
end)

t.case("the topic is set by who has been longest in the room, or a moderator", function(s)
  local ana, beto = login(s, "Ana", "den"), login(s, "Beto", "den")
  ana:skip()
  ana:send { type = "topic" }
  ana:expect_text '{"type":"topic","topic":""}'
  ana:send { type = "topic", topic = "tea & <cake>" }
  local text = ('{"type":"topic","topic":"tea &amp; &lt;cake&gt;","uid":%d}'):format(ana.id)
  ana:expect_text(text)
  beto:expect_text(text)
  beto:send { type = "topic", topic = "mine" }
  beto:expect_error "not_allowed"
  for _, topic in ipairs { 7, ("x"):rep(201), "a\nb", "a\u{85}" } do
    ana:send { type = "topic", topic = topic }
    ana:expect_error "bad_topic"
  end
  local eva = login(s, "Eva", "den")
  eva:expect_text '{"type":"topic","topic":"tea &amp; &lt;cake&gt;"}'
  ana:close()
  beto:skip()
  beto:send { type = "topic", topic = "" }
  beto:expect { type = "topic", topic = "", uid = beto.id }
  local carl = login(s, "Carl")
  carl:send { type = "topic", topic = "all mine" }
  carl:expect_error "not_allowed"
  s:reload(rules ".configure { moderator = function(client) return client.state.name == 'Carl' end }")
  carl:send { type = "topic", topic = "all mine" }
  carl:expect { type = "topic", topic = "all mine" }
end)
