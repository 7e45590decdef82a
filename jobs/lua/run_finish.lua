#!lua flags=allow-oom
-- run_finish: a run that follows its source takes no more after one last look. One that is paused goes on.
-- KEYS 1 run, 2 leases, 3 queue (Celery's)
-- ARGV 1 prefix, 2 id, 3 ticket
-- Returns the state that it then has, false for an unknown id.
local id = ARGV[2]
local state = redis.call('HGET', KEYS[1], 'state')
if not state or ENDED[state] or redis.call('HGET', KEYS[1], 'following') == '0' then return state end
redis.call('HSET', KEYS[1], 'finishing', '1')
if state == 'paused' then
  state = redis.call('HGET', KEYS[1], 'before')
  redis.call('HSET', KEYS[1], 'state', state)
  if redis.call('EXISTS', of(id, 'ready')) == 1 then redis.call('ZADD', RUNS_READY, 'NX', 0, id) end
end
if redis.call('HEXISTS', of(id, 'owners'), 'follow') == 0 and redis.call('ZSCORE', KEYS[2], lease_of(id, 'follow')) then
  redis.call('ZADD', KEYS[2], 0, lease_of(id, 'follow'))
end
wake(KEYS[3], ARGV[3])
tell_run(id)
return state
