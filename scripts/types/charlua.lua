---@meta

-- charlua.lua: what editors know of `require "charlua"`: annotations for lua-language-server, never run. The
-- reference is scripts/README.md; tests/e2e/types.test.mjs holds both against the program.

--- What can be sent: a table, a chat.object or a chat.array, sent as JSON; or a string, sent as the JSON text that it is.
---@alias charlua.value table|charlua.object|charlua.array|string

--- What is sent to many leaves these out.
---@class charlua.send_options
---@field except? charlua.client the one who does not get it

--- A JSON object with its pairs in order, encoded already.
---@class charlua.object

--- A JSON array, encoded already.
---@class charlua.array

--- One more handler of an event, once it stands in the array part of a module or an app.
---@class charlua.hook

-- The app table ----------------------------------------------------------

--- A module in `app.use`. For fields of its own beside these say `---@class NAME: charlua.module`.
---@class charlua.module
---@field [integer] charlua.hook more handlers, made by chat.hook
---@field on? table<string, fun(client: charlua.client, msg: table): any> a function for each type of message; in modules "*" is called for every message that has a handler; false ends the chain
---@field on_open? fun(client: charlua.client, request: charlua.request): any, integer?, string? decides who may come in: false, a close code and a reason refuse
---@field on_close? fun(client: charlua.client, code: integer, reason: string) hears who has gone
---@field on_message? fun(client: charlua.client, data: string, binary: boolean): any takes every frame as it is, instead of on
---@field on_start? fun() hears of the server's beginning
---@field on_reload? fun() hears that these rules took over from others
---@field on_stop? fun() hears of the server's end; what it sends still arrives
---@field timers? table<string, fun(...: any)> functions that timers call by name
---@field http? table<string, fun(request: charlua.request): integer, (table|charlua.object|charlua.array|string)?, table<string, string>?> a function for each "METHOD /path" of plain HTTP; returns a status, a body and headers
---@field selftest? fun() runs at each load; an error in it refuses the script

--- What a script returns.
---@class charlua.app: charlua.module
---@field api 1 the version of this API
---@field use? charlua.module[] modules whose handlers join in, before the app's
---@field protocols? string[] the subprotocols that the script speaks
---@field version? integer the script's own, for what it keeps in states
---@field migrate? fun(old: integer?) brings old states up to date at a reload that changes version; old is nil if there was none

-- Client -----------------------------------------------------------------

--- The same object every time. It may be kept: after its end it answers nil, "closed".
---@class charlua.client
---@field id integer its uid, below 2^53; no other connection has it at the same time
---@field ip? string its address without the port, "unix" for a unix socket; nil once it is gone
---@field protocol? string the negotiated subprotocol; nil if there is none
---@field secure boolean whether it came over TLS
---@field state table the script's own, empty at first; survives a reload, and lasts as long as the object
local client = {}

--- Sends a value as a text message. Raises if it can't be JSON.
---@param value charlua.value
---@return true? staged
---@return "closed"? reason
function client:send(value) end

--- Sends the bytes of a string as a binary message.
---@param s string
---@return true? staged
---@return "closed"? reason
function client:send_binary(s) end

--- Closes after all that was sent before. Raises for a code or a reason that may not be sent.
---@param code? integer 1000 if left out, or 1001 to 1003, 1007 to 1014, 3000 to 4999
---@param reason? string UTF-8 of at most 123 bytes
---@return true? staged
---@return "closed"? reason
function client:close(code, reason) end

--- Into a room; in it already, nothing changes. Raises for a bad name.
---@param room charlua.room|string
---@return true? staged
---@return "closed"|"too many rooms"|nil reason
function client:join(room) end

--- Out of a room; not in it, nothing changes. Raises for a bad name.
---@param room charlua.room|string
---@return true? staged
---@return "closed"? reason
function client:leave(room) end

--- Its rooms, in the order in which it joined them; empty once it is gone.
---@return charlua.room[]
function client:rooms() end

-- Request ----------------------------------------------------------------

--- The HTTP request that a WebSocket came with (on_open), or that a function of app.http answers. It is not kept: copy
--- what is needed later.
---@class charlua.request
---@field method string "GET", "POST", ...
---@field path string as it came, without the query, not decoded
---@field query table<string, string> name to value, decoded; the first one of a name
---@field headers table<string, string> name in lower case to value; repeated ones joined with ", "
---@field cookies table<string, string> name to value, % decoded; the first one of a name
---@field origin? string the page's site, if a browser asks; nil without one
---@field protocols string[] the subprotocols that the client offers, in its order
---@field body string its bytes as they came; empty without one
---@field json any the decoded body, whatever type it says it is; nil if it is not JSON or nested too deep
---@field ip string the address that it came from, without the port; "unix" for a unix socket
---@field secure boolean whether it came over TLS
---@field tls? string the subject of its verified certificate, like "CN=Ana,O=Example"; nil without one
local request = {}

