#!lua flags=allow-oom
-- proof_set: put another proof in the place of one, unless somebody else was faster.
-- KEYS 1 proof
-- ARGV 1 prefix, 2 old ('' for none), 3 new
-- Returns 1 when it was put there.
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], ARGV[3])
return 1
