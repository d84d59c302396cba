--- roles_test.lua: who becomes a moderator (roles.lua, network.lua, expiring.lua).
local t = require "charlua.test"

--- Says to everybody who asks whether it is a moderator.
local function rules(configure)
  return ([[
    local chat, roles = require "charlua", require "roles"
    local app = { api = 1, use = { roles.configure { %s } }, on = {} }
    function app.on.who(client) client:send(chat.object("moderator", roles.is_moderator(client))) end
    return app
  ]]):format(configure or "")
end

t.preset { script = "roles.lua", rules = rules(), set = { moderator_secret = "mate" } }

local function is_moderator(c)
  c:send { type = "who" }
  return c:next().moderator
end

local function try(c, secret)
  c:send { type = "auth", secret = secret }
  return c:next()
end

t.case("the secret makes a moderator", function(s)
  local ana, beto = s:client {}, s:client {}
  t.ok(not is_moderator(ana))
  ana:send { type = "auth", secret = "mate" }
  ana:expect_text [[{"type":"auth","role":"moderator"}]]
  s:expect_log "moderator client="
  t.ok(is_moderator(ana))
  t.ok(not is_moderator(beto))
end)

t.case("a moderator stays one over a reload, and comes back as a stranger", function(s)
  local ana = s:client {}
  try(ana, "mate")
  s:reload()
  s:advance(1e8)
  t.ok(is_moderator(ana))
  ana:close()
  t.ok(not is_moderator(s:client {}))
end)

t.case("a wrong secret makes none, and the log does not have it", { rules = rules "attempts = 20" }, function(s)
  local ana = s:client {}
  for _, secret in ipairs { '"tea"', '""', '"mat"', '"mate "', '"Mate"', "5", "null", "true", '["mate"]', "{}" } do
    ana:send('{"type":"auth","secret":' .. secret .. "}")
    ana:expect_error "bad_secret"
    local line = s:expect_log "authentication failed"
    t.ok(not line:find("tea", 1, true), line)
  end
  ana:send { type = "auth" }
  ana:expect_error "bad_secret"
  t.ok(not is_moderator(ana))
end)

t.case("an empty secret of the server lets nobody in", { set = { moderator_secret = "" } }, function(s)
  local ana = s:client {}
  ana:send { type = "auth", secret = "" }
  ana:expect_error "bad_secret"
end)

t.case("no secret lets nobody in", { rules = rules():gsub("^", 'require "charlua".options.moderator_secret = nil ') },
  function(s)
    local ana = s:client {}
    ana:send { type = "auth", secret = "" }
    ana:expect_error "bad_secret"
    ana:send { type = "auth" }
    ana:expect_error "bad_secret"
  end)

t.case("five attempts of an address may fail within ten minutes", function(s)
  local ana, other = s:client { ip = "192.0.2.7" }, s:client { ip = "192.0.2.8" }
  for _ = 1, 5 do t.equal(try(ana, "tea").error, "bad_secret") end
  t.equal(try(ana, "mate").error, "too_many_attempts")
  ana:close()
  s:reload()
  local again = s:client { ip = "192.0.2.7" }
  s:advance(599)
  t.equal(try(again, "mate").error, "too_many_attempts")
  t.equal(try(other, "mate").role, "moderator")
  s:advance(1)
  t.equal(try(again, "mate").role, "moderator")
end)

t.case("who is right begins anew", function(s)
  local ana = s:client {}
  for _ = 1, 3 do
    for _ = 1, 4 do t.equal(try(ana, "tea").error, "bad_secret") end
    t.equal(try(ana, "mate").role, "moderator")
  end
end)

t.case("an IPv6 network counts as one address", function(s)
  for i = 1, 5 do try(s:client { ip = "2001:db8::" .. i }, "tea") end
  t.equal(try(s:client { ip = "2001:db8:0:0:ffff::1" }, "mate").error, "too_many_attempts")
  t.equal(try(s:client { ip = "2001:db8:0:1::1" }, "mate").role, "moderator")
end)

t.case("when too many addresses try, nobody new may", function(s)
  s:reload [[
    local chat, roles = require "charlua", require "roles"
    local app = { api = 1, use = { roles }, on = {} }
    function app.on.fill()
      local expiring = require "expiring"
      local attempts = expiring.table("roles", "attempts")
      for _ = 1, 2000 do
        expiring.put(attempts, "a" .. attempts.count + 1, { count = 1, ends = chat.clock() + 60 }, 10000)
      end
    end
    return app
  ]]
  local ana = s:client {}
  for _ = 1, 5 do ana:send { type = "fill" } end
  t.equal(try(ana, "mate").error, "too_many_attempts")
  s:advance(60)
  t.equal(try(ana, "mate").role, "moderator")
end)

