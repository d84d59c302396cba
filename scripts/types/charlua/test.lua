---@meta

-- test.lua: what editors know of `require "charlua.test"`, as charlua.lua beside this folder does of the rules' side.

--- A case's options.
---@class charlua.test.options
---@field script? string the rules' file, seen from the test's
---@field rules? string the rules as a text instead; what it requires is beside the test
---@field set? table<string, string> what chat.options has
---@field env? table<string, string> what chat.env has
---@field allow? string[] the origins that chat.http may ask
---@field seed? integer of chance; 1 if there is none

---@class charlua.test.client_options
---@field name? string for messages of failure
---@field ip? string
---@field path? string
---@field query? table<string, any>|string a string as it stands in a URL
---@field headers? table<string, string>
---@field cookies? table<string, any>
---@field origin? string
---@field protocols? string[] that it offers
---@field secure? boolean
---@field tls? string the subject of its verified certificate

---@class charlua.test.request_options
---@field ip? string
---@field query? table<string, any>|string a string as it stands in a URL
---@field headers? table<string, string>
---@field cookies? table<string, any>
---@field origin? string
---@field secure? boolean
---@field body? string
---@field json? table sent as the body

-- Client -----------------------------------------------------------------

--- A made-up client.
---@class charlua.test.client
---@field id integer its uid
local client = {}

--- Says a table as JSON, or a string as it is.
---@param value table|string
function client:send(value) end

--- Says bytes as a binary message.
---@param bytes string
function client:send_binary(bytes) end

--- Leaves.
---@param code? integer
---@param reason? string
function client:close(code, reason) end

--- Takes the next message, which has at least the fields of wanted (a function there is asked).
---@param wanted any
---@return any message decoded
function client:expect(wanted) end

--- Takes the next message, which is exactly that.
---@param wanted string
function client:expect_text(wanted) end

--- Takes the next message, an error of that code.
---@param code string
---@return table message
function client:expect_error(code) end

--- No message waits.
function client:expect_nothing() end

--- The server has closed it.
---@param code? integer
---@param reason? string
function client:expect_closed(code, reason) end

--- Takes the next message, decoded; nil if there is none.
---@return any message
function client:next() end

--- Takes the next message as it is; nil if there is none.
---@return string? data
---@return boolean? binary
function client:hear() end

--- Takes all that wait.
---@return any[] messages decoded
function client:skip() end

-- Request ----------------------------------------------------------------

--- A request whose handler waits.
---@class charlua.test.request
local request = {}

--- The response; nil while the handler waits.
---@return charlua.response?
function request:response() end

-- Session ----------------------------------------------------------------

--- A server of a case's own.
---@class charlua.test.session
local session = {}

--- A client comes.
---@param options? charlua.test.client_options
---@return charlua.test.client
function session:client(options) end

--- A request of plain HTTP comes. If its handler waits, the result's :response() has the response later.
---@param route string like "POST /hooks/alert"
---@param options? charlua.test.request_options
---@return charlua.response|charlua.test.request
function session:request(route, options) end

--- Lets time go by; timers fire when they are due.
---@param seconds number
function session:advance(seconds) end

--- The time, as chat.now().
---@return number
function session:now() end

--- Loads the rules again, or other ones.
---@param rules? string their text
---@param may_fail? boolean
---@return boolean done
function session:reload(rules, may_fail) end

--- Takes the first line of the log with that text; fails without one.
---@param text string
---@return string line
---@return string level
function session:expect_log(text) end

--- Plays the services that chat.http asks: a status, perhaps a body and headers; nil and a reason; or false.
---@param answer fun(request: table): (integer|boolean|nil), any, table?
function session:on_http(answer) end

--- Stops the server.
function session:stop() end

-- t ----------------------------------------------------------------------

---@class charlua.test
local t = {}

--- A case; s is a server of its own.
---@param name string
---@param options charlua.test.options
---@param play fun(s: charlua.test.session)
---@overload fun(name: string, play: fun(s: charlua.test.session))
function t.case(name, options, play) end

--- Options of all cases that follow.
---@param options charlua.test.options
function t.preset(options) end

--- Fails the case unless got is wanted; tables are compared as expectations are.
---@param got any
---@param wanted any
function t.equal(got, wanted) end

--- Fails the case unless value is true, saying what.
---@param value any
---@param what? string
---@return any value
function t.ok(value, what) end

--- Stands in an expectation for any value but nil.
---@param value any
---@return boolean
function t.any(value) end

--- Stands in an expectation for a string that matches the Lua pattern.
---@param pattern string
---@return fun(value: any): boolean
function t.like(pattern) end

return t
