#!lua flags=allow-oom
-- run_lost: let the steps of a run worker that is gone be taken at once.
-- KEYS 1 leases, 2 workers (of runs)
-- ARGV 1 prefix, 2 worker
-- Returns how many there were.
local lost, begins = 0, ARGV[2] .. '|'
for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local id, step = string.match(member, '^(%S+) (.*)$')
  local owner = redis.call('HGET', of(id, 'owners'), step)
  if owner and string.sub(owner, 1, #begins) == begins then
    redis.call('ZADD', KEYS[1], 0, member)
    lost = lost + 1
  end
end
redis.call('HDEL', KEYS[2], ARGV[2])
return lost
