#!lua flags=allow-oom
-- run_folded: shards that are done are one from now on, under the number of the first; the owner's of the look alone.
-- KEYS 1 shards, 2 segments, 3 attempts
-- ARGV 1 prefix, 2 id, 3 owner, 4 record (of the one), 5 segment (of its answers; '' none), 6 number (of the one), 7..
--      numbers (of all)
-- Returns whether they are one now: it was the owner's, and all were there still. Who heard no reply asks again.
local id = ARGV[2]
if redis.call('HGET', KEYS[1], ARGV[6]) == ARGV[4] then return 1 end
if not owns(id, 'follow', ARGV[3]) then return 0 end
for i = 7, #ARGV do
  if redis.call('HEXISTS', KEYS[1], ARGV[i]) == 0 then return 0 end
end
for i = 7, #ARGV do
  redis.call('HDEL', KEYS[1], ARGV[i])
  redis.call('HDEL', KEYS[2], ARGV[i])
  redis.call('HDEL', KEYS[3], 'shard/' .. ARGV[i])
  redis.call('HDEL', of(id, 'faults'), 'shard/' .. ARGV[i])
end
redis.call('HSET', KEYS[1], ARGV[6], ARGV[4])
if ARGV[5] ~= '' then redis.call('HSET', KEYS[2], ARGV[6], ARGV[5]) end
return 1
