#!lua flags=allow-oom
-- batch_save: write down how far a batch has come, and renew or end its lease; the owner's alone.
-- A status that changed meanwhile (someone cancels) stays, and the lease with it.
-- KEYS 1 batch, 2 leases, 3 readers (of its input), 4 expiring (batches)
-- ARGV 1 prefix, 2 id, 3 owner, 4 was (the status it had), 5 status (it gets), 6 progress ('' as it is),
--      7 lease_ms (0 gives the batch back for another to take, -1 ends it),
--      8 kept_ms (that it stays once it has ended; 0 for ever)
-- Returns the status that it now has, or false for one who no longer owns it.
local f = redis.call('HMGET', KEYS[1], 'owner', 'status')
if f[1] ~= ARGV[3] then return false end
if ARGV[6] ~= '' then redis.call('HSET', KEYS[1], 'progress', ARGV[6]) end
local lease = tonumber(ARGV[7])
if f[2] == ARGV[4] then
  redis.call('HSET', KEYS[1], 'status', ARGV[5])
  if lease < 0 then
    redis.call('ZREM', KEYS[2], ARGV[2])
    redis.call('HDEL', KEYS[1], 'owner')
    redis.call('SREM', KEYS[3], ARGV[2])
    if ARGV[8] ~= '0' then redis.call('ZADD', KEYS[4], text(now_ms() + ARGV[8]), ARGV[2]) end
    return ARGV[5]
  end
end
if lease == 0 then
  redis.call('HDEL', KEYS[1], 'owner')
  redis.call('ZADD', KEYS[2], 0, ARGV[2])
elseif lease > 0 then
  redis.call('ZADD', KEYS[2], text(now_ms() + lease), ARGV[2])
end
return redis.call('HGET', KEYS[1], 'status')
