--- jwt_test.lua: cases for jwt.lua, with tokens of a key that was forgotten once it had signed them.
local t = require "charlua.test"

t.case("without a key the log says what to do", function(s)
  s:expect_log 'nobody can log in: say --set key='
end)

t.preset { set = { key = [[
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAoPGeaRw0YJrApsr+rQW5Czv+BbbQIHczrA84il65X5k=
-----END PUBLIC KEY-----
]] } }

--- A token of {"alg":"EdDSA","typ":"JWT"} and these claims.
local function token(claims, signature)
  return "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9." .. claims .. "." .. signature
end

local tokens = {
  -- {"aud":"chat","name":"Ana","exp":4102444800}, which is 2100
  ana = token("eyJhdWQiOiJjaGF0IiwibmFtZSI6IkFuYSIsImV4cCI6NDEwMjQ0NDgwMH0",
    "NXE9jJvFpp4dpTx25VMB3lSzDiV85je-HxU7Cg12EHcplDknTezNKeSUsr7Hzp8gfbZ_057ImvR38AVdMHhPBA"),
  -- "exp":1407869430, an hour after the beginning of a case
  hour = token("eyJhdWQiOiJjaGF0IiwibmFtZSI6IkFuYSIsImV4cCI6MTQwNzg2OTQzMH0",
    "mqOwW8BELcOpXJCmZOXIdy0X9WdyB1mfzU1srDrjqLSs2_p9V_WXhCULiordEEgkbF2Vn29IVvs9_qwIqh3sAQ"),
  -- "exp":1407873030, two hours after it
  two = token("eyJhdWQiOiJjaGF0IiwibmFtZSI6IkFuYSIsImV4cCI6MTQwNzg3MzAzMH0",
    "GAvLXmTxzdztCfm97YcsH4RLx_5OWKnWV3kuB2blcz9Fx1tLy5yAoLePqDJaz3rscIQhfPKZSBCwyseTtdoUBw"),
  -- "nbf":1407952230, a day after it
  tomorrow = token("eyJhdWQiOiJjaGF0IiwibmFtZSI6IkFuYSIsIm5iZiI6MTQwNzk1MjIzMCwiZXhwIjo0MTAyNDQ0ODAwfQ",
    "ESQmQiKyvxGnAtUziQBophKt4anXBqIFOsubfvAJoOaWDOcP8-LMIFIdOoi75EtePwGnk-mn1o7Duhzxfi3SAw"),
  -- without "exp"
  forever = token("eyJhdWQiOiJjaGF0IiwibmFtZSI6IkFuYSJ9",
    "JwIalxk3FRabreUyypo9Nf6lBmBca4Kdi7uoiKRuxs6O-14Rc04-p5OUivqQyY3dkj_BwuhwgHtqNEVCvtw_Bg"),
  -- "aud":"shop"
  other = token("eyJhdWQiOiJzaG9wIiwibmFtZSI6IkFuYSIsImV4cCI6NDEwMjQ0NDgwMH0",
    "vltcIIUD2HZ1qAEWvFmvKqhus2xVmRaLCC1gVFMLtXaKqErr2zEV5JKCTEKzzCJi7Aq9fHOpsGJgtumuh8bDAA"),
  -- "name":7
  nameless = token("eyJhdWQiOiJjaGF0IiwibmFtZSI6NywiZXhwIjo0MTAyNDQ0ODAwfQ",
    "cTk6UxRnQoyJxHD6hH0dimSCWec-wZZ0RvuT3xfoh7jWPqLPbiDWf3K3tl11leGOVyFo-9kcBE7sy6nC68AzAw"),
}

local function login(s, name)
  local client = s:client { name = "Ana" }
  client:send { type = "login", token = tokens[name] }
  return client
end

t.case("who brings a token is a member by the name in it", function(s)
  local ana = login(s, "ana")
  ana:expect { type = "login", name = "Ana" }
  ana:send { type = "say", content = "hi" }
  ana:expect { type = "say", from = "Ana", content = "hi" }
end)

t.case("a token that does not let in is refused with the reason", function(s)
  s:advance(3600)
  for name, reason in pairs { hour = "expired", tomorrow = "not yet valid", other = "wrong audience",
    forever = "never expires", nameless = "no name" } do
    login(s, name):expect { type = "error", error = "bad_token", reason = reason }
  end
  local ana = s:client { name = "Ana" }
  local claims, signature = tokens.hour:match("^(%S+%.)(%S+)$"), tokens.ana:match("[^.]+$")
  ana:send { type = "login", token = claims .. signature }
  ana:expect { error = "bad_token", reason = "bad signature" }
  for _, nonsense in ipairs { "", "a.b.c", 7, {}, false } do
    ana:send { type = "login", token = nonsense }
    ana:expect { error = "bad_token", reason = "malformed" }
  end
  ana:send { type = "say", content = "hi" }
  ana:expect_error "not_logged_in"
end)

t.case("a member is closed when the token expires, over a reload, too", function(s)
  local ana = login(s, "hour")
  ana:expect { type = "login" }
  s:reload()
  s:advance(3599)
  ana:send { type = "say", content = "" }
  ana:expect_error "bad_content"
  s:advance(1)
  ana:expect_closed(4001, "expired")
end)

t.case("a newer token prolongs the stay", function(s)
  local ana = login(s, "hour")
  ana:send { type = "login", token = tokens.two }
  s:advance(7199)
  ana:skip()
  ana:send { type = "say", content = "still here" }
  ana:expect { type = "say", content = "still here" }
  s:advance(1)
  ana:expect_closed(4001, "expired")
end)
