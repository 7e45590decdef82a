-- How steps of runs come on: the pace of shards, who was to leave one to another, what steps wait for.
-- Beside a run: `paces` (of a shard that is under way, JSON: begun, had, work, rate, at, moved), `asked`
-- (step -> owner that is to leave it, and since when), `left` (step -> when it was left, and by whom),
-- `waits` (step -> reason and since, JSON).

-- Ms over which a pace is measured; times that a shard may change hands; ms for which one that was left is
-- kept for others than who left it; how many times what is to be gained a shard may stand still, and ten times as
-- long while all that it wrote is being stored.
local PACE_MS, MOST_LEFT, KEPT_MS, STILL = 15000, 3, 10000, 6

-- A step waits for something outside (`because`), or goes on (''). It has waited since the first time.
local function note_wait(id, step, because)
  if because == '' then
    redis.call('HDEL', of(id, 'waits'), step)
  else
    local before = redis.call('HGET', of(id, 'waits'), step)
    local since = before and cjson.decode(before).since or now_ms()
    redis.call('HSET', of(id, 'waits'), step, cjson.encode({reason = because, since = since}))
  end
end

-- Rows whose end is known. Of a row's work a third is done when it is read, one when its end is known, and one
-- when it is written.
local function known(record)
  return (record.done or 0) + (record.failed or 0) + (record.reused or 0) + (record.duplicates or 0)
end
local function computed(record) return (record.done or 0) + (record.failed or 0) end

-- Somebody begins at a shard, or goes on where another left off: all is read anew.
local function begin_pace(id, n, record, ms)
  redis.call('HSET', of(id, 'paces'), n, cjson.encode({
    begun = ms, had = computed(record), work = known(record) / 3, rate = 0, at = ms, moved = ms}))
end
-- A shard has come so far.
local function keep_pace(id, n, record, written, ms)
  local found = redis.call('HGET', of(id, 'paces'), n)
  if not found then return end
  local pace, read = cjson.decode(found), record.read or 0
  local work = (known(record) + read + written) / 3
  local gained = math.max(0, work - pace.work)
  pace.rate = pace.rate * math.exp((pace.at - ms) / PACE_MS) + gained * 1000 / PACE_MS
  pace.work, pace.at, pace.stores = work, ms, read > 0 and written >= read
  if gained > 0 then
    pace.moved = ms
    note_wait(id, 'shard/' .. n, '')
  end
  redis.call('HSET', of(id, 'paces'), n, cjson.encode(pace))
end
-- A shard is done: what a row takes, of late. Rows that were found done tell nothing.
local function end_pace(id, n, record, ms)
  local run, found = key('run', id), redis.call('HGET', of(id, 'paces'), n)
  for _, part in ipairs({'asked', 'left', 'waits'}) do redis.call('HDEL', of(id, part), 'shard/' .. n) end
  redis.call('HDEL', of(id, 'paces'), n)
  if not found then return end
  local pace = cjson.decode(found)
  local rows = computed(record) - pace.had
  if rows < 1 or rows * 2 < (record.rows or 0) then return end
  local old, row_ms = redis.call('HGET', run, 'row_ms'), (ms - pace.begun) / rows
  redis.call('HSET', run, 'row_ms', string.format('%.6f', old and (old + row_ms) / 2 or row_ms))
end
-- Ms by which another would be expected to end a shard sooner; 0 where it is to be left alone. Whoever takes
-- it over reads it from its beginning, and is given twice the time that this takes elsewhere.
local function behind_ms(id, n, least_ms, ms)
  local found = redis.call('HGET', of(id, 'paces'), n)
  if not found then return 0 end
  local pace, record = cjson.decode(found), cjson.decode(redis.call('HGET', of(id, 'shards'), n))
  local row_ms, rows = tonumber(redis.call('HGET', key('run', id), 'row_ms') or nil), tonumber(record.planned)
  if ms - pace.moved > (pace.stores and 10 or 1) * STILL * least_ms then return 1e15 end
  if not row_ms or not rows or ms - pace.begun < least_ms then return 0 end
  if pace.stores or rows - pace.work < 1 then return 0 end
  local rate = pace.rate * math.exp((pace.at - ms) / PACE_MS) / (1 - math.exp((pace.begun - ms) / PACE_MS))
  local own_ms = rate > 0 and (rows - pace.work) * 1000 / rate or 1e15
  return own_ms > 2 * rows * row_ms + least_ms and own_ms - rows * row_ms or 0
end

local function who_left(id, step)
  local ms, names = string.match(redis.call('HGET', of(id, 'left'), step) or '', '^(%d+)(.*)$')
  return tonumber(ms or '0'), (names or '') .. '\n'
end
local function has_left(names, worker) return string.find(names, '\n' .. worker .. '\n', 1, true) ~= nil end
-- Whether a step is for another than a worker that has left it.
local function is_for_others(id, step, worker, ms)
  local left_ms, names = who_left(id, step)
  return ms - left_ms < KEPT_MS and has_left(names, worker)
end
-- A step is left by its owner, or taken from it: to be had at once, by others first.
local function pass_on(id, step, owner, ms)
  local _, names = who_left(id, step)
  let_go(id, step)
  redis.call('HDEL', of(id, 'asked'), step)
  redis.call('HSET', of(id, 'left'), step, text(ms) .. names .. string.match(owner, '^(.*)|'))
  redis.call('ZADD', LEASES, text(ms), lease_of(id, step))
end
