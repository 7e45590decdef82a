#!lua
-- file_put: write down a file whose bytes are in the store. Doing it again changes nothing.
-- KEYS 1 file, 2 files, 3 files of its purpose
-- ARGV 1 prefix, 2 id, 3 record
-- Returns 1 if it is new.
if not redis.call('SET', KEYS[1], ARGV[3], 'NX') then return 0 end
local ms = text(now_ms())
redis.call('ZADD', KEYS[2], ms, ARGV[2])
redis.call('ZADD', KEYS[3], ms, ARGV[2])
return 1