t.case("state of another shape makes no moderator and breaks nothing", function(s)
  s:reload [[
    local chat, roles = require "charlua", require "roles"
    local app = { api = 1, use = { roles }, on = {} }
    function app.on.odd(client)
      client.state.roles = { role = "moderator" }
      chat.state.roles = { attempts = { entries = { ["127.0.0.1"] = 5 }, count = 1 } }
    end
    return app
  ]]
  local ana = s:client {}
  ana:send { type = "odd" }
  s:reload()
  t.ok(not is_moderator(ana))
  t.equal(try(ana, "tea").error, "bad_secret")
  t.equal(try(ana, "mate").role, "moderator")
end)

t.case("network: addresses and what stands for them", {
  rules = [[
    local app, chat, network = { api = 1, on = {} }, require "charlua", require "network"
    function app.on.ask(client, msg) client:send(chat.object("is", network(msg.address) or "none")) end
    return app
  ]],
}, function(s)
  local ana = s:client {}
  for _, case in ipairs {
    { "192.0.2.7", "192.0.2.7" }, { "192.000.2.007", "192.0.2.7" }, { "unix", "unix" },
    { "2001:db8::1", "2001:db8:0:0::/64" }, { "2001:DB8:1:2:3:4:5:6", "2001:db8:1:2::/64" }, { "::", "0:0:0:0::/64" },
    { "::1", "0:0:0:0::/64" }, { "1::", "1:0:0:0::/64" }, { "1::2:3:4:5:6:7", "1:0:2:3::/64" },
    { "2001:db8:0:0::/64", "2001:db8:0:0::/64" },
    { "", "none" }, { "192.0.2.256", "none" }, { "192.0.2", "none" }, { "192.0.2.7.1", "none" }, { "1:2:3", "none" },
    { "1::2::3", "none" }, { "1:2:3:4:5:6:7:8:9", "none" }, { "1::2:3:4:5:6:7:8", "none" },
    { ":1:2:3:4:5:6:7", "none" },
    { "12345::", "none" }, { "g::", "none" }, { "localhost", "none" }, { ("1"):rep(65), "none" }, { 5, "none" },
  } do
    ana:send { type = "ask", address = case[1] }
    t.equal(ana:next().is, case[2])
  end
end)

-- Tokens ------------------------------------------------------------------

-- HS256 by "0123456789abcdef0123456789abcdef":
-- {"role":"moderator" or "guest","aud":"chat","exp":1407869430}, an hour after the beginning.
local KEY = 'jwt = { alg = "HS256", key = "0123456789abcdef0123456789abcdef", aud = "chat" }'
local HEAD = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
local MODERATOR = "eyJyb2xlIjoibW9kZXJhdG9yIiwiYXVkIjoiY2hhdCIsImV4cCI6MTQwNzg2OTQzMH0."
  .. "wsQ2xb7EnmfL0p81lUsZnbxnHp5WpSf2YuAjKQt-mJk"
local GUEST = "eyJyb2xlIjoiZ3Vlc3QiLCJhdWQiOiJjaGF0IiwiZXhwIjoxNDA3ODY5NDMwfQ."
  .. "aphvJXyIHqNIPaC0x5x7H_5z_ucUpZlmCSbChaaDo4g"

t.case("a token makes a moderator until it expires", { rules = rules(KEY) }, function(s)
  local ana = s:client {}
  ana:send { type = "auth", token = HEAD .. MODERATOR }
  ana:expect { type = "auth", role = "moderator" }
  t.ok(is_moderator(ana))
  s:advance(3599)
  t.ok(is_moderator(ana))
  s:advance(1)
  t.ok(not is_moderator(ana))
end)

t.case("a token of another role, a forged one and an old one make none", { rules = rules(KEY) }, function(s)
  local ana = s:client {}
  for _, token in ipairs { HEAD .. GUEST, HEAD .. MODERATOR:gsub("^e", "f"), "mate", 5 } do
    ana:send { type = "auth", token = token }
    ana:expect_error "bad_token"
  end
  s:advance(3600)
  ana:send { type = "auth", token = HEAD .. MODERATOR }
  ana:expect_error "bad_token"
  t.ok(not is_moderator(ana))
end)

t.case("without a key no token is taken", function(s)
  local ana = s:client {}
  ana:send { type = "auth", token = HEAD .. MODERATOR }
  ana:expect_error "bad_token"
end)

for _, case in ipairs { { "attempt = 5", "there is no option 'attempt'" }, { "attempts = '5'", "not a string" } } do
  t.case("an option that is wrong keeps the old rules: " .. case[1], function(s)
    t.ok(not s:reload(rules(case[1]), true))
    s:expect_log(case[2])
  end)
end
