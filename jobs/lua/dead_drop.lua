#!lua flags=allow-oom
-- dead_drop: give a dead letter up. Its record stays as long as any other failed job's.
-- KEYS 1 job, 2 dead
-- ARGV 1 prefix, 2 id, 3 result_ttl_s
-- Returns where the store has its payload ('' for nowhere: that is the caller's to remove),
-- 0 when it is no dead letter, or false for an unknown id.
local f = redis.call('HMGET', KEYS[1], 'payload_key', 'payload_ref')
if redis.call('ZREM', KEYS[2], ARGV[2]) == 0 then return f[1] and 0 end
if not f[1] then return '' end
redis.call('DEL', f[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return f[2]
