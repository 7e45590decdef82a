#!lua flags=no-writes,allow-oom
-- webhook_list: the webhooks that wait, soonest first, or those that were given up, latest first.
-- KEYS 1 outbox, 2 due, 3 failed, 4 totals
-- ARGV 1 prefix, 2 which ('waiting' or 'failed'), 3 limit
-- Returns waiting, failed, totals (flat pairs), then per webhook: name, ms, URL, since, tries, error.
local found = ARGV[2] == 'failed'
  and redis.call('ZRANGE', KEYS[3], 0, ARGV[3] - 1, 'REV', 'WITHSCORES')
  or redis.call('ZRANGE', KEYS[2], 0, ARGV[3] - 1, 'WITHSCORES')
local out = {redis.call('LLEN', KEYS[1]) + redis.call('ZCARD', KEYS[2]), redis.call('ZCARD', KEYS[3]),
  redis.call('HGETALL', KEYS[4])}
for i = 1, #found, 2 do
  local f = redis.call('HMGET', key('webhook', found[i]), 'url', 'since', 'tries', 'error')
  if f[1] then out[#out + 1] = {found[i], found[i + 1], f[1], f[2], f[3], f[4] or ''} end
end
return out