--- Whether it carries `Authorization: Bearer SECRET`, just this secret; false if secret is nil or empty. It takes
--- equally long however much of it is right.
---@param secret? string
---@return boolean
function request:has_bearer(secret) end

-- Room -------------------------------------------------------------------

--- It begins with its first member and ends with its last; the object may be kept meanwhile.
---@class charlua.room
---@field name string its name
---@field size integer how many members it has
---@field state table the script's own; survives a reload, ends with the room
local room = {}

--- Sends a value to all members. Raises if it can't be JSON.
---@param value charlua.value
---@param options? charlua.send_options
---@return true
function room:send(value, options) end

--- Which piece of a long array of clients.
---@class charlua.piece
---@field after? charlua.client|integer a client or its id: the piece begins behind it
---@field limit? integer how many there are at most

--- Its clients, in order of joining. nil, "no such member": the one that `after` names has left.
---@param piece? charlua.piece
---@return charlua.client[]? members
---@return "no such member"? reason
function room:members(piece) end

--- What room:list leaves out and adds.
---@class charlua.list_options
---@field after? charlua.client|integer a client or its id: the list begins behind this member
---@field limit? integer how many entries there are at most: 1000 if left out, 1 to 1000
---@field except? charlua.client a client who is left out
---@field last? charlua.object the last entry, also of a list that is cut; it counts in limit

--- Members as a JSON array, in order of joining: each an object with uid and those of the fields that its state has.
--- The second value is true if more members follow.
---@param fields string[] names of fields in client.state, at most 16
---@param options? charlua.list_options
---@return charlua.array? list
---@return boolean|"no such member" more
function room:list(fields, options) end

-- Crypto -----------------------------------------------------------------

---@class charlua.crypto
local crypto = {}

--- Random bytes as base64url: 22 characters that nobody guesses, if bytes is left out.
---@param bytes? integer 16 if left out, 1 to 256
---@return string
function crypto.token(bytes) end

--- Whether two strings are equal, in a time that tells nothing but their length: the way to compare secrets.
---@param a string
---@param b string
---@return boolean
function crypto.equal(a, b) end

--- 32 bytes.
---@param s string
---@return string
function crypto.sha256(s) end

--- 32 bytes.
---@param key string
---@param s string
---@return string
function crypto.hmac_sha256(key, s) end

--- Two lower-case digits a byte.
---@param s string
---@return string
function crypto.hex(s) end

--- RFC 4648 section 5, without padding.
---@param s string
---@return string
function crypto.base64url_encode(s) end

--- The bytes, or nil, "malformed": anything that base64url_encode does not make.
---@param s string
---@return string? bytes
---@return "malformed"? reason
function crypto.base64url_decode(s) end

---@class charlua.jwt_options
---@field alg "HS256"|"RS256"|"ES256"|"EdDSA" the algorithm that your tokens are signed with
---@field key string HS256: the secret, at least 32 bytes; else the signer's public key in PEM, or a certificate
---@field aud? string who you are: the token has to be for you; without it, tokens for anybody in particular are refused
---@field iss? string who has to have issued it; without it anybody who has the key
---@field leeway? number seconds by which clocks may differ, 0 if left out
---@field now? number the time, in seconds since 1970; chat.now() if left out

--- Verifies a JSON Web Token. A token without exp never expires. Raises for an unknown option, and for a key that is
--- unfit for alg.
---@param token any anything that a client sent
---@param options charlua.jwt_options
---@return table? claims
---@return "malformed"|"too long"|"wrong algorithm"|"critical header"|"bad signature"|"expired"|"not yet valid"|"wrong issuer"|"wrong audience"|nil reason
function crypto.jwt(token, options) end

-- JSON -------------------------------------------------------------------

--- lua-cjson; also `require "cjson"`.
---@class charlua.json
---@field null lightuserdata what a decoded null is; true in a condition
local json = {}

--- The value, or nil and why it is no JSON. Numbers are floats.
---@param text string
---@return any value
---@return string? reason
function json.decode(text) end

--- The text, or nil and why it can't be JSON.
---@param value any
---@return string? text
---@return string? reason
function json.encode(value) end

-- Chat -------------------------------------------------------------------

--- The module `charlua`. Times are in seconds.
---@class charlua
---@field crypto charlua.crypto digests, random tokens, JSON Web Tokens
---@field json charlua.json lua-cjson
---@field options table<string, string> what --set KEY=VALUE said
---@field native table<string, function> the C functions that an embedding program has registered
---@field state table the script's own, empty at first; survives a reload, ends with the server
---@field version string "MAJOR.MINOR.PATCH"
local chat = {}

