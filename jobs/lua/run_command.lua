#!lua flags=allow-oom
-- run_command: pause a run, let it go on, or end it.
-- KEYS 1 run, 2 queue (Celery's)
-- ARGV 1 prefix, 2 id, 3 command (pause, resume or cancel), 4 ticket
-- Returns the state that it then has, false for an unknown id.
local id, command = ARGV[2], ARGV[3]
local state = redis.call('HGET', KEYS[1], 'state')
if not state or ENDED[state] then return state end
if command == 'cancel' then
  end_run(id, 'canceled', '')
elseif command == 'pause' and state ~= 'paused' then
  -- A run that is held is so still when it goes on.
  redis.call('HSET', KEYS[1], 'state', 'paused', 'before', state)
  redis.call('ZREM', RUNS_READY, id)
elseif command == 'resume' and (state == 'paused' or state == 'held') then
  if state == 'held' then
    redis.call('HSET', KEYS[1], 'sampling', '0', 'state', 'running')
    local total = tonumber(redis.call('HGET', KEYS[1], 'shards_total'))
    for n = 1, total - 1 do offer(id, 'shard/' .. n) end
  else
    redis.call('HSET', KEYS[1], 'state', redis.call('HGET', KEYS[1], 'before'))
    if redis.call('EXISTS', of(id, 'ready')) == 1 then redis.call('ZADD', RUNS_READY, 'NX', 0, id) end
    go_on(id)
  end
  wake(KEYS[2], ARGV[4])
end
tell_run(id)
return redis.call('HGET', KEYS[1], 'state')
