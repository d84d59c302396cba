--- bot_test.lua: cases for bot.lua.
local t = require "charlua.test"

--- A client who is in the chat and has heard so.
local function member(s, name)
  local client = s:client { name = name }
  client:send { type = "login", name = name }
  client:expect { type = "user_list" }
  client:expect { type = "login", name = name, uid = client.id }
  return client
end

local function say(client, content)
  client:send { type = "say", to_uid = "all", content = content }
  client:expect { type = "say", from_uid = client.id, content = content }
end

t.case("the robot is the first of the members", function(s)
  local ana = member(s, "Ana")
  ana:send { type = "user_list" }
  ana:expect { type = "user_list", user_list = { { uid = 0, name = "Robot" }, { uid = ana.id, name = "Ana" } } }
end)

t.case("everybody hears a command and then its answer", function(s)
  local ana, beto = member(s, "Ana"), member(s, "Beto")
  ana:expect { type = "login", name = "Beto" }
  say(ana, "!time")
  beto:expect { from_uid = ana.id, content = "!time" }
  for _, client in ipairs { ana, beto } do
    client:expect { type = "say", from_uid = 0, to_uid = "all", content = "It is 2014-08-12 17:50:30." }
    client:expect_nothing()
  end
end)

t.case("dice show one of their sides", function(s)
  local ana = member(s, "Ana")
  for _ = 1, 50 do
    say(ana, "!dice 3")
    ana:expect { from_uid = 0, content = t.like "^A die of 3 shows [123]%.$" }
  end
  say(ana, "!dice")
  ana:expect { from_uid = 0, content = t.like "^A die of 6 shows [1-6]%.$" }
  for _, sides in ipairs { "1", "0", "-6", "1e2", "0x6", "1000", "six", "6 6" } do
    say(ana, "!dice " .. sides)
    ana:expect { from_uid = 0, content = "A die has 2 to 999 sides: !dice 6" }
  end
end)

t.case("a line of white space costs nobody time", function(s)
  local ana = member(s, "Ana")
  say(ana, "!dice x" .. (" "):rep(4000) .. "x")
  ana:expect { from_uid = 0, content = "A die has 2 to 999 sides: !dice 6" }
end)

t.case("nobody is called like the robot, however it is written, nor has a name that can't be seen", function(s)
  local ana = s:client { name = "Ana" }
  for name, code in pairs {
    Robot = "name_taken", ["r\u{200B}OBOT"] = "name_taken", ["\u{FF32}obot"] = "name_taken", ["\u{3164}"] = "bad_name",
    [" "] = "bad_name",
  } do
    ana:send { type = "login", name = name }
    ana:expect_error(code)
  end
end)

t.case("the robot is silent about all else", function(s)
  local ana = member(s, "Ana")
  for _, content in ipairs { "hi", "! help", "!", "!helping", "say !help" } do
    say(ana, content)
    ana:expect_nothing()
  end
  say(ana, "!help")
  ana:expect { from_uid = 0, content = "I know !time, !dice SIDES and !help." }
end)

t.case("a say that the chat refuses does not reach the robot", function(s)
  local ana = s:client { name = "Ana" }
  ana:send { type = "say", to_uid = "all", content = "!help" }
  ana:expect_error "not_logged_in"
  ana:send { type = "login", name = "Ana" }
  ana:skip()
  for _, content in ipairs { 7, "", ("x"):rep(4097), { "!help" } } do
    ana:send { type = "say", to_uid = "all", content = content }
    ana:expect_error "bad_content"
  end
  ana:send { type = "say", content = "!help" }
  ana:expect_error "no_such_user"
  ana:expect_nothing()
end)

t.case("names and texts come HTML-escaped, and who leaves is told", function(s)
  local ana, beto = member(s, "Ana"), s:client { name = "Beto" }
  for _, name in ipairs { "", "a\nb", ("x"):rep(65), false } do
    beto:send { type = "login", name = name }
    beto:expect_error "bad_name"
  end
  beto:send { type = "login", name = "<b>" }
  ana:expect { type = "login", name = "&lt;b&gt;" }
  beto:send { type = "login", name = "Berta" }
  beto:expect { type = "user_list" }
  beto:expect { type = "login", name = "&lt;b&gt;" }
  beto:expect { type = "login", name = "Berta", uid = beto.id } -- a new name, and no list again
  ana:expect { type = "login", name = "Berta" }
  beto:send { type = "say", to_uid = "all", content = "a<b" }
  ana:expect { type = "say", content = "a&lt;b" }
  beto:close()
  ana:expect { type = "logout", uid = beto.id }
end)
