#!lua flags=no-writes,allow-oom
-- demand: what some groups have waiting and running, in jobs and by a sample in rows; with the first page, what each
-- worker runs.
-- KEYS 1 groups, 2 workers
-- ARGV 1 prefix, 2 cursor ('0' for the beginning)
-- Returns {next cursor ('0' at the end), now ms, {{worker, running, {group id, rows, group id, rows, ...}}, ...},
--      {{group id, oldest created ms or '', waiting, running, sampled jobs, their rows, device µs a second and
--      when}, ...}}. Looks at about so many groups a call, at so many waiting jobs of each and so many running ones of a
--      worker, which takes a millisecond or two.
local MOST_GROUPS, MOST_WAITING, MOST_RUNNING = 120, 8, 32
local page = redis.call('ZSCAN', KEYS[1], ARGV[2], 'COUNT', MOST_GROUPS)
local runs, waits = {}, {}
if ARGV[2] == '0' then
  for _, worker in ipairs(redis.call('SMEMBERS', KEYS[2])) do
    local sample = {}
    for _, id in ipairs(redis.call('SRANDMEMBER', key('running', worker), MOST_RUNNING)) do
      local f = redis.call('HMGET', key('job', id), 'group', 'rows')
      if f[1] and f[2] then sample[#sample + 1], sample[#sample + 2] = f[1], f[2] end
    end
    runs[#runs + 1] = {worker, redis.call('SCARD', key('running', worker)), sample}
  end
end
-- Rows of some jobs from both ends of a list: its head is next, its tail is what came last.
local function sampled(list)
  local half, jobs, rows = MOST_WAITING / 2, 0, 0
  local ids = redis.call('LRANGE', list, 0, half - 1)
  if #ids == half then
    for _, id in ipairs(redis.call('LRANGE', list, math.max(half, redis.call('LLEN', list) - half), -1)) do
      ids[#ids + 1] = id
    end
  end
  for _, id in ipairs(ids) do
    local f = redis.call('HMGET', key('job', id), 'status', 'rows')
    if f[1] == 'queued' then jobs, rows = jobs + 1, rows + f[2] end
  end
  return jobs, rows, ids[1] and redis.call('HGET', key('job', ids[1]), 'created_at') or ''
end
for i = 1, #page[2], 2 do
  local id = page[2][i]
  local f = redis.call('HMGET', key('group', id), 'waiting', 'running', 'device')
  local jobs, rows, born = 0, 0, ''
  if (f[1] or '0') ~= '0' then jobs, rows, born = sampled(key('wait', id)) end
  if jobs > 0 or (f[2] or '0') ~= '0' or f[3] then
    waits[#waits + 1] = {id, born or '', f[1] or '0', f[2] or '0', jobs, rows, f[3] or '0 0'}
  end
end
return {page[1], text(now_ms()), runs, waits}
