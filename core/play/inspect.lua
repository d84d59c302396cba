--- inspect.lua: what looks wrong in rules, from their sources and from what loading them told. Part of the program.
local facts, report, nearest, may_ask = ...

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

--- The names by which a file knows the module `charlua`.
local function aliases(text)
  return text:gmatch("local%s+([%a_][%w_]*)%s*=%s*require%s*%(?%s*[\"']charlua[\"']")
end

--- Fields of chat that there are not.
local function check_names(file, text, code)
  for alias in aliases(text) do
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

--- What no option lets rules ask for: it would raise when it is called.
local function check_allowed(file, text, code)
  for alias in aliases(text) do
    for at, name in text:gmatch("()%f[%w_]" .. alias .. "%s*%.%s*env%s*%(?%s*[\"']([%w_]+)[\"']") do
      if code:sub(at, at + #alias - 1) == alias and not facts.env[name] then
        report(file, line_at(code, at), false,
          ("%s.env %q: it is not allowed%s; start with --env %s"):format(alias, name, hint(name, facts.env, ""), name))
      end
    end
    for at, options in text:gmatch("()%f[%w_]" .. alias .. "%s*%.%s*http%s*%(?%s*(%b{})") do
      local url = options:match("%f[%w_]url%s*=%s*[\"'](https?://[^/\"']+)")
      local origin, allowed = may_ask(url or "")
      if code:sub(at, at + #alias - 1) == alias and origin and not allowed then
        report(file, line_at(code, at), false,
          ("%s.http: %s is not allowed; start with --http-allow %s"):format(alias, origin, origin))
      end
    end
  end
end

-- Globals ----------------------------------------------------------------

--- Reads what string.dump says of a function: Lua 5.4's own format (ldump.c).
local function reader(dump)
  local at = 4 + 1 + 1 + 6 + 3 + 8 + 8 + 1 + 1 -- behind the header and the number of upvalues
  local read = {}
  function read.byte() at = at + 1 return dump:byte(at - 1) end
  function read.size()
    local n = 0
    repeat
      local byte = read.byte()
      n = n << 7 | byte & 0x7F
    until byte & 0x80 ~= 0
    return n
  end
  function read.bytes(n) at = at + n return dump:sub(at - n, at - 1) end
  function read.text()
    local n = read.size()
    return n > 0 and read.bytes(n - 1) or nil
  end
  return read
end

local SIZE_OF_CONSTANT = { [3] = 8, [0x13] = 8 } -- integers and floats; nil, false and true have no bytes

local function read_constants(read)
  local constants = {}
  for i = 0, read.size() - 1 do
    local kind = read.byte()
    constants[i] = (kind == 4 or kind == 0x14) and read.text() or (read.bytes(SIZE_OF_CONSTANT[kind] or 0) and nil)
  end
  return constants
end

--- The line of each instruction.
local function read_lines(read, first)
  local lines, deltas, exact = {}, read.bytes(read.size()), {}
  for _ = 1, read.size() do
    local pc = read.size()
    exact[pc] = read.size()
  end
  for pc = 0, #deltas - 1 do
    first = exact[pc] or first + ("b"):unpack(deltas, pc + 1)
    lines[pc] = first
  end
  return lines
end

local GETUPVAL, LOADK, GETTABUP, GETTABLE, SETTABUP = 9, 3, 11, 12, 15

--- Calls found(name, line, is_assigned) for each global that the function at `read` uses, and those within it. In Lua a
-- global is a field of the upvalue _ENV, which `is_env` knows by its place in the function around.
local function walk_function(read, is_env, found)
  read.text() -- source
  local first = read.size()
  read.size() -- last line
  read.bytes(3) -- parameters, varargs, stack
  local count = read.size()
  local code = read.bytes(count * 4)
  local constants, mine = read_constants(read), {}
  for i = 0, read.size() - 1 do
    local is_local, place = read.byte(), read.byte()
    read.byte()
    mine[i] = is_env == true or is_env and is_local == 0 and is_env[place] or false
  end
  for _ = 1, read.size() do walk_function(read, mine, found) end
  local lines = read_lines(read, first)
  for _ = 1, read.size() do read.text() read.size() read.size() end -- locals
  for _ = 1, read.size() do read.text() end -- names of upvalues
  local function at(pc)
    local word = pc < count and ("<I4"):unpack(code, pc * 4 + 1) or 0
    return word & 0x7F, word >> 7 & 0xFF, word >> 16 & 0xFF, word >> 24, word >> 15
  end
  for pc = 0, count - 1 do
    local op, a, b, c = at(pc)
    local op2, a2, _, _, wide = at(pc + 1)
    local op3, _, b3, c3 = at(pc + 2)
    if op == GETTABUP and mine[b] then
      found(constants[c], lines[pc], false)
    elseif op == SETTABUP and mine[a] then
      found(constants[b], lines[pc], true)
    elseif op == GETUPVAL and mine[b] and op2 == LOADK and op3 == GETTABLE and b3 == a and c3 == a2 then
      found(constants[wide], lines[pc + 2], false) -- a function of more than 255 constants
    end
  end
end

--- Globals that there are not, wherever they stand: they raise when they are reached.
local function check_globals(file, text)
  local chunk = load(text:gsub("^#[^\n]*", ""), "=check", "t")
  if not chunk then return end
  walk_function(reader(string.dump(chunk)), true, function(name, line, is_assigned)
    if type(name) ~= "string" or (facts.globals[name] and not is_assigned) then return end
    local told = is_assigned and "is assigned: say local, or put it into a table"
      or "is not there" .. hint(name, facts.globals, "")
    report(file, line, false, ("global '%s' %s"):format(name, told))
  end)
end

-- Handlers ---------------------------------------------------------------

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

facts.globals.require, facts.globals.print = true, true
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
  check_allowed(file, text, code)
  check_globals(file, text)
  check_twice(file, code)
  if not facts.error then check_timers(file, text) end
end
if not facts.error then check_unreached(texts) end
