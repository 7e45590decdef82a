#!lua flags=allow-oom
-- cancel: end a waiting job now; mark a running one, whose finish then reads `canceled`.
-- KEYS 1 job, 2 totals, 3 deadlines
-- ARGV 1 prefix, 2 id, 3 result_ttl_s
-- Returns the status it found, or false for an unknown id.
local f = redis.call('HMGET', KEYS[1], 'status', 'group', 'attempt', 'payload_key', 'history',
  'webhook', 'bytes')
if not f[1] then return false end
if f[1] == 'queued' then
  end_job(ARGV[2], 'canceled', now_ms(), ARGV[3], f[3], '', f[5], f[6])
  redis.call('DEL', f[4])
  redis.call('ZREM', KEYS[3], ARGV[2])
  count_waiting(f[2], -1, -f[7]) -- its id stays in the list until a claim meets it
  redis.call('HINCRBY', KEYS[2], 'canceled', 1)
  count_ends(model_of(f[2]), 'canceled', '', 1)
  announce({'canceled ' .. ARGV[2]})
elseif f[1] == 'running' then
  redis.call('HSET', KEYS[1], 'cancel', '1')
end
return f[1]
