#!lua flags=allow-oom
-- file_forget: take a file out of the books that no batch reads; its bytes are the caller's to remove.
-- KEYS 1 file, 2 readers, 3 expiring (files), 4.. indexes (that it is in)
-- ARGV 1 prefix, 2 id, 3 expired_for_ms (only if it has been so for that long; '' in any case)
-- Returns the record; false for an unknown id or one that has not expired; 0 while a batch reads it.
if ARGV[3] ~= '' and not expired(KEYS[3], ARGV[2], ARGV[3]) then return false end
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
for i = 3, #KEYS do redis.call('ZREM', KEYS[i], ARGV[2]) end
return redis.call('GETDEL', KEYS[1])
