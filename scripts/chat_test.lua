--- chat_test.lua: what the default chat promises, rule by rule (README.md, "The protocol of chat.lua").
local t = require "charlua.test"
local players = require "players"

local enter, say, nobody_hears = players.enter, players.say, players.nobody_hears

t.case("the conversation is this, byte for byte", players.play_default_chat)

-- login -------------------------------------------------------------------

t.case("a newcomer gets the list before its own login", function(s)
  local ana = s:client { name = "Ana" }
  ana:send { type = "login", name = "Ana" }
  ana:expect { type = "user_list", user_list = { { uid = ana.id, name = "Ana" } } }
  ana:expect { type = "login", uid = ana.id, name = "Ana", time = t.any }
  ana:expect_nothing()
end)

t.case("who is there hears of a newcomer and gets no list", function(s)
  local ana = enter(s, "Ana")
  local beto = enter(s, "Beto")
  ana:expect { type = "login", uid = beto.id, name = "Beto" }
  nobody_hears(ana, beto)
end)

t.case("uids differ, and two may have one name", function(s)
  local one, two = players.meet(s, "Ana", "Ana")
  t.ok(one.id ~= two.id)
  one:send { type = "user_list" }
  one:expect { user_list = { { uid = one.id, name = "Ana" }, { uid = two.id, name = "Ana" } } }
end)

t.case("a second login is a new name with the same uid, and no list", function(s)
  local ana, beto = players.meet(s, "Ana", "Beto")
  ana:send { type = "login", name = "Anita" }
  for _, c in ipairs { ana, beto } do
    c:expect { type = "login", uid = ana.id, name = "Anita" }
  end
  nobody_hears(ana, beto)
  beto:send { type = "user_list" }
  beto:expect { user_list = { { uid = ana.id, name = "Anita" }, { uid = beto.id, name = "Beto" } } }
end)

t.case("a new name that is bad leaves the old one", function(s)
  local ana, beto = players.meet(s, "Ana", "Beto")
  ana:send { type = "login", name = "" }
  ana:expect_error "bad_name"
  beto:expect_nothing()
  beto:send { type = "user_list" }
  beto:expect { user_list = { { name = "Ana" }, { name = "Beto" } } }
end)

t.case("white space around a name goes", function(s)
  local ana = s:client {}
  ana:send { type = "login", name = " \t\r\n Ana  Luz \n" }
  ana:expect { user_list = { { name = "Ana  Luz" } } }
end)

local BAD_NAMES = {
  { "nothing", '""' }, { "white space", [[" \t\n "]] }, { "65 characters", '"' .. ("x"):rep(65) .. '"' },
  { "65 characters of four bytes", '"' .. ("\u{1F600}"):rep(65) .. '"' }, { "a line break", [["a\nb"]] },
  { "a tab", [["a\tb"]] }, { "NUL", [["a\u0000b"]] }, { "escape", [["a\u001bb"]] }, { "delete", [["a\u007fb"]] },
  { "U+0080", [["a\u0080b"]] }, { "U+009F", [["a\u009fb"]] }, { "a number", "5" }, { "null", "null" },
  { "true", "true" }, { "false", "false" }, { "an array", '["Ana"]' }, { "an object", '{"name":"Ana"}' },
  { "nested tables", "[[[[{}]]]]" }, { "zero width", '"\u{200B}\u{2060}"' }, { "a blank of braille", '"\u{2800}"' },
  { "a filler", '"\u{3164}"' }, { "tags", '"\u{E0041}\u{E0042}"' }, { "other white space", '"\u{A0}\u{3000}"' },
  { "directions alone", '"\u{202E}\u{202C}"' },
}
for _, case in ipairs(BAD_NAMES) do
  local what, name = case[1], case[2]
  t.case("a name is not: " .. what, function(s)
    local ana = s:client {}
    ana:send('{"type":"login","name":' .. name .. "}")
    ana:expect_error "bad_name"
    ana:expect_nothing()
    ana:send { type = "user_list" }
    ana:expect_error "not_logged_in"
  end)
