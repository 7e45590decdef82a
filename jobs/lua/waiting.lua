#!lua flags=no-writes,allow-oom
-- waiting: some groups that have jobs waiting, of each family that has any.
-- KEYS none
-- ARGV 1 prefix, 2.. families
-- Returns their ids.
local MOST_GROUPS = 8
local found = {}
for i = 2, #ARGV do
  local flow = redis.call('ZRANGE', key('flows', ARGV[i]), 0, 0)[1]
  local members = flow and key('flow', ARGV[i] .. '/' .. flow)
  for _, id in ipairs(flow and redis.call('ZRANGE', members, 0, MOST_GROUPS - 1) or {}) do
    found[#found + 1] = id
  end
end
return found
