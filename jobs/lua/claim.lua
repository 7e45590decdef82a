#!lua flags=allow-oom
-- claim: bind the next batch of a family to one worker. The ticket names a group; shares and
-- priorities say which group is served.
-- KEYS 1 group (of the ticket), 2 totals, 3 running (of the worker), 4 queue (Celery's), 5 deadlines
-- ARGV 1 prefix, 2 worker, 3 group_id (of the ticket), 4 ticket (the next), 5 result_ttl_s,
--      6 budgets (a line ' model/version rows bytes preferred-rows delay-ms' for each model that
--      the worker serves), 7 patient ('1' while its device is busy: a batch that is not full may wait)
-- Returns {wait ms (-1: none of this worker's models waits), group id, charged µs,
--      id, attempt, rows, header length, payload key, payload ref, created ms, '1' when it was
--      aboard a crash, id, ...}.

-- Flows and groups looked at: who lingers or is for others must not make this slow.
local MOST_FLOWS, MOST_GROUPS = 16, 16
-- Age in ms up to which a job waits for company while the device is busy.
local PATIENCE = 60000
-- Device time of a row, in µs, until a batch of about that size has run.
local UNKNOWN_US = 1000
local worker, ms = ARGV[2], now_ms()

local function budget_of(id)
  local model = model_of(id)
  local _, at = string.find(ARGV[6], '\n' .. model .. ' ', 1, true)
  if not at then return nil end
  local rows, bytes, preferred, delay = string.match(ARGV[6], '^(%d+) (%d+) (%d+) (%d+)', at + 1)
  return {rows = tonumber(rows), bytes = tonumber(bytes), preferred = tonumber(preferred),
    delay = tonumber(delay)}
end
-- Ms that a group goes on waiting for `want` jobs, for `delay` ms at most.
local function lingers(id, want, delay)
  if delay == 0 then return 0 end
  if tonumber(redis.call('HGET', key('group', id), 'waiting') or '0') >= want then return 0 end
  local head = redis.call('LINDEX', key('wait', id), 0)
  local born = head and redis.call('HGET', key('job', head), 'created_at')
  return born and math.max(0, delay - (ms - tonumber(born))) or 0
end

-- The first group that is ready. One that is not full may wait for company while the device is
-- busy, but only as long as all are like that: else it would be overtaken, or leave a gap.
local chosen, budget, wait, first, first_budget
local function look(id)
  local b = budget_of(id)
  if not b then return false end
  local rest = lingers(id, b.preferred, b.delay)
  if rest == 0 and ARGV[7] == '1' then
    rest = lingers(id, b.rows, PATIENCE)
    if rest > 0 and not first then first, first_budget = id, b end
  end
  if rest > 0 then
    wait = math.min(wait or rest, rest)
    return false
  end
  chosen, budget = first or id, first_budget or b
  return true
end
local function choose()
  local family = string.match(ARGV[3], '^[^/]+')
  for _, flow in ipairs(redis.call('ZRANGE', key('flows', family), 0, MOST_FLOWS - 1)) do
    local groups = redis.call('ZRANGE', key('flow', family .. '/' .. flow), 0, MOST_GROUPS - 1)
    for _, id in ipairs(groups) do
      if look(id) then return end
    end
  end
  -- The ticket's own group may be further back than was looked.
  if not wait and tonumber(redis.call('HGET', KEYS[1], 'waiting') or '0') > 0 then look(ARGV[3]) end
end
choose()
if not chosen and wait then
  redis.call('HSET', KEYS[1], 'stamp', text(ms)) -- the waiting worker still holds its ticket
  return {wait, '', 0}
end

local out, lines, taken, rows, bytes, expired, popped, gone = {0, chosen or '', 0}, {}, {}, 0, 0, 0, 0, 0
local function take(group, wait_list)
  -- Every job has a row at least, so as many ids as rows are enough (and Lua unpacks 8,000 values
  -- at most); those that do not fit go back.
  local ids = redis.call('LPOP', wait_list, math.min(budget.rows, 4000)) or {}
  local left = #ids + 1
  for i, id in ipairs(ids) do
    local job = key('job', id)
    local f = redis.call('HMGET', job, 'status', 'rows', 'bytes', 'start_by', 'solo', 'attempt',
      'header_length', 'payload_key', 'payload_ref', 'created_at', 'history', 'webhook',
      'execution_timeout_ms')
    local solo = f[5] == '1'
    if f[1] ~= 'queued' then
      popped = popped + 1 -- canceled or expired while it waited; counted when that happened
    elseif tonumber(f[4]) > 0 and tonumber(f[4]) < ms then
      popped, expired, gone = popped + 1, expired + 1, gone + f[3]
      end_job(id, 'expired', ms, ARGV[5], f[6], '', f[11], f[12])
      redis.call('DEL', f[8])
      redis.call('ZREM', KEYS[5], id)
      lines[#lines + 1] = 'expired ' .. id
    elseif #taken > 0 and (solo or rows + f[2] > budget.rows or bytes + f[3] > budget.bytes) then
      left = i
      break
    else
      local attempt = f[6] + 1
      popped, rows, bytes = popped + 1, rows + f[2], bytes + f[3]
      taken[#taken + 1] = id
      redis.call('HSET', job, 'status', 'running', 'worker', worker, 'attempt', attempt,
        'started_at', text(ms), 'history', history(f[11], 'running', ms, attempt, worker))
      if f[13] then
        redis.call('ZADD', KEYS[5], text(ms + tonumber(f[13])), id)
      elseif f[4] ~= '0' then
        redis.call('ZREM', KEYS[5], id)
      end
      lines[#lines + 1] = 'running ' .. id
      for _, v in ipairs({id, attempt, f[2], f[7], f[8], f[9], f[10], f[5] or ''}) do out[#out + 1] = v end
      if solo or rows >= budget.rows then
        left = i + 1
        break
      end
    end
  end
  for i = #ids, left, -1 do redis.call('LPUSH', wait_list, ids[i]) end

  local claimed = #taken
  local family, flow, _, priority = place(chosen)
  local g = redis.call('HMGET', group, 'weight', 'popped', 'running')
  redis.call('HSET', group, 'popped', (g[2] or 0) + popped, 'running', (g[3] or 0) + claimed, 'stamp',
    text(ms))
  if claimed > 0 then
    redis.call('SADD', KEYS[3], unpack(taken))
    redis.call('SADD', P .. ':workers', worker) -- who was taken for dead and is not can die yet
    redis.call('HINCRBY', KEYS[2], 'running', claimed)
    local model = model_of(chosen)
    local each = redis.call('HGET', key('pace', family), cost_field(model, rows))
    out[3] = math.ceil(rows * (each or UNKNOWN_US))
    local pass = out[3] / (g[1] or 1)
    local begun = redis.call('ZINCRBY', key('flows', family), pass, flow) - pass
    redis.call('HSET', key('pace', family), 'served_at', string.format('%.3f', begun))
  end
  if count_waiting(chosen, -(claimed + expired), -(bytes + gone)) > 0 then
    redis.call('ZADD', key('flow', family .. '/' .. flow), 'XX', turn(priority), chosen)
  end
end
if chosen then take(key('group', chosen), key('wait', chosen)) end

-- The ticket is used up. Its own group gets another while it has jobs waiting, before the work
-- begins, so that other workers join at once; whoever cannot serve it passes it on later.
local state = redis.call('HMGET', KEYS[1], 'tickets', 'waiting')
local tickets = math.max(0, tonumber(state[1] or '0') - 1)
local needed = tonumber(state[2] or '0') > 0
if needed and chosen then
  push_ticket(KEYS[1], KEYS[4], ARGV[4], tickets, ms)
elseif state[1] then -- a forgotten group stays forgotten
  redis.call('HSET', KEYS[1], 'tickets', tickets)
end
if needed and not chosen then out[1] = -1 end
announce(lines)
return out
