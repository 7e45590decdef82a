#!lua flags=allow-oom
-- run_save: write down how far a step has come and renew its lease; the owner's alone.
-- KEYS 1 run, 2 leases
-- ARGV 1 prefix, 2 id, 3 step, 4 owner, 5 lease_ms, 6 counts (of the shard, JSON; '' as they are),
--      7 segment (names of those that are in the store now; '' none), 8 waits ('' as it is, '0' for nothing any more, '1' and the reason)
-- Returns what the run wants of its worker (go, pause, yield, cancel); false for one who no longer owns the step.
local id, step = ARGV[2], ARGV[3]
local state = redis.call('HGET', KEYS[1], 'state')
if not state or ENDED[state] and not may(step, state) then return 'cancel' end
if not owns(id, step, ARGV[4]) then return false end
local n = string.match(step, '^shard/(%d+)$')
if n and ARGV[7] ~= '' then
  list_segments(id, n, ARGV[7])
  redis.call('HDEL', of(id, 'faults'), step)
end
if n and ARGV[6] ~= '' then
  local record = cjson.decode(redis.call('HGET', of(id, 'shards'), n))
  local counts = cjson.decode(ARGV[6])
  count_shard(id, record, counts)
  keep_pace(id, n, record, counts.written or 0, now_ms())
  redis.call('HSET', of(id, 'shards'), n, cjson.encode(record))
end
redis.call('ZADD', KEYS[2], text(now_ms() + tonumber(ARGV[5])), lease_of(id, step))
if ARGV[8] ~= '' then note_wait(id, step, string.sub(ARGV[8], 2)) end
if not ENDED[state] and past_limits(id) then
  tell_run(id)
  return 'cancel'
end
if ARGV[6] ~= '' then tell_run(id) end
if not may(step, state) then return 'pause' end
local asked = string.match(redis.call('HGET', of(id, 'asked'), step) or '', '^%d+ (.*)$')
return asked == ARGV[4] and 'yield' or 'go'
