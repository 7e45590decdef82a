-- Shared by the verbs of runs. A run's hash has its spec, state and counters; hashes beside it its
-- shards (by number, JSON), owners (by step), labels, scores, errors and exports; `ready` its steps.
local RUNS_READY, LEASES = P .. ':runs:ready', P .. ':runs:leases'
local ENDED = {succeeded = true, failed = true, canceled = true, expired = true}
local WORKS = {queued = true, planning = true, running = true, merging = true}
-- What a shard counts; a run has the sums over its shards.
local COUNTS = {'read', 'done', 'failed', 'reused', 'duplicates', 'in_flight', 'device_ms', 'warned'}
-- Labels of one run that are counted, and steps that may be lost before the run is given up.
local MOST_LABELS, MOST_FAULTS = 1000, 8

local function of(id, part) return key('run', id .. ':' .. part) end
local function tell_run(id) redis.call('PUBLISH', P .. ':runs:changes', id) end
local function lease_of(id, step) return id .. ' ' .. step end
local function order(step)
  local n = string.match(step, '^shard/(%d+)$')
  return n or (string.match(step, '^export/') and 1e9) or 0
end
-- Segments of a shard's answers are in the store. Who heard no reply names them again: each is listed once.
local function list_segments(id, n, names)
  local listed = redis.call('HGET', of(id, 'segments'), n)
  for name in string.gmatch(names, '%S+') do
    if not listed then
      listed = name
    elseif not string.find(' ' .. listed .. ' ', ' ' .. name .. ' ', 1, true) then
      listed = listed .. ' ' .. name
    end
  end
  if listed then redis.call('HSET', of(id, 'segments'), n, listed) end
end
-- Let a step be taken.
local function offer(id, step)
  redis.call('ZADD', of(id, 'ready'), order(step), step)
  redis.call('ZADD', RUNS_READY, 'NX', 0, id)
end
-- Whether a step may run in a state.
local function may(step, state)
  if string.match(step, '^export/') then return ENDED[state] end
  return WORKS[state]
end
-- A ticket for some run worker; those that wait lead to whatever there is to do.
local function wake(queue, ticket)
  if redis.call('LLEN', queue) < 4 then redis.call('LPUSH', queue, ticket) end
end
local function encoded(error_type, message)
  return cjson.encode({error_type = error_type, message = message})
end
-- Nobody is at any step of it any more.
local function drop_steps(id)
  for _, step in ipairs(redis.call('HKEYS', of(id, 'owners'))) do
    redis.call('ZREM', LEASES, lease_of(id, step))
  end
  for _, part in ipairs({'owners', 'ready', 'paces', 'asked', 'left', 'waits'}) do redis.call('DEL', of(id, part)) end
  redis.call('ZREM', RUNS_READY, id)
end
-- What run workers call the API with is good for nothing any more.
local function drop_key(id)
  local key_id = redis.call('HGET', key('run', id), 'key_id')
  if key_id and key_id ~= '' then redis.call('HDEL', P .. ':keys', key_id) end
  redis.call('HSET', key('run', id), 'key_id', '')
  redis.call('HDEL', key('run', id), 'token')
end
-- A run ends: nobody is at it any more, its key is good for nothing, who waits hears of it.
local function end_run(id, state, error)
  local run, ms = key('run', id), now_ms()
  local f = redis.call('HMGET', run, 'kept_ms', 'webhook', 'out')
  redis.call('HSET', run, 'state', state, 'error', error, 'ended_at', text(ms), 'finished_at', text(ms),
    'in_flight', 0)
  redis.call('SREM', P .. ':runs:live', id)
  redis.call('HINCRBY', P .. ':runs:totals', state, 1)
  drop_steps(id)
  redis.call('ZREM', P .. ':runs:deadlines', id)
  drop_key(id)
  if f[3] and f[3] ~= '' then redis.call('HDEL', P .. ':runs:outs', f[3]) end
  if f[1] ~= '0' then
    redis.call('HSET', run, 'expires_at', text(ms + f[1]))
    redis.call('ZADD', P .. ':expiring:run', text(ms + f[1]), id)
  end
  -- No job's id has a control character.
  if f[2] ~= '' then redis.call('RPUSH', P .. ':webhooks', 'run\t' .. id) end
