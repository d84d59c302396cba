--- moderation_test.lua: what moderators can do, and what befalls the others (moderation.lua).
local t = require "charlua.test"
local players = require "players"

local function rules(configure)
  return players.rules('require "roles", require "moderation".configure {' .. (configure or "")
    .. '}, require "rate"')
end

t.preset { script = "chat.lua", rules = rules(), set = { moderator_secret = "mate" } }

local say = players.say

local function login(c, name, room)
  c:send { type = "login", name = name, room = room }
  return c:skip()
end

local function enter(s, name, room, ip)
  return players.enter(s, name, room, ip or "192.0.2.1")
end

local function promote(c)
  c:skip()
  players.promote(c)
end

--- Mod, a moderator at 192.0.2.100, and Ana and Beto at addresses of their own, all in the lobby.
local function enter_three(s)
  local mod, ana, beto = enter(s, "Mod", nil, "192.0.2.100"), enter(s, "Ana", nil, "192.0.2.1"),
    enter(s, "Beto", nil, "192.0.2.2")
  promote(mod)
  for _, c in ipairs { mod, ana, beto } do c:skip() end
  return mod, ana, beto
end

t.case("the conversation is as it is without, with all modules on", players.play_default_chat)

-- Who may -----------------------------------------------------------------

t.case("others may nothing, whatever they say", function(s)
  local _, ana, beto = enter_three(s)
  for _, name in ipairs { "kick", "mute", "unmute", "ban", "unban", "bans" } do
    ana:send { type = name, uid = beto.id, seconds = 60, reason = "spam" }
    ana:expect_error "not_allowed"
    ana:send { type = name }
    ana:expect_error "not_allowed"
  end
  beto:expect_nothing()
  say(beto)
  beto:expect { type = "say" }
end)

t.case("nothing is done to a moderator", function(s)
  local mod, ana = enter_three(s)
  promote(ana)
  for _, name in ipairs { "kick", "mute", "unmute", "ban" } do
    mod:send { type = name, uid = ana.id, seconds = 60, reason = "spam" }
    mod:expect_error "not_allowed"
    mod:send { type = name, uid = mod.id, seconds = 60, reason = "spam" }
    mod:expect_error "not_allowed"
  end
end)

t.case("a command needs a reason, a time, and somebody", function(s)
  local mod, ana = enter_three(s)
  local uid = ('"uid":%d'):format(ana.id)
  for _, case in ipairs {
    { "bad_reason", '"type":"kick",' .. uid }, { "bad_reason", '"type":"kick","reason":"",' .. uid },
    { "bad_reason", '"type":"kick","reason":null,' .. uid },
    { "bad_reason", '"type":"kick","reason":["spam"],' .. uid },
    { "bad_reason", [["type":"kick","reason":"a\nb",]] .. uid },
    { "bad_reason", '"type":"kick","reason":"' .. ("x"):rep(201) .. '",' .. uid },
    { "bad_seconds", '"type":"mute","reason":"spam",' .. uid },
    { "bad_seconds", '"type":"mute","seconds":0,"reason":"spam",' .. uid },
    { "bad_seconds", '"type":"mute","seconds":"60","reason":"spam",' .. uid },
    { "bad_seconds", '"type":"ban","seconds":31622401,"reason":"spam",' .. uid },
    { "bad_seconds", '"type":"ban","seconds":1e999,"reason":"spam",' .. uid },
    { "no_such_user", '"type":"kick","reason":"spam"' }, { "no_such_user", '"type":"kick","uid":1,"reason":"spam"' },
    { "no_such_user", '"type":"mute","uid":[],"seconds":60,"reason":"spam"' },
    { "no_such_user", '"type":"unmute","uid":"all","reason":"spam"' },
    { "no_such_user", '"type":"ban","uid":null,"seconds":60,"reason":"spam"' },
    { "bad_name", '"type":"ban","seconds":60,"reason":"spam"' },
    { "bad_name", '"type":"ban","name":5,"seconds":60,"reason":"spam"' },
    { "bad_name", '"type":"unban","name":"","reason":"spam"' },
    { "bad_address", '"type":"ban","address":"home","seconds":60,"reason":"spam"' },
    { "bad_address", '"type":"ban","address":"unix","seconds":60,"reason":"spam"' },
    { "bad_address", '"type":"ban","address":null,"seconds":60,"reason":"spam"' },
    { "no_such_ban", '"type":"unban","name":"Ana","reason":"spam"' },
    { "no_such_ban", '"type":"unban","address":"192.0.2.1","reason":"spam"' },
  } do
    mod:send("{" .. case[2] .. "}")
    mod:expect_error(case[1])
  end
  ana:expect_nothing()
  say(ana)
  ana:expect { type = "say" }
end)

