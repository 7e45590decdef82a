#!lua flags=allow-oom
-- reap: take back what a dead worker ran. Each job goes to the head of its group, to run alone;
-- one that has used up its attempts becomes a dead letter.
-- KEYS 1 alive:<worker>, 2 running:<worker>, 3 workers, 4 totals, 5 dead, 6 groups
-- ARGV 1 prefix, 2 worker, 3 max attempts, 4 result ttl s, 5 '1' when the process is known to be gone
-- Returns {requeued, dead, group id, ...}: the groups that need a ticket.
local worker, ms = ARGV[2], now_ms()
if ARGV[5] ~= '1' and redis.call('EXISTS', KEYS[1]) == 1 then return {0, 0} end
local requeued, dead, groups, lines = 0, 0, {}, {}
for _, id in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  local job = key('job', id)
  local f = redis.call('HMGET', job, 'status', 'worker', 'attempt', 'group', 'cancel',
    'history')
  if f[1] == 'running' and f[2] == worker then
    local group = key('group', f[4])
    redis.call('HINCRBY', group, 'running', -1)
    redis.call('HINCRBY', KEYS[4], 'running', -1)
    if f[5] == '1' then
      redis.call('HSET', job, 'status', 'canceled', 'finished_at', text(ms), 'history',
        history(f[6], 'canceled', ms, f[3], ''))
      redis.call('EXPIRE', job, ARGV[4])
      lines[#lines + 1] = 'canceled ' .. id
    elseif tonumber(f[3]) >= tonumber(ARGV[3]) then
      dead = dead + 1
      redis.call('HSET', job, 'status', 'failed', 'error_type', 'worker_lost', 'error',
        'the worker died ' .. f[3] .. ' times while it ran this job', 'finished_at', text(ms),
        'history', history(f[6], 'failed', ms, f[3], worker))
      redis.call('ZADD', KEYS[5], ms, id) -- no TTL: a dead letter waits for an operator
      redis.call('HINCRBY', KEYS[4], 'failed', 1)
      lines[#lines + 1] = 'failed ' .. id
    else
      requeued = requeued + 1
      redis.call('HSET', job, 'status', 'queued', 'worker', '', 'solo', '1', 'history',
        history(f[6], 'queued', ms, f[3], ''))
      redis.call('LPUSH', key('wait', f[4]), id)
      redis.call('HINCRBY', group, 'waiting', 1)
      redis.call('HINCRBY', group, 'popped', -1)
      redis.call('HINCRBY', KEYS[4], 'waiting', 1)
      redis.call('HINCRBY', KEYS[4], 'requeued', 1)
      redis.call('SADD', KEYS[6], f[4])
      groups[f[4]] = true
      lines[#lines + 1] = 'queued ' .. id
    end
  end
end
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('SREM', KEYS[3], worker)
announce(lines)
local out = {requeued, dead}
for group in pairs(groups) do out[#out + 1] = group end
return out
