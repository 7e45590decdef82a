#!lua flags=no-writes,allow-oom
-- request: what a job was asked, while it is there.
-- KEYS 1 job
-- ARGV 1 prefix
-- Returns {header length, payload ref, payload (false: gone)}, or false for an unknown id.
local f = redis.call('HMGET', KEYS[1], 'header_length', 'payload_ref', 'payload_key')
if not f[1] then return false end
return {f[1], f[2], f[3] ~= '' and redis.call('GET', f[3])}
