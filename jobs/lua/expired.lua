#!lua flags=no-writes,allow-oom
-- expired: ids whose time is over, those first that are so for longest.
-- KEYS 1 expiring (files or batches)
-- ARGV 1 prefix, 2 for_ms (at least), 3 skip (how many), 4 limit
-- Returns the ids.
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', text(now_ms() - ARGV[2]), 'LIMIT', ARGV[3], ARGV[4])
