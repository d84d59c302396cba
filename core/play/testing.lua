--- testing.lua: what `require "charlua.test"` is, and the run of one file of cases. Part of the program.
-- Runs in a state of its own; the rules run in another one, which `play` objects (testing.c) hold.
local native, file, filter = ...

local t = {}
local cases = {}
local preset = { set = {}, env = {}, seed = 1 } -- for the cases that follow
local folder = file:match("^(.*)/[^/]*$") or "."

--- When every play begins: 2014-08-12 17:50:30 UTC.
local BEGINNING = 1407865830

--- lua-cjson, for which a NUL ends the text: what stands behind it would be passed over.
local json = {
  null = native.json.null, encode = native.json.encode,
  decode = function(text)
    if text:find("\0", 1, true) then return nil, "a NUL is no JSON" end
    return native.json.decode(text)
  end,
}

-- Failures ---------------------------------------------------------------

local Failure = {}
Failure.__index = Failure
function Failure:__tostring() return self.message end

--- The line of the test file that the running code was called from.
local function line_of_test()
  for level = 3, 200 do
    local info = debug.getinfo(level, "Sl")
    if not info then return 0 end
    if info.source == "@" .. file then return info.currentline end
  end
  return 0
end

local function fail(format, ...)
  error(setmetatable({ message = format:format(...), line = line_of_test() }, Failure), 0)
end

-- Values as text ---------------------------------------------------------

local show

