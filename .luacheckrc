-- What luacheck knows of a rules script: the globals of its sandbox (core/lua/sandbox.c), all of them read-only.
stds.charlua = {
  read_globals = {
    "_G", "_VERSION", "assert", "collectgarbage", "error", "getmetatable", "ipairs", "load", "next", "pairs", "pcall", "print",
    "rawequal", "rawget", "rawlen", "rawset", "require", "select", "setmetatable", "tonumber", "tostring", "type",
    "xpcall",
    coroutine = { fields = { "close", "create", "isyieldable", "resume", "running", "status", "wrap", "yield" } },
    math = { fields = { "abs", "acos", "asin", "atan", "ceil", "cos", "deg", "exp", "floor", "fmod", "huge", "log",
      "max", "maxinteger", "min", "mininteger", "modf", "pi", "rad", "random", "randomseed", "sin", "sqrt", "tan",
      "tointeger", "type", "ult" } },
    os = { fields = { "clock", "date", "difftime", "time" } },
    string = { fields = { "byte", "char", "dump", "find", "format", "gmatch", "gsub", "len", "lower", "match", "pack",
      "packsize", "rep", "reverse", "sub", "unpack", "upper" } },
    table = { fields = { "concat", "insert", "move", "pack", "remove", "sort", "unpack" } },
    utf8 = { fields = { "char", "charpattern", "codepoint", "codes", "len", "offset" } },
  },
}
std = "charlua"
max_line_length = 120

-- Parts of the program itself, and tests of rules, which have the whole standard library.
files["core/play"] = { std = "lua54" }
files["**/*_test.lua"] = { std = "lua54" }

-- Annotations for editors: functions without a body.
files["scripts/types"] = { unused = false, max_line_length = false }
