#!lua flags=no-writes,allow-oom
-- fleet: groups, workers and totals at one instant.
-- KEYS none
-- ARGV 1 prefix, 2 groups ('0' without them, who may be many)
-- Returns {now ms, totals, unloaded, failed, loads asked for, {{group id, fields, oldest created ms or ''}, ...},
--          {{worker, heartbeat or '', running}, ...}}.
local groups, workers = {}, {}
for _, id in ipairs(ARGV[2] == '0' and {} or redis.call('ZRANGE', P .. ':groups:due', 0, -1)) do
  local head = redis.call('LINDEX', key('wait', id), 0)
  local born = head and redis.call('HGET', key('job', head), 'created_at') or ''
  groups[#groups + 1] = {id, redis.call('HGETALL', key('group', id)), born or ''}
end
for _, id in ipairs(redis.call('SMEMBERS', P .. ':workers')) do
  workers[#workers + 1] = {id, redis.call('GET', key('alive', id)) or '',
    redis.call('SCARD', key('running', id))}
end
local totals = redis.call('HGETALL', P .. ':totals')
totals[#totals + 1] = 'dead'
totals[#totals + 1] = text(redis.call('ZCARD', P .. ':dead'))
return {text(now_ms()), totals,
  redis.call('SMEMBERS', P .. ':unloaded'), redis.call('HGETALL', P .. ':failed'),
  redis.call('HGETALL', P .. ':load:asked'), groups, workers}
