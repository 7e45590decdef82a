#!lua flags=allow-oom
-- batch_take: lease the batch whose lease ran out first, if there is one.
-- KEYS 1 leases
-- ARGV 1 prefix, 2 owner, 3 lease_ms
-- Returns the batch's asked, status, progress and cancelling_at; false when there is none.
local ms = now_ms()
local id = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', text(ms), 'LIMIT', 0, 1)[1]
if not id then return false end
local batch = key('batch', id)
redis.call('ZADD', KEYS[1], text(ms + tonumber(ARGV[3])), id)
redis.call('HSET', batch, 'owner', ARGV[2])
return redis.call('HMGET', batch, 'asked', 'status', 'progress', 'cancelling_at')
