#!lua flags=no-writes,allow-oom
-- fleet: workers and totals at one instant.
-- KEYS none
-- ARGV 1 prefix
-- Returns {now ms, totals, unloaded, failed, loads asked for, {{worker, heartbeat or '', running}, ...}}.
local workers = {}
for _, id in ipairs(redis.call('SMEMBERS', P .. ':workers')) do
  workers[#workers + 1] = {id, redis.call('GET', key('alive', id)) or '',
    redis.call('SCARD', key('running', id))}
end
local totals = redis.call('HGETALL', P .. ':totals')
totals[#totals + 1] = 'dead'
totals[#totals + 1] = text(redis.call('ZCARD', P .. ':dead'))
return {text(now_ms()), totals,
  redis.call('SMEMBERS', P .. ':unloaded'), redis.call('HGETALL', P .. ':failed'),
  redis.call('HGETALL', P .. ':load:asked'), workers}
