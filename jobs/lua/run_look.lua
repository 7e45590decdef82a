#!lua flags=allow-oom
-- run_look: a keeper's look: end the runs that are past their deadline, send a ticket where steps wait and none is on its way.
-- KEYS 1 ready (runs), 2 leases, 3 queue (Celery's), 4 deadlines (of runs)
-- ARGV 1 prefix, 2 ticket
-- Returns how many runs and leases wait to be taken.
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', text(now_ms()), 'LIMIT', 0, 100)) do
  end_run(id, 'expired', encoded('deadline_exceeded', 'its deadline came before its end'))
  tell_run(id)
end
local waiting = redis.call('ZCARD', KEYS[1]) + redis.call('ZCOUNT', KEYS[2], '-inf', text(now_ms()))
if waiting > 0 and redis.call('LLEN', KEYS[3]) == 0 then redis.call('LPUSH', KEYS[3], ARGV[2]) end
return waiting
