#!lua flags=allow-oom
-- proof: what shows that a process belongs to this fleet; an API says of itself, in passing, that it lives.
-- KEYS 1 proof, 2 apis
-- ARGV 1 prefix, 2 gone_ms (for which an API's word holds), 3 api ('' for whoever only looks),
--      4 about (what it says of itself, as JSON)
-- Returns {proof or false, id, what it says, id, ...} of the APIs that live.
local ms, out = now_ms(), {redis.call('GET', KEYS[1])}
if ARGV[3] ~= '' then
  redis.call('HSET', KEYS[2], ARGV[3], text(ms) .. ' ' .. ARGV[4])
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
end
local found = redis.call('HGETALL', KEYS[2])
for i = 1, #found, 2 do
  local at, about = string.match(found[i + 1], '^(%d+) (.*)$')
  if ms - at > tonumber(ARGV[2]) then
    redis.call('HDEL', KEYS[2], found[i])
  else
    out[#out + 1] = found[i]
    out[#out + 1] = about
  end
end
return out
