#!lua flags=allow-oom
-- release: give claimed jobs back unharmed; a draining worker says it never began them, or one could
-- not find their payloads, which another may, or the server that they are for is away. One that was
-- canceled meanwhile ends.
-- KEYS 1 running (of the worker), 2 group, 3 totals, 4 queue (Celery's)
-- ARGV 1 prefix, 2 worker, 3 group_id, 4 ticket, 5 charged_us (at the claim),
--      6 most_missed (how often a payload may be; '' when none was), 7 result_ttl_s, 8.. jobs: id attempt
-- Returns {how many went back, id, ...}: the ids whose payload was missed that often, which stay.
local worker, ms, held, out, lines = ARGV[2], now_ms(), {}, {0}, {}
for i = #ARGV - 1, 8, -2 do -- last first, so that the head of the list keeps their order
  local id, attempt = ARGV[i], ARGV[i + 1]
  local f = redis.call('HMGET', key('job', id), 'status', 'worker', 'attempt', 'history', 'start_by',
    'bytes', 'cancel', 'webhook', 'payload_key')
  if f[1] == 'running' and f[2] == worker and f[3] == attempt and f[7] == '1' then
    end_job(id, 'canceled', ms, ARGV[7], f[3], '', f[4], f[8])
    redis.call('DEL', f[9])
    redis.call('ZREM', P .. ':deadlines', id)
    redis.call('SREM', KEYS[1], id)
    lines[#lines + 1] = 'canceled ' .. id
  elseif f[1] == 'running' and f[2] == worker and f[3] == attempt then
    local most = tonumber(ARGV[6])
    if most and redis.call('HINCRBY', key('job', id), 'missed', 1) >= most then
      out[#out + 1] = id
    else
      held[#held + 1] = {id, f}
    end
  end
end
local n, charged = #held, tonumber(ARGV[5])
if n > 0 then
  if charged > 0 then -- first, so that a flow which comes back by this owes nothing for it
    local family, flow = place(ARGV[3])
    local part = n / ((#ARGV - 7) / 2)
    settle(family, flow, -charged * part / (redis.call('HGET', KEYS[2], 'weight') or 1))
  end
  for _, job in ipairs(held) do
    local id, f = job[1], job[2]
    redis.call('SREM', KEYS[1], id)
    put_back(id, ARGV[3], ms, f[3] - 1, f[4], f[5], f[6])
  end
  redis.call('HINCRBY', KEYS[2], 'running', -n)
  redis.call('HINCRBY', KEYS[3], 'running', -n)
  local tickets = tonumber(redis.call('HGET', KEYS[2], 'tickets') or '0')
  if tickets <= 0 then push_ticket(KEYS[2], KEYS[4], ARGV[4], 0, ms) end
end
if #lines > 0 then
  redis.call('HINCRBY', KEYS[2], 'running', -#lines)
  redis.call('HINCRBY', KEYS[3], 'running', -#lines)
  redis.call('HINCRBY', KEYS[3], 'canceled', #lines)
  count_ends(model_of(ARGV[3]), 'canceled', '', #lines)
  announce(lines)
end
out[1] = n
return out
