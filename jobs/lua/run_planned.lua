#!lua
-- run_planned: a run's plan is made: its shards are there to be taken; the owner's alone.
-- KEYS 1 run, 2 shards, 3 queue (Celery's)
-- ARGV 1 prefix, 2 id, 3 owner, 4 plan, 5 rows_total ('' unknown), 6 ticket, 7.. records (of the shards)
-- Returns whether it was the owner's.
local id = ARGV[2]
if not owns(id, 'plan', ARGV[3]) then return 0 end
let_go(id, 'plan')
note_wait(id, 'plan', '')
redis.call('HSET', KEYS[1], 'plan', ARGV[4], 'rows_total', ARGV[5], 'shards_total', #ARGV - 6)
local first_alone = redis.call('HGET', KEYS[1], 'sampling') == '1' and #ARGV > 7
local state = redis.call('HGET', KEYS[1], 'state')
if state == 'paused' then
  redis.call('HSET', KEYS[1], 'before', 'running')
else
  redis.call('HSET', KEYS[1], 'state', 'running')
end
for i = 7, #ARGV do
  local step = 'shard/' .. text(i - 7)
  redis.call('HSET', KEYS[2], text(i - 7), ARGV[i])
  if i == 7 or not first_alone then redis.call('ZADD', of(id, 'ready'), order(step), step) end
end
if not first_alone then redis.call('HSET', KEYS[1], 'sampling', '0') end
if state ~= 'paused' then redis.call('ZADD', RUNS_READY, 'NX', 0, id) end
wake(KEYS[3], ARGV[6])
tell_run(id)
return 1
