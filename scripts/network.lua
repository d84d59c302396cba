--- network.lua: the part of an address that stands for one person or house, to count or to ban by.

--- The groups of `text`, a part of an IPv6 address, as numbers behind those in `groups`; nil if it is no such part.
local function add_groups(groups, text)
  for group in (text == "" and "" or text .. ":"):gmatch("([^:]*):") do
    if not group:find("^%x%x?%x?%x?$") then return nil end
    groups[#groups + 1] = tonumber(group, 16)
  end
  return groups
end

--- `address` itself if it is IPv4, its network of 64 bits if it is IPv6 ("2001:db8:0:1::/64", which may be given as
-- well), "unix" for "unix"; nil if it is no address.
local function network(address)
  if type(address) ~= "string" or #address > 64 then return nil end
  if address == "unix" then return address end
  local bytes = { address:match("^(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)$") }
  if bytes[1] then
    for i, byte in ipairs(bytes) do bytes[i] = math.tointeger(tonumber(byte)) end
    return math.max(table.unpack(bytes)) <= 255 and table.concat(bytes, ".") or nil
  end
  address = address:gsub("/64$", "")
  local head, tail = address:match("^(.-)::(.*)$")
  local groups, last = add_groups({}, head or address), add_groups({}, tail or "")
  if not groups or not last or (head and #groups + #last > 7 or not head and #groups ~= 8) then return nil end
  for _ = 1, 8 - #groups - #last do groups[#groups + 1] = 0 end
  table.move(last, 1, #last, #groups + 1, groups)
  return ("%x:%x:%x:%x::/64"):format(table.unpack(groups, 1, 4))
end

return network
