#!lua flags=no-writes,allow-oom
-- list: ids of jobs, newest first.
-- KEYS 1 index
-- ARGV 1 prefix, 2 status (or ''), 3 model (or ''), 4 limit, 5 after (a cursor; '' for the newest),
--      6 begins (how the ids do; '' for any), 7 tenant (or ''), 8 error (its type, or ''),
--      9 since (ms of submission, or ''), 10 until (the same), 11 above (a cursor that ends the list, or '')
-- Returns {next cursor or '', cursor of the newest job there is or '', id, ..., 'ms of submission, cursor' of
--      each, ...}. Looks at so many jobs at
-- most a call, which takes a millisecond.
local MOST = 400
-- Records that may be gone in a row before the search for a time takes the place for older than it.
local MOST_GONE = 8
local index, jobs = KEYS[1], redis.call('ZCARD', KEYS[1])
local limit, since, upto = tonumber(ARGV[4]), tonumber(ARGV[9]), tonumber(ARGV[10])

local function submitted_at(rank)
  for _, id in ipairs(redis.call('ZRANGE', index, rank, rank + MOST_GONE - 1)) do
    local at = redis.call('HGET', key('job', id), 'created_at')
    if at then return tonumber(at) end
  end
end
-- Where the list begins if it ends with a time: jobs are in the order of their times.
local function first_after(time)
  local low, high = 0, jobs
  while low < high do
    local middle = math.floor((low + high) / 2)
    if (submitted_at(middle) or 0) > time then high = middle else low = middle + 1 end
  end
  local found = redis.call('ZRANGE', index, low, low, 'WITHSCORES')
  return found[2] and '(' .. found[2] or '+inf'
end
local function is_wanted(id, f)
  local _, _, tenant = place(f[2])
  return (ARGV[2] == '' or f[1] == ARGV[2])
    and (ARGV[3] == '' or string.match(f[2], '^[^/]+/([^/]+)') == ARGV[3])
    and (ARGV[7] == '' or tenant == ARGV[7])
    and (ARGV[8] == '' or f[4] == ARGV[8])
    and (not since or tonumber(f[3]) >= since)
    and (not upto or tonumber(f[3]) <= upto)
end

local newest = redis.call('ZRANGE', index, -1, -1, 'WITHSCORES')[2] or ''
local times = {}
local found, below = {'', newest}, ARGV[5] ~= '' and '(' .. ARGV[5] or upto and first_after(upto) or '+inf'
local lowest = ARGV[11] ~= '' and '(' .. ARGV[11] or '-inf'
local seen = redis.call('ZREVRANGEBYSCORE', index, below, lowest, 'WITHSCORES', 'LIMIT', 0, MOST)
for i = 1, #seen, 2 do
  local id, last = seen[i], i + 1 == #seen
  local f = id:sub(1, #ARGV[6]) == ARGV[6]
    and redis.call('HMGET', key('job', id), 'status', 'group', 'created_at', 'error_type')
  if f and f[1] then
    if since and tonumber(f[3]) < since then break end -- so are all that are older
    if is_wanted(id, f) then
      found[#found + 1] = id
      times[#times + 1] = f[3] .. ' ' .. seen[i + 1]
    end
  end
  if #found - 2 == limit or last then
    if not last or #seen == 2 * MOST then found[1] = seen[i + 1] end
    break
  end
end
for _, each in ipairs(times) do found[#found + 1] = each end
return found
