#!lua flags=allow-oom
-- load: open a model to submissions ('1') or close it ('0').
-- KEYS 1 unloaded
-- ARGV 1 prefix, 2 model, 3 loaded
-- Returns 1 when that changed anything.
return redis.call(ARGV[3] == '1' and 'SREM' or 'SADD', KEYS[1], ARGV[2])
