#!lua flags=allow-oom
-- batch_forget: take a batch out of the books whose time is over; only ended ones have a time.
-- KEYS 1 batch, 2 expiring (batches), 3.. indexes (that it is in)
-- ARGV 1 prefix, 2 id
-- Returns 1 if it was there.
if not expired(KEYS[2], ARGV[2], 0) then return 0 end
for i = 2, #KEYS do redis.call('ZREM', KEYS[i], ARGV[2]) end
return redis.call('DEL', KEYS[1])
