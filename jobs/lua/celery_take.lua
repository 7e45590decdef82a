#!lua flags=allow-oom
-- celery_take: lease Celery tasks that are due. Those just sent leave their lists first, and are kept until settled:
-- whoever takes one may die of it.
-- KEYS 1 due, 2 tasks, 3 list (kombu's, for priority 0 to 2), 4 list_3, 5 list_6, 6 list_9
-- ARGV 1 prefix, 2 limit, 3 lease_ms, 4 most_bytes (of one reply, beyond the first), 5 most_held (that are due, for more to
--      leave their lists)
-- Returns per task: name, message.
local ms, out, bytes = now_ms(), {}, 0
local room = math.min(ARGV[2], ARGV[5] - redis.call('ZCOUNT', KEYS[1], '-inf', text(ms + tonumber(ARGV[3]))))
for _, list in ipairs({KEYS[3], KEYS[4], KEYS[5], KEYS[6]}) do
  while room > 0 do
    local message = redis.call('RPOP', list)
    if not message then break end
    local name = redis.sha1hex(message)
    redis.call('HSET', KEYS[2], name, message)
    redis.call('ZADD', KEYS[1], 'NX', text(ms), name)
    room = room - 1
  end
end
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', text(ms), 'LIMIT', 0, ARGV[2])) do
  bytes = bytes + redis.call('HSTRLEN', KEYS[2], name)
  if #out > 0 and bytes > tonumber(ARGV[4]) then break end
  redis.call('ZADD', KEYS[1], text(ms + tonumber(ARGV[3])), name)
  out[#out + 1] = {name, redis.call('HGET', KEYS[2], name) or ''}
end
return out
