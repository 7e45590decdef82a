#!lua flags=no-writes,allow-oom
-- read: the records of some jobs.
-- KEYS none
-- ARGV 1 prefix, 2.. ids
-- Returns {families, record, ...}. A record is a list of fields in the order of read.py, false for an
-- unknown id; a waiting job's ends with the jobs ahead in its flow, the flow, the family and the ms that its
-- model takes to load where no worker has it ('' where one has). A family is
-- {name, at, since, jobs, batches, busy ms, {flow, weight, waiting, ...}}.

-- What is looked at to say how long a job waits: enough to be right, not so much that it costs.
local MOST_FLOWS, MOST_GROUPS = 64, 32
local out, seen, members = {{}}, {}, {}

local function see(family)
  if seen[family] then return end
  seen[family] = true
  local flows = {}
  for _, flow in ipairs(redis.call('ZRANGE', key('flows', family), 0, MOST_FLOWS - 1)) do
    local first = redis.call('ZRANGE', key('flow', family .. '/' .. flow), 0, 0)[1]
    local lane, tenant = string.match(flow, '^(%d)/(.*)')
    flows[#flows + 1] = flow
    flows[#flows + 1] = redis.call('HGET', key('group', first), 'weight') or '1'
    flows[#flows + 1] = redis.call('HGET', key('tenant', tenant), family .. '/' .. lane) or '0'
  end
  local pace = redis.call('HMGET', key('pace', family), 'at', 'since', 'jobs', 'batches', 'busy_ms')
  out[1][#out[1] + 1] = {family, pace[1] or '0', pace[2] or '0', pace[3] or '0', pace[4] or '0',
    pace[5] or '0', flows}
end
-- The first groups of a flow: {id, priority, waiting}.
local function groups_of(family, flow)
  local path = family .. '/' .. flow
  if not members[path] then
    local groups = {}
    for _, id in ipairs(redis.call('ZRANGE', key('flow', path), 0, MOST_GROUPS - 1)) do
      local _, _, _, priority = place(id)
      groups[#groups + 1] = {id, priority, tonumber(redis.call('HGET', key('group', id), 'waiting') or '0')}
    end
    members[path] = groups
  end
  return members[path]
end
-- Jobs that go before the one at some place in its group: those there, all of a higher priority, and
-- of its equals as many, since they take turns.
local function ahead(group, position)
  local family, flow, _, priority = place(group)
  local sum = position
  for _, other in ipairs(groups_of(family, flow)) do
    if other[1] ~= group then
      if other[2] < priority then
        sum = sum + other[3]
      elseif other[2] == priority then
        sum = sum + math.min(other[3], position)
      end
    end
  end
  see(family)
  return sum, flow, family
end

for i = 2, #ARGV do
  local f = redis.call('HMGET', key('job', ARGV[i]), 'status', 'task', 'group', 'attempt', 'rows', 'created_at',
    'started_at', 'finished_at', 'worker', 'error_type', 'error', 'history', 'seq',
    'took', 'trace')
  if not f[1] then
    out[#out + 1] = false
  else
    if f[1] == 'queued' then
      local g = redis.call('HMGET', key('group', f[3]), 'popped', 'waiting')
      local position = math.min(f[13] - (g[1] or 0), tonumber(g[2] or '1')) - 1
      f[16], f[17], f[18] = ahead(f[3], math.max(0, position))
      f[19] = redis.call('HGET', P .. ':cold', model_of(f[3])) or ''
    end
    out[#out + 1] = f
  end
end
return out
