#!lua flags=allow-oom
-- file_forget: take a file out of the books; its bytes are the caller's to remove.
-- KEYS 1 file, 2 files, 3 files of its purpose
-- ARGV 1 prefix, 2 id
-- Returns the record, or false for an unknown id.
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('ZREM', KEYS[3], ARGV[2])
return redis.call('GETDEL', KEYS[1])
