#!lua flags=allow-oom
-- claim: bind the next batch of one group to one worker.
-- KEYS 1 wait list, 2 group, 3 totals, 4 running:<worker>, 5 Celery queue, 6 deadlines
-- ARGV 1 prefix, 2 worker, 3 max rows, 4 max bytes, 5 next ticket, 6 result ttl s,
--      7 preferred rows, 8 max delay ms (0: take what is there)
-- Returns {wait ms, id, attempt, rows, header length, payload key, payload ref, created ms, id, ...}.
local worker, max_rows, max_bytes = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local ms = now_ms()
local state = redis.call('HMGET', KEYS[2], 'tickets', 'waiting')
local tickets = math.max(0, tonumber(state[1] or '0') - 1)

local delay = tonumber(ARGV[8])
if delay > 0 and tonumber(state[2] or '0') < tonumber(ARGV[7]) then
  local head = redis.call('LINDEX', KEYS[1], 0)
  local born = head and tonumber(redis.call('HGET', key('job', head), 'created_at') or '0')
  if born and ms - born < delay then
    redis.call('HSET', KEYS[2], 'stamp', text(ms)) -- the waiting worker still holds its ticket
    return {delay - (ms - born)}
  end
end

local out, lines, taken, rows, bytes, expired, popped = {0}, {}, {}, 0, 0, 0, 0
-- Every job has a row at least, so max_rows are enough (and Lua unpacks 8,000 values at most);
-- those that do not fit go back.
local ids = redis.call('LPOP', KEYS[1], math.min(max_rows, 4000)) or {}
local left = #ids + 1
for i, id in ipairs(ids) do
  local job = key('job', id)
  local f = redis.call('HMGET', job, 'status', 'rows', 'bytes', 'start_by', 'solo', 'attempt',
    'header_length', 'payload_key', 'payload_ref', 'created_at', 'history')
  local solo = f[5] == '1'
  if f[1] ~= 'queued' then
    popped = popped + 1 -- canceled or expired while it waited; counted when that happened
  elseif tonumber(f[4]) > 0 and tonumber(f[4]) < ms then
    popped, expired = popped + 1, expired + 1
    redis.call('HSET', job, 'status', 'expired', 'finished_at', text(ms), 'history',
      history(f[11], 'expired', ms, f[6], ''))
    redis.call('EXPIRE', job, ARGV[6])
    redis.call('DEL', f[8])
    redis.call('ZREM', KEYS[6], id)
    lines[#lines + 1] = 'expired ' .. id
  elseif #taken > 0 and (solo or rows + f[2] > max_rows or bytes + f[3] > max_bytes) then
    left = i
    break
  else
    local attempt = f[6] + 1
    popped, rows, bytes = popped + 1, rows + f[2], bytes + f[3]
    taken[#taken + 1] = id
    redis.call('HSET', job, 'status', 'running', 'worker', worker, 'attempt', attempt,
      'started_at', text(ms), 'history', history(f[11], 'running', ms, attempt, worker))
    if tonumber(f[4]) > 0 then redis.call('ZREM', KEYS[6], id) end
    lines[#lines + 1] = 'running ' .. id
    for _, v in ipairs({id, attempt, f[2], f[7], f[8], f[9], f[10]}) do out[#out + 1] = v end
    if solo or rows >= max_rows then
      left = i + 1
      break
    end
  end
end
for i = #ids, left, -1 do redis.call('LPUSH', KEYS[1], ids[i]) end

local claimed = #taken
if claimed > 0 then redis.call('SADD', KEYS[4], unpack(taken)) end
redis.call('HINCRBY', KEYS[2], 'popped', popped)
redis.call('HINCRBY', KEYS[2], 'running', claimed)
local waiting = redis.call('HINCRBY', KEYS[2], 'waiting', -(claimed + expired))
redis.call('HINCRBY', KEYS[3], 'waiting', -(claimed + expired))
redis.call('HINCRBY', KEYS[3], 'running', claimed)
if redis.call('LLEN', KEYS[1]) > 0 then
  push_ticket(KEYS[2], KEYS[5], ARGV[5], tickets, ms)
else
  redis.call('HSET', KEYS[2], 'tickets', tickets, 'stamp', text(ms))
end
announce(lines)
return out
