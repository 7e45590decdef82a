#!lua
-- requeue: replay a dead letter under its own id, with its history.
-- KEYS 1 job, 2 dead
-- ARGV 1 prefix, 2 id, 3 queue (Celery's), 4 ticket
-- Returns 'requeued', 'not_dead' or false for an unknown id.
local f = redis.call('HMGET', KEYS[1], 'status', 'group', 'history', 'bytes')
if not f[1] then return false end
if redis.call('ZREM', KEYS[2], ARGV[2]) == 0 then return 'not_dead' end
local ms, group = now_ms(), key('group', f[2])
local seq = redis.call('RPUSH', key('wait', f[2]), ARGV[2]) + (redis.call('HGET', group, 'popped') or 0)
local told = history(lived(KEYS[1], f[3]), 'queued', ms, 0, '')
redis.call('HDEL', KEYS[1], 'error', 'error_type', 'finished_at', 'spared')
-- Whoever replays it wants it run, however late.
redis.call('HSET', KEYS[1], 'status', 'queued', 'attempt', 0, 'worker', '', 'solo', '1', 'start_by', 0,
  'seq', seq, 'history', told)
count_waiting(f[2], 1, tonumber(f[4]))
local tickets = tonumber(redis.call('HGET', group, 'tickets') or '0')
if tickets <= 0 then push_ticket(group, ARGV[3], ARGV[4], 0, ms) end
announce({'queued ' .. ARGV[2]})
return 'requeued'
