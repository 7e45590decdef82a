#!lua flags=allow-oom
-- reissue: give groups a ticket each, where none of its own has come to anything.
-- KEYS 1.. groups: group queue (Celery's)
-- ARGV 1 prefix, 2 at_once ('1', however short their jobs have waited), 3.. tickets (one a group)
-- Returns how many were pushed.
local ms, pushed = now_ms(), 0
for i = 1, #KEYS, 2 do
  local group, queue = KEYS[i], KEYS[i + 1]
  local f = redis.call('HMGET', group, 'waiting', 'stamp', 'batch_ms', 'tickets')
  local late = ARGV[2] == '1' or ms - tonumber(f[2] or '0') >= patience(f[3])
  local tickets = tonumber(f[1] or '0') > 0 and late and outstanding(queue, f[4])
  if tickets then
    push_ticket(group, queue, ARGV[(i + 5) / 2], tickets, ms)
    pushed = pushed + 1
  end
end
return pushed
