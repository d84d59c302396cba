--- alerts_test.lua: cases for alerts.lua.
local t = require "charlua.test"

t.preset { set = { token = "s3cret" } }

local function post(s, json, token)
  return s:request("POST /hooks/alert", { headers = { Authorization = "Bearer " .. (token or "s3cret") }, json = json })
end

local function warn(s, text)
  return post(s, { severity = "warning", text = text })
end

t.case("everyone connected hears an alert", function(s)
  local ana, beto = s:client { name = "Ana" }, s:client { name = "Beto" }
  t.equal(warn(s, "the cellar is wet").status, 201)
  for _, client in ipairs { ana, beto } do
    client:expect_text('{"type":"alert","severity":"warning","text":"the cellar is wet","time":"2014-08-12T17:50:30Z"}')
  end
end)

t.case("a repeated alert is counted for 5 minutes, then shown again", function(s)
  local ana = s:client { name = "Ana" }
  warn(s, "wet")
  ana:expect { text = "wet" }
  s:advance(299)
  t.equal(warn(s, "wet"), { status = 200, json = { times = 2 } })
  ana:expect_nothing()
  t.equal(post(s, { severity = "critical", text = "wet" }).status, 201)
  ana:expect { severity = "critical", text = "wet" }
  s:advance(1)
  t.equal(warn(s, "wet"), { status = 201, json = { times = 1 } })
  ana:expect { severity = "warning", text = "wet", time = "2014-08-12T17:55:30Z" }
end)

t.case("a newcomer gets the last 20, whether anybody was there or not", function(s)
  for n = 1, 25 do warn(s, "alert " .. n) end
  local ana = s:client { name = "Ana" }
  for n = 6, 25 do ana:expect { type = "alert", text = "alert " .. n } end
  ana:expect_nothing()
end)

t.case("only who has the token posts", function(s)
  local ana = s:client { name = "Ana" }
  t.equal(post(s, { severity = "info", text = "x" }, "S3cret"), { status = 401, json = { error = "bad_token" } })
  t.equal(s:request("POST /hooks/alert", { json = { severity = "info", text = "x" } }).status, 401)
  ana:expect_nothing()
end)

t.case("without a token nobody posts", { set = { token = "" } }, function(s)
  t.equal(post(s, { severity = "info", text = "x" }, "").status, 401)
end)

t.case("what is no alert is refused", function(s)
  local ana = s:client { name = "Ana" }
  local bearer = { Authorization = "Bearer s3cret" }
  for _, body in ipairs { "", "no JSON", "7", "null" } do
    local response = s:request("POST /hooks/alert", { headers = bearer, body = body })
    t.equal(response, { status = 400, json = { error = "bad_json" } })
  end
  for _, severity in ipairs { "fatal", 7, {}, true } do
    t.equal(post(s, { severity = severity, text = "x" }), { status = 400, json = { error = "bad_severity" } })
  end
  t.equal(post(s, { text = "x" }).json, { error = "bad_severity" })
  for _, text in ipairs { "", ("x"):rep(501), 7, {} } do
    t.equal(post(s, { severity = "info", text = text }), { status = 400, json = { error = "bad_text" } })
  end
  ana:expect_nothing()
end)
