#!lua flags=allow-oom
-- sample: write the next point of a series of the fleet's history, unless it is written already.
-- KEYS 1 series (the whole fleet's), 2 last (what the counters were), 3 totals, 4 groups, 5.. stats (of the models)
-- ARGV 1 prefix, 2 period_ms, 3 most (points), 4 workers (that live), 5 busy (share of their time), 6.. models
--      (model/version, in the order of stats)
-- Returns ms until the next point is due.

-- What a point looks at, at most: groups that wait; models with a series of their own. The whole fleet's counters
-- say all.
local MOST_GROUPS, MOST_MODELS = 500, 100
local period, ms = tonumber(ARGV[2]), now_ms()
local function slot(at) return math.floor(at / period) end
local told = redis.call('HGETALL', KEYS[2])
local last, now = {}, {}
for i = 1, #told, 2 do last[told[i]] = told[i + 1] end
local at = tonumber(last.at or '0')
if at <= ms and slot(at) == slot(ms) then return period - ms % period end -- a clock put back waits for nothing

-- What counters have gained; one that has shrunk began anew. Nil where nothing is known to begin with.
local function gained(name, counted)
  now[name] = cjson.encode(counted)
  if not last[name] then return nil end
  local before, gains = cjson.decode(last[name]), {}
  for field, value in pairs(counted) do
    local old = before[field] or 0
    gains[field] = value >= old and value - old or value
  end
  return gains
end
-- What a model's counters say: jobs, rows, device time, and how many jobs took about how long.
local NAMES = {'succeeded', 'failed', 'rows', 'places', 'device_us'}
local function counted_of(stats, model)
  local out, took = {}, redis.call('HGETALL', key('took', model))
  local f = redis.call('HMGET', stats, 'success_count', 'fail_count', 'inference_count', 'capacity', 'device_us')
  for i, name in ipairs(NAMES) do out[name] = tonumber(f[i] or '0') end
  for i = 1, #took, 2 do out['took ' .. took[i]] = tonumber(took[i + 1]) end
  return out
end

-- What waits, by model: how many, and since when the oldest.
local waiting, oldest, all_oldest = {}, {}, 0
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', text(ms + PATIENCE_MS), 'LIMIT', 0, MOST_GROUPS)) do
  local n = tonumber(redis.call('HGET', key('group', id), 'waiting') or '0')
  local head = n > 0 and redis.call('LINDEX', key('wait', id), 0)
  local born = head and redis.call('HGET', key('job', head), 'created_at')
  local model, age = model_of(id), born and math.max(0, ms - born) or 0
  waiting[model] = (waiting[model] or 0) + n
  oldest[model] = math.max(oldest[model] or 0, age)
  all_oldest = math.max(all_oldest, age)
end

-- Answers the point's id: all that are written together have one, by which a model's are laid beside the fleet's.
local function write(series, id, fields)
  local names, values, took = {}, {}, {}
  for name in pairs(fields) do names[#names + 1] = name end
  table.sort(names) -- a stream does not write the same fields in the same order again
  for _, name in ipairs(names) do
    local value, step = fields[name], string.match(name, '^took (%d+)$')
    if not step then
      values[#values + 1], values[#values + 2] = name, text(value)
    elseif value > 0 then
      took[#took + 1] = step .. ':' .. text(value)
    end
  end
  local written = redis.call('XADD', series, 'MAXLEN', '~', ARGV[3], id, 'for_ms', text(at <= ms and ms - at or period),
    'took', table.concat(took, ' '), unpack(values))
  redis.call('PEXPIRE', series, text(period * ARGV[3]))
  return written
end
local sums, of_models = {rows = 0, places = 0, device_us = 0}, {}
for i = 5, #KEYS do
  local model = ARGV[(i + 1)]
  local gains = gained('model ' .. model, counted_of(KEYS[i], model)) or {}
  local moved = waiting[model] or 0
  for field, value in pairs(gains) do
    moved = moved + value
    if field ~= 'succeeded' and field ~= 'failed' then sums[field] = (sums[field] or 0) + value end
  end
  if moved > 0 and #of_models < MOST_MODELS then
    gains.waiting, gains.oldest_ms = waiting[model] or 0, oldest[model] or 0
    of_models[#of_models + 1] = {KEYS[1] .. ':' .. model, gains}
  end
end
local f = redis.call('HMGET', KEYS[3], 'submitted', 'succeeded', 'failed', 'canceled', 'waiting', 'running')
local function total(i) return tonumber(f[i] or '0') end
local gains = gained('fleet', {submitted = total(1), succeeded = total(2), failed = total(3), canceled = total(4)})
if gains then
  for field, value in pairs(sums) do gains[field] = value end
  gains.waiting, gains.running, gains.oldest_ms = total(5), total(6), all_oldest
  gains.workers, gains.busy_permille = ARGV[4], ARGV[5] * 1000
  local id = write(KEYS[1], '*', gains)
  for _, each in ipairs(of_models) do write(each[1], id, each[2]) end
end
local fields = {'at', text(ms)}
for name, counted in pairs(now) do fields[#fields + 1], fields[#fields + 2] = name, counted end
redis.call('DEL', KEYS[2])
for i = 1, #fields, 1000 do redis.call('HSET', KEYS[2], unpack(fields, i, math.min(#fields, i + 999))) end
redis.call('PEXPIRE', KEYS[2], text(period * ARGV[3]))
return period - ms % period
