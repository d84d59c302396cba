local t = require "charlua.test"
t.case("a whisper reaches one", function(s)
  local ana, beto, eva = s:client { name = "Ana" }, s:client { name = "Beto" }, s:client {}
  for _, c in ipairs { ana, beto, eva } do c:send { type = "login", name = c.name } end
  for _, c in ipairs { ana, beto, eva } do c:skip() end
  ana:send { type = "say", to_uid = beto.id, content = "psst" }
  beto:expect { type = "say", content = "psst", time = "2014-08-12 17:50:30" }
  ana:expect { type = "say", from_uid = ana.id, to_uid = beto.id }
  eva:expect_nothing()
  s:advance(3600)
  ana:send { type = "say", to_uid = "all", content = "hi" }
  beto:expect { type = "say", content = "hi", time = "2014-08-12 18:50:30" }
  s:stop()
  ana:skip()
  ana:expect_closed(1001)
end)
t.case("bad", function(s)
  local ana = s:client { name = "Ana" }
  ana:send { type = "login", name = "x" }
  ana:expect { type = "user_list", user_list = { { name = "y" } } }
end)
