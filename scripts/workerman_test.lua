--- workerman_test.lua: the dialect of workerman-chat, byte for byte (workerman.lua).
local t = require "charlua.test"

local function enter(s, name, room)
  local c = s:client { name = name }
  c:send { type = "login", client_name = name, room_id = room or "1" }
  c:skip()
  return c
end

--- Ana and Beto in room 1; nothing waits to be heard.
local function enter_two(s)
  local ana, beto = enter(s, "Ana"), enter(s, "Beto")
  ana:skip()
  return ana, beto
end

local function say(c, content, to, name)
  c:send { type = "say", to_client_id = to or "all", to_client_name = name or "所有人", content = content }
end

local function nobody_hears(...)
  for _, c in ipairs { ... } do c:expect_nothing() end
end

t.case("the conversation is this, byte for byte", function(s)
  local pig, ana = s:client { name = "猪猪" }, s:client { name = "Ana" }
  pig:send '{"type":"login","client_name":"猪猪","room_id":"1"}'
  pig:expect_text(([[{"type":"login","client_id":"%d","client_name":"\u732a\u732a","time":"2014-08-12 17:50:30",]]
    .. [["client_list":{"%d":"\u732a\u732a"}}]]):format(pig.id, pig.id))
  ana:send '{"type":"login","client_name":"Ana","room_id":"1"}'
  pig:expect_text(([[{"type":"login","client_id":"%d","client_name":"Ana","time":"2014-08-12 17:50:30"}]])
    :format(ana.id))
  ana:expect_text(([[{"type":"login","client_id":"%d","client_name":"Ana","time":"2014-08-12 17:50:30",]]
    .. [["client_list":{"%d":"\u732a\u732a","%d":"Ana"}}]]):format(ana.id, pig.id, ana.id))
  ana:send [[{"type":"say","to_client_id":"all","to_client_name":"所有人","content":"hi\n<all> \/"}]]
  local hi = ([[{"type":"say","from_client_id":"%d","from_client_name":"Ana","to_client_id":"all",]]
    .. [["content":"hi<br \/>\n&lt;all&gt; \/","time":"2014-08-12 17:50:30"}]]):format(ana.id)
  for _, c in ipairs { pig, ana } do c:expect_text(hi) end
  ana:send(([[{"type":"say","to_client_id":"%d","to_client_name":"猪猪","content":"psst"}]]):format(pig.id))
  local psst = ([[{"type":"say","from_client_id":"%d","from_client_name":"Ana","to_client_id":"%d",]]
    .. [["content":"%%spsst","time":"2014-08-12 17:50:30"}]]):format(ana.id, pig.id)
  pig:expect_text(psst:format [[<b>\u5bf9\u4f60\u8bf4: <\/b>]])
  ana:expect_text(psst:format [[<b>\u4f60\u5bf9\u732a\u732a\u8bf4: <\/b>]])
  s:advance(10)
  for _, c in ipairs { pig, ana } do
    c:expect_text [[{"type":"ping"}]]
    c:send [[{"type":"pong"}]]
  end
  ana:close()
  pig:expect_text(([[{"type":"logout","from_client_id":"%d","from_client_name":"Ana","time":"2014-08-12 17:50:40"}]])
    :format(ana.id))
  nobody_hears(pig, ana)
end)

-- login -------------------------------------------------------------------

t.case("the list is in order of joining", function(s)
  local ana, beto = enter_two(s)
  local eva = s:client {}
  eva:send { type = "login", client_name = "Eva", room_id = "1" }
  local list = ([["client_list":{"%d":"Ana","%d":"Beto","%d":"Eva"}}]]):format(ana.id, beto.id, eva.id)
  local text = eva:hear()
  t.ok(text:find(list, 1, true), text)
end)

