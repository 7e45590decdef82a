#!lua flags=allow-oom
-- keep: a job's answer will be read later, not by who waited for it: it stays as long as any other.
-- KEYS 1 job
-- ARGV 1 prefix, 2 result_ttl_s
-- Returns 1 when it had ended already.
redis.call('HDEL', KEYS[1], 'brief')
if redis.call('HEXISTS', KEYS[1], 'finished_at') == 0 then return 0 end
return redis.call('EXPIRE', KEYS[1], ARGV[2], 'GT')
