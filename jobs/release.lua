#!lua flags=allow-oom
-- release: give claimed jobs back unharmed; a draining worker says it never began them.
-- KEYS 1 running:<worker>, 2 wait list, 3 group, 4 totals, 5 Celery queue
-- ARGV 1 prefix, 2 worker, 3 ticket, then per job: id, attempt
-- Returns how many went back.
local worker, ms, n = ARGV[2], now_ms(), 0
for i = #ARGV - 1, 4, -2 do -- last first, so that the head of the list keeps their order
  local id, attempt = ARGV[i], ARGV[i + 1]
  local job = key('job', id)
  local f = redis.call('HMGET', job, 'status', 'worker', 'attempt', 'history')
  if f[1] == 'running' and f[2] == worker and f[3] == attempt then
    n = n + 1
    redis.call('SREM', KEYS[1], id)
    redis.call('HSET', job, 'status', 'queued', 'attempt', attempt - 1, 'worker', '', 'history',
      history(f[4], 'queued', ms, attempt - 1, ''))
    redis.call('LPUSH', KEYS[2], id)
  end
end
if n > 0 then
  redis.call('HINCRBY', KEYS[3], 'waiting', n)
  redis.call('HINCRBY', KEYS[3], 'popped', -n)
  redis.call('HINCRBY', KEYS[3], 'running', -n)
  redis.call('HINCRBY', KEYS[4], 'waiting', n)
  redis.call('HINCRBY', KEYS[4], 'running', -n)
  local tickets = tonumber(redis.call('HGET', KEYS[3], 'tickets') or '0')
  if tickets <= 0 then push_ticket(KEYS[3], KEYS[5], ARGV[3], 0, ms) end
end
return n
