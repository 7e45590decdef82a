#!lua
-- run_followed: what a look at a followed source came to: shards of what is new, and where it stands; the owner's alone.
-- KEYS 1 run, 2 shards, 3 leases, 4 queue (Celery's)
-- ARGV 1 prefix, 2 id, 3 owner, 4 follow (JSON), 5 rows (that are new), 6 end (more: the look goes on; next: another
--      one follows; last: no other does), 7 wait_ms (the lease of one that goes on; until the next one), 8 is_new ('1':
--      watchers are told), 9 ticket, 10.. records (of the shards)
-- Returns whether it was the owner's.
-- Between two looks of a run that is to take no more.
local LAST_LOOK_MS = 300
local id = ARGV[2]
if not owns(id, 'follow', ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], 'follow', ARGV[4])
redis.call('HDEL', of(id, 'faults'), 'follow')
note_wait(id, 'follow', '')
local state, total = redis.call('HGET', KEYS[1], 'state'), tonumber(redis.call('HGET', KEYS[1], 'shards_total'))
for i = 10, #ARGV do
  local step = 'shard/' .. text(total + i - 10)
  redis.call('HSET', KEYS[2], text(total + i - 10), ARGV[i])
  redis.call('ZADD', of(id, 'ready'), order(step), step)
end
if #ARGV > 9 then
  redis.call('HINCRBY', KEYS[1], 'shards_total', #ARGV - 9)
  redis.call('HINCRBY', KEYS[1], 'rows_total', ARGV[5])
  if state ~= 'paused' then
    redis.call('ZADD', RUNS_READY, 'NX', 0, id)
    wake(KEYS[4], ARGV[9])
  end
end
if ARGV[6] == 'last' then
  let_go(id, 'follow')
  redis.call('HSET', KEYS[1], 'following', '0', 'finishing', '0')
  if state ~= 'paused' then
    go_on(id)
    wake(KEYS[4], ARGV[9])
  end
else
  local wait = tonumber(ARGV[7])
  if ARGV[6] == 'next' then
    redis.call('HDEL', of(id, 'owners'), 'follow')
    if redis.call('HGET', KEYS[1], 'finishing') == '1' then wait = math.min(wait, LAST_LOOK_MS) end
  end
  redis.call('ZADD', KEYS[3], text(now_ms() + wait), lease_of(id, 'follow'))
end
if ARGV[8] == '1' then tell_run(id) end
return 1
