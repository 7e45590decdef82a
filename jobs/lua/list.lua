#!lua flags=no-writes,allow-oom
-- list: ids of jobs, newest first.
-- KEYS 1 index
-- ARGV 1 prefix, 2 status (or ''), 3 model (or ''), 4 limit, 5 after (a cursor; '' for the newest),
--      6 begins (how the ids do; '' for any)
-- Returns {next cursor or '', id, ...}. Looks at so many jobs at most a call, which takes a millisecond.
local MOST = 400
local limit, found = tonumber(ARGV[4]), {''}
local below = ARGV[5] == '' and '+inf' or '(' .. ARGV[5]
local seen = redis.call('ZREVRANGEBYSCORE', KEYS[1], below, '-inf', 'WITHSCORES', 'LIMIT', 0, MOST)
for i = 1, #seen, 2 do
  if #found > limit then break end
  local f = seen[i]:sub(1, #ARGV[6]) == ARGV[6]
    and redis.call('HMGET', key('job', seen[i]), 'status', 'group')
  if f and f[1] and (ARGV[2] == '' or f[1] == ARGV[2])
    and (ARGV[3] == '' or string.match(f[2], '^[^/]+/([^/]+)') == ARGV[3]) then
    found[#found + 1] = seen[i]
  end
  if #found > limit or (i + 1 == #seen and #seen == 2 * MOST) then found[1] = seen[i + 1] end
end
return found
