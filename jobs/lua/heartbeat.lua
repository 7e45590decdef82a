#!lua flags=allow-oom
-- heartbeat: renew a worker's lease.
-- KEYS 1 alive (of the worker), 2 workers
-- ARGV 1 prefix, 2 worker, 3 info (as JSON), 4 ttl_ms
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
redis.call('SADD', KEYS[2], ARGV[2])
return 1
