#!lua
-- run_follow: a run that follows its source is planned: looks at it begin; the owner's alone.
-- KEYS 1 run, 2 queue (Celery's)
-- ARGV 1 prefix, 2 id, 3 owner (of the plan), 4 plan, 5 follow (JSON), 6 ticket
-- Returns whether it was the owner's.
local id = ARGV[2]
if not owns(id, 'plan', ARGV[3]) then return 0 end
let_go(id, 'plan')
note_wait(id, 'plan', '')
redis.call('HSET', KEYS[1], 'plan', ARGV[4], 'rows_total', 0, 'shards_total', 0, 'follow', ARGV[5],
  'following', '1')
redis.call('ZADD', of(id, 'ready'), order('follow'), 'follow')
if redis.call('HGET', KEYS[1], 'state') == 'paused' then
  redis.call('HSET', KEYS[1], 'before', 'running')
else
  redis.call('HSET', KEYS[1], 'state', 'running')
  redis.call('ZADD', RUNS_READY, 'NX', 0, id)
  wake(KEYS[2], ARGV[6])
end
tell_run(id)
return 1
