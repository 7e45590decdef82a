#!lua flags=allow-oom
-- failed: say which models no worker can serve, and why; or, of others, how long they take to load.
-- KEYS 1 failed
-- ARGV 1 prefix, 2 ttl_ms, 3.. reasons (model/version and reason, in turn)
redis.call('DEL', KEYS[1])
if #ARGV > 2 then
  redis.call('HSET', KEYS[1], unpack(ARGV, 3))
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 1
