--- text.lua: what clients type, made fit to be shown; and the time as it is written for them.
-- Lengths come first, in bytes, so that nothing here costs more than its limit. Trimming goes from the first visible
-- character to the last: a pattern that tries `%s*$` at each place is quadratic, and a client sends the white space
-- for it.
local chat = require "charlua"

local text = {}

local PLAIN = { ["&amp;"] = "&", ["&lt;"] = "<", ["&gt;"] = ">", ["&quot;"] = '"', ["&#039;"] = "'" }
local SLACK = 64 -- bytes of white space that may stand around what is trimmed

local stamped_at, stamp -- the last timestamp, for as long as it is that second

--- `s` without white space around it; "" if there is nothing else. It has no limit: look at #s before.
function text.strip(s)
  local from = s:find("%S")
  return from and s:match("^.*%S", from) or ""
end

--- Whether `s` is UTF-8 of at most `max` characters.
function text.is_short(s, max)
  return type(s) == "string" and #s <= max * 4 and (utf8.len(s) or max + 1) <= max
end

--- `s` without white space around it if that is a string of 1 to `max` characters, else nil.
function text.trim(s, max)
  if type(s) ~= "string" or #s > max * 4 + SLACK then return nil end
  local inner = text.strip(s)
  return inner ~= "" and text.is_short(inner, max) and inner or nil
end

--- Whether `s`, valid UTF-8, has a control character (U+0000-U+001F, U+007F-U+009F).
function text.has_control(s)
  return s:find("%c") ~= nil or s:find("\xC2[\x80-\x9F]") ~= nil
end

--- Like text.trim, for one line: nil also if it has a control character.
function text.line(s, max)
  local inner = text.trim(s, max)
  return inner and not text.has_control(inner) and inner or nil
end

--- What chat.escape_html has made of a text, as it was before.
function text.unescape(escaped)
  return (escaped:gsub("&#?%w+;", PLAIN))
end

--- The time as clients expect it: "2014-08-12 17:50:30", local.
function text.timestamp()
  local now = math.floor(chat.now())
  if now ~= stamped_at then
    stamped_at, stamp = now, os.date("%Y-%m-%d %H:%M:%S", now)
  end
  return stamp
end

return text
