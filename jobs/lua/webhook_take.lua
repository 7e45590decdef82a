#!lua flags=allow-oom
-- webhook_take: lease the webhooks that are due. The ends of jobs and runs come from the outbox first; a
-- webhook is known by its job and the time of that end, so that an end is one webhook for ever.
-- KEYS 1 outbox, 2 due, 3 totals
-- ARGV 1 prefix, 2 limit, 3 lease_ms
-- Returns per webhook: name, URL, group, when it began in ms, tries so far, body ('' before the first), trace.
local ms = now_ms()
for _, id in ipairs(redis.call('LPOP', KEYS[1], ARGV[2]) or {}) do
  local run = string.match(id, '^run\t(.*)$') -- no job's id has a tab
  local record = run and key('run', run) or key('job', id)
  local f = redis.call('HMGET', record, 'webhook', 'finished_at', 'group')
  if f[1] and f[1] ~= '' and f[2] then
    local name = f[2] .. '|' .. id
    redis.call('HSET', key('webhook', name), 'url', f[1], 'group', f[3], 'since', text(ms), 'tries', 0)
    local trace = trace_of(record)
    if trace ~= '' then redis.call('HSET', key('webhook', name), 'trace', trace) end
    redis.call('ZADD', KEYS[2], text(ms), name)
  else -- forgotten, or replayed before anyone heard of its end
    redis.call('HINCRBY', KEYS[3], 'lost', 1)
  end
end
local out = {}
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', text(ms), 'LIMIT', 0, ARGV[2])) do
  local f = redis.call('HMGET', key('webhook', name), 'url', 'group', 'since', 'tries', 'body', 'trace')
  if f[1] then
    redis.call('ZADD', KEYS[2], text(ms + tonumber(ARGV[3])), name)
    out[#out + 1] = {name, f[1], f[2], f[3], f[4], f[5] or '', f[6] or ''}
  else
    redis.call('ZREM', KEYS[2], name)
  end
end
return out