-- kick --------------------------------------------------------------------

t.case("a kick is told to the room, and its client is closed", function(s)
  local mod, ana, beto = enter_three(s)
  mod:send(([[{"type":"kick","uid":%d,"reason":" <spam> "}]]):format(ana.id))
  local kick = ([[{"type":"kick","from_uid":%d,"uid":%d,"reason":"&lt;spam&gt;"}]]):format(mod.id, ana.id)
  for _, c in ipairs { mod, ana, beto } do c:expect_text(kick) end
  ana:expect_closed(1008, "kicked")
  beto:expect { type = "logout", uid = ana.id }
  login(s:client { name = "Ana", ip = "192.0.2.1" }, "Ana")
  beto:expect { type = "login", name = "Ana" }
  local line = s:expect_log "kick by="
  t.ok(line:find(('by=%d "Mod" of client=%d "Ana" address=192.0.2.1 reason="&lt;spam&gt;"'):format(mod.id, ana.id), 1,
    true), line)
end)

t.case("a moderator may be elsewhere or nowhere, and so may a target", function(s)
  for _, mod in ipairs { enter(s, "Mod", "blue"), s:client {} } do
    local ana, silent = enter(s, "Ana"), s:client {}
    promote(mod)
    for _, c in ipairs { ana, silent } do
      mod:send { type = "kick", uid = c.id, reason = "spam" }
      c:expect { type = "kick", uid = c.id }
      c:expect_closed(1008)
      mod:expect { type = "kick", uid = c.id }
      mod:expect_nothing()
    end
  end
end)

-- mute --------------------------------------------------------------------

t.case("who is mute is not heard, for a time", function(s)
  local mod, ana, beto = enter_three(s)
  mod:send { type = "mute", uid = ana.id, seconds = 60, reason = "spam" }
  local mute = ([[{"type":"mute","from_uid":%d,"uid":%d,"seconds":60,"reason":"spam"}]]):format(mod.id, ana.id)
  for _, c in ipairs { mod, ana, beto } do c:expect_text(mute) end
  s:expect_log "mute by="
  s:advance(59.5)
  s:reload()
  say(ana)
  ana:expect_text [[{"type":"error","error":"muted","retry_after":1}]]
  beto:expect_nothing()
  ana:send { type = "user_list" }
  ana:expect { type = "user_list" }
  s:advance(0.5)
  say(ana)
  beto:expect { type = "say", from_uid = ana.id }
end)

t.case("who is mute is not heard in any way: by new names, away, topics, other rooms, commands", {
  rules = players.rules [[require "roles", require "moderation", require "commands", require "nicknames",
    require "rooms", require "typing"]],
}, function(s)
  local mod, ana, beto = enter(s, "Mod"), enter(s, "Ana", "den"), enter(s, "Beto", "den", "192.0.2.2")
  promote(mod)
  ana:send { type = "away", text = "lunch" }
  mod:send { type = "mute", uid = ana.id, seconds = 60, reason = "spam" }
  for _, c in ipairs { ana, beto } do c:skip() end
  for _, msg in ipairs {
    { type = "say", to_uid = "all", content = "hi" }, { type = "say", to_uid = beto.id, content = "psst" },
    { type = "say", to_uid = "all", content = "/away you all" },
    { type = "say", to_uid = "all", content = "/nick You all" },
    { type = "say", to_uid = "all", content = "/me waves" }, { type = "login", name = "You all" },
    { type = "nick", name = "You all" }, { type = "away", text = "you all" }, { type = "back" },
    { type = "topic", topic = "you all" }, { type = "join", room = "you all" }, { type = "part" }, { type = "typing" },
    { type = "typing", to_uid = beto.id },
  } do
    ana:send(msg)
    ana:expect_error "muted"
  end
  beto:expect_nothing()
  for _, kind in ipairs { "user_list", "topic", "rooms" } do
    ana:send { type = kind }
    ana:expect { type = kind }
  end
  ana:close()
  ana = enter(s, "Ana", "den")
  ana:send { type = "user_list" }
  ana:expect { type = "user_list" }
  beto:expect { type = "logout" }
  beto:expect { type = "login" }
  ana:send { type = "login", name = "You all" }
  ana:expect_error "muted"
end)

