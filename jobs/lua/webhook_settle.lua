#!lua flags=allow-oom
-- webhook_settle: write down how a delivery went. Whoever delivered it ends it, its lease or not.
-- KEYS 1 webhook, 2 due, 3 failed, 4 totals
-- ARGV 1 prefix, 2 name, 3 how ('delivered', 'lost', 'again', 'back' or 'failed'), 4 due_in_ms,
--      5 error, 6 body, 7 keep_s (that a failed one is kept)
-- Returns whether it was still to be delivered.
local how = ARGV[3]
if not redis.call('ZSCORE', KEYS[2], ARGV[2]) then return 0 end
if how == 'back' then
  redis.call('ZADD', KEYS[2], text(now_ms() + tonumber(ARGV[4])), ARGV[2])
  return 1
end
if how == 'again' then
  redis.call('ZADD', KEYS[2], text(now_ms() + tonumber(ARGV[4])), ARGV[2])
  redis.call('HINCRBY', KEYS[1], 'tries', 1)
  redis.call('HSET', KEYS[1], 'error', ARGV[5], 'body', ARGV[6])
  return 1
end
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('HINCRBY', KEYS[4], how, 1)
if how ~= 'failed' then
  redis.call('DEL', KEYS[1])
  return 1
end
local ms, kept_ms = now_ms(), tonumber(ARGV[7]) * 1000
redis.call('HINCRBY', KEYS[1], 'tries', 1)
redis.call('HSET', KEYS[1], 'error', ARGV[5], 'body', ARGV[6])
redis.call('EXPIRE', KEYS[1], ARGV[7])
redis.call('ZADD', KEYS[3], text(ms), ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', text(ms - kept_ms))
return 1
