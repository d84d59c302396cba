--- support_test.lua: cases for support.lua.
local t = require "charlua.test"

t.preset { set = { secret = "the cat sleeps" } }

local function visitor(s, name, place)
  local client = s:client { name = name }
  client:send { type = "ask", name = name }
  client:expect { type = "place", place = place }
  return client
end

local function agent(s, name, waiting)
  local client = s:client { name = name }
  client:send { type = "agent", secret = "the cat sleeps" }
  client:expect { type = "queue", waiting = waiting }
  return client
end

--- The agent takes the visitor, who is the first.
local function open(eva, ana)
  eva:send { type = "next" }
  eva:expect { type = "open", with = ana.name }
  ana:expect { type = "open", with = "Support" }
end

t.case("an agent takes who waits longest, and the others hear their new place", function(s)
  local ana, beto, caro = visitor(s, "Ana", 1), visitor(s, "Beto", 2), visitor(s, "Caro", 3)
  open(agent(s, "Eva", 3), ana)
  beto:expect { type = "place", place = 1 }
  caro:expect { type = "place", place = 2 }
  ana:expect_nothing()
  open(agent(s, "Ines", 2), beto)
  caro:expect { type = "place", place = 1 }
  caro:expect_nothing()
end)

t.case("a talk is heard by its two alone, until one of them closes it", function(s)
  local ana, eva, ines = visitor(s, "Ana", 1), agent(s, "Eva", 1), agent(s, "Ines", 1)
  open(eva, ana)
  eva:skip()
  ines:skip()
  local dora = visitor(s, "Dora", 1)
  eva:expect { type = "queue", waiting = 1 }
  ines:expect { type = "queue", waiting = 1 }
  ana:send { type = "say", content = "it is wet" }
  eva:send { type = "say", content = "where?" }
  for _, client in ipairs { ana, eva } do
    client:expect { type = "say", from = "Ana", content = "it is wet" }
    client:expect { type = "say", from = "Support", content = "where?" }
  end
  ana:send { type = "close" }
  ana:expect { type = "closed" }
  eva:expect { type = "closed" }
  ana:send { type = "say", content = "thanks" }
  ana:expect_error "no_talk"
  for _, client in ipairs { dora, eva, ines } do client:expect_nothing() end
  open(eva, dora)
end)

t.case("who leaves drops out of the queue", function(s)
  local ana, beto, eva = visitor(s, "Ana", 1), visitor(s, "Beto", 2), agent(s, "Eva", 2)
  ana:close()
  beto:expect { type = "place", place = 1 }
  eva:expect { type = "queue", waiting = 1 }
  open(eva, beto)
end)

t.case("who leaves a talk ends it, and the other is free again", function(s)
  local ana, eva = visitor(s, "Ana", 1), agent(s, "Eva", 1)
  open(eva, ana)
  eva:close()
  ana:expect { type = "closed" }
  ana:send { type = "ask", name = "Ana" }
  ana:expect { type = "place", place = 1 }
end)

t.case("a reload keeps queue and talks", function(s)
  local ana, beto, eva = visitor(s, "Ana", 1), visitor(s, "Beto", 2), agent(s, "Eva", 2)
  open(eva, ana)
  s:reload()
  beto:expect { type = "place", place = 1 }
  eva:skip()
  ana:send { type = "say", content = "still here" }
  eva:expect { type = "say", content = "still here" }
  eva:send { type = "close" }
  eva:skip()
  open(eva, beto)
end)

t.case("only who knows the secret is an agent, and has one guess", function(s)
  for _, secret in ipairs { "the cat slept!", "", 7, { "the cat sleeps" }, false } do
    local eva = s:client { name = "Eva" }
    eva:send { type = "agent", secret = secret }
    eva:expect_closed(4001, "wrong secret")
  end
  local ana = s:client { name = "Ana" }
  ana:send { type = "next" }
  ana:expect_error "not_an_agent"
end)

t.case("without a secret nobody is an agent", { set = { secret = "" } }, function(s)
  local eva = s:client { name = "Eva" }
  eva:send { type = "agent", secret = "" }
  eva:expect_closed(4001)
end)

t.case("what makes no sense is refused", function(s)
  local ana, eva = s:client { name = "Ana" }, agent(s, "Eva", 0)
  for _, name in ipairs { "", ("x"):rep(65), 7, { "Ana" } } do
    ana:send { type = "ask", name = name }
    ana:expect_error "bad_name"
  end
  eva:send { type = "next" }
  eva:expect_error "nobody_waits"
  eva:send { type = "ask", name = "Eva" }
  eva:expect_error "busy"
  eva:send { type = "agent", secret = "the cat sleeps" }
  eva:expect_error "logged_in"
  ana:send { type = "ask", name = "Ana" }
  ana:expect { type = "place", place = 1 }
  ana:send { type = "ask", name = "Ana" }
  ana:expect_error "busy"
  eva:expect { type = "queue", waiting = 1 }
  open(eva, ana)
  eva:expect { type = "queue", waiting = 0 }
  eva:send { type = "next" }
  eva:expect_error "busy"
  eva:send { type = "say", content = ("x"):rep(4097) }
  eva:expect_error "bad_content"
end)

t.case("the queue has an end", function(s)
  for place = 1, 100 do visitor(s, "visitor " .. place, place) end
  local late = s:client { name = "late" }
  late:send { type = "ask", name = "late" }
  late:expect_error "queue_full"
end)