t.case("unmute ends it", function(s)
  local mod, ana, beto = enter_three(s)
  mod:send { type = "mute", uid = ana.id, seconds = 60, reason = "spam" }
  mod:send { type = "unmute", uid = ana.id, reason = "sorry" }
  s:expect_log "unmute by="
  beto:skip()
  ana:expect { type = "mute" }
  ana:expect_text(([[{"type":"unmute","from_uid":%d,"uid":%d,"reason":"sorry"}]]):format(mod.id, ana.id))
  say(ana)
  beto:expect { type = "say" }
end)

t.case("who is mute and comes back is still mute, until unmuted for good", function(s)
  local mod, ana, beto = enter_three(s)
  mod:send { type = "mute", uid = ana.id, seconds = 60, reason = "spam" }
  ana:close()
  s:reload()
  local again = enter(s, "Anita", nil, "192.0.2.1")
  say(again)
  again:expect_error "muted"
  mod:send { type = "unmute", uid = again.id, reason = "sorry" }
  again:close()
  again = enter(s, "Ana", nil, "192.0.2.1")
  beto:skip()
  say(again)
  beto:expect { type = "say", from_uid = again.id }
end)

t.case("what a mute takes is an option, and a mute moderator speaks", {
  rules = rules 'types = { "user_list" }',
}, function(s)
  local mod, ana, beto = enter_three(s)
  mod:send { type = "mute", uid = ana.id, seconds = 60, reason = "spam" }
  for _, c in ipairs { ana, beto } do c:skip() end
  say(ana)
  beto:expect { type = "say" }
  ana:skip()
  ana:send { type = "user_list" }
  ana:expect_error "muted"
  promote(ana)
  ana:send { type = "user_list" }
  ana:expect { type = "user_list" }
end)

t.case("mutes of addresses are at most so many; those that have ended do not count", { rules = rules "bans = 1" },
  function(s)
    local mod, ana, beto = enter_three(s)
    mod:send { type = "mute", uid = ana.id, seconds = 60, reason = "spam" }
    mod:skip()
    mod:send { type = "mute", uid = beto.id, seconds = 60, reason = "spam" }
    mod:expect_error "too_many_mutes"
    beto:skip()
    say(beto)
    beto:expect { type = "say" }
    s:advance(60)
    mod:skip()
    mod:send { type = "mute", uid = beto.id, seconds = 60, reason = "spam" }
    mod:expect { type = "mute" }
  end)

t.case("another tab of who is mute is mute, and so is one that comes while the first is there", function(s)
  local mod, ana, beto = enter_three(s)
  local tab = enter(s, "Ana 2")
  mod:send { type = "mute", uid = ana.id, seconds = 60, reason = "spam" }
  local late = enter(s, "Ana 3")
  for _, c in ipairs { ana, tab, late } do
    c:skip()
    say(c)
    c:expect_error "muted"
  end
  beto:skip()
  say(beto)
  beto:expect { type = "say" }
  tab:skip()
  mod:send { type = "unmute", uid = late.id, reason = "sorry" }
  tab:skip()
  say(tab)
  tab:expect { type = "say" }
end)

t.case("a mute that lasts longer stays, on whichever tab and over coming again", function(s)
  local mod, ana = enter_three(s)
  local tab = enter(s, "Ana 2")
  mod:send { type = "mute", uid = ana.id, seconds = 600, reason = "spam" }
  mod:skip()
  s:advance(1)
  mod:send { type = "mute", uid = ana.id, seconds = 60, reason = "spam" }
  mod:expect { type = "mute", seconds = 599 }
  mod:send { type = "mute", uid = tab.id, seconds = 60, reason = "spam" }
  mod:expect { type = "mute", seconds = 599 }
  ana:close()
  tab:close()
  s:advance(598)
  ana = enter(s, "Ana")
  say(ana)
  ana:expect_error "muted"
  s:advance(1)
  say(ana)
  ana:expect { type = "say" }
end)

