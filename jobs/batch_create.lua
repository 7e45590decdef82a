#!lua
-- batch_create: write a batch down and offer it to whoever runs batches. A known id stays as it is.
-- KEYS 1 batch, 2 batches, 3 leases
-- ARGV 1 prefix, 2 id, 3 what was asked, 4 progress
-- Returns 1 if it is new.
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'asked', ARGV[3], 'status', 'validating', 'progress', ARGV[4])
redis.call('ZADD', KEYS[2], text(now_ms()), ARGV[2])
redis.call('ZADD', KEYS[3], 0, ARGV[2])
return 1
