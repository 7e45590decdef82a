#!lua flags=no-writes,allow-oom
-- result: a succeeded job's response. KEYS 1 job. ARGV 1 prefix
-- Returns {body, header length, ref}; all false when there is none.
return redis.call('HMGET', KEYS[1], 'result', 'result_header_length', 'result_ref')
