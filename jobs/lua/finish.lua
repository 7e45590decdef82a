#!lua flags=allow-oom
-- finish: end the attempts of one batch, each accepted only from the worker that holds its lease.
-- KEYS 1 running (of the worker), 2 totals, 3 stats, 4 pace, 5 deadlines, 6 kept
-- ARGV 1 prefix, 2 worker, 3 result_ttl_s, 4 rows, 5 max_rows, 6 executions, 7 waited_us (for the device),
--      8 compute_us, 9 total_us, 10 charges (at the claim: a line 'group µs' for each), 11 model_id
--      (model/version), 12 output_us, 13 sizes (of the executions: 'rows count rows count ...'),
--      14 kept_bytes, 15 kept_s,
--      16.. jobs: id attempt end said about (an end of 'succeeded' says the response, about it the
--      length of its JSON; 'stored' so of its place in the blob store; 'failed' the error and its type)
-- Returns the ids that were accepted; and which of these had been canceled.
-- A larger response is read when it is wanted, so that no subscriber's buffer overflows.
local MAX_REPLY = 16384
-- A small response is kept in pieces, no value of which is so long that the hash would take three times the
-- memory; an API of the version before does not read it, so not that of a job which has its id in its record.
local PIECE, MOST_PIECES = 64, 16
local worker, ttl = ARGV[2], ARGV[3]
local ms = now_ms()
local accepted, canceled, payloads, lines, replies, good, late = {}, {}, {}, {}, {}, 0, 0
local waited, batch_us = tonumber(ARGV[7]), tonumber(ARGV[9])
local success_us, fail_us, queue_us = 0, 0, 0
local groups, accepted_rows = {}, 0 -- jobs and rows by group
local ends = {} -- jobs that did not succeed, by state and error type
-- What the batch took, for whoever looks at one of its jobs.
local took = table.concat({ARGV[7], ARGV[8], ARGV[12], ARGV[9], ARGV[4]}, ' ')

-- What ended jobs were asked is kept for a while, as far as a budget of bytes goes that refills over that
-- while: all of it on a quiet fleet, a sample on a busy one. `whole_at` is when it is whole again.
local kept_bytes, kept_ms = tonumber(ARGV[14]), tonumber(ARGV[15]) * 1000
local whole_at, kept_payloads, tight = nil, {}, nil
-- What one takes beside its bytes: its key, its place in the list, what its job's record says of it.
local KEPT_BESIDE = 200
local function keeps(job)
  if kept_bytes == 0 or tight then return false end
  whole_at = whole_at or math.max(ms, tonumber(redis.call('HGET', KEYS[2], 'kept_whole_at') or '0'))
  if whole_at >= ms + kept_ms then return false end
  if tight == nil then tight = is_tight() end -- asked where the budget has room: not by a busy fleet
  if tight then return false end
  local f = redis.call('HMGET', job, 'bytes', 'payload_ref')
  local after = whole_at + (f[1] + KEPT_BESIDE) / kept_bytes * kept_ms
  if f[2] ~= '' or after > ms + kept_ms then return false end
  whole_at = after
  return true
