#!lua flags=allow-oom
-- file_forget: take a file out of the books; its bytes are the caller's to remove.
-- KEYS 1 file, 2.. the indexes that it is in
-- ARGV 1 prefix, 2 id
-- Returns the record, or false for an unknown id.
for i = 2, #KEYS do redis.call('ZREM', KEYS[i], ARGV[2]) end
return redis.call('GETDEL', KEYS[1])
