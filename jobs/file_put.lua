#!lua
-- file_put: write down a file whose bytes are in the store. Doing it again changes nothing.
-- KEYS 1 file, 2.. the indexes that it is in
-- ARGV 1 prefix, 2 id, 3 record
-- Returns 1 if it is new.
if not redis.call('SET', KEYS[1], ARGV[3], 'NX') then return 0 end
local ms = text(now_ms())
for i = 2, #KEYS do redis.call('ZADD', KEYS[i], ms, ARGV[2]) end
return 1
