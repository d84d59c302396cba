--- players.lua: what the tests of the rules share: how clients come, log in and talk, and the conversation of 2014.
-- A test file says `local players = require "players"`; no rules do.
local players = {}

--- The default chat with the modules that `use` names, as the inside of a table: 'require "rooms"'.
function players.rules(use)
  return ('local app = require "chat"; app.use = { %s }; return app'):format(use)
end

--- A client that has logged in, and has heard what that answers.
function players.login(s, name, room, password)
  local client = s:client { name = name }
  client:send { type = "login", name = name, room = room, password = password }
  client:expect { type = "user_list" }
  client:expect { type = "login", uid = client.id }
  return client
end

--- A client that has logged in and has nothing more to hear, whatever was answered. `ip` may be left out.
function players.enter(s, name, room, ip)
  local client = s:client { name = name, ip = ip }
  client:send { type = "login", name = name, room = room }
  client:skip()
  return client
end

--- Clients of these names in one room, in this order; nobody has anything more to hear.
function players.meet(s, ...)
  local all = { ... }
  for i, name in ipairs(all) do all[i] = players.enter(s, name) end
  for _, client in ipairs(all) do client:skip() end
  return table.unpack(all)
end

function players.say(client, content, to_uid)
  client:send { type = "say", to_uid = to_uid or "all", content = content or "hi" }
end

--- Makes `client` a moderator, where moderator_secret is "mate".
function players.promote(client)
  client:send { type = "auth", secret = "mate" }
  client:expect { type = "auth", role = "moderator" }
end

function players.nobody_hears(...)
  for _, client in ipairs { ... } do client:expect_nothing() end
end

--- The contents of messages.
function players.contents(messages)
  local all = {}
  for i, message in ipairs(messages) do all[i] = message.content end
  return all
end

--- The captured conversation of two clients that know no module, byte for byte.
function players.play_default_chat(s)
  local pig, nick = s:client { name = "\u{732a}\u{732a}" }, s:client { name = "mynick" }
  pig:send { type = "login", name = "\u{732a}\u{732a}" }
  pig:expect_text(([[{"type":"user_list","user_list":[{"uid":%d,"name":"\u732a\u732a"}]}]]):format(pig.id))
  pig:expect_text(([[{"type":"login","uid":%d,"name":"\u732a\u732a","time":"2014-08-12 17:50:30"}]]):format(pig.id))
  nick:send { type = "login", name = "mynick" }
  nick:expect_text(([[{"type":"user_list","user_list":[{"uid":%d,"name":"\u732a\u732a"},{"uid":%d,"name":"mynick"}]}]])
    :format(pig.id, nick.id))
  local entered = ([[{"type":"login","uid":%d,"name":"mynick","time":"2014-08-12 17:50:30"}]]):format(nick.id)
  nick:expect_text(entered)
  pig:expect_text(entered)
  s:advance(32)
  players.say(nick, "hi,  all !")
  local said = ([[{"type":"say","from_uid":%d,"to_uid":"all","content":"hi,  all !","time":"2014-08-12 17:51:02"}]])
    :format(nick.id)
  nick:expect_text(said)
  pig:expect_text(said)
  players.say(nick, "psst", pig.id)
  local psst = ([[{"type":"say","from_uid":%d,"to_uid":%d,"content":"psst","time":"2014-08-12 17:51:02"}]])
    :format(nick.id, pig.id)
  pig:expect_text(psst)
  nick:expect_text(psst)
  s:advance(58)
  nick:close()
  pig:expect_text(([[{"type":"logout","uid":%d,"time":"2014-08-12 17:52:00"}]]):format(nick.id))
  players.say(pig, "")
  pig:expect_text [[{"type":"error","error":"bad_content"}]]
  players.nobody_hears(pig, nick)
end

return players
