#!lua flags=allow-oom
-- celery_settle: a Celery task that was taken is done with, or is due again.
-- KEYS 1 due, 2 tasks
-- ARGV 1 prefix, 2 name, 3 due_in_ms ('' where it is done with)
-- Returns whether it was still to be settled.
if ARGV[3] ~= '' then
  if not redis.call('ZSCORE', KEYS[1], ARGV[2]) then return 0 end
  redis.call('ZADD', KEYS[1], text(now_ms() + tonumber(ARGV[3])), ARGV[2])
  return 1
end
redis.call('HDEL', KEYS[2], ARGV[2])
return redis.call('ZREM', KEYS[1], ARGV[2])
