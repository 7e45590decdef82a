#!lua flags=no-writes,allow-oom
-- run_earlier: runs that have ended, the newest first, whose answers are of one origin: a model, its version, parameters.
-- KEYS 1 index (of a tenant's runs)
-- ARGV 1 prefix, 2 id (of the run that asks), 3 origin, 4 most
-- Returns their ids. The newest 500 runs are looked at.
local found, origin = {}, '"origin":"' .. ARGV[3] .. '"'
for _, id in ipairs(redis.call('ZREVRANGE', KEYS[1], 0, 499)) do
  local f = redis.call('HMGET', key('run', id), 'state', 'plan', 'shards_done')
  if id ~= ARGV[2] and ENDED[f[1]] and f[2] and f[3] ~= '0' and string.find(f[2], origin, 1, true) then
    found[#found + 1] = id
    if #found == tonumber(ARGV[4]) then break end
  end
end
return found