end
-- An export is made, or cannot be: what is known of it, as JSON. The last one lets the key go.
local function end_export(id, format, made)
  redis.call('HSET', of(id, 'exports'), format, made)
  for _, known in ipairs(redis.call('HVALS', of(id, 'exports'))) do
    if cjson.decode(known).state == 'making' then return end
  end
  drop_key(id)
end
-- A step has broken too often: its run fails, or its export.
local function give_up(id, step, state, error)
  local format = string.match(step, '^export/(.*)$')
  if format then
    redis.call('ZREM', of(id, 'ready'), step)
    redis.call('HDEL', of(id, 'faults'), step)
    end_export(id, format, '{"state":"failed","error":' .. error .. '}')
  elseif not ENDED[state] then
    end_run(id, 'failed', error)
  end
end
-- End a run that has used up what it may of errors or device time. Returns whether it has.
local function past_limits(id)
  local f = redis.call('HMGET', key('run', id), 'max_errors', 'failed', 'max_device_ms', 'device_ms')
  if f[1] ~= '' and tonumber(f[2]) > tonumber(f[1]) then
    end_run(id, 'failed', encoded('too_many_errors', f[2] .. ' rows failed, ' .. f[1] .. ' may'))
  elseif f[3] ~= '' and tonumber(f[4]) > tonumber(f[3]) then
    end_run(id, 'failed', encoded('too_much_device_time', string.format(
      'it took %.1f s of device time, %.1f s are allowed', f[4] / 1000, f[3] / 1000)))
  else
    return false
  end
  return true
end
-- After a shard, or when a run is let go on: is it held after its sample, or is all answered?
local function go_on(id)
  local run = key('run', id)
  local f = redis.call('HMGET', run, 'shards_total', 'shards_done', 'sampling', 'following')
  if f[4] == '1' then return end -- more may come
  if f[1] and f[1] == f[2] then
    redis.call('HSET', run, 'state', 'merging', 'sampling', '0')
    offer(id, 'merge')
  elseif f[3] == '1' and f[2] ~= '0' then
    redis.call('HSET', run, 'state', 'held')
    redis.call('ZREM', RUNS_READY, id)
  end
end
-- Add what a shard counts beyond what it counted before to the run's sums; keep a recent rate of rows.
local function count_shard(id, record, counts)
  local run, gained = key('run', id), 0
  for _, name in ipairs(COUNTS) do
    local more = (counts[name] or 0) - (record[name] or 0)
    record[name] = counts[name] or 0
    if more ~= 0 then redis.call('HINCRBYFLOAT', run, name, more) end
    if more > 0 and (name == 'done' or name == 'failed') then
      redis.call('HINCRBY', P .. ':runs:totals', 'rows ' .. name, more)
    end
    if name == 'done' or name == 'failed' or name == 'reused' or name == 'duplicates' then gained = gained + more end
  end
  local ms, old = now_ms(), redis.call('HMGET', run, 'rate', 'rate_at')
  local kept = old[1] and tonumber(old[1]) * math.exp(-(ms - tonumber(old[2])) / 15000) or 0
  redis.call('HSET', run, 'rate', string.format('%.3f', kept + math.max(0, gained) / 15), 'rate_at', text(ms))
end
local function add_counts(hash, found, most)
  local size = redis.call('HLEN', hash)
  for name, n in pairs(found) do
    if size < most or redis.call('HEXISTS', hash, name) == 1 then
      if redis.call('HINCRBY', hash, name, n) == n then size = size + 1 end
    end
  end
end
-- Whether an owner holds a step's lease.
local function owns(id, step, owner) return redis.call('HGET', of(id, 'owners'), step) == owner end
local function let_go(id, step)
  redis.call('HDEL', of(id, 'owners'), step)
  redis.call('ZREM', LEASES, lease_of(id, step))
end
