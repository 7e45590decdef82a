#!lua flags=no-writes,allow-oom
-- dead_read: what a dead letter holds besides its record.
-- KEYS 1 job, 2 dead
-- ARGV 1 prefix, 2 id
-- Returns {bytes, header length, payload ref, header} of its request, or false when it is no dead
-- letter. The header is '' where the payload is in the store, or gone.
if not redis.call('ZSCORE', KEYS[2], ARGV[2]) then return false end
local f = redis.call('HMGET', KEYS[1], 'bytes', 'header_length', 'payload_ref', 'payload_key')
if not f[1] then return false end
local header = redis.call('GETRANGE', f[4], 0, f[2] - 1)
return {f[1], f[2], f[3], header}
