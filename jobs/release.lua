#!lua flags=allow-oom
-- release: give claimed jobs back unharmed; a draining worker says it never began them.
-- KEYS 1 running:<worker>, 2 group, 3 totals, 4 Celery queue
-- ARGV 1 prefix, 2 worker, 3 group id, 4 ticket, then per job: id, attempt
-- Returns how many went back.
local worker, ms, n = ARGV[2], now_ms(), 0
for i = #ARGV - 1, 5, -2 do -- last first, so that the head of the list keeps their order
  local id, attempt = ARGV[i], ARGV[i + 1]
  local f = redis.call('HMGET', key('job', id), 'status', 'worker', 'attempt', 'history', 'start_by',
    'bytes')
  if f[1] == 'running' and f[2] == worker and f[3] == attempt then
    n = n + 1
    redis.call('SREM', KEYS[1], id)
    put_back(id, ARGV[3], ms, attempt - 1, f[4], f[5], f[6])
  end
end
if n > 0 then
  redis.call('HINCRBY', KEYS[2], 'running', -n)
  redis.call('HINCRBY', KEYS[3], 'running', -n)
  local tickets = tonumber(redis.call('HGET', KEYS[2], 'tickets') or '0')
  if tickets <= 0 then push_ticket(KEYS[2], KEYS[4], ARGV[4], 0, ms) end
end
return n
