--- alerts.lua: an alert room that other programs post to: by HTTP, with the token of --set token=...
-- POST /hooks/alert takes {"severity":"info"|"warning"|"critical","text":...}. Everyone connected gets
-- {"type":"alert","severity":...,"text":...,"time":...} (UTC), and a newcomer the last 20 of them. An alert that comes
-- again within 5 minutes is counted, not shown again.
local chat = require "charlua"

local app = { api = 1, http = {} }

local KEPT, QUIET = 20, 300 -- alerts, seconds
local TEXT_MAX = 500 -- characters
local SEVERITIES = { info = true, warning = true, critical = true }

-- The last alerts, the oldest first. A room's state would end with its last member, and alerts come while nobody looks;
-- a local lasts until the next reload.
local recent = {}

local function is_text(text, max)
  local length = type(text) == "string" and #text <= max * 4 and utf8.len(text)
  return length and length >= 1 and length <= max
end

--- The recent alert that says the same and is not yet to be shown again, or nil.
local function find(severity, text)
  for _, alert in ipairs(recent) do
    if alert.text == text and alert.severity == severity and chat.clock() - alert.shown_at < QUIET then return alert end
  end
end

local function shown(alert)
  return chat.object("type", "alert", "severity", alert.severity, "text", alert.text,
    "time", os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(alert.at)))
end

app.http["POST /hooks/alert"] = function(request)
  if not request:has_bearer(chat.options.token) then return 401, { error = "bad_token" } end
  local posted = request.json
  if type(posted) ~= "table" then return 400, { error = "bad_json" } end
  if not SEVERITIES[posted.severity] then return 400, { error = "bad_severity" } end
  if not is_text(posted.text, TEXT_MAX) then return 400, { error = "bad_text" } end
  local alert = find(posted.severity, posted.text)
  if alert then
    alert.times = alert.times + 1
    return 200, { times = alert.times }
  end
  alert = { severity = posted.severity, text = posted.text, at = chat.now(), shown_at = chat.clock(), times = 1 }
  chat.send(shown(alert))
  table.insert(recent, alert)
  if #recent > KEPT then table.remove(recent, 1) end
  return 201, { times = 1 }
end

function app.on_open(client)
  for _, alert in ipairs(recent) do client:send(shown(alert)) end
end

return app
