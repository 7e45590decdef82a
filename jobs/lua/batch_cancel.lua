#!lua flags=allow-oom
-- batch_cancel: ask whoever runs a batch to end it.
-- KEYS 1 batch
-- ARGV 1 prefix
-- Returns the status it found, or false for an unknown id.
local status = redis.call('HGET', KEYS[1], 'status')
if status == 'validating' or status == 'in_progress' then
  redis.call('HSET', KEYS[1], 'status', 'cancelling', 'cancelling_at',
    text(math.floor(now_ms() / 1000)))
end
return status
