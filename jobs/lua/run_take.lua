#!lua flags=allow-oom
-- run_take: lease a step: first of those whose lease ran out, else of the run whose turn is longest ago.
-- KEYS 1 leases, 2 ready (runs), 3 queue (Celery's)
-- ARGV 1 prefix, 2 worker, 3 lease_ms, 4 ticket (for another worker, where more wait)
-- Returns the run's id, step, owner (who the worker is for this step), spec, plan, token, the shard's record, its
-- segments, the run's trace; false when there is none.
local ms = now_ms()
local function lease(id, step)
  local run = key('run', id)
  local attempt = redis.call('HINCRBY', of(id, 'attempts'), step, 1)
  local owner = ARGV[2] .. '|' .. text(attempt)
  redis.call('HSET', of(id, 'owners'), step, owner)
  redis.call('ZADD', KEYS[1], text(ms + tonumber(ARGV[3])), lease_of(id, step))
  if step == 'plan' then
    redis.call('HSET', run, 'state', 'planning')
    redis.call('HSETNX', run, 'started_at', text(ms))
  end
  tell_run(id)
  if redis.call('EXISTS', KEYS[2]) == 1 then wake(KEYS[3], ARGV[4]) end
  local f = redis.call('HMGET', run, 'spec', 'plan', 'token')
  local n = string.match(step, '^shard/(%d+)$')
  local record = n and redis.call('HGET', of(id, 'shards'), n) or ''
  if n then begin_pace(id, n, cjson.decode(record), ms) end
  local segments = n and redis.call('HGET', of(id, 'segments'), n) or ''
  return {id, step, owner, f[1], f[2] or '', f[3] or '', record, segments, trace_of(run)}
end
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', text(ms), 'LIMIT', 0, 100)) do
  local id, step = string.match(member, '^(%S+) (.*)$')
  local state = redis.call('HGET', key('run', id), 'state')
  local is_others = is_for_others(id, step, ARGV[2], ms)
  local was_lost = redis.call('HEXISTS', of(id, 'owners'), step) == 1
  local faults = was_lost and redis.call('HINCRBY', of(id, 'faults'), step, 1) or 0
  if not state or ENDED[state] and not may(step, state) then
    let_go(id, step)
  elseif faults > MOST_FAULTS then
    let_go(id, step)
    give_up(id, step, state, encoded('worker_lost', step .. ' ended the process of ' .. faults .. ' run workers'))
    tell_run(id)
  elseif not may(step, state) then -- paused meanwhile
    let_go(id, step)
    redis.call('ZADD', of(id, 'ready'), order(step), step)
  elseif not is_others then
    return lease(id, step)
  end
end
while true do
  local id = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
  if not id then return false end
  local step = redis.call('ZPOPMIN', of(id, 'ready'))[1]
  if redis.call('EXISTS', of(id, 'ready')) == 0 then
    redis.call('ZREM', KEYS[2], id)
  else
    local t = redis.call('TIME')
    redis.call('ZADD', KEYS[2], text(t[1] * 1e6 + t[2]), id)
  end
  if step then return lease(id, step) end
end
