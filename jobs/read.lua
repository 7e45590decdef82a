#!lua flags=no-writes,allow-oom
-- read: the records of some jobs. KEYS none. ARGV 1 prefix, 2.. ids
-- Returns per id a list of fields (false for an unknown id), in the order of read.py.
local out = {}
for i = 2, #ARGV do
  local f = redis.call('HMGET', key('job', ARGV[i]), 'id', 'task', 'group', 'status', 'attempt', 'rows',
    'created_at', 'started_at', 'finished_at', 'worker', 'error_type', 'error', 'history', 'seq')
  if not f[1] then
    out[#out + 1] = false
  else
    if f[4] == 'queued' then
      local g = redis.call('HMGET', key('group', f[3]), 'popped', 'rate', 'rate_at')
      f[15], f[16], f[17] = g[1] or '0', g[2] or '', g[3] or ''
    end
    out[#out + 1] = f
  end
end
return out
