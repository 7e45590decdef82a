#!lua flags=no-writes,allow-oom
-- busy: which of some models have jobs that wait or run.
-- KEYS none
-- ARGV 1 prefix, 2.. models (model/version)
-- Returns those that have.
local asked, found = {}, {}
for i = 2, #ARGV do asked[ARGV[i]] = true end
for _, id in ipairs(redis.call('ZRANGE', P .. ':groups:due', 0, -1)) do
  local model = model_of(id)
  if asked[model] then
    local g = redis.call('HMGET', key('group', id), 'waiting', 'running')
    if tonumber(g[1] or '0') > 0 or tonumber(g[2] or '0') > 0 then
      asked[model] = nil
      found[#found + 1] = model
    end
  end
end
return found