local function show_table(value, depth)
  if depth > 4 then return "{...}" end
  local parts, keys = {}, {}
  for _, v in ipairs(value) do parts[#parts + 1] = show(v, depth + 1) end
  for k in pairs(value) do
    if math.type(k) ~= "integer" or k < 1 or k > #parts then keys[#keys + 1] = k end
  end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for _, k in ipairs(keys) do
    local name = type(k) == "string" and k:match("^[%a_][%w_]*$") or "[" .. show(k, depth + 1) .. "]"
    parts[#parts + 1] = name .. "=" .. show(value[k], depth + 1)
  end
  return "{" .. table.concat(parts, ", ") .. "}"
end

function show(value, depth)
  if value == json.null then return "null" end
  if type(value) == "string" then return ("%q"):format(value):gsub("\\\n", "\\n") .. "" end
  if type(value) == "table" then return show_table(value, depth or 0) end
  if math.type(value) == "float" and value == math.floor(value) and value ~= math.huge and value ~= -math.huge then
    return ("%d"):format(value)
  end
  return type(value) == "function" and "a value that suits" or tostring(value)
end

--- Whether `got` has all that `wanted` has: a table field by field, a function asked, else equal.
local function suits(wanted, got)
  if type(wanted) == "function" then return wanted(got) end
  if type(wanted) ~= "table" or type(got) ~= "table" then return wanted == got end
  for key, value in pairs(wanted) do
    if not suits(value, got[key]) then return false end
  end
  return #wanted == 0 or #wanted == #got
end

--- Stands for any value but nil, in expectations.
function t.any(value) return value ~= nil end

--- Stands for a string that matches the Lua pattern.
function t.like(pattern)
  return function(value) return type(value) == "string" and value:find(pattern) ~= nil end
end

--- Fails unless `got` is `wanted`; tables are compared as expectations are.
function t.equal(got, wanted)
  if not suits(wanted, got) then fail("expected %s, but it is %s", show(wanted), show(got)) end
end

--- Fails unless `value` is true, saying `what` if there is something to say.
function t.ok(value, what)
  if not value then fail("%s", what or "expected something true") end
  return value
end

-- Clients ----------------------------------------------------------------

local Client = {}
Client.__index = Client

function Client:__tostring() return self.name end

local go_on

--- The bytes of the next message, and whether it is binary; nil if there is none.
function Client:hear()
  return self.session.play:hear(self.number)
end

--- The next message, decoded if it is JSON; nil if there is none.
function Client:next()
  local text, binary = self:hear()
  if text == nil or binary then return text end
  local value = json.decode(text)
  return value == nil and text or value
end

--- All messages that wait, decoded; none wait any more.
function Client:skip()
  local all = {}
  for message in function() return self:next() end do all[#all + 1] = message end
  return all
end

--- Says `value`: a table as JSON, a string as it is.
function Client:send(value)
  if type(value) == "table" then value = assert(json.encode(value)) end
  self.session.play:message(self.number, value, false)
  go_on(self.session)
end

function Client:send_binary(bytes)
  self.session.play:message(self.number, bytes, true)
  go_on(self.session)
end

--- Closes from the client's side.
function Client:close(code, reason)
  self.session.play:hang_up(self.number, code or 1000, reason or "")
  go_on(self.session)
end

--- What became of the client, for a message of failure.
local function fate(client)
  local code, reason = client.session.play:closed(client.number)
  return code and (", it was closed with %d %s"):format(code, show(reason)) or ""
end

--- Takes the next message, which has to suit; returns it decoded.
function Client:expect(wanted)
  local got = self:next()
  if got == nil then fail("%s: expected %s, but nothing came%s", self, show(wanted), fate(self)) end
  if not suits(wanted, got) then fail("%s: expected %s, but %s came", self, show(wanted), show(got)) end
  return got
end

--- Takes the next message, which has to be exactly these bytes.
function Client:expect_text(wanted)
  local got = self:hear()
  if got ~= wanted then
    fail("%s: expected the text\n  %s, but\n  %s came", self, wanted, got or "nothing")
  end
end

function Client:expect_error(code)
  return self:expect { type = "error", error = code }
end

function Client:expect_nothing()
  local got = self:next()
  if got ~= nil then fail("%s: expected nothing, but %s came", self, show(got)) end
end

--- The server has closed it: with this code and reason, if they are given.
function Client:expect_closed(code, reason)
  local got, why = self.session.play:closed(self.number)
  if not got then fail("%s: expected to be closed, but it is not", self) end
  if code and got ~= code or reason and why ~= reason then
    fail("%s: expected to be closed with %s %s, but it was with %d %s", self, code, reason and show(reason) or "", got,
      show(why))
  end
end

-- Services ---------------------------------------------------------------

--- What the rules ask, from the words before the body.
local function asked_request(words, body)
  local list = {}
  for word in words:gmatch("([^%z]*)%z") do list[#list + 1] = word end
  local request = { method = list[1], url = list[2], headers = {}, body = body, json = json.decode(body) }
  for i = 3, #list do
    local name, value = list[i]:match("^([^:]+): *(.*)$")
    request.headers[name:lower()] = value
  end
  return request
end

--- Answers what services were asked. True if there was something.
local function answer_services(session)
  local play, any = session.play, false
  for id, words, body in function() return play:asked() end do
    local request = asked_request(words, body)
    if not session.answer then
      fail("the rules asked %s %s: say what comes, with s:on_http(function(request) ... end)", request.method,
        request.url)
    end
    local status, content, headers = session.answer(request)
    local fields = {}
    if type(content) == "table" and status then
      content = assert(json.encode(content))
      fields[1] = "Content-Type: application/json\r\n"
    end
    for name, value in pairs(headers or {}) do fields[#fields + 1] = name .. ": " .. value .. "\r\n" end
    if status ~= false then
      play:answer(id, status or 0, status and table.concat(fields) or "", content or "")
      any = true
    end
  end
  return any
end

--- Lets `seconds` (or no time) go by, and services answer.
function go_on(session, seconds)
  local play = session.play
  local goal = play:now() + (seconds or 0)
  repeat
    local answered = answer_services(session)
    play:advance(math.max(goal - play:now(), 0))
  until not answered and play:now() >= goal and not answer_services(session)
end

-- Sessions ---------------------------------------------------------------

local Session = {}
Session.__index = Session

local function escape(text)
  return (tostring(text):gsub("[^%w%-_.~]", function(c) return ("%%%02X"):format(c:byte()) end))
end

--- Raises in the name of who called the caller if `options` has a field that is not one of `names`.
local function check_names(who, options, names)
  if type(options) ~= "table" then error(("%s takes a table of options, not a %s"):format(who, type(options)), 3) end
  for key in pairs(options) do
    if not names[key] then
      local best = type(key) == "string" and native.nearest(key, names)
      local all = {}
      for name in pairs(names) do all[#all + 1] = name end
      table.sort(all)
      local meant = best and ("; did you mean '%s'?"):format(best) or ""
      error(("%s has no option '%s'%s; there are %s"):format(who, key, meant, table.concat(all, ", ")), 3)
    end
    local kinds = names[key]
    if kinds ~= true and not kinds:find(type(options[key]), 1, true) then
      error(("%s: %s is a %s; it has to be a %s"):format(who, key, type(options[key]), kinds), 3)
    end
  end
end

--- What requests and clients have in common, with the types that it may have.
local REQUEST = {
  ip = "string", query = "table or string", headers = "table", cookies = "table", origin = "string", secure = "boolean",
}

local CLIENT = { name = "string", path = "string", protocols = "table", tls = "string" }
local PLAIN = { body = "string", json = true }
for name, kinds in pairs(REQUEST) do CLIENT[name], PLAIN[name] = kinds, kinds end

--- `list` as "a=b" pairs, sorted, with `between`.
local function pairs_text(list, between)
  local parts = {}
  for name, value in pairs(list or {}) do parts[#parts + 1] = escape(name) .. "=" .. escape(value) end
  table.sort(parts)
  return table.concat(parts, between)
end

--- The HTTP request of a client that comes.
local function head_of(method, path, options)
  local query, cookies = options.query, pairs_text(options.cookies, "; ")
  query = type(query) == "string" and query:gsub("^%?", "") or pairs_text(query, "&")
  local lines = { ("%s %s HTTP/1.1"):format(method, path .. (query ~= "" and "?" .. query or "")), "Host: chat.test" }
  if cookies ~= "" then lines[#lines + 1] = "Cookie: " .. cookies end
  if options.origin then lines[#lines + 1] = "Origin: " .. options.origin end
  if options.protocols then
    lines[#lines + 1] = "Sec-WebSocket-Protocol: " .. table.concat(options.protocols, ", ")
  end
  for name, value in pairs(options.headers or {}) do lines[#lines + 1] = ("%s: %s"):format(name, value) end
  return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

--- The first of the offered subprotocols that the rules speak, or "".
local function choose(offered, spoken)
  for _, name in ipairs(offered or {}) do
    if (spoken .. ","):find("," .. name .. ",", 1, true) then return name end
  end
  return ""
end

--- A client comes. Options: name, ip, path, query (a table, or a string as it stands in a URL), headers, cookies,
-- origin, protocols, secure, tls.
function Session:client(options)
  options = options or {}
  check_names("s:client", options, CLIENT)
  self.count = self.count + 1
  local play = self.play
  local number = play:open(head_of("GET", options.path or "/", options), options.ip or "127.0.0.1",
    options.secure or options.tls ~= nil, options.tls or "", choose(options.protocols, play:protocols()))
  go_on(self)
  return setmetatable({
    session = self, number = number, id = play:id(number), name = options.name or "client " .. self.count,
  }, Client)
end

local Request = {}
Request.__index = Request

--- The response, {status, headers, body, json}; nil while the handler waits.
function Request:response()
  local status, kind, fields, body = self.session.play:response(self.number)
  if not status then return nil end
  local headers = { ["content-type"] = kind ~= "" and kind or nil }
  for name, value in fields:gmatch("([^:\r\n]+): *([^\r\n]*)") do headers[name:lower()] = value end
  return { status = status, headers = headers, body = body, json = json.decode(body) }
end

--- A plain HTTP request comes, like "POST /hooks/alert". Options: ip, query, headers, cookies, origin, secure, and body
-- (a string) or json (a table). Returns the response; a Request that will have it if the handler waits.
function Session:request(route, options)
  options = options or {}
  check_names("s:request", options, PLAIN)
  local method, path = route:match("^(%u+) (/%S*)$")
  if not method then error('a request is like "POST /path"', 2) end
  local body = options.json and assert(json.encode(options.json)) or options.body or ""
  local headers = { ["Content-Length"] = #body }
  if options.json then headers["Content-Type"] = "application/json" end
  for name, value in pairs(options.headers or {}) do headers[name] = value end
  local head = head_of(method, path, setmetatable({ headers = headers }, { __index = options }))
  local number = self.play:request(head, options.ip or "127.0.0.1", options.secure or false, body)
  local request = setmetatable({ session = self, number = number }, Request)
  go_on(self)
  return request:response() or request
end

--- Lets `seconds` go by; timers fire at their times.
function Session:advance(seconds)
  go_on(self, seconds)
end

--- Plays the services that the rules ask with chat.http: `answer` gets {method, url, headers, body, json} and returns
-- a status, perhaps a body (a table is JSON) and headers; or nil and a reason; or false: no answer ever comes.
function Session:on_http(answer)
  self.answer = answer
end

function Session:now()
  return self.play:now()
end

--- Keeps the log's new lines.
local function read_log(session)
  for _, line in ipairs(session.play:log()) do table.insert(session.lines, line) end
  return session.lines
end

--- Loads the rules again: the same, or `rules`, a text. Fails if that fails, unless `may_fail`; returns success.
function Session:reload(rules, may_fail)
  local done = self.play:load(rules or self.rules or "")
  if not done and not may_fail then
    local last = table.remove(read_log(self))
    fail("the rules could not be loaded: %s", last and last.text or "")
  end
  return done
end

--- Takes the first line of the log that has the text (not a pattern); its level is the second result.
function Session:expect_log(text)
  for i, line in ipairs(read_log(self)) do
    if line.text:find(text, 1, true) then
      table.remove(self.lines, i)
      return line.text, line.level
    end
  end
  local said = {}
  for _, line in ipairs(self.lines) do said[#said + 1] = "\n  " .. line.level .. " " .. line.text end
  fail("expected a line with %s in the log; it has%s", show(text), said[1] and table.concat(said) or " none")
end

--- Stops the server: on_stop, then everybody is closed with 1001.
function Session:stop()
  self.play:stop()
end

--- What the log has of handlers that failed and were not expected to, with their tracebacks: a line each, or "". They
-- come first wherever a case fails: an expectation after them mostly fails for them.
local function errors_of(session)
  local errors = {}
  for _, line in ipairs(read_log(session)) do
    if line.level == "error" then
      errors[#errors + 1] = ("the log has an error that was not expected (s:expect_log takes it):\n  %s\n"):format(
        line.text)
    end
  end
  return table.concat(errors)
end

--- What fails unseen fails the case.
local function check_log(session)
  if errors_of(session) ~= "" then error(setmetatable({ message = "" }, Failure), 0) end
end

-- Cases ------------------------------------------------------------------

local CASE = { script = "string", rules = "string", set = "table", env = "table", allow = "table", seed = "number" }

local function check_options(options)
  check_names("a case", options, CASE)
end

local function merged(options)
  local all = {}
  for key, value in pairs(preset) do all[key] = value end
  if options.script then all.rules = nil end
  for key, value in pairs(options) do all[key] = value end
  for _, name in ipairs { "set", "env" } do -- names of the preset that are not said again stay
    all[name] = {}
    for key, value in pairs(preset[name]) do all[name][key] = value end
    for key, value in pairs(options[name] or {}) do all[name][key] = value end
  end
  return all
end

--- A case: `play(session)` has to end without an error. Options as in t.preset.
function t.case(name, options, play)
  if type(options) == "function" then options, play = {}, options end
  if type(name) ~= "string" or type(options) ~= "table" or type(play) ~= "function" then
    error("say t.case(name, [options,] function(s) ... end)", 2)
  end
  check_options(options)
  cases[#cases + 1] = {
    name = name, options = merged(options), play = play, line = debug.getinfo(2, "l").currentline,
  }
end

--- Options of the cases that follow: script (a path, beside the file), rules (a text instead of it), set (what
-- chat.options has), env (what chat.env has), allow (origins that chat.http may ask), seed (of chance).
function t.preset(options)
  check_options(options)
  preset = merged(options)
end

local function new_session(options)
  local script = options.script or file:match("([^/]*)_test%.lua$") and file:match("([^/]*)_test%.lua$") .. ".lua"
  if not script and not options.rules then
    error('which rules? Say t.preset { script = "NAME.lua" }, or call this file NAME_test.lua', 0)
  end
  script = script or "rules.lua"
  local play = native.new_play {
    script = script:sub(1, 1) == "/" and script or folder .. "/" .. script, set = options.set, env = options.env,
    allow = options.allow, seed = options.seed,
    now = BEGINNING,
  }
  return setmetatable({ play = play, rules = options.rules, count = 0, lines = {} }, Session)
end

--- Seconds of processor time that a case may take: one that never ends is a failure, too.
local CASE_SECONDS = 60

--- Any error as a message and the line of the test file; for xpcall.
local function explain(problem)
  if getmetatable(problem) == Failure then return problem end
  return { message = debug.traceback(tostring(problem), 2), line = line_of_test() }
end

local function run(case)
  local session
  local limit = os.clock() + CASE_SECONDS
  debug.sethook(function()
    if os.clock() > limit then fail("the case takes more than %d seconds", CASE_SECONDS) end
  end, "", 1000000)
  local done, problem = xpcall(function()
    session = new_session(case.options)
    session:reload()
    case.play(session)
    check_log(session)
  end, explain)
  debug.sethook()
  local before = not done and session and errors_of(session) or ""
  if session then session.play:close() end
  if done then return native.report(case.name, case.line) end
  local line = problem.line and problem.line > 0 and problem.line or case.line
  native.report(case.name, line, before .. problem.message)
end

package.path = folder .. "/?.lua"
package.cpath = ""
package.preload["charlua.test"] = function() return t end
package.preload["charlua"] = function()
  error("charlua is for rules; a test says require \"charlua.test\", and NAME_test.lua tests NAME.lua", 0)
end

local chunk, problem = loadfile(file)
if not chunk then error(problem, 0) end
chunk()
if #cases == 0 then error(file .. ": no case in it: say t.case(name, function(s) ... end)", 0) end
for _, case in ipairs(cases) do
  if not filter or case.name:find(filter, 1, true) then run(case) end
end