t.case("a name is HTML-escaped once, everywhere", function(s)
  local ana = enter(s, "Ana")
  local eva = enter(s, "<b>&\"'")
  ana:expect { type = "login", client_name = "&lt;b&gt;&amp;&quot;&#039;" }
  say(eva, "hi")
  ana:expect { from_client_name = "&lt;b&gt;&amp;&quot;&#039;" }
  say(ana, "psst", tostring(eva.id), "whatever the page says")
  ana:expect { content = "<b>你对&lt;b&gt;&amp;&quot;&#039;说: </b>psst" }
  eva:skip()
  eva:close()
  ana:expect { type = "logout", from_client_name = "&lt;b&gt;&amp;&quot;&#039;" }
end)

t.case("a second login in the same room is a new name", function(s)
  local ana, beto = enter_two(s)
  ana:send { type = "login", client_name = "Anita", room_id = "1" }
  beto:expect { type = "login", client_id = tostring(ana.id), client_name = "Anita" }
  ana:expect { type = "login", client_list = { [tostring(ana.id)] = "Anita", [tostring(beto.id)] = "Beto" } }
  nobody_hears(ana, beto)
  say(ana, "hi")
  beto:expect { from_client_name = "Anita" }
end)

t.case("a second login in another room leaves the first one, in the old name", function(s)
  local ana, beto = enter_two(s)
  local eva = enter(s, "Eva", "2")
  ana:send { type = "login", client_name = "Anita", room_id = "2" }
  beto:expect { type = "logout", from_client_id = tostring(ana.id), from_client_name = "Ana" }
  eva:expect { type = "login", client_name = "Anita" }
  ana:skip()
  say(beto, "hi")
  nobody_hears(ana, eva)
  say(eva, "hi")
  ana:expect { type = "say" }
  ana:close()
  beto:expect { type = "say" }
  beto:expect_nothing()
end)

t.case("a room's id may be a number", function(s)
  local ana = enter(s, "Ana")
  enter(s, "Beto", 1)
  ana:expect { type = "login", client_name = "Beto" }
end)