end

t.case("a login without a name is refused", function(s)
  local ana = s:client {}
  ana:send { type = "login" }
  ana:expect_error "bad_name"
end)

local GOOD_NAMES = {
  { "one character", "x" }, { "64 characters", ("x"):rep(64) }, { "64 of four bytes", ("\u{1F600}"):rep(64) },
  { "U+00A0 inside", "a\u{A0}b" }, { "U+00C2, whose bytes look like a control's", "\u{C2}\u{C3}\u{85C2}" },
}
for _, case in ipairs(GOOD_NAMES) do
  local what, name = case[1], case[2]
  t.case("a name may be: " .. what, function(s)
    local ana = s:client {}
    ana:send { type = "login", name = name }
    ana:expect { user_list = { { uid = ana.id, name = name } } }
    ana:expect { type = "login", name = name }
  end)
end

t.case("white space around a name may be 64 bytes beyond the longest", function(s)
  local ana, name = s:client {}, ("\u{1F600}"):rep(64)
  ana:send { type = "login", name = name .. (" "):rep(64) }
  ana:expect { user_list = { { name = name } } }
  ana:skip()
  ana:send { type = "login", name = name .. (" "):rep(65) }
  ana:expect_error "bad_name"
end)

t.case("half of a surrogate pair is no JSON", function(s)
  local ana = s:client {}
  ana:send [[{"type":"login","name":"\ud83d"}]]
  ana:expect_error "bad_json"
end)

