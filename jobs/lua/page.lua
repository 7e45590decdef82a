#!lua flags=no-writes,allow-oom
-- page: ids of an index in order of time.
-- KEYS 1 index
-- ARGV 1 prefix, 2 after (an id; '' for the beginning), 3 limit, 4 order (newest or oldest)
-- Returns the ids, or false when the one to go on from is not there.
local down = ARGV[4] == 'newest'
local from = 0
if ARGV[2] ~= '' then
  local rank = redis.call(down and 'ZREVRANK' or 'ZRANK', KEYS[1], ARGV[2])
  if not rank then return false end
  from = rank + 1
end
return redis.call(down and 'ZREVRANGE' or 'ZRANGE', KEYS[1], from, from + ARGV[3] - 1)
