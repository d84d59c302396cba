--- rate_test.lua: who talks too fast is slowed down (rate.lua).
local t = require "charlua.test"
local players = require "players"

--- The default chat with flood control; `configure`: what is set, as Lua text.
local function rules(configure)
  return players.rules(('require "roles", require "rate".configure { %s }'):format(configure or ""))
end

t.preset { script = "chat.lua", rules = rules(), set = { moderator_secret = "mate" } }

local say, promote = players.say, players.promote

--- A client that has logged in, and that long ago.
local function enter(s, ...)
  local client = players.enter(s, ...)
  s:advance(10)
  return client
end

--- `c` may say `count` times, and not once more; returns when it should come again.
local function has_room_for(c, count)
  for _ = 1, count do
    say(c)
    c:expect { type = "say" }
  end
  say(c)
  return c:expect_error "slow_down".retry_after
end

t.case("the captured conversation is as it is without", players.play_default_chat)

t.case("so many may come at once, and the next is dropped and answered", function(s)
  local ana, beto = enter(s, "Ana"), enter(s, "Beto")
  ana:skip()
  t.equal(has_room_for(ana, 5), 2)
  t.equal(#beto:skip(), 5)
  say(ana)
  ana:expect_text [[{"type":"error","error":"slow_down","retry_after":2}]]
  beto:expect_nothing()
end)

t.case("who waits as long as it was told is heard", { rules = rules "messages = 1, seconds = 49" }, function(s)
  local ana = enter(s, "Ana")
  s:advance(39) -- 49 times 1/49 is a little less than 1
  for _ = 1, 20 do
    t.equal(has_room_for(ana, 1), 49)
    s:advance(49)
  end
end)

t.case("the bucket fills over time, and no further", function(s)
  local ana = enter(s, "Ana")
  has_room_for(ana, 5)
  s:advance(6)
  has_room_for(ana, 3)
  s:advance(3600)
  has_room_for(ana, 5)
end)

t.case("each client has its own bucket", function(s)
  local ana, beto = enter(s, "Ana"), enter(s, "Beto")
  ana:skip()
  has_room_for(ana, 5)
  beto:skip()
  has_room_for(beto, 5)
end)

t.case("a login counts", function(s)
  has_room_for(players.enter(s, "Ana"), 4)
end)

t.case("all that others hear counts: new names, away, topics, other rooms, and what nobody has heard of yet", {
  rules = players.rules 'require "rate", require "commands", require "nicknames", require "rooms", require "typing"',
}, function(s)
  local wanted = {
    { type = "login", name = "Eva" }, { type = "nick", name = "Eva" }, { type = "away", text = "lunch" },
    { type = "back" }, { type = "topic", topic = "tea" }, { type = "join", room = "den" }, { type = "part" },
    { type = "say", to_uid = "all", content = "/away lunch" },
  }
  for _, msg in ipairs(wanted) do
    local ana = enter(s, "Ana", "nook")
    for _ = 1, 5 do ana:send(msg) end
    for _, answer in ipairs(ana:skip()) do t.ok(answer.error ~= "slow_down", msg.type) end
    ana:send(msg)
    ana:expect_error "slow_down"
    say(ana)
    ana:expect_error "slow_down"
    ana:close()
    s:advance(60)
  end
end)

t.case("what nobody else hears has an allowance of its own", function(s)
  local ana = enter(s, "Ana")
  for _ = 1, 50 do
    ana:send { type = "user_list" }
    ana:expect { type = "user_list" }
  end
  ana:send { type = "user_list" }
  t.equal(ana:expect_error "slow_down".retry_after, 1)
  has_room_for(ana, 5)
end)

t.case("which types others do not hear is an option", { rules = rules 'quiet = {}, messages = 2' }, function(s)
  local ana = enter(s, "Ana")
  say(ana)
  ana:send { type = "user_list" }
  ana:skip()
  say(ana)
  ana:expect_error "slow_down"
  ana:send { type = "user_list" }
  ana:expect_error "slow_down"
end)

t.case("coming again brings no new allowance, and fills nobody else's", function(s)
  local ana, tab = enter(s, "Ana", nil, "2001:db8::1"), enter(s, "Ana", nil, "2001:db8::2")
  ana:skip()
  has_room_for(ana, 5)
  say(tab)
  ana:close()
  tab:close() -- it has more left than Ana had
  s:reload()
  local again = s:client { ip = "2001:db8::3" }
  again:send { type = "login", name = "Ana" }
  again:expect_error "slow_down"
  local beto = s:client { ip = "2001:db8:0:1::1" }
  beto:send { type = "login", name = "Beto" }
  beto:expect { type = "user_list" }
  again:close()
  s:advance(10)
  has_room_for(players.enter(s, "Ana", nil, "2001:db8::1"), 4)
end)

t.case("coming again does not evade slow mode, nor being closed for flooding", { rules = rules "slow_mode = 60" },
  function(s)
    local ana = enter(s, "Ana", nil, "192.0.2.1")
    say(ana)
    for _ = 1, 10 do say(ana) end
    ana:close()
    s:advance(5)
    ana = players.enter(s, "Ana", nil, "192.0.2.1")
    say(ana)
    t.equal(ana:expect_error "slow_down".retry_after, 55)
    for _ = 1, 9 do say(ana) end
    ana:skip()
    ana:expect_closed(1008)
  end)

--- How many lists `client` gets for so many questions.
local function lists(client, count)
  local heard = 0
  for _ = 1, count do
    client:send { type = "rooms" }
    if client:next().type == "rooms" then heard = heard + 1 end
  end
  return heard
end

t.case("coming again brings no new quiet allowance, nor does being refused by the rules behind", {
  rules = [[local app, rate = require "chat", require "rate"
    app.use = { rate.configure { quiet_messages = 10, refusals = 100 }, require "rooms" }
    function app.on_open(_, request) return not request.query.refused end
    return app]],
}, function(s)
  local heard = 0
  for _ = 1, 3 do
    local ana = s:client { ip = "192.0.2.1" }
    heard = heard + lists(ana, 15)
    ana:close()
    s:client { ip = "192.0.2.1", query = { refused = "1" } }
  end
  t.equal(heard, 10)
end)

t.case("of two that have gone each leaves what it has used up", { rules = rules "slow_mode = 60" }, function(s)
  local ana, tab = enter(s, "Ana", nil, "192.0.2.1"), s:client { ip = "192.0.2.1" }
  say(ana)
  ana:close()
  for _ = 1, 5 do say(tab) end -- it is in no room
  tab:close()
  s:advance(30)
  ana = players.enter(s, "Ana", nil, "192.0.2.1")
  say(ana)
  ana:expect_error "slow_down"
end)

t.case("who floods with what nobody else hears is closed, too", {
  rules = [[local app, rate = require "chat", require "rate"
    app.use = { rate.configure { quiet_messages = 10, refusals = 5 }, require "rooms" }
    return app]],
}, function(s)
  local ana = s:client {}
  t.equal(lists(ana, 14), 10)
  ana:send { type = "rooms" }
  ana:expect_error "slow_down"
  ana:expect_closed(1008, "slow down")
end)

t.case("what is refused by the chat counts as well", function(s)
  local eva = s:client {}
  for _ = 1, 5 do
    say(eva)
    eva:expect_error "not_logged_in"
  end
  say(eva)
  eva:expect_error "slow_down"
end)

t.case("who goes on is closed with 1008", { rules = rules "refusals = 3" }, function(s)
  local ana, beto = enter(s, "Ana"), enter(s, "Beto")
  ana:skip()
  has_room_for(ana, 5)
  beto:skip()
  say(ana)
  ana:expect_error "slow_down"
  say(ana)
  ana:expect_error "slow_down"
  ana:expect_closed(1008, "slow down")
  beto:expect { type = "logout", uid = ana.id }
  s:expect_log "closed for flooding"
end)

t.case("who floods slowly is closed, too", { rules = rules "refusals = 10" }, function(s)
  local ana = enter(s, "Ana")
  for _ = 1, 30 do
    say(ana)
    s:advance(1)
  end
  ana:expect_closed(1008)
end)

t.case("a pause that fills the bucket makes up for it", { rules = rules "refusals = 3" }, function(s)
  local ana = enter(s, "Ana")
  for _ = 1, 5 do
    has_room_for(ana, 5)
    say(ana)
    ana:expect_error "slow_down"
    s:advance(12)
  end
end)

t.case("a reload fills no bucket and forgets no refusal", { rules = rules "refusals = 3" }, function(s)
  local ana = enter(s, "Ana")
  has_room_for(ana, 5)
  s:reload()
  say(ana)
  ana:expect_error "slow_down"
  s:reload()
  say(ana)
  ana:expect_closed(1008)
end)

t.case("state of another shape is begun anew", function(s)
  s:reload [[
    local app = require "chat"
    function app.on.odd(client) client.state.rate = { tokens = "many", at = 1 } end
    return app
  ]]
  local ana = enter(s, "Ana")
  ana:send { type = "odd" }
  s:reload()
  has_room_for(ana, 5)
end)

-- Slow mode ---------------------------------------------------------------

local SLOW = rules "slow_mode = 10"

t.case("slow mode: seconds lie between two says of one client", { rules = SLOW }, function(s)
  local ana, beto = enter(s, "Ana"), enter(s, "Beto")
  ana:skip()
  say(ana)
  say(beto)
  for _, c in ipairs { ana, beto } do t.equal(#c:skip(), 2) end
  s:advance(2.5)
  say(ana)
  ana:expect_text [[{"type":"error","error":"slow_down","retry_after":8}]]
  s:advance(7.5)
  say(ana)
  ana:expect { type = "say" }
  s:reload()
  say(ana)
  t.equal(ana:expect_error "slow_down".retry_after, 10)
end)

t.case("who floods a slow room is closed, too", { rules = SLOW }, function(s)
  local ana = enter(s, "Ana")
  for _ = 1, 30 do say(ana) end
  ana:expect_closed(1008)
end)

t.case("a moderator sets slow mode for the own room, is exempt from it, and ends it", function(s)
  local ana, beto, eva = enter(s, "Ana"), enter(s, "Beto"), enter(s, "Eva", "blue")
  ana:skip()
  promote(ana)
  ana:send { type = "slow_mode", seconds = 30 }
  for _, c in ipairs { ana, beto } do
    c:expect_text(([[{"type":"slow_mode","from_uid":%d,"seconds":30}]]):format(ana.id))
  end
  s:expect_log "slow mode client="
  s:reload()
  say(beto)
  say(ana)
  say(ana)
  t.equal(#beto:skip(), 3)
  say(beto)
  t.equal(beto:expect_error "slow_down".retry_after, 30)
  say(eva)
  say(eva)
  t.equal(#eva:skip(), 2)
  ana:send { type = "slow_mode", seconds = 0 }
  beto:expect { type = "slow_mode", seconds = 0 }
  say(beto)
  beto:expect { type = "say" }
end)

t.case("slow mode ends with its room", function(s)
  local ana = enter(s, "Ana")
  promote(ana)
  ana:send { type = "slow_mode", seconds = 30 }
  ana:close()
  local beto = enter(s, "Beto")
  has_room_for(beto, 5)
end)

t.case("others set no slow mode, and moderators no odd one", function(s)
  local ana = s:client {}
  ana:send { type = "slow_mode", seconds = 1 }
  ana:expect_error "not_logged_in"
  ana:send { type = "login", name = "Ana" }
  ana:skip()
  ana:send { type = "slow_mode", seconds = 1 }
  ana:expect_error "not_allowed"
  promote(ana)
  for _, seconds in ipairs { "-1", "3601", '"5"', "null", "[]", "1e999" } do
    ana:send('{"type":"slow_mode","seconds":' .. seconds .. "}")
    ana:expect_error "bad_seconds"
  end
  ana:send { type = "slow_mode" }
  ana:expect_error "bad_seconds"
end)

for _, case in ipairs {
  { "mesages = 5", "there is no option 'mesages'" }, { "messages = '5'", "not a string" },
  { "messages = 0", "at least 1" },
  { "seconds = 0", "more than 0" },
} do
  t.case("an option that is wrong keeps the old rules: " .. case[1], function(s)
    t.ok(not s:reload(rules(case[1]), true))
    s:expect_log(case[2])
  end)
end
