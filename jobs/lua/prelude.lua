-- Shared by every verb. Key names are those of keys.py; `P` is the prefix, ARGV[1] of every verb.
local P = ARGV[1]
local function key(kind, id) return P .. ':' .. kind .. ':' .. id end
local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
-- Lua prints large numbers in powers of ten; Redis stores text.
local function text(number) return string.format('%.0f', number) end
-- Add to several fields of a hash at once: a command each costs more than all the adding.
local function add(hash, amounts)
  local names, fields = {}, {}
  for name in pairs(amounts) do names[#names + 1] = name end
  for i, old in ipairs(redis.call('HMGET', hash, unpack(names))) do
    fields[2 * i - 1], fields[2 * i] = names[i], text((old or 0) + amounts[names[i]])
  end
  redis.call('HSET', hash, unpack(fields))
end
-- A history's line, and one more of them. A job that was never put back has no history, unless it was
-- submitted `plain`: its other fields say when it was queued, began and ended (read.py tells so).
local function line(status, ms, attempt, worker)
  return status .. '|' .. text(ms) .. '|' .. attempt .. '|' .. worker
end
local function history(old, status, ms, attempt, worker)
  return old .. '\n' .. line(status, ms, attempt, worker)
end
-- The history of a job whose fields are about to be written over.
local function lived(job, old)
  if old then return old end
  local f = redis.call('HMGET', job, 'created_at', 'started_at', 'attempt', 'worker', 'finished_at', 'status')
  old = line('queued', f[1], 0, '')
  if f[2] then old = history(old, 'running', f[2], f[3], f[4] or '') end
  if f[5] then old = history(old, f[6], f[5], f[3], f[4] or '') end
  return old
end
local function push_ticket(group, queue, ticket, tickets, ms)
  redis.call('LPUSH', queue, ticket)
  redis.call('HSET', group, 'tickets', tickets + 1, 'stamp', text(ms))
end
-- Whether one of the files or batches that go some time should have gone so many ms ago.
local function expired(expiring, id, for_ms)
  local at = redis.call('ZSCORE', expiring, id)
  return at and tonumber(at) <= now_ms() - for_ms
end
-- Whether half of the memory is in use, or nobody knows: then what is kept for nobody's work is to make room.
local function is_tight()
  local info = redis.call('INFO', 'memory')
  local most, used = string.match(info, '\nmaxmemory:(%d+)'), string.match(info, '\nused_memory:(%d+)')
  return not (most and used) or most ~= '0' and used * 2 > tonumber(most)
end
-- Where a job or a run stands in a trace; '' where nobody traces it. A long one has several fields.
local function trace_of(record)
  local text, n = redis.call('HGET', record, 'trace') or '', 1
  while #text == 64 * n do
    text, n = text .. (redis.call('HGET', record, 'trace' .. n) or ''), n + 1
  end
  return text
end
local function announce(lines)
  if #lines > 0 then redis.call('PUBLISH', P .. ':changes', table.concat(lines, '\n')) end
end

-- Lost tickets.

-- Ms that jobs wait unclaimed before their group gets another ticket, at least. No group that waits
-- goes longer without a keeper's look.
local PATIENCE_MS, MOST_TICKETS = 2000, 4
local function patience(batch_ms) return math.max(PATIENCE_MS, 4 * tonumber(batch_ms or '0')) end
-- How many tickets a group that waits too long may still count on; nil: as many as it may have queue
-- up, since the workers are busy or gone.
local function outstanding(queue, tickets)
  -- None is on its way: those counted are lost, or with a worker that has had no thread for them
  -- all this time. One too many costs a millisecond; one that is counted for ever would keep every
  -- later submit from sending any.
  if redis.call('LLEN', queue) == 0 then return 0 end
  return tonumber(tickets or '0') < MOST_TICKETS and tonumber(tickets or '0') or nil
end

-- Fair shares. A flow is one tenant's jobs of one lane of a family; its pass is the device time that
-- it was given, over its weight. The flow of the least pass is next.

-- Where a group takes its turn: family, flow, tenant, priority. Lane 1 is interactive, 2 bulk, so
-- that equal passes sort by lane.
local function place(id)
  local family, tenant, priority = string.match(id, '^([^/]+)/[^/]+/[^/]+/([^/]+)/(%d)')
  return family, (priority == '9' and '2/' or '1/') .. tenant, tenant, priority
end
-- A group's model, as model/version. A `~` behind it says that each job has its own parameters.
local function model_of(id) return string.match(id, '^[^/]+/([^/]+/[^/~]+)~?/') end
-- A group's place in its flow: by priority, then by when it was last served or came.
local function turn(priority)
  local t = redis.call('TIME')
  return priority * 1e14 + t[1] * 1e4 + math.floor(t[2] / 100)
end
-- Where a model's device time a row is kept, for batches of about so many rows: a small batch costs
-- more a row. To guess one from the other would charge too much, and strand who comes meanwhile.
local function cost_field(model, rows)
  return model .. ' ' .. math.floor(math.log(math.max(1, rows)) / math.log(2) + 1e-9)
end
-- Where the batch served last began. Who comes begins there, too (start-time fair queueing: Goyal, Vin
-- and Cheng 1996), and not at the least pass: that is already charged for batches which still run.
local function served_at(family)
  return tonumber(redis.call('HGET', key('pace', family), 'served_at') or '0')
end
-- The first job of a group waits. A flow that was away owes what it has used, but has saved nothing up.
local function enter(id)
  local family, flow, _, priority = place(id)
  local flows = key('flows', family)
  redis.call('ZADD', P .. ':groups:due', 'LT', text(now_ms() + PATIENCE_MS), id)
  redis.call('ZADD', key('flow', family .. '/' .. flow), turn(priority), id)
  if redis.call('ZSCORE', flows, flow) then return end
  local pass = 0
  if redis.call('EXISTS', flows) == 1 then
    local idle = key('idle', family)
    pass = math.max(served_at(family), tonumber(redis.call('ZSCORE', idle, flow) or '0'))
    redis.call('ZREM', idle, flow)
  else
    redis.call('HSET', key('pace', family), 'since', text(now_ms()), 'served_at', 0)
  end
  redis.call('ZADD', flows, pass, flow)
end
-- The last job of a group waits no more. What its list still has was ended while it waited.
local function leave(id)
  local family, flow = place(id)
  local flows, members, wait = key('flows', family), key('flow', family .. '/' .. flow), key('wait', id)
  local ended = redis.call('LLEN', wait)
  if ended > 0 then
    redis.call('HINCRBY', key('group', id), 'popped', ended)
    redis.call('DEL', wait)
  end
  redis.call('ZREM', members, id)
  if redis.call('EXISTS', members) == 1 then return end
  local idle = key('idle', family)
  if redis.call('ZCARD', flows) == 1 then
    redis.call('DEL', flows, idle) -- nobody waits, so nobody is owed anything
    return
  end
  redis.call('ZADD', idle, redis.call('ZSCORE', flows, flow), flow)
  redis.call('ZREM', flows, flow)
  redis.call('ZREMRANGEBYSCORE', idle, '-inf', served_at(family)) -- they would begin there anyway
end
-- A flow has had more device time than it was charged, or less; whether it waits or not. All begin at 0:
-- a charge from before everything was forgotten is not given back out of nothing.
local function settle(family, flow, amount)
  for _, kind in ipairs({'flows', 'idle'}) do
    local pass = redis.call('ZADD', key(kind, family), 'XX', 'INCR', amount, flow)
    if pass then
      if tonumber(pass) < 0 then redis.call('ZADD', key(kind, family), 0, flow) end
      return
    end
  end
end
-- Jobs of a group begin to wait (n > 0) or wait no more: the one place that counts them.
-- Returns how many of the group wait now. The whole fleet's is the caller's to count when it says so.
local function count_waiting(id, n, bytes, but_all)
  local family, flow, tenant = place(id)
  local owner, lane = key('tenant', tenant), family .. '/' .. string.sub(flow, 1, 1)
  if tenant ~= '-' then redis.call('HINCRBY', owner, 'bytes', bytes) end -- '-' has no limits
  if redis.call('HINCRBY', owner, lane, n) == 0 then
    redis.call('HDEL', owner, lane)
    local left = redis.call('HKEYS', owner)
    if #left == 1 and left[1] == 'bytes' then redis.call('DEL', owner) end
  end
  if not but_all then redis.call('HINCRBY', P .. ':totals', 'waiting', n) end
  local waiting = redis.call('HINCRBY', key('group', id), 'waiting', n)
  if n > 0 and waiting == n then enter(id) end
  if n < 0 and waiting == 0 then leave(id) end
  return waiting
end

-- Jobs of a model have ended otherwise than well. Its statistics have those that succeeded.
local function count_ends(model, status, error_type, n)
  redis.call('HINCRBY', key('ends', model), status .. ' ' .. error_type, n)
end

-- Look at some ids of the index, from where the last look ended, and forget those whose record is
-- gone. The look goes round and round, so whatever lives for long holds nothing up.
-- Returns how many were looked at, and how many are gone.
local function tidy_index(most, from)
  local index, totals = P .. ':index', P .. ':totals'
  from = from or '0'
  local seen = redis.call('ZRANGEBYSCORE', index, '(' .. from, '+inf', 'WITHSCORES', 'LIMIT', 0, most)
  local jobs, gone = {}, {}
  for i = 1, #seen, 2 do jobs[#jobs + 1] = key('job', seen[i]) end
  local upto = #jobs < most and '0' or seen[#seen]
  if upto ~= from then redis.call('HSET', totals, 'tidied', upto) end -- or each look is a write
  if #jobs == 0 or redis.call('EXISTS', unpack(jobs)) == #jobs then return #jobs, 0 end
  for i, job in ipairs(jobs) do
    if redis.call('EXISTS', job) == 0 then gone[#gone + 1] = seen[2 * i - 1] end
  end
  redis.call('ZREM', index, unpack(gone))
  return #jobs, #gone
end

-- A job ends. Its payload and its place among the running are the caller's to clear; more fields
-- may follow. A ttl of '' keeps it for ever.
local function end_known(id, status, ms, ttl, attempt, worker, old, webhook, ...)
  local job = key('job', id)
  redis.call('HSET', job, 'status', status, 'finished_at', text(ms), ...)
  if old then redis.call('HSET', job, 'history', history(old, status, ms, attempt, worker)) end
  if ttl ~= '' then redis.call('EXPIRE', job, ttl) end
  if webhook then redis.call('RPUSH', P .. (webhook == 'celery:' and ':celery:ends' or ':webhooks'), id) end
end
-- The same, for who has not read `brief`: an answer that goes to who waits for it stays for the job's own,
-- shorter time (`keep` takes that back).
local function end_job(id, status, ms, ttl, ...)
  local brief = ttl ~= '' and redis.call('HGET', key('job', id), 'brief')
  end_known(id, status, ms, brief or ttl, ...)
end
-- A running job waits again, at the head of its group; more fields may follow.
local function put_back(id, group, ms, attempt, old, start_by, bytes, ...)
  local job = key('job', id)
  redis.call('HSET', job, 'history', history(lived(job, old), 'queued', ms, attempt, ''), 'status',
    'queued', 'worker', '', 'attempt', attempt, ...)
  redis.call('LPUSH', key('wait', group), id)
  redis.call('HINCRBY', key('group', group), 'popped', -1)
  if start_by == '0' then
    redis.call('ZREM', P .. ':deadlines', id) -- how long it may run counts from its next start
  else
    redis.call('ZADD', P .. ':deadlines', start_by, id)
  end
  count_waiting(group, 1, tonumber(bytes))
end