--- The room of that name, whether anybody is in it or not. Raises for a bad name.
---@param name string UTF-8 of 1 to 128 bytes
---@return charlua.room
function chat.room(name) end

--- All rooms that are there, in no order.
---@return charlua.room[]
function chat.rooms() end

--- The client, or nil if nobody has that id (now), whatever type it is of.
---@param id any
---@return charlua.client?
function chat.client(id) end

--- All clients, or a piece of them. They are in no order that means anything, but in the same one each time.
---@param piece? charlua.piece
---@return charlua.client[]
function chat.clients(piece) end

--- Sends a value to every client, in rooms or not. Raises if it can't be JSON.
---@param value charlua.value
---@param options? charlua.send_options
---@return true
function chat.send(value, options) end

--- The time: seconds since 1970 with fractions, the same throughout one turn of the server.
---@return number
function chat.now() end

--- Seconds on a clock that never steps: for how long something took or is to last. Its zero means nothing.
---@return number
function chat.clock() end

--- Calls f once, with the arguments that follow. Only the name of one in app.timers survives a reload.
---@param seconds number 0 to 1e9
---@param f string|fun(...: any)
---@param ... any
---@return integer id
function chat.after(seconds, f, ...) end

--- Calls f every so many seconds until it is cancelled. Only the name of one in app.timers survives a reload.
---@param seconds number 0.01 to 1e9
---@param f string|fun(...: any)
---@param ... any
---@return integer id
function chat.every(seconds, f, ...) end

--- Cancels a timer.
---@param id integer
---@return true? cancelled
---@return "no such timer"? reason it was called or cancelled before, or never was
function chat.cancel(id) end

--- Waits within a handler; what it did before is committed. Raises at load, in a coroutine of the script's own, and
--- below a C function.
---@param seconds number
---@return true? slept
---@return "closed"? reason its client, or who made the request, has gone
function chat.sleep(seconds) end

--- Runs a function with these arguments as a handler of its own after this one.
---@param f fun(...: any)
---@param ... any
---@return integer id a timer's
function chat.spawn(f, ...) end

--- One more handler of an event, to be put into the array part of a module or an app. Raises for another event.
---@param event "on_open"|"on_close"|"on_message"|"on_start"|"on_reload"|"on_stop"|"on.*"|string "on.TYPE" for a type of message
---@param f function
---@param priority? number lower ones come first; 0 if left out, which is that of all fields
---@return charlua.hook
function chat.hook(event, f, priority) end

--- The function of the rules in force that takes messages of this type, all handlers of it in their order; nil if
--- there is none.
---@param type string
---@return nil|fun(client: charlua.client, msg: table): any
function chat.handler(type) end

--- Writes its arguments to the server's log with spaces between. Log no secrets.
---@param level "error"|"warn"|"info"|"debug"|any left out it is info
---@param ... any
function chat.log(level, ...) end

--- A JSON object with its pairs in this order, those whose value is nil left out: the way to answer. Encoded here.
--- Raises for what is no JSON.
---@param key? string
---@param value? any
---@param ... any
---@return charlua.object
function chat.object(key, value, ...) end

--- A JSON array of t[1] to t[#t], also when there is none of them; an empty one if t is left out. Encoded here.
--- Raises for what is no JSON.
---@param t? any[]
---@return charlua.array
function chat.array(t) end

--- A string by which to compare names: the same for all spellings that people take for one name.
---@param text any anything that a client sent
---@return string? key
---@return "invisible"|"malformed"|"too long"|nil reason
function chat.name_key(text) end

--- The text with & < > " ' as &amp; &lt; &gt; &quot; &#039;.
---@param text string
---@return string
function chat.escape_html(text) end

--- The environment variable of that name as it was when the server started. Raises unless --env has allowed it.
---@param name string
---@return string?
function chat.env(name) end

---@class charlua.http_options
---@field url string http:// or https://; its origin has to be one that --http-allow names
---@field method? "GET"|"HEAD"|"OPTIONS"|"DELETE"|"PATCH"|"POST"|"PUT" GET if left out
---@field headers? table<string, string> name to value
---@field body? string|table|charlua.object|charlua.array for PATCH, POST and PUT: a string as it is, or JSON
---@field timeout? number seconds for all of it: 0.01 to 300, 5 if left out

---@class charlua.response
---@field status integer such as 200 or 404
---@field headers table<string, string> name in lower case to value; repeated ones joined with ", "
---@field body string as it came
---@field json any the decoded body, if content-type says JSON and it is; else nil

--- Waits for a service; works where chat.sleep does. Raises for what is no request, and for a service that is not
--- allowed.
---@param options charlua.http_options
---@return charlua.response? response
---@return "timeout"|"closed"|"too many requests"|"too large"|"no such host"|"not connected"|"bad certificate"|string|nil reason
function chat.http(options) end

return chat
