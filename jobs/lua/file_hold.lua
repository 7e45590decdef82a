#!lua
-- file_hold: a batch begins to read a file, which is not removed until the batch has ended.
-- KEYS 1 file, 2 readers, 3 expiring (files)
-- ARGV 1 prefix, 2 id, 3 batch, 4 now_ms (what time it is for the caller)
-- Returns the record; false where the file is unknown, or has expired before the batch began.
local record = redis.call('GET', KEYS[1])
if not record or redis.call('SISMEMBER', KEYS[2], ARGV[3]) == 1 then return record end
local expires = redis.call('ZSCORE', KEYS[3], ARGV[2])
if expires and tonumber(expires) <= tonumber(ARGV[4]) then return false end
redis.call('SADD', KEYS[2], ARGV[3])
return record
