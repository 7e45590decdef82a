#!lua
-- tell: add to what running jobs have said so far, each only from the worker that holds its lease.
-- KEYS none
-- ARGV 1 prefix, 2 worker, 3 ttl_s, 4.. chunks: id attempt chunk
-- Returns the ids that nobody wants to hear more of: canceled, or no longer this worker's.
local worker, ttl = ARGV[2], ARGV[3]
local lines, unwanted, known = {}, {}, {}
for i = 4, #ARGV, 3 do
  local id = ARGV[i]
  if known[id] == nil then
    local f = redis.call('HMGET', key('job', id), 'status', 'worker', 'attempt', 'cancel')
    known[id] = f[1] == 'running' and f[2] == worker and f[3] == ARGV[i + 1] and f[4] ~= '1'
    local list = known[id] and lines or unwanted
    list[#list + 1] = known[id] and ('told ' .. id) or id
  end
  if known[id] then
    redis.call('XADD', key('told', id), '*', 'c', ARGV[i + 2])
    redis.call('EXPIRE', key('told', id), ttl)
  end
end
announce(lines)
return unwanted
