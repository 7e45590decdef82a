#!lua flags=no-writes,allow-oom
-- groups: some of the groups that have jobs or had some lately. From page to page one that stays is told at
-- least once.
-- KEYS 1 groups
-- ARGV 1 prefix, 2 cursor ('0' for the beginning)
-- Returns {next cursor ('0' at the end), now ms, {group id, oldest created ms or '', waiting, running, rate,
--      rate at, rows, capacity, weight, device µs a second and when}, ...}. Looks at about so many a call, which takes a millisecond.
local MOST = 120
local page = redis.call('ZSCAN', KEYS[1], ARGV[2], 'COUNT', MOST)
local out = {page[1], text(now_ms())}
for i = 1, #page[2], 2 do
  local id = page[2][i]
  local f = redis.call('HMGET', key('group', id), 'waiting', 'running', 'rate', 'rate_at', 'rows', 'capacity',
    'weight', 'device')
  local head = (f[1] or '0') ~= '0' and redis.call('LINDEX', key('wait', id), 0)
  local born = head and redis.call('HGET', key('job', head), 'created_at') or ''
  out[#out + 1] = {id, born or '', f[1] or '0', f[2] or '0', f[3] or '0', f[4] or '0', f[5] or '0', f[6] or '0',
    f[7] or '1', f[8] or '0 0'}
end
return out
