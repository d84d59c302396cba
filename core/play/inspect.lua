--- inspect.lua: what looks wrong in rules, from their sources and from what loading them told. Part of the program.
local facts, report, nearest = ...

--- Strings and comments of Lua text made blank, line breaks kept, so that what is left is code.
local function code_of(text)
  local out, at = {}, 1
  local function blank(from, to)
    out[#out + 1] = text:sub(from, to):gsub("[^\n]", " ")
    at = to + 1
  end
  while at <= #text do
    local from, to, what = text:find("([-\"'%[])", at)
    if not from then break end
    out[#out + 1] = text:sub(at, from - 1)
    at = from
    local level = text:match("^%-%-%[(=*)%[", from) or text:match("^%[(=*)%[", from)
    if level and (what == "[" or text:sub(from, from + 1) == "--") then
      local _, last = text:find("]" .. level .. "]", from, true)
      blank(from, last or #text)
    elseif text:sub(from, from + 1) == "--" then
      blank(from, (text:find("\n", from, true) or #text + 1) - 1)
    elseif what == '"' or what == "'" then
      local last = from + 1
      while last <= #text and text:sub(last, last) ~= what and text:sub(last, last) ~= "\n" do
        last = last + (text:sub(last, last) == "\\" and 2 or 1)
      end
      blank(from, math.min(last, #text))
    else
      out[#out + 1] = text:sub(from, to)
      at = to + 1
    end
  end
  out[#out + 1] = text:sub(at)
  return table.concat(out)
end

local function line_at(text, at)
  local _, breaks = text:sub(1, at - 1):gsub("\n", "")
  return breaks + 1
end

--- "; did you mean PREFIXname?" for the nearest of `names`, or "".
local function hint(name, names, prefix)
  local best = nearest(name, names)
  return best and ("; did you mean %s%s?"):format(prefix, best) or ""
end

--- Fields of chat that there are not.
local function check_names(file, text, code)
  for alias in text:gmatch("local%s+([%a_][%w_]*)%s*=%s*require%s*%(?%s*[\"']charlua[\"']") do
    for before, at, name in code:gmatch("([%w_.:]?)%f[%w_]()" .. alias .. "%s*%.%s*([%a_][%w_]*)") do
      if before == "" and not facts.chat[name] then
        report(file, line_at(code, at), false,
          ("%s.%s: charlua has nothing of that name%s"):format(alias, name, hint(name, facts.chat, alias .. ".")))
      end
    end
  end
end

--- Methods that clients, rooms and requests do not have, where they go by those names.
local function check_methods(file, code)
  for _, owner in ipairs { "client", "room", "request" } do
    for before, at, name in code:gmatch("([%w_.:]?)%f[%w_]()" .. owner .. "%s*:%s*([%a_][%w_]*)%s*[%({]") do
      if before == "" and not facts[owner][name] then
        report(file, line_at(code, at), false,
          ("%s:%s: a %s has nothing of that name%s"):format(owner, name, owner, hint(name, facts[owner], owner .. ":")))
      end
    end
  end
end

--- Functions of the app that are defined twice: the first one is lost.
local function check_twice(file, code)
  local seen = {}
  for at, name in code:gmatch("()%f[%w_]function%s+([%w_]+%.[%w_.]+)%s*%(") do
    if seen[name] then
      report(file, line_at(code, seen[name]), false,
        ("%s is never called: line %d defines it again"):format(name, line_at(code, at)))
    end
    seen[name] = at
  end
end

--- Timers called by a name that app.timers does not have.
local function check_timers(file, text)
  for _, call in ipairs { "after", "every" } do
    for at, name in text:gmatch("()%." .. call .. "%s*%([^,\n]+,%s*[\"']([%a_][%w_]*)[\"']") do
      if not facts.timers[name] then
        report(file, line_at(text, at), false,
          ("app.timers.%s is not there%s"):format(name, hint(name, facts.timers, "app.timers.")))
      end
    end
  end
end

--- Handlers that nothing leads to.
local function check_unreached(texts)
  local all = table.concat(texts, "\n")
  for name in pairs(facts.timers) do
    if not all:find("[\"']" .. name:gsub("%p", "%%%0") .. "[\"']") then
      report(facts.script, 0, false,
        ("app.timers.%s is never called: no chat.after or chat.every names it"):format(name))
    end
  end
  if facts.on_message and next(facts.on) then
    local names = {}
    for name in pairs(facts.on) do names[#names + 1] = name end
    table.sort(names)
    report(facts.script, 0, false,
      ("app.on.%s is never called: app.on_message takes every message"):format(table.concat(names, ", app.on.")))
  end
end

--- The first line of the error and what place it names.
local function report_error(problem)
  local message = problem:match("^[^\n]*")
  local file, line, rest = message:match("^([^:]+):(%d+): (.*)$")
  if not file then file, line, rest = facts.script, 0, message end
  report(file, math.tointeger(tonumber(line)), true, rest)
end

local texts = {}
if facts.error then report_error(facts.error) end
for i, file in ipairs(facts.files) do
  local handle = io.open(file, "rb")
  local text = handle and handle:read("a") or ""
  if handle then handle:close() end
  local code = code_of(text)
  texts[i] = text
  check_names(file, text, code)
  check_methods(file, code)
  check_twice(file, code)
  if not facts.error then check_timers(file, text) end
end
if not facts.error then check_unreached(texts) end
