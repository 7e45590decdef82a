#!lua flags=no-writes,allow-oom
-- at_work: what each worker runs now.
-- KEYS 1 workers
-- ARGV 1 prefix
-- Returns {now ms, {worker, group id, started ms, group id, started ms, ...}, ...}. Looks at so many jobs of a worker
-- at most, any of them.
local MOST = 32
local out = {text(now_ms())}
for _, worker in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local found = {worker}
  for _, id in ipairs(redis.call('SRANDMEMBER', key('running', worker), MOST)) do
    local f = redis.call('HMGET', key('job', id), 'group', 'started_at')
    if f[1] and f[2] then found[#found + 1], found[#found + 2] = f[1], f[2] end
  end
  out[#out + 1] = found
end
return out