t.case("a name is HTML-escaped everywhere, and beyond the BMP it is a surrogate pair", function(s)
  local ana = s:client {}
  ana:send [[{"type":"login","name":"<b>&\"'\/\ud83d\ude00"}]]
  local name = [[&lt;b&gt;&amp;&quot;&#039;\/\ud83d\ude00]]
  ana:expect_text(([[{"type":"user_list","user_list":[{"uid":%d,"name":"%s"}]}]]):format(ana.id, name))
  ana:expect_text(([[{"type":"login","uid":%d,"name":"%s","time":"2014-08-12 17:50:30"}]]):format(ana.id, name))
  ana:send { type = "user_list" }
  ana:expect_text(([[{"type":"user_list","user_list":[{"uid":%d,"name":"%s"}]}]]):format(ana.id, name))
end)

t.case("unknown fields are ignored", function(s)
  local ana = s:client {}
  ana:send { type = "login", name = "Ana", uid = 1, time = "never", on = { login = {} } }
  ana:expect { user_list = { { uid = ana.id, name = "Ana" } } }
  ana:expect { type = "login", uid = ana.id, time = "2014-08-12 17:50:30", on = function(v) return v == nil end }
end)

-- Rooms -------------------------------------------------------------------

t.case("two rooms hear nothing of each other", function(s)
  local ana, eva = enter(s, "Ana", "red"), enter(s, "Eva", "blue")
  local beto = enter(s, "Beto", "red")
  ana:expect { type = "login", name = "Beto" }
  say(beto, "hi")
  ana:expect { type = "say", content = "hi" }
  beto:send { type = "login", name = "Betito" }
  ana:expect { type = "login", name = "Betito" }
  beto:send { type = "user_list" }
  beto:skip()
  eva:expect_nothing()
  eva:send { type = "user_list" }
  eva:expect { user_list = { { uid = eva.id, name = "Eva" } } }
  beto:close()
  ana:expect { type = "logout", uid = beto.id }
  nobody_hears(ana, eva)
end)

t.case("who says no room is in the lobby", function(s)
  local ana, beto = enter(s, "Ana"), enter(s, "Beto", "lobby")
  ana:expect { type = "login", uid = beto.id }
end)

t.case("white space around a room's name goes", function(s)
  local ana, beto = enter(s, "Ana", "  red "), enter(s, "Beto", "red")
  ana:expect { type = "login", uid = beto.id }
end)

t.case("the first login chooses the room for good", function(s)
  local ana, beto, eva = enter(s, "Ana", "red"), enter(s, "Beto", "red"), enter(s, "Eva", "blue")
  ana:skip()
  ana:send { type = "login", name = "Anita", room = "blue" }
  for _, c in ipairs { ana, beto } do c:expect { type = "login", name = "Anita" } end
  eva:expect_nothing()
end)

local BAD_ROOMS = {
  { "nothing", '""' }, { "white space", '"  "' }, { "65 characters", '"' .. ("x"):rep(65) .. '"' },
  { "129 bytes", '"' .. ("猪"):rep(43) .. '"' }, { "a number", "1" }, { "null", "null" }, { "false", "false" },
  { "an array", '["red"]' }, { "an object", "{}" },
}
for _, case in ipairs(BAD_ROOMS) do
  local what, room = case[1], case[2]
  t.case("a room is not: " .. what, function(s)
    local ana = s:client {}
    ana:send('{"type":"login","name":"Ana","room":' .. room .. "}")
    ana:expect_error "bad_room"
    ana:expect_nothing()
    ana:send { type = "user_list" }
    ana:expect_error "not_logged_in"
    ana:send { type = "login", name = "Ana" }
    ana:expect { user_list = { { name = "Ana" } } }
  end)
end

for _, case in ipairs { { "64 characters", ("x"):rep(64) }, { "128 bytes", ("ñ"):rep(64) } } do
  local what, room = case[1], case[2]
  t.case("a room may be: " .. what, function(s)
    local ana, beto = enter(s, "Ana", room), enter(s, "Beto", room)
    ana:expect { type = "login", uid = beto.id }
  end)
end

t.case("too many rooms are a bad room", {
  rules = [[
    local app = require "chat"
    app.use = { { on_open = function(client)
      local n = 0
      repeat n = n + 1 until not client:join("full " .. n)
    end } }
    return app
  ]],
}, function(s)
  local ana = s:client {}
  ana:send { type = "login", name = "Ana" }
  ana:expect_error "bad_room"
end)

-- say ---------------------------------------------------------------------

t.case("what is said to all is heard by all, the sender included", function(s)
  local ana, beto, eva = players.meet(s, "Ana", "Beto", "Eva")
  say(ana, "hi")
  for _, c in ipairs { ana, beto, eva } do
    c:expect { type = "say", from_uid = ana.id, to_uid = "all", content = "hi" }
  end
  nobody_hears(ana, beto, eva)
end)

t.case("a whisper reaches one, and comes back to the sender", function(s)
  local ana, beto, eva = players.meet(s, "Ana", "Beto", "Eva")
  say(ana, "psst", beto.id)
  beto:expect { type = "say", from_uid = ana.id, to_uid = beto.id, content = "psst" }
  ana:expect { type = "say", from_uid = ana.id, to_uid = beto.id, content = "psst" }
  nobody_hears(ana, beto, eva)
end)

t.case("a whisper to oneself is heard once", function(s)
  local ana, beto = players.meet(s, "Ana", "Beto")
  say(ana, "hm", ana.id)
  ana:expect { type = "say", from_uid = ana.id, to_uid = ana.id, content = "hm" }
  nobody_hears(ana, beto)
end)

t.case("a uid may come as a string, as the value of a page's option is one", function(s)
  local ana, beto = players.meet(s, "Ana", "Beto")
  say(ana, "psst", tostring(beto.id))
  beto:expect { type = "say", to_uid = beto.id }
  ana:expect { type = "say", to_uid = beto.id }
end)

t.case("nobody whispers to a stranger", function(s)
  local ana, beto = players.meet(s, "Ana", "Beto")
  local elsewhere, silent = enter(s, "Eva", "blue"), s:client {}
  beto:close()
  ana:skip()
  for _, uid in ipairs { elsewhere.id, silent.id, beto.id, 1, 0, -1, 0.5, 1e300 } do
    say(ana, "psst", uid)
    ana:expect_error "no_such_user"
  end
  for _, uid in ipairs { "null", "true", '""', '"ALL"', "[]", "{}", ("[%d]"):format(ana.id) } do
    ana:send('{"type":"say","content":"psst","to_uid":' .. uid .. "}")
    ana:expect_error "no_such_user"
  end
  ana:send { type = "say", content = "psst" }
  ana:expect_error "no_such_user"
  nobody_hears(ana, elsewhere, silent)
end)

local BAD_CONTENTS = {
  { "nothing", '""' }, { "4,097 characters", '"' .. ("x"):rep(4097) .. '"' },
  { "4,097 of four bytes", '"' .. ("\u{1F600}"):rep(4097) .. '"' }, { "a number", "5" }, { "null", "null" },
  { "true", "true" }, { "an array", '["hi"]' }, { "an object", '{"content":"hi"}' },
}
for _, case in ipairs(BAD_CONTENTS) do
  local what, content = case[1], case[2]
  t.case("a content is not: " .. what, function(s)
    local ana, beto = players.meet(s, "Ana", "Beto")
    ana:send('{"type":"say","to_uid":"all","content":' .. content .. "}")
    ana:expect_error "bad_content"
    nobody_hears(ana, beto)
  end)
end

for _, case in ipairs {
  { "white space", " " }, { "4,096 characters", ("x"):rep(4096) }, { "4,096 of four bytes", ("\u{1F600}"):rep(4096) },
} do
  local what, content = case[1], case[2]
  t.case("a content may be: " .. what, function(s)
    local ana, beto = players.meet(s, "Ana", "Beto")
    say(ana, content)
    beto:expect { type = "say", content = content }
  end)
end

local SHOWN = { -- as it comes in JSON, as it goes out
  { "markup is escaped", [[<b>&\"'</b>]], [[&lt;b&gt;&amp;&quot;&#039;&lt;\/b&gt;]] },
  { "what is escaped is escaped again", "&lt;", "&amp;lt;" },
  { "a line break gets a <br />", [[a\nb\n\nc]], [[a<br \/>\nb<br \/>\n<br \/>\nc]] },
  { "CR LF is one line break", [[a\r\nb]], [[a<br \/>\r\nb]] },
  { "non-ASCII is \\uXXXX", "ñ猪\u{FFFF}", [[\u00f1\u732a\uffff]] },
  { "beyond the BMP it is a surrogate pair", "\u{1F600}\u{10FFFF}", [[\ud83d\ude00\udbff\udfff]] },
  { "control characters stay, escaped", [[a\u0000\u0001\tb\u007f]], [[a\u0000\u0001\tb\u007f]] },
  { "a backslash stays one", [[C:\\x]], [[C:\\x]] },
  { "white space around it stays", "  hi  ", "  hi  " },
}
for _, case in ipairs(SHOWN) do
  t.case("in a content " .. case[1], function(s)
    local ana = enter(s, "Ana")
    ana:send('{"type":"say","to_uid":"all","content":"' .. case[2] .. '"}')
    ana:expect_text(([[{"type":"say","from_uid":%d,"to_uid":"all","content":"%s","time":"2014-08-12 17:50:30"}]])
      :format(ana.id, case[3]))
  end)
end

-- user_list ---------------------------------------------------------------

t.case("the list is in order of joining, and goes to the asker", function(s)
  local ana, beto, eva = players.meet(s, "Ana", "Beto", "Eva")
  eva:send { type = "user_list" }
  eva:expect_text(([[{"type":"user_list","user_list":[{"uid":%d,"name":"Ana"},{"uid":%d,"name":"Beto"},]]
    .. [[{"uid":%d,"name":"Eva"}]}]]):format(ana.id, beto.id, eva.id))
  beto:close()
  for _, c in ipairs { ana, eva } do c:skip() end
  beto = enter(s, "Beto")
  for _, c in ipairs { ana, eva } do c:skip() end
  ana:send { type = "user_list" }
  ana:expect { user_list = { { uid = ana.id }, { uid = eva.id }, { uid = beto.id } } }
  nobody_hears(ana, beto, eva)
end)

local function names_of(list)
  local all = {}
  for i, entry in ipairs(list) do all[i] = entry.name end
  return all
end

t.case("a client that asks for pages gets them, and hears whether there is more", function(s)
  local ana, beto, carl = players.meet(s, "Ana", "Beto", "Carl")
  ana:send { type = "user_list", limit = 2 }
  ana:expect_text(([[{"type":"user_list","user_list":[{"uid":%d,"name":"Ana"},{"uid":%d,"name":"Beto"}],"more":true}]])
    :format(ana.id, beto.id))
  ana:send { type = "user_list", after = beto.id, limit = 2 }
  ana:expect_text(([[{"type":"user_list","user_list":[{"uid":%d,"name":"Carl"}],"after":%d}]]):format(carl.id, beto.id))
  ana:send { type = "user_list", after = ana.id }
  ana:expect { user_list = { { name = "Beto" }, { name = "Carl" } }, after = ana.id }
  ana:send { type = "user_list", after = carl.id }
  ana:expect_text(([[{"type":"user_list","user_list":[],"after":%d}]]):format(carl.id))
end)

t.case("a client can ask for one member", function(s)
  local ana, beto = players.meet(s, "Ana", "Beto")
  ana:send { type = "user_list", uid = beto.id }
  ana:expect_text(([[{"type":"user_list","user_list":[{"uid":%d,"name":"Beto"}],"uid":%d}]]):format(beto.id, beto.id))
end)

t.case("pages that can't be are refused", function(s)
  local ana, eva = enter(s, "Ana"), enter(s, "Eva", "blue")
  for _, limit in ipairs { "0", "1001", "-1", "1.5", '"5"', "true", "null", "[]", "1e300" } do
    ana:send('{"type":"user_list","limit":' .. limit .. "}")
    ana:expect_error "bad_limit"
  end
  for _, uid in ipairs { "0", "1.5", '"x"', "true", "false", "null", "[]", "{}", "1e300", tostring(eva.id) } do
    for _, field in ipairs { "after", "uid" } do
      ana:send(('{"type":"user_list","%s":%s}'):format(field, uid))
      ana:expect_error "no_such_user"
    end
  end
end)

t.case("in a large room a list has 1,000 entries, a newcomer's has itself last, and no other field", function(s)
  local all = {}
  for i = 1, 1001 do all[i] = enter(s, "n" .. i) end
  local ana = s:client {}
  ana:send { type = "login", name = "Ana" }
  local text = ana:hear()
  local ending = (',{"uid":%d,"name":"n999"},{"uid":%d,"name":"Ana"}]}'):format(all[999].id, ana.id)
  t.equal(text:sub(-#ending), ending)
  ana:skip()
  ana:send { type = "user_list" }
  local list = ana:next()
  t.equal({ #list.user_list, list.user_list[1000].name, list.more }, { 1000, "n1000" })
  ana:send { type = "user_list", limit = 1000 }
  t.equal(ana:next().more, true)
  ana:send { type = "user_list", after = all[1000].id }
  list = ana:next()
  t.equal(names_of(list.user_list), { "n1001", "Ana" })
  t.equal(list.more, nil)
end)

-- Who is not logged in ----------------------------------------------------

t.case("before login there is no saying and no list", function(s)
  local ana, eva = enter(s, "Ana"), s:client {}
  for _, msg in ipairs {
    { type = "user_list" }, { type = "say" }, { type = "say", to_uid = "all", content = "hi" },
    { type = "say", to_uid = ana.id, content = "hi" },
  } do
    eva:send(msg)
    eva:expect_text [[{"type":"error","error":"not_logged_in"}]]
  end
  nobody_hears(ana, eva)
end)

t.case("who is not logged in hears nothing, and nobody hears that it goes", function(s)
  local eva = s:client {}
  local ana = enter(s, "Ana")
  say(ana, "hi")
  ana:skip()
  eva:expect_nothing()
  eva:close()
  ana:expect_nothing()
end)

-- logout ------------------------------------------------------------------

t.case("everyone left hears who goes, once, however it goes", function(s)
  local ana, beto, eva = players.meet(s, "Ana", "Beto", "Eva")
  beto:close(1001, "bye")
  for _, c in ipairs { ana, eva } do c:expect { type = "logout", uid = beto.id, time = "2014-08-12 17:50:30" } end
  eva:close(1006)
  ana:expect { type = "logout", uid = eva.id }
  nobody_hears(ana, beto, eva)
end)

t.case("when the server stops everyone is closed with 1001", function(s)
  local ana = enter(s, "Ana")
  s:stop()
  ana:skip()
  ana:expect_closed(1001)
end)

-- What is no message ------------------------------------------------------

for _, case in ipairs {
  { "bad_json", "", "hi", "{", '{"type":"login",}', '"login"', "5", "null", '{"type":NaN}',
    '{"type":"say","to_uid":0x1}',
    '{"type":"login","name":' .. ("["):rep(65) .. ("]"):rep(65) .. "}" },
  { "no_type", "{}", "[]", '["login"]', '{"type":5}', '{"type":null}', '{"type":["login"]}', '{"Type":"login"}' },
  { "unknown_type", '{"type":""}', '{"type":"Login"}', '{"type":"logout"}', '{"type":"__index"}',
    [[{"type":"say\u0000"}]] },
} do
  t.case("what is wrong with a message: " .. case[1], function(s)
    local ana, beto = players.meet(s, "Ana", "Beto")
    for i = 2, #case do
      ana:send(case[i])
      ana:expect_text(([[{"type":"error","error":"%s"}]]):format(case[1]))
    end
    say(ana, "still here")
    beto:expect { type = "say", content = "still here" }
  end)
end

t.case("a binary message is refused", function(s)
  local ana = enter(s, "Ana")
  ana:send_binary '{"type":"user_list"}'
  ana:expect_error "binary"
end)

-- Time --------------------------------------------------------------------

t.case("a time is that of its second, over midnight and into the next year", function(s)
  local ana = enter(s, "Ana")
  for _, step in ipairs {
    { 0, "2014-08-12 17:50:30" }, { 0.9, "2014-08-12 17:50:30" }, { 0.2, "2014-08-12 17:50:31" },
    { 22168, "2014-08-12 23:59:59" }, { 1, "2014-08-13 00:00:00" }, { 141 * 86400, "2015-01-01 00:00:00" },
  } do
    s:advance(step[1])
    say(ana, "what time is it?")
    ana:expect { type = "say", time = step[2] }
  end
end)

-- Reload ------------------------------------------------------------------

t.case("a reload in mid-chat is not noticed", function(s)
  local ana, beto, eva = enter(s, "Ana"), enter(s, "Beto"), enter(s, "Eva", "blue")
  local late = s:client {}
  ana:skip()
  s:reload()
  nobody_hears(ana, beto, eva, late)
  say(ana, "psst", beto.id)
  for _, c in ipairs { beto, ana } do c:expect { type = "say", from_uid = ana.id, content = "psst" } end
  beto:send { type = "login", name = "Betito", room = "blue" }
  for _, c in ipairs { ana, beto } do c:expect { type = "login", uid = beto.id, name = "Betito" } end
  late:send { type = "say", to_uid = "all", content = "hi" }
  late:expect_error "not_logged_in"
  late:send { type = "login", name = "Late" }
  late:expect { user_list = { { name = "Ana" }, { name = "Betito" }, { name = "Late" } } }
  for _, c in ipairs { ana, beto, late } do c:skip() end
  beto:close()
  for _, c in ipairs { ana, late } do c:expect { type = "logout", uid = beto.id } end
  eva:expect_nothing()
end)

t.case("rules that are wrong leave the old ones in force", function(s)
  local ana = enter(s, "Ana")
  t.ok(not s:reload("return 5", true))
  s:expect_log "rules not reloaded"
  say(ana, "hi")
  ana:expect { type = "say", content = "hi" }
end)
