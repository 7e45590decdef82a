#!lua flags=no-writes,allow-oom
-- run_read: runs as they stand, without what is secret of them.
-- KEYS none
-- ARGV 1 prefix, 2.. ids
-- Returns for each: its fields, labels, scores, errors, exports (flat pairs), the steps that have an
-- owner, and what steps wait for; false for an unknown id.
local out = {}
for i = 2, #ARGV do
  local id = ARGV[i]
  local f = redis.call('HMGET', key('run', id), 'spec', 'state', 'error', 'plan', 'shards_total', 'shards_done',
    'rows_total', 'read', 'done', 'failed', 'reused', 'duplicates', 'in_flight', 'device_ms', 'warned', 'rate',
    'rate_at', 'started_at', 'ended_at', 'expires_at', 'output', 'notes', 'summary', 'follow', 'following',
    'finishing')
  if f[1] then
    for at = 1, 26 do f[at] = f[at] or '' end
    if f[16] ~= '' then f[16] = string.format('%.3f', f[16] * math.exp(-(now_ms() - f[17]) / 15000)) end
    out[#out + 1] = {f, redis.call('HGETALL', of(id, 'labels')), redis.call('HGETALL', of(id, 'scores')),
      redis.call('HGETALL', of(id, 'errors')), redis.call('HGETALL', of(id, 'exports')),
      redis.call('HKEYS', of(id, 'owners')), redis.call('HGETALL', of(id, 'waits'))}
  else
    out[#out + 1] = false
  end
end
return out
