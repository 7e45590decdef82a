#!lua flags=no-writes,allow-oom
-- stats: a model's counters.
-- KEYS 1 stats
-- ARGV 1 prefix
-- Returns fields and values.
return redis.call('HGETALL', KEYS[1])