end
-- Those that are kept, oldest first, so that a sweep can make room of them; those that have run out go.
local function note_kept()
  redis.call('HSET', KEYS[2], 'kept_whole_at', text(whole_at))
  redis.call('RPUSH', KEYS[6], unpack(kept_payloads))
  redis.call('EXPIRE', KEYS[6], ARGV[15])
  for _, oldest in ipairs(redis.call('LRANGE', KEYS[6], 0, 2 * #kept_payloads)) do
    if redis.call('EXISTS', oldest) == 1 then return end
    redis.call('LPOP', KEYS[6])
  end
end
local steps, STEPS = {}, 4 / math.log(2) -- jobs by about how long they took: four steps make twice the time
local function append(list, ...)
  for _, value in ipairs({...}) do list[#list + 1] = value end
end
for i = 16, #ARGV, 5 do
  local id, attempt, ended, said, about = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  local status = ended == 'stored' and 'succeeded' or ended
  local job = key('job', id)
  local f = redis.call('HMGET', job, 'status', 'worker', 'attempt', 'payload_key', 'cancel',
    'reply_to', 'history', 'webhook', 'brief', 'created_at', 'started_at', 'group', 'rows')
  if f[1] == 'running' and f[2] == worker and f[3] == attempt then
    if f[5] == '1' then status = 'canceled' end
    local fields, kept = {'took', took}, not f[9] and status ~= 'canceled' and keeps(job)
    -- Whole milliseconds: a quick batch is not to have taken less than its parts.
    local queued = (f[11] - f[10]) * 1000
    local whole = math.max((ms - f[10]) * 1000, queued + batch_us)
    if status == 'succeeded' then
      good = good + 1
      success_us, queue_us = success_us + whole, queue_us + queued + waited
      local step = math.floor(math.log(math.max(1, whole)) * STEPS)
      steps[step] = (steps[step] or 0) + 1
      local result = ended == 'stored' and '' or said
      local plain = f[7] and redis.call('HEXISTS', job, 'id') == 1
      if not plain and ended ~= 'stored' and #result <= MOST_PIECES * PIECE then
        append(fields, 'head', about)
        if not kept then append(fields, 'payload_key', '') end
        local at = #fields
        for n = 1, math.ceil(#result / PIECE) do
          fields[at + 2 * n - 1], fields[at + 2 * n] = n, string.sub(result, (n - 1) * PIECE + 1, n * PIECE)
        end
      else
        append(fields, 'result', result, 'result_ref', ended == 'stored' and said or '',
          'result_header_length', about)
      end
      if f[6] and #result > 0 and #result <= MAX_REPLY then
        replies[f[6]] = replies[f[6]] or {}
        append(replies[f[6]], id, '\n', about, '\n', #result, '\n', result)
      end
    else
      fail_us = fail_us + whole
    end
    if status == 'failed' then
      append(fields, 'error_type', about, 'error', said)
    end
    if status ~= 'succeeded' then
      local types = ends[status] or {}
      local kind = status == 'failed' and about or ''
      ends[status], types[kind] = types, (types[kind] or 0) + 1
    end
    end_known(id, status, ms, f[9] or ttl, attempt, worker, f[7], f[8], unpack(fields))
    if kept then
      redis.call('EXPIRE', f[4], math.min(ARGV[15], ttl))
      kept_payloads[#kept_payloads + 1] = f[4]
    else
      payloads[#payloads + 1] = f[4]
    end
    accepted[#accepted + 1] = id
    local of = groups[f[12]] or {jobs = 0, rows = 0}
    groups[f[12]], of.jobs, of.rows = of, of.jobs + 1, of.rows + f[13]
    accepted_rows = accepted_rows + f[13]
    if status == 'canceled' then canceled[#canceled + 1] = id end
    lines[#lines + 1] = status .. ' ' .. id
  else
    late = late + 1
  end
end

-- What the family does while it has work, over ten seconds of such: the base of
-- estimated_start_at. And a row's device time in this model, which the next claim charges.
local function keep_pace(n)
  local rows, us = tonumber(ARGV[4]), tonumber(ARGV[8])
  local cost = cost_field(ARGV[11], rows)
  local f = redis.call('HMGET', KEYS[4], 'at', 'since', 'jobs', 'batches', 'busy_ms', cost)
  local busy = math.max(0, ms - math.max(tonumber(f[1] or '0'), tonumber(f[2] or '0')))
  local keep, fields = math.exp(-busy / 10000), {'at', text(ms)}
  for i, gained in ipairs({n, 1, busy}) do
    append(fields, ({'jobs', 'batches', 'busy_ms'})[i],
      string.format('%.3f', tonumber(f[i + 2] or '0') * keep + gained))
  end
  if rows > 0 and us > 0 then
    append(fields, cost, string.format('%.1f', us / rows * 0.3 + (f[6] or us / rows) * 0.7))
  end
  redis.call('HSET', KEYS[4], unpack(fields))
end

-- The model's counters. Times are sums over jobs that succeeded, as Triton's statistics have them:
-- each took as long as the batch it was in. Those by size are sums over forwards; several of one
-- batch share its time by their rows.
local function count(n)
  -- An older version's times were sums over batches: nothing can be made of both together.
  if redis.call('HEXISTS', KEYS[3], 'total_us') == 1 then redis.call('DEL', KEYS[3]) end
  local compute, output = tonumber(ARGV[8]), tonumber(ARGV[12])
  local input = math.max(0, batch_us - waited - compute - output)
  local amounts = {inference_count = ARGV[4], execution_count = ARGV[6], capacity = ARGV[5],
    success_count = good, fail_count = n - good, success_us = success_us, fail_us = fail_us,
    queue_us = queue_us, input_us = good * input, compute_us = good * compute,
    output_us = good * output, device_us = compute}
  local rows = 0
  for size, times in string.gmatch(ARGV[13], '(%d+) (%d+)') do rows = rows + size * times end
  for size, times in string.gmatch(ARGV[13], '(%d+) (%d+)') do
    local share, field = size * times / rows, 'size ' .. size .. ' '
    amounts[field .. 'count'] = times
    amounts[field .. 'input_us'] = input * share
    amounts[field .. 'compute_us'] = compute * share
    amounts[field .. 'output_us'] = output * share
  end
  add(KEYS[3], amounts)
  redis.call('HSET', KEYS[3], 'last_inference', text(ms))
  for step, times in pairs(steps) do redis.call('HINCRBY', key('took', ARGV[11]), step, times) end
  for status, types in pairs(ends) do
    for kind, times in pairs(types) do count_ends(ARGV[11], status, kind, times) end
  end
end

-- A group's counters: its part of the batch, by its rows.
local function count_group(id, jobs, rows)
  local group, part = key('group', id), rows / accepted_rows
  add(group, {running = -jobs, rows = ARGV[4] * part, capacity = ARGV[5] * part})
  -- Jobs a second, forgotten over ten seconds; µs of device time a second, over a minute, with its own time, since
  -- workers of an older version do not write it.
  local old = redis.call('HMGET', group, 'rate', 'rate_at', 'device')
  local kept = old[1] and tonumber(old[1]) * math.exp(-(ms - tonumber(old[2])) / 10000) or 0
  local us, us_at = string.match(old[3] or '0 0', '^(%S+) (%S+)')
  us = us * math.exp(-(ms - us_at) / 60000) + ARGV[8] * part / 60
  redis.call('HSET', group, 'rate', string.format('%.6f', kept + jobs / 10), 'rate_at', text(ms),
    'batch_ms', text(ARGV[9] / 1000), 'device', string.format('%.0f %.0f', us, ms))
  if ARGV[8] ~= '0' then
    local _, _, tenant = place(id)
    redis.call('ZINCRBY', P .. ':tenants:device', ARGV[8] * part, tenant)
  end
end
-- The claim charged an estimate: what the batch took besides, or less, is theirs who paid for it.
local function settle_charges()
  local charged, paid = 0, {}
  for id, us in string.gmatch(ARGV[10], '(%S+) (%d+)') do
    if us ~= '0' then paid[id], charged = us, charged + us end
  end
  for id, us in pairs(paid) do
    local family, flow = place(id)
    local weight = redis.call('HGET', key('group', id), 'weight') or 1
    settle(family, flow, (ARGV[8] - charged) * us / charged / weight)
  end
end

local n = #accepted
if late > 0 then redis.call('HINCRBY', KEYS[2], 'late', late) end
if n > 0 then
  redis.call('SREM', KEYS[1], unpack(accepted))
  if #payloads > 0 then redis.call('DEL', unpack(payloads)) end
  if #kept_payloads > 0 then note_kept() end
  redis.call('ZREM', KEYS[5], unpack(accepted)) -- who may run for so long only
  add(KEYS[2], {running = -n, succeeded = good, canceled = #canceled, failed = n - good - #canceled})
  for id, of in pairs(groups) do count_group(id, of.jobs, of.rows) end
  keep_pace(n)
  settle_charges()
  count(n)
end
for channel, found in pairs(replies) do redis.call('PUBLISH', channel, table.concat(found)) end
announce(lines)
return {accepted, canceled}
