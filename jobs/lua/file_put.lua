#!lua
-- file_put: write down a file whose bytes are in the store. Doing it again changes nothing.
-- KEYS 1 file, 2 expiring (files), 3.. indexes (that it is in)
-- ARGV 1 prefix, 2 id, 3 record, 4 expires_ms ('' never)
-- Returns the record that is in the books.
local known = redis.call('GET', KEYS[1])
if known then return known end
redis.call('SET', KEYS[1], ARGV[3])
local ms = text(now_ms())
for i = 3, #KEYS do redis.call('ZADD', KEYS[i], ms, ARGV[2]) end
if ARGV[4] ~= '' then redis.call('ZADD', KEYS[2], ARGV[4], ARGV[2]) end
return ARGV[3]
