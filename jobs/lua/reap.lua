#!lua flags=allow-oom
-- reap: take back what a dead worker ran. Each job goes to the head of its group, to run alone;
-- one that has used up its attempts becomes a dead letter. If one ran with nothing beside it, the
-- others only waited: they go back as they were, and this attempt is spared them.
-- KEYS 1 alive, 2 running, 3 workers, 4 totals, 5 dead, 6 deadlines, 7 alone (1, 2, 7: of the worker)
-- ARGV 1 prefix, 2 worker, 3 max_attempts, 4 result_ttl_s, 5 gone ('1' when the process is known to be),
--      6 traced ('1' when the caller traces)
-- Returns {requeued, dead, lost, group id, ...}: the groups that need a ticket. Lost is {id, attempt, group,
--      started ms, trace, ...} of those that are traced.
local worker, ms = ARGV[2], now_ms()
if ARGV[5] ~= '1' and redis.call('EXISTS', KEYS[1]) == 1 then return {0, 0, {}} end
local requeued, dead, canceled, groups, lines, lost = 0, 0, 0, {}, {}, {}
local alone = redis.call('GET', KEYS[7])
if alone and redis.call('SISMEMBER', KEYS[2], alone) == 0 then alone = false end
for _, id in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  local job = key('job', id)
  local f = redis.call('HMGET', job, 'status', 'worker', 'attempt', 'group', 'cancel',
    'history', 'webhook', 'payload_key', 'start_by', 'bytes', 'spared')
  local innocent, spared = alone and alone ~= id, tonumber(f[11] or '0')
  if f[1] == 'running' and f[2] == worker then
    redis.call('HINCRBY', key('group', f[4]), 'running', -1)
    redis.call('HINCRBY', KEYS[4], 'running', -1)
    local trace = ARGV[6] == '1' and trace_of(job) or ''
    if trace ~= '' then
      for _, v in ipairs({id, f[3], f[4], redis.call('HGET', job, 'started_at') or '0', trace}) do
        lost[#lost + 1] = v
      end
    end
    if f[5] == '1' then
      end_job(id, 'canceled', ms, ARGV[4], f[3], '', f[6], f[7])
      redis.call('DEL', f[8])
      redis.call('ZREM', KEYS[6], id)
      redis.call('HINCRBY', KEYS[4], 'canceled', 1)
      canceled = canceled + 1
      count_ends(model_of(f[4]), 'canceled', '', 1)
      lines[#lines + 1] = 'canceled ' .. id
    elseif not innocent and f[3] - spared >= tonumber(ARGV[3]) then
      dead = dead + 1
      -- No TTL: a dead letter waits, with its payload, for an operator.
      end_job(id, 'failed', ms, '', f[3], worker, f[6], f[7], 'error_type', 'worker_lost', 'error',
        'the worker died ' .. f[3] - spared .. ' times while it ran this job')
      redis.call('ZADD', KEYS[5], ms, id)
      redis.call('ZREM', KEYS[6], id)
      redis.call('HINCRBY', KEYS[4], 'failed', 1)
      count_ends(model_of(f[4]), 'failed', 'worker_lost', 1)
      lines[#lines + 1] = 'failed ' .. id
    else
      requeued = requeued + 1
      if innocent then
        put_back(id, f[4], ms, f[3], f[6], f[9], f[10], 'spared', spared + 1)
      else
        put_back(id, f[4], ms, f[3], f[6], f[9], f[10], 'solo', '1')
      end
      redis.call('HINCRBY', KEYS[4], 'requeued', 1)
      groups[f[4]] = true
      lines[#lines + 1] = 'queued ' .. id
    end
  end
end
if requeued + dead + canceled > 0 then redis.call('HINCRBY', KEYS[4], 'lease_losses', 1) end
if dead > 0 then redis.call('HINCRBY', KEYS[4], 'dead_lettered', dead) end
redis.call('DEL', KEYS[1], KEYS[2], KEYS[7])
redis.call('SREM', KEYS[3], worker)
announce(lines)
local out = {requeued, dead, lost}
for group in pairs(groups) do out[#out + 1] = group end
return out
