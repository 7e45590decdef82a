#!lua flags=allow-oom
-- sweep: expire what has waited past its deadline, forget what is long over, name the late groups.
-- KEYS 1 deadlines, 2 groups, 3 index, 4 totals
-- ARGV 1 prefix, 2 result ttl s, 3 patience ms
-- Returns the ids of the groups that have jobs waiting and no claim for too long.
local ms = now_ms()
local lines = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', text(ms), 'LIMIT', 0, 200)) do
  local job = key('job', id)
  local f = redis.call('HMGET', job, 'status', 'group', 'attempt', 'payload_key', 'history')
  if f[1] == 'queued' then
    redis.call('HSET', job, 'status', 'expired', 'finished_at', text(ms), 'history',
      history(f[5], 'expired', ms, f[3], ''))
    redis.call('EXPIRE', job, ARGV[2])
    redis.call('DEL', f[4])
    redis.call('HINCRBY', key('group', f[2]), 'waiting', -1)
    redis.call('HINCRBY', KEYS[4], 'waiting', -1)
    lines[#lines + 1] = 'expired ' .. id
  end
  redis.call('ZREM', KEYS[1], id)
end
announce(lines)
for _, id in ipairs(redis.call('ZRANGE', KEYS[3], 0, 49)) do
  if redis.call('EXISTS', key('job', id)) == 1 then break end
  redis.call('ZREM', KEYS[3], id)
end
local late = {}
for _, id in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  local f = redis.call('HMGET', key('group', id), 'waiting', 'stamp', 'running')
  local idle = ms - tonumber(f[2] or '0')
  if tonumber(f[1] or '0') > 0 then
    if idle > tonumber(ARGV[3]) then late[#late + 1] = id end
  elseif idle > 600000 and tonumber(f[3] or '0') <= 0 then
    redis.call('SREM', KEYS[2], id)
    redis.call('DEL', key('group', id), key('wait', id))
  end
end
return late
