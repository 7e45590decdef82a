#!lua flags=allow-oom
-- sweep: expire what has waited past its deadline, fail what has run past its own, forget what is
-- long over, make room of what is kept of ended jobs, name the late groups. What may grow is looked at in pages that grow with it.
-- KEYS 1 deadlines, 2 groups, 3 failed (webhooks), 4 totals, 5 kept (payloads)
-- ARGV 1 prefix, 2 result_ttl_s
-- Returns the ids of the groups that have jobs waiting, no claim for too long and need a ticket.

-- What a look takes: of deadlines and groups at least so many, and a part of all there are; of the
-- index so many pages, the next only after one that was mostly of jobs that are gone.
local DEADLINES, GROUPS, PART, WEBHOOKS, KEPT, TENANTS = 200, 500, 50, 50, 1000, 10000
local PAGES, PAGE = 4, 500
local function page(least, all) return math.max(least, math.ceil(redis.call('ZCARD', all) / PART)) end
-- Ms after which a group without jobs is forgotten.
local FORGET_MS = 600000
local ms = now_ms()
local lines = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', text(ms), 'LIMIT', 0,
    page(DEADLINES, KEYS[1]))) do
  local f = redis.call('HMGET', key('job', id), 'status', 'group', 'attempt', 'payload_key', 'history',
    'webhook', 'bytes', 'worker', 'execution_timeout_ms')
  if f[1] == 'queued' then
    end_job(id, 'expired', ms, ARGV[2], f[3], '', f[5], f[6])
    redis.call('DEL', f[4])
    count_waiting(f[2], -1, -f[7])
    count_ends(model_of(f[2]), 'expired', '', 1)
    lines[#lines + 1] = 'expired ' .. id
  elseif f[1] == 'running' and f[9] then -- its worker's finish comes too late, and is counted so
    end_job(id, 'failed', ms, ARGV[2], f[3], f[8], f[5], f[6], 'error_type', 'deadline_exceeded',
      'error', 'the job ran longer than its limit of ' .. f[9] .. ' ms')
    redis.call('DEL', f[4])
    redis.call('SREM', key('running', f[8]), id)
    redis.call('HINCRBY', key('group', f[2]), 'running', -1)
    redis.call('HINCRBY', KEYS[4], 'running', -1)
    redis.call('HINCRBY', KEYS[4], 'failed', 1)
    count_ends(model_of(f[2]), 'failed', 'deadline_exceeded', 1)
    lines[#lines + 1] = 'failed ' .. id
  end
  redis.call('ZREM', KEYS[1], id)
end
announce(lines)
for _ = 1, PAGES do
  local seen, gone = tidy_index(PAGE, redis.call('HGET', KEYS[4], 'tidied'))
  if gone * 2 < seen or seen < PAGE then break end
end
for _, name in ipairs(redis.call('ZRANGE', KEYS[3], 0, WEBHOOKS - 1)) do
  if redis.call('EXISTS', key('webhook', name)) == 1 then break end -- the rest is younger
  redis.call('ZREM', KEYS[3], name)
end
if redis.call('EXISTS', KEYS[5]) == 1 and is_tight() then
  for _, payload in ipairs(redis.call('LPOP', KEYS[5], KEPT)) do
    if redis.call('TTL', payload) >= 0 then redis.call('DEL', payload) end -- else a job waits with it again
  end
end
-- Of tenants that ever had device time those with least are forgotten, beyond so many.
redis.call('ZREMRANGEBYRANK', P .. ':tenants:device', 0, -TENANTS - 1)
-- The groups that are due for a look, oldest first, a page a time: thousands must not hold Redis up.
-- Claims do not move a group's due time, so it is looked at early, never late.
local late = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', text(ms), 'LIMIT', 0,
    page(GROUPS, KEYS[2]))) do
  local f = redis.call('HMGET', key('group', id), 'waiting', 'stamp', 'batch_ms', 'tickets', 'running')
  local stamp, again = tonumber(f[2] or '0'), ms + PATIENCE_MS
  if tonumber(f[1] or '0') > 0 then
    local rest = stamp + patience(f[3]) - ms
    if rest > 0 then
      again = math.min(again, ms + rest)
    elseif outstanding(string.match(id, '^[^/]+'), f[4]) then -- a family's queue is named after it
      late[#late + 1] = id
    end
  elseif stamp + FORGET_MS > ms or tonumber(f[5] or '0') > 0 then
    again = math.max(again, stamp + FORGET_MS)
  else
    again = nil
    redis.call('ZREM', KEYS[2], id)
    redis.call('DEL', key('group', id), key('wait', id))
  end
  if again then redis.call('ZADD', KEYS[2], text(again), id) end
end
return late
