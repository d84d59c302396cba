--- configure.lua: what `configure { ... }` of a module does: sets options, which are known by name and type.

--- Copies `changes` into `options`, those of the module `name`. The type is that of the default; `also` has a second
-- one for options that may be of two. An unknown name or type is the error of whoever wrote configure { ... }.
local function configure(name, options, changes, also)
  for key, value in pairs(changes) do
    local wanted, other = type(options[key]), also and also[key]
    if options[key] == nil then
      error(("%s: there is no option '%s'"):format(name, tostring(key)), 3)
    elseif type(value) ~= wanted and type(value) ~= other then
      error(("%s: the option '%s' is a %s, not a %s"):format(name, key, wanted, type(value)), 3)
    end
  end
  for key, value in pairs(changes) do options[key] = value end
end

return configure