for _, case in ipairs {
  { "bad_name", '"room_id":"1"' }, { "bad_name", '"room_id":"1","client_name":""' },
  { "bad_name", '"room_id":"1","client_name":" "' }, { "bad_name", '"room_id":"1","client_name":5' },
  { "bad_name", '"room_id":"1","client_name":null' }, { "bad_name", '"room_id":"1","client_name":["Ana"]' },
  { "bad_name", [["room_id":"1","client_name":"a\nb"]] }, { "bad_name", [["room_id":"1","client_name":"a\u0085"]] },
  { "bad_name", '"room_id":"1","client_name":"' .. ("x"):rep(65) .. '"' },
  { "bad_name", '"room_id":"1","client_name":"\u{200B}\u{3164}"' },
  { "bad_room", '"client_name":"Ana"' }, { "bad_room", '"client_name":"Ana","room_id":""' },
  { "bad_room", '"client_name":"Ana","room_id":1.5' }, { "bad_room", '"client_name":"Ana","room_id":null' },
  { "bad_room", '"client_name":"Ana","room_id":{}' }, { "bad_room", '"client_name":"Ana","room_id":1e300' },
  { "bad_room", '"client_name":"Ana","room_id":"' .. ("x"):rep(65) .. '"' },
  { "bad_room", '"client_name":"Ana","room_id":"' .. ("猪"):rep(43) .. '"' },
} do
  t.case("no login: " .. case[1] .. " " .. (#case[2] < 60 and case[2] or #case[2] .. " bytes"), function(s)
    local ana, eva = enter(s, "Ana"), s:client {}
    eva:send('{"type":"login",' .. case[2] .. "}")
    eva:expect_text(([[{"type":"error","error":"%s"}]]):format(case[1]))
    say(eva, "hi")
    eva:expect_error "not_logged_in"
    nobody_hears(ana, eva)
  end)
end

t.case("a client that may be in no more rooms than it is moves all the same", {
  rules = [[
    local app = require "workerman"
    app.use = { { on_open = function(client)
      for n = 1, 63 do client:join("full " .. n) end
    end } }
    return app
  ]],
}, function(s)
  local ana, beto = enter_two(s)
  ana:send { type = "login", client_name = "Ana", room_id = "2" }
  ana:expect { type = "login", client_list = { [tostring(ana.id)] = "Ana" } }
  beto:expect { type = "logout", from_client_id = tostring(ana.id) }
end)

t.case("too many rooms are a bad room", {
  rules = [[
    local app = require "workerman"
    app.use = { { on_open = function(client)
      for n = 1, 64 do client:join("full " .. n) end
    end } }
    return app
  ]],
}, function(s)
  local ana = s:client {}
  ana:send { type = "login", client_name = "Ana", room_id = "1" }
  ana:expect_error "bad_room"
end)

t.case("names are checked by modules as those of the default chat are: taken, reserved, banned, and mutes hold", {
  set = { moderator_secret = "mate" },
  rules = [[
    local app = require "workerman"
    app.use = { require "roles", require "moderation", require "nicknames".configure { reserved = { "admin" } } }
    return app
  ]],
}, function(s)
  local mod, ana = s:client { ip = "192.0.2.100" }, enter(s, "Ana")
  mod:send { type = "auth", secret = "mate" }
  mod:send { type = "login", client_name = "Mod", room_id = "1" }
  for _, c in ipairs { mod, ana } do c:skip() end
  local function try(name, room)
    local c = s:client { ip = "192.0.2.7" }
    c:send { type = "login", client_name = name, room_id = room or "1" }
    local answer = c:next()
    c:close()
    return answer.error or answer.type
  end
  t.equal({ try "A\u{FF4E}a", try "ADMIN", try("ana", "2") }, { "name_taken", "name_reserved", "login" })
  mod:send { type = "ban", name = "Eva", seconds = 60, reason = "spam" }
  t.equal({ try "e v\u{200B}A", try "Beto" }, { "banned", "login" })
  mod:send { type = "mute", uid = ana.id, seconds = 60, reason = "spam" }
  ana:skip()
  say(ana, "hi")
  ana:expect_error "muted"
  ana:send { type = "login", client_name = "You all", room_id = "1" }
  ana:expect_error "muted"
  ana:send { type = "login", client_name = "Ana", room_id = "you all" }
  ana:expect_error "muted"
end)

-- say ---------------------------------------------------------------------

t.case("two rooms hear nothing of each other", function(s)
  local ana, eva = enter(s, "Ana", "1"), enter(s, "Eva", "2")
  ana:expect_nothing()
  say(eva, "hi")
  eva:skip()
  say(eva, "psst", tostring(ana.id))
  eva:expect_error "no_such_user"
  eva:close()
  nobody_hears(ana, eva)
end)

t.case("what is said to oneself is heard twice, as there", function(s)
  local ana, beto = enter_two(s)
  say(ana, "hm", tostring(ana.id))
  ana:expect { content = "<b>对你说: </b>hm" }
  ana:expect { content = "<b>你对Ana说: </b>hm" }
  nobody_hears(ana, beto)
end)

t.case("nobody talks to a stranger", function(s)
  local ana, beto = enter_two(s)
  local silent = s:client {}
  beto:close()
  ana:skip()
  for _, id in ipairs { '"1"', '""', '"ALL"', '"0x20000000"', '" 536870912"', '"99999999999999999999"', "null", "[]",
    "{}", "true", ana.id, ('"%d"'):format(beto.id), ('"%d"'):format(silent.id) } do
    ana:send('{"type":"say","content":"psst","to_client_id":' .. id .. "}")
    ana:expect_error "no_such_user"
  end
  ana:send { type = "say", content = "psst" }
  ana:expect_error "no_such_user"
  nobody_hears(ana, silent)
end)

t.case("a content has 1 to 4,096 characters", function(s)
  local ana, beto = enter_two(s)
  for _, content in ipairs { '""', '"' .. ("x"):rep(4097) .. '"', "5", "null", "true", "[]", "{}" } do
    ana:send('{"type":"say","to_client_id":"all","content":' .. content .. "}")
    ana:expect_error "bad_content"
  end
  beto:expect_nothing()
  say(ana, ("\u{1F600}"):rep(4096))
  beto:expect { content = ("\u{1F600}"):rep(4096) }
end)

t.case("every kind of line break gets a <br />", function(s)
  local ana = enter(s, "Ana")
  for _, case in ipairs {
    { "a\nb", "a<br />\nb" }, { "a\r\nb", "a<br />\r\nb" }, { "a\n\rb", "a<br />\n\rb" }, { "a\rb", "a<br />\rb" },
    { "\n\n", "<br />\n<br />\n" }, { "\r\n\r\n", "<br />\r\n<br />\r\n" }, { "\n\n\r", "<br />\n<br />\n\r" },
  } do
    say(ana, case[1])
    ana:expect { content = case[2] }
  end
end)

-- Silence -----------------------------------------------------------------

t.case("everybody is pinged every 10 seconds, and a pong is not answered", function(s)
  local ana, silent = enter(s, "Ana"), s:client {}
  for _ = 1, 3 do
    s:advance(9.9)
    nobody_hears(ana, silent)
    s:advance(0.1)
    for _, c in ipairs { ana, silent } do c:expect_text [[{"type":"ping"}]] end
    ana:send [[{"type":"pong"}]]
  end
  nobody_hears(ana, silent)
end)

t.case("who is silent for a minute is closed, and who answers is not", function(s)
  local silent, ana, beto = s:client {}, enter_two(s)
  for _ = 1, 6 do
    s:advance(10)
    ana:expect { type = "ping" }
    ana:send { type = "pong" }
  end
  for _, c in ipairs { beto, silent } do
    c:skip()
    c:expect_closed(1008, "silent for a minute")
  end
  ana:expect { type = "logout", from_client_name = "Beto" }
  say(ana, "still here")
  ana:expect { type = "say" }
end)

t.case("silence is counted from what was heard last, over a reload", function(s)
  local ana = enter(s, "Ana")
  s:advance(25)
  say(ana, "hi")
  s:advance(30)
  s:reload()
  s:advance(20)
  say(ana, "hi")
  s:advance(59)
  ana:skip()
  say(ana, "hi")
  ana:expect { type = "say" }
end)

t.case("who came under other rules is given a minute from the first ping on", { rules = "return { api = 1 }" },
  function(s)
    local old, silent = s:client {}, s:client {}
    s:reload 'return require "workerman"'
    s:advance(69)
    for _, c in ipairs { old, silent } do t.equal(#c:skip(), 6) end
    old:send { type = "pong" }
    s:advance(1)
    old:expect { type = "ping" }
    silent:skip()
    silent:expect_closed(1008)
    say(old, "hi")
    old:expect_error "not_logged_in"
  end)

t.case("among thousands everybody is pinged", function(s)
  for _ = 1, 60000 do s:client {} end
  local ana = enter(s, "Ana")
  s:advance(10)
  ana:expect { type = "ping" }
end)

t.case("a reload in mid-chat is not noticed", function(s)
  local ana, beto = enter_two(s)
  s:reload()
  nobody_hears(ana, beto)
  say(ana, "psst", tostring(beto.id))
  beto:expect { from_client_name = "Ana", content = "<b>对你说: </b>psst" }
  beto:close()
  ana:skip()
  local eva = s:client {}
  eva:send { type = "login", client_name = "Eva", room_id = "1" }
  eva:expect { client_list = { [tostring(ana.id)] = "Ana", [tostring(eva.id)] = "Eva" } }
end)