t.case("who comes by a unix socket is muted alone", function(s)
  local mod = enter_three(s)
  local ana, beto = enter(s, "Ana", nil, "unix"), enter(s, "Beto", nil, "unix")
  mod:send { type = "mute", uid = ana.id, seconds = 60, reason = "spam" }
  for _, c in ipairs { ana, beto } do c:skip() end
  say(ana)
  ana:expect_error "muted"
  say(beto)
  beto:expect { type = "say" }
end)

-- ban ---------------------------------------------------------------------

t.case("a ban by uid closes all of its address, and lets none of it in, for a time", function(s)
  local mod, ana, beto = enter_three(s)
  local twin = enter(s, "Eva", "blue", "192.0.2.1")
  mod:skip()
  mod:send { type = "ban", uid = ana.id, seconds = 60, reason = "spam" }
  mod:expect_text [[{"type":"ban","address":"192.0.2.1","seconds":60,"reason":"spam"}]]
  for _, c in ipairs { ana, twin } do
    c:skip()
    c:expect_closed(1008, "banned")
  end
  beto:skip()
  say(beto)
  beto:expect { type = "say" }
  s:reload()
  s:client { ip = "192.0.2.1" }:expect_closed(1008, "banned for 60 seconds")
  login(s:client { ip = "192.0.2.3" }, "Ana")
  beto:expect { type = "login" }
  s:advance(60)
  login(s:client { ip = "192.0.2.1" }, "Ana")
  beto:expect { type = "login" }
  t.ok(s:expect_log "ban by=":find('of address="192.0.2.1" seconds=60 reason="spam"', 1, true))
end)

t.case("who is closed by a ban hears why", function(s)
  local mod, ana = enter_three(s)
  mod:send { type = "ban", uid = ana.id, seconds = 60, reason = "spam" }
  ana:expect_text [[{"type":"error","error":"banned","retry_after":60}]]
end)

t.case("a ban of an IPv6 address is one of its network", function(s)
  local mod = enter_three(s)
  mod:send { type = "ban", address = "2001:db8::1", seconds = 60, reason = "spam" }
  mod:expect { type = "ban", address = "2001:db8:0:0::/64" }
  s:client { ip = "2001:db8::2" }:expect_closed(1008)
  login(s:client { ip = "2001:db8:0:1::1" }, "Ana")
  mod:expect { type = "login" }
  mod:send { type = "unban", address = "2001:db8:0:0::/64", reason = "sorry" }
  mod:expect_text [[{"type":"unban","address":"2001:db8:0:0::\/64","reason":"sorry"}]]
  login(s:client { ip = "2001:db8::2" }, "Beto")
  mod:expect { type = "login", name = "Beto" }
end)

t.case("a banned name is closed and refused, in upper or lower case, for a time", function(s)
  local mod, ana, beto = enter_three(s)
  beto:send { type = "login", name = "<X>" }
  for _, c in ipairs { mod, ana, beto } do c:skip() end
  mod:send { type = "ban", name = " <x> ", seconds = 60, reason = "spam" }
  mod:expect { type = "ban", name = "&lt;x&gt;", seconds = 60 }
  beto:expect_error "banned"
  beto:expect_closed(1008, "banned")
  s:reload()
  local again = s:client {}
  again:send { type = "login", name = "<X>" }
  again:expect_text [[{"type":"error","error":"banned","retry_after":60}]]
  again:send { type = "user_list" }
  again:expect_error "not_logged_in"
  ana:send { type = "login", name = "<x>" }
  ana:skip()
  ana:send { type = "user_list" }
  ana:expect { user_list = { { name = "Mod" }, { name = "Ana" } } }
  s:advance(60)
  again:send { type = "login", name = "<X>" }
  again:expect { type = "user_list" }
end)

t.case("a banned name is banned in every spelling, for those who are in as well", function(s)
  local mod = enter_three(s)
  local eva = enter(s, "\u{200B}\u{C9}va\u{3000}")
  eva:skip()
  mod:send { type = "ban", name = "e\u{301}VA", seconds = 60, reason = "spam" }
  eva:expect_error "banned"
  eva:expect_closed(1008)
  for _, name in ipairs { "\u{E9}va", "\u{C9}V\u{FF21}", "e\u{301} v a", "\u{C9}va\u{E0041}", "\u{2800}\u{E9}va" } do
    local again = s:client {}
    again:send { type = "login", name = name }
    again:expect_error "banned"
  end
end)

