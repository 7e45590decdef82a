#!lua flags=no-writes,allow-oom
-- metrics: counters and gauges of the whole fleet that no other verb tells.
-- KEYS 1 totals, 2 dead, 3 webhooks, 4 webhooks_due, 5 webhooks_failed, 6 webhook_totals, 7 tenants (by device time),
--      8 runs_live, 9 run_totals
-- ARGV 1 prefix
-- Returns {totals, dead letters, webhooks waiting, given up, webhook totals, tenants and µs, run totals,
--      {{id, state, done, failed, reused, duplicates, rows in all or ''}, ...}, INFO memory, INFO persistence or ''}.
local MOST_TENANTS, MOST_RUNS = 50, 1000
local runs = {}
-- In the order in which sets have them, which is the same from look to look.
local live = redis.call('SSCAN', KEYS[8], 0, 'COUNT', MOST_RUNS)[2]
for i = 1, math.min(#live, MOST_RUNS) do
  local f = redis.call('HMGET', key('run', live[i]), 'state', 'done', 'failed', 'reused', 'duplicates', 'rows_total')
  if f[1] then
    runs[#runs + 1] = {live[i], f[1], f[2] or '0', f[3] or '0', f[4] or '0', f[5] or '0', f[6] or ''}
  end
end
-- A server that is somebody else's may not tell.
local function info(section)
  local told = redis.pcall('INFO', section)
  return type(told) == 'string' and told or ''
end
return {redis.call('HGETALL', KEYS[1]), redis.call('ZCARD', KEYS[2]),
  redis.call('LLEN', KEYS[3]) + redis.call('ZCARD', KEYS[4]), redis.call('ZCARD', KEYS[5]),
  redis.call('HGETALL', KEYS[6]),
  redis.call('ZREVRANGE', KEYS[7], 0, MOST_TENANTS - 1, 'WITHSCORES'),
  redis.call('HGETALL', KEYS[9]), runs, info('memory'), info('persistence')}
