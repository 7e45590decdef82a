#!lua flags=no-writes,allow-oom
-- dead_list: ids of dead letters, newest first.
-- KEYS 1 dead
-- ARGV 1 prefix, 2 model (or ''), 3 error (words that it holds, or ''), 4 limit,
--      5 after (a cursor, <ms>:<id>; '' for the newest)
-- Returns {next cursor or '', how many dead letters there are, id, ..., ms of each, ...}. Looks at so many at most a
-- call, which takes a millisecond.
local MOST = 400
local limit, found = tonumber(ARGV[4]), {'', redis.call('ZCARD', KEYS[1])}
local times = {}
local from, after = '+inf', ''
if ARGV[5] ~= '' then from, after = string.match(ARGV[5], '^(%d+):(.*)$') end
local seen = redis.call('ZREVRANGEBYSCORE', KEYS[1], from, '-inf', 'WITHSCORES', 'LIMIT', 0, MOST)
for i = 1, #seen, 2 do
  local id, ms = seen[i], seen[i + 1]
  if ms ~= from or id < after then -- those of one time are sorted by id, the last one first
    local f = redis.call('HMGET', key('job', id), 'group', 'error_type', 'error')
    local told = f[1] and (f[2] .. ' ' .. f[3])
    if told and (ARGV[2] == '' or string.match(f[1], '^[^/]+/([^/]+)') == ARGV[2])
      and (ARGV[3] == '' or string.find(told, ARGV[3], 1, true)) then
      found[#found + 1] = id
      times[#times + 1] = ms
    end
  end
  local last = i + 1 == #seen
  if #found - 2 == limit or last then
    if not last or #seen == 2 * MOST then found[1] = ms .. ':' .. id end
    break
  end
end
for _, each in ipairs(times) do found[#found + 1] = each end
return found
