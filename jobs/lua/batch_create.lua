#!lua
-- batch_create: write a batch down and offer it to whoever runs batches. A known id stays as it is.
-- KEYS 1 batch, 2 leases, 3.. indexes (that it is in)
-- ARGV 1 prefix, 2 id, 3 asked, 4 progress
-- Returns 1 if it is new.
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'asked', ARGV[3], 'status', 'validating', 'progress', ARGV[4])
for i = 3, #KEYS do redis.call('ZADD', KEYS[i], text(now_ms()), ARGV[2]) end
redis.call('ZADD', KEYS[2], 0, ARGV[2])
return 1
