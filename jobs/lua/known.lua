#!lua flags=no-writes,allow-oom
-- known: the job that an id or an Idempotency-Key stands for, as submit looks for it.
-- KEYS 1 idempotency (or '')
-- ARGV 1 prefix, 2 id
-- Returns {id, fingerprint}, or false.
local id = ARGV[2]
if KEYS[1] ~= '' then
  local named = redis.call('GET', KEYS[1])
  if named and redis.call('EXISTS', key('job', named)) == 1 then id = named end
end
local fingerprint = redis.call('HGET', key('job', id), 'fingerprint')
return fingerprint and {id, fingerprint}
