#!lua flags=allow-oom
-- forget: let ended jobs go soon, since their answers are kept elsewhere.
-- KEYS none
-- ARGV 1 prefix, 2 seconds (that they still stay; 0: none, nor in the index), 3.. ids
-- Returns where the blob store has their results; those are the caller's to remove.
local refs = {}
for i = 3, #ARGV do
  local job = key('job', ARGV[i])
  local f = redis.call('HMGET', job, 'finished_at', 'result_ref', 'payload_key')
  if f[1] and not redis.call('ZSCORE', P .. ':dead', ARGV[i]) then -- those wait for an operator
    redis.call('EXPIRE', job, ARGV[2], 'LT')
    if f[3] and f[3] ~= '' then redis.call('DEL', f[3]) end
    if ARGV[2] == '0' then redis.call('ZREM', P .. ':index', ARGV[i]) end
    if f[2] and f[2] ~= '' then refs[#refs + 1] = f[2] end
  end
end
return refs
