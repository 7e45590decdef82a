#!lua flags=allow-oom
-- claim: bind the next batch of a family to one worker. The ticket names a group; shares and
-- priorities say which group is served, and whose jobs fill the batch up.
-- KEYS 1 group (of the ticket), 2 totals, 3 running (of the worker), 4 queue (Celery's), 5 deadlines
-- ARGV 1 prefix, 2 worker, 3 group_id (of the ticket), 4 ticket (the next), 5 result_ttl_s,
--      6 budgets (a line ' model/version rows bytes preferred-rows delay-ms' for each model that
--      the worker serves; -1 for one that its device has no part in: it never waits for company), 7 patient ('1' while its device is busy: a batch that is not full may wait),
--      8 apart ('1' when tenants share no batch), 9 traced ('1' when the worker wants to know who is)
-- Returns {wait ms (-1: none of this worker's models waits), share, ...}, the first of the group that
--      was due. A share is {group id, charged µs, id, attempt, rows, header length, payload key,
--      payload ref, created ms, '1' when it was aboard a crash, id, ...}. With `traced` the last is no share, but
--      {id, trace, ...} of the jobs that have one.

-- Flows and groups looked at: who lingers or is for others must not make this slow. Nor must mates of whom
-- none fits in: a batch that has its bytes would go through the heads of all their lists.
local MOST_FLOWS, MOST_GROUPS, MOST_LOOKED, MOST_UNFIT = 64, 16, 256, 8
-- Age in ms up to which a job waits for company while the device is busy.
local PATIENCE = 60000
-- Device time of a row, in µs, until a batch of about that size has run.
local UNKNOWN_US = 1000
-- What those whose turn it is not may add to a batch's device time, as a factor.
local SPARE = 1.25
-- Rows that fill a batch must make it cheaper by the row, as a factor: else its first only wait for the
-- last. A batch costs so many µs at least, whatever the device does: ticket, claim, finish.
local WORTH, LEAST_US = 0.75, 2000
local worker, ms = ARGV[2], now_ms()
local family = string.match(ARGV[3], '^[^/]+')

local function budget_of(id)
  local model = model_of(id)
  local _, at = string.find(ARGV[6], '\n' .. model .. ' ', 1, true)
  if not at then return nil end
  local rows, bytes, preferred, delay = string.match(ARGV[6], '^(%d+) (%d+) (%d+) (%-?%d+)', at + 1)
  return {rows = tonumber(rows), bytes = tonumber(bytes), preferred = tonumber(preferred),
    delay = tonumber(delay)}
end
-- What mates have in common, whose jobs may share a batch: all but tenant and priority.
local function kind(id)
  local model, tenant, digest = string.match(id, '^[^/]+/([^/]+/[^/]+)/([^/]+)/%d/(.*)$')
  return model .. '/' .. digest .. (ARGV[8] == '1' and '/' .. tenant or '')
end

-- What waits, in the order in which it is due: flow, pass, flow, pass, ...; and a flow's groups.
local flows = redis.call('ZRANGE', key('flows', family), 0, MOST_FLOWS - 1, 'WITHSCORES')
local members, looked = {}, 0
local function groups_of(flow)
  if not members[flow] then
    local most = math.min(MOST_GROUPS, MOST_LOOKED - looked)
    members[flow] = most > 0 and redis.call('ZRANGE', key('flow', family .. '/' .. flow), 0, most - 1) or {}
    looked = looked + #members[flow]
  end
  return members[flow]
end

local function waiting_of(id) return tonumber(redis.call('HGET', key('group', id), 'waiting') or '0') end
-- How many wait of a lane that may share a batch with a group's.
local company
local function with_mates(id)
  if not company then
    company = {}
    for i = 1, #flows, 2 do
      for _, mate in ipairs(groups_of(flows[i])) do
        local lane = string.sub(flows[i], 1, 2) .. kind(mate)
        company[lane] = (company[lane] or 0) + waiting_of(mate)
      end
    end
  end
  local _, flow = place(id)
  return company[string.sub(flow, 1, 2) .. kind(id)] or 0
end
-- Ms that a group goes on waiting for `want` jobs, for `delay` ms at most.
local function lingers(id, want, delay)
  if delay == 0 or waiting_of(id) >= want or with_mates(id) >= want then return 0 end
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
  if rest == 0 and ARGV[7] == '1' and b.delay >= 0 then
    rest = lingers(id, b.rows, PATIENCE)
    if rest > 0 and not first then first, first_budget = id, b end
  end
  if rest > 0 then
    wait = math.min(wait or rest, rest)
    return false
  end
  chosen, budget = first or id, first_budget or b
  if b.delay < 0 then chosen, budget = id, b end -- it takes nothing from those that it overtakes
  return true
end
local function choose()
  for i = 1, #flows, 2 do
    for _, id in ipairs(groups_of(flows[i])) do
      if look(id) then return end
    end
  end
  -- The ticket's own group may be further back than was looked.
  if not wait and waiting_of(ARGV[3]) > 0 then look(ARGV[3]) end
end
choose()
if not chosen and wait then
  redis.call('HSET', KEYS[1], 'stamp', text(ms)) -- the waiting worker still holds its ticket
  return {wait}
end

local shares, taken, lines, rows, bytes, full, unfit = {}, {}, {}, 0, 0, false, 0
-- Bind jobs of a group until the batch has so many rows. Those that ride free pay nothing.
local function take(id, most, free)
  local wait_list = key('wait', id)
  -- Every job has a row at least, so as many ids as rows are enough (and Lua unpacks 8,000 values
  -- at most); those that do not fit go back.
  local ids = redis.call('LPOP', wait_list, math.min(most - rows, 4000)) or {}
  local g = redis.call('HMGET', key('group', id), 'weight', 'popped', 'running')
  local share = {id = id, free = free, weight = tonumber(g[1] or '1'), popped = g[2] or 0,
    running = g[3] or 0, out = {id, 0}, rows = 0, bytes = 0, claimed = 0, expired = 0}
  shares[#shares + 1] = share
  local left = #ids + 1
  for i, job_id in ipairs(ids) do
    local job = key('job', job_id)
    local f = redis.call('HMGET', job, 'status', 'rows', 'bytes', 'start_by', 'solo', 'attempt',
      'header_length', 'payload_key', 'payload_ref', 'created_at', 'history', 'webhook',
      'execution_timeout_ms')
    local solo = f[5] == '1'
    if f[1] ~= 'queued' then
      share.popped = share.popped + 1 -- canceled or expired while it waited; counted when that happened
    elseif tonumber(f[4]) > 0 and tonumber(f[4]) < ms then
      share.popped, share.expired, share.bytes = share.popped + 1, share.expired + 1, share.bytes + f[3]
      end_job(job_id, 'expired', ms, ARGV[5], f[6], '', f[11], f[12])
      redis.call('DEL', f[8])
      redis.call('ZREM', KEYS[5], job_id)
      lines[#lines + 1] = 'expired ' .. job_id
    elseif #taken > 0 and (solo or rows + f[2] > most or bytes + f[3] > budget.bytes) then
      left = i
      break
    else
      local attempt = f[6] + 1
      rows, bytes = rows + f[2], bytes + f[3]
      share.popped, share.claimed = share.popped + 1, share.claimed + 1
      share.rows, share.bytes = share.rows + f[2], share.bytes + f[3]
      taken[#taken + 1] = job_id
      redis.call('HSET', job, 'status', 'running', 'worker', worker, 'attempt', attempt,
        'started_at', text(ms))
      if f[11] then redis.call('HSET', job, 'history', history(f[11], 'running', ms, attempt, worker)) end
      if f[13] then
        redis.call('ZADD', KEYS[5], text(ms + tonumber(f[13])), job_id)
      elseif f[4] ~= '0' then
        redis.call('ZREM', KEYS[5], job_id)
      end
      lines[#lines + 1] = 'running ' .. job_id
      for _, v in ipairs({job_id, attempt, f[2], f[7], f[8], f[9], f[10], f[5] or ''}) do
        share.out[#share.out + 1] = v
      end
      if solo or rows >= most then
        full, left = solo or rows >= budget.rows, i + 1
        break
      end
    end
  end
  local back = {}
  for i = #ids, left, -1 do back[#back + 1] = ids[i] end
  if #back > 0 then redis.call('LPUSH', wait_list, unpack(back)) end
  if share.claimed == 0 then
    unfit = unfit + 1
    full = full or unfit == MOST_UNFIT
  end
  return share
end

-- Device time in µs that a batch of so many rows took lately, if one of about that size has run.
local function cost_of(n)
  local model = model_of(chosen)
  local each = redis.call('HGET', key('pace', family), cost_field(model, n))
  return each and each * n
end
-- How many rows the batch may have by what is known of its device time at each size; `unknown` where
-- nothing is.
local function most_rows(fits, unknown)
  local now_us, n, known = cost_of(rows), budget.rows, false
  while now_us and n > rows do
    local us = cost_of(n)
    if us and fits(us, n, now_us) then return n end
    known = known or us
    n = 2 ^ math.floor(math.log(n) / math.log(2) + 1e-9) - 1 -- the most of the next smaller size
  end
  return known and rows or unknown
end
local function is_spare(us, _, now_us) return us <= SPARE * now_us end
local function is_worth_it(us, n, now_us)
  return math.max(us, LEAST_US) / n <= WORTH * math.max(now_us, LEAST_US) / rows
end
-- Fill the batch with the jobs of mates, as they are due, if that is worth it: none is taken in its turn before what is due
-- earlier and cannot come along. Whoever is behind that, and bulk jobs in a batch that somebody waits
-- for, ride free in the room that is left, as far as they add next to nothing to its device time.
local function fill()
  local mine, later, bar, most = kind(chosen), {}, math.huge, nil
  local _, own = place(chosen)
  local waits = string.sub(own, 1, 1) == '1'
  local function board(flow, pass)
    local before, urgent, aboard = rows, nil, nil
    local bulk = waits and string.sub(flow, 1, 1) == '2'
    for _, id in ipairs(groups_of(flow)) do
      local _, _, _, priority = place(id)
      if full then return end
      if id == chosen then
        aboard, before = shares[1], 0
      elseif kind(id) ~= mine then
        if budget_of(id) then urgent = urgent or priority end -- else it is another worker's
      elseif bulk or pass > bar or (urgent and urgent < priority) then
        later[#later + 1] = id
      else
        most = most or most_rows(is_worth_it, budget.rows)
        if rows < most then aboard = take(id, most) end
      end
    end
    if urgent then -- it is next when this flow has been charged
      local us = aboard and (cost_of(rows) or rows * UNKNOWN_US) / rows * (rows - before) or 0
      bar = math.min(bar, pass + us / (aboard and aboard.weight or 1))
    end
  end
  for _, mine_first in ipairs({true, false}) do
    for i = 1, #flows, 2 do
      if (flows[i] == own) == mine_first and not full then board(flows[i], tonumber(flows[i + 1])) end
    end
  end
  if full or #later == 0 then return end
  most = most_rows(is_spare, rows)
  for _, id in ipairs(later) do
    if full or rows >= most then return end
    take(id, most, true)
  end
end

-- Charge the flows for their rows. The turn of the last of them is over, and so is what was due before it.
local function charge()
  local cost = math.ceil(cost_of(rows) or rows * UNKNOWN_US)
  local paying, rest, begun, served = 0, cost, {}, 0
  for _, share in ipairs(shares) do paying = paying + (share.free and 0 or share.rows) end
  for i = #shares, 1, -1 do
    local share = shares[i]
    if share.rows > 0 and not share.free then
      share.out[2] = i == 1 and rest or math.floor(cost * share.rows / paying)
      rest = rest - share.out[2]
      local _, flow = place(share.id)
      local pass = share.out[2] / share.weight
      local from = redis.call('ZINCRBY', key('flows', family), pass, flow) - pass
      begun[flow] = math.min(begun[flow] or from, from)
    end
  end
  for _, from in pairs(begun) do served = math.max(served, from) end
  redis.call('HSET', key('pace', family), 'served_at', string.format('%.3f', served))
  -- Whoever left room to those behind it has saved nothing up, but for a batch.
  local _, own = place(chosen)
  local least = served - cost / shares[1].weight
  if least > begun[own] then
    redis.call('ZADD', key('flows', family), 'XX', 'GT', string.format('%.3f', least), own)
  end
end
local function settle_group(share)
  local id = share.id
  redis.call('HSET', key('group', id), 'popped', share.popped, 'running', share.running + share.claimed,
    'stamp', text(ms))
  local waiting = count_waiting(id, -(share.claimed + share.expired), -share.bytes)
  if share.expired > 0 then count_ends(model_of(id), 'expired', '', share.expired) end
  -- Who was looked at for another's batch, and had no job that fits in, keeps its turn.
  if waiting > 0 and (share.claimed > 0 or id == chosen) then
    local _, flow, _, priority = place(id)
    redis.call('ZADD', key('flow', family .. '/' .. flow), 'XX', turn(priority), id)
  end
end
if chosen then
  take(chosen, budget.rows)
  if #taken > 0 then
    if not full then fill() end
    redis.call('SADD', KEYS[3], unpack(taken))
    redis.call('SADD', P .. ':workers', worker) -- who was taken for dead and is not can die yet
    redis.call('HINCRBY', KEYS[2], 'running', #taken)
    charge()
  end
  for _, share in ipairs(shares) do settle_group(share) end
end

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
announce(lines)
local out = {needed and not chosen and -1 or 0}
for _, share in ipairs(shares) do
  if share.claimed > 0 then out[#out + 1] = share.out end
end
if ARGV[9] == '1' then
  local traces = {}
  for _, id in ipairs(taken) do
    local trace = trace_of(key('job', id))
    if trace ~= '' then traces[#traces + 1], traces[#traces + 2] = id, trace end
  end
  out[#out + 1] = traces
end
return out