t.case("a ban closes no moderator", function(s)
  local mod = enter(s, "Mod")
  promote(mod)
  mod:send { type = "ban", address = "192.0.2.1", seconds = 60, reason = "spam" }
  mod:send { type = "ban", name = "Mod", seconds = 60, reason = "spam" }
  mod:skip()
  mod:send { type = "login", name = "Mod" }
  mod:expect { type = "login" }
  say(mod)
  mod:expect { type = "say" }
end)

t.case("the list of bans tells what there is, the next to end first", function(s)
  local mod = enter_three(s)
  mod:send { type = "bans" }
  mod:expect_text [[{"type":"bans","bans":[]}]]
  mod:send { type = "ban", name = "Eva", seconds = 3600, reason = "spam" }
  mod:send { type = "ban", address = "192.0.2.9", seconds = 60, reason = "flood" }
  mod:send { type = "ban", name = "Max", seconds = 5, reason = "short" }
  s:advance(10)
  mod:skip()
  mod:send { type = "bans" }
  mod:expect_text([[{"type":"bans","bans":[{"address":"192.0.2.9","seconds":50,"reason":"flood"},]]
    .. [[{"name":"Eva","seconds":3590,"reason":"spam"}]}]])
  mod:send { type = "unban", name = "eva", reason = "sorry" }
  mod:expect { type = "unban", name = "eva" }
  s:expect_log "unban by="
  mod:send { type = "unban", name = "Max", reason = "sorry" }
  mod:expect_error "no_such_ban"
end)

t.case("a ban that lasts longer stays", function(s)
  local mod = enter_three(s)
  mod:send { type = "ban", name = "Eva", seconds = 600, reason = "spam" }
  mod:skip()
  mod:send { type = "ban", name = "eva", seconds = 60, reason = "again" }
  mod:expect { type = "ban", seconds = 600, reason = "again" }
  mod:send { type = "bans" }
  mod:expect { bans = { { name = "eva", seconds = 600 } } }
end)

t.case("bans are at most so many; those that have ended do not count", { rules = rules "bans = 2" }, function(s)
  local mod = enter_three(s)
  for i = 1, 2 do mod:send { type = "ban", name = "n" .. i, seconds = 60 * i, reason = "spam" } end
  mod:skip()
  mod:send { type = "ban", name = "n3", seconds = 60, reason = "spam" }
  mod:expect_error "too_many_bans"
  mod:send { type = "ban", name = "n2", seconds = 90, reason = "again" }
  mod:expect { type = "ban" }
  s:advance(60)
  mod:send { type = "ban", name = "n3", seconds = 60, reason = "spam" }
  mod:expect { type = "ban" }
end)

t.case("a ban among thousands of clients takes no handler its time", function(s)
  local mod = enter(s, "Mod", nil, "192.0.2.100")
  promote(mod)
  for _ = 1, 20000 do s:client { ip = "192.0.2.2" } end
  local last = s:client { ip = "192.0.2.1" }
  mod:send { type = "ban", uid = last.id, seconds = 60, reason = "spam" }
  s:advance(1)
  last:expect_error "banned"
  last:expect_closed(1008)
end)

t.case("state of another shape breaks nothing", function(s)
  s:reload [[
    local chat, app = require "charlua", require "chat"
    function app.on.odd(client)
      client.state.moderation = { ends = "never" }
      chat.state.moderation = {
        bans = { entries = { ["name ana"] = { ends = "never" }, ["name eva"] = 5 }, count = 2 }, mutes = "all",
      }
    end
    return app
  ]]
  local mod, ana = enter(s, "Mod"), enter(s, "Ana")
  ana:send { type = "odd" }
  s:reload()
  promote(mod)
  say(ana)
  ana:expect { type = "say" }
  ana:send { type = "login", name = "Ana" }
  ana:expect { type = "login" }
  mod:send { type = "mute", uid = ana.id, seconds = 60, reason = "spam" }
  mod:skip()
  ana:close()
  mod:skip()
  mod:send { type = "bans" }
  mod:expect_text [[{"type":"bans","bans":[]}]]
end)

for _, case in ipairs { { "ban = 5", "there is no option 'ban'" }, { "bans = '5'", "not a string" } } do
  t.case("an option that is wrong keeps the old rules: " .. case[1], function(s)
    t.ok(not s:reload(rules(case[1]), true))
    s:expect_log(case[2])
  end)
end
