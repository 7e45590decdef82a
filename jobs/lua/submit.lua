#!lua
-- submit: write a job and wake its group, or refuse; nothing in between.
-- KEYS 1 job, 2 payload, 3 wait (its list), 4 group, 5 totals, 6 index, 7 queue (Celery's),
--      8 deadlines, 9 unloaded, 10 idempotency (or ''), 11 failed
-- ARGV 1 prefix, 2 id, 3 group_id, 4 fingerprint, 5 payload ('' if already set or in the store),
--      6 payload_ref, 7 ticket, 8 max_waiting, 9 start_by_ms, 10 result_ttl_s, 11 model,
--      12 weight (of the flow), 13 bytes, 14 limits (the tenant's: '' or 'waiting bytes jobs/s'),
--      15 plain ('1': with what the version before reads of a record), 16.. fields (of the job, and their values, in turn)
-- Returns {verdict, id}: created, full, unloaded, lost; {known or conflict, id, its fingerprint};
--      {'failed', id, reason}; or {'limited', id, limit, ms until a retry makes sense}.

-- Submissions after which the index is looked at, and how many ids a submission: more than the one that
-- it adds, so that at most half as many ids as live are those of jobs that are gone.
local TIDY_EVERY, TIDY_EACH = 32, 3
local id, fingerprint, bytes = ARGV[2], ARGV[4], tonumber(ARGV[13])
if KEYS[10] ~= '' then
  local known = redis.call('GET', KEYS[10])
  if known and redis.call('EXISTS', key('job', known)) == 1 then id = known end -- it may be forgotten
end
local old = redis.call('HGET', key('job', id), 'fingerprint')
if old then return {old == fingerprint and 'known' or 'conflict', id, old} end
if redis.call('EXISTS', KEYS[9], KEYS[11]) > 0 then -- else one look will do
  if redis.call('SISMEMBER', KEYS[9], ARGV[11]) == 1 then return {'unloaded', id} end
  local why = redis.call('HGET', KEYS[11], model_of(ARGV[3]))
  if why then return {'failed', id, why} end
end
local totals = redis.call('HMGET', KEYS[5], 'waiting', 'submitted', 'tidied')
local submitted = tonumber(totals[2] or '0') + 1
if tonumber(totals[1] or '0') >= tonumber(ARGV[8]) then return {'full', id} end

local bucket, bucket_us, from_us = nil, 0, 0
if ARGV[14] ~= '' then
  local most, most_bytes, rate = string.match(ARGV[14], '(%S+) (%S+) (%S+)')
  local _, _, tenant = place(ARGV[3])
  local waits, waiting_bytes, has = 0, 0, redis.call('HGETALL', key('tenant', tenant))
  for i = 1, #has, 2 do
    if has[i] == 'bytes' then waiting_bytes = tonumber(has[i + 1]) else waits = waits + has[i + 1] end
  end
  if most ~= '0' and waits >= tonumber(most) then return {'limited', id, 'max_waiting', 1000} end
  if most_bytes ~= '0' and waiting_bytes + bytes > tonumber(most_bytes) then
    return {'limited', id, 'max_waiting_bytes', 1000}
  end
  if rate ~= '0' then
    -- A bucket of one second's jobs, kept as the time at which it is full again.
    local t, each_us = redis.call('TIME'), 1e6 / tonumber(rate)
    local us = t[1] * 1e6 + t[2]
    bucket, from_us = key('bucket', tenant), us
    bucket_us = math.max(us, tonumber(redis.call('GET', bucket) or '0')) + each_us
    local over_us = bucket_us - us - math.max(1e6, each_us)
    if over_us > 0 then return {'limited', id, 'submits_per_s', math.ceil(over_us / 1000)} end
  end
end

if ARGV[5] ~= '' then
  redis.call('SET', KEYS[2], ARGV[5])
elseif ARGV[6] == '' and redis.call('PERSIST', KEYS[2]) == 0 and redis.call('EXISTS', KEYS[2]) == 0 then
  return {'lost', id}
end
if bucket then redis.call('SET', bucket, text(bucket_us), 'PX', math.ceil((bucket_us - from_us) / 1000)) end
local ms = now_ms()
local group = redis.call('HMGET', KEYS[4], 'tickets', 'popped', 'weight')
local seq = redis.call('RPUSH', KEYS[3], id) + (group[2] or 0)
-- No value is over 64 bytes, or the hash would take three times the memory. All that a worker of the version
-- before reads is here; its API reads more.
redis.call('HSET', KEYS[1], 'status', 'queued', 'attempt', 0, 'group', ARGV[3], 'created_at', text(ms),
  'bytes', ARGV[13], 'start_by', ARGV[9], 'seq', seq, 'payload_key', KEYS[2], 'payload_ref', ARGV[6],
  'fingerprint', fingerprint, unpack(ARGV, 16))
if ARGV[15] == '1' then
  redis.call('HSET', KEYS[1], 'id', id, 'model', ARGV[11], 'history', line('queued', ms, 0, ''))
end
if group[3] ~= ARGV[12] then redis.call('HSET', KEYS[4], 'weight', ARGV[12]) end
redis.call('HSET', KEYS[5], 'submitted', submitted, 'waiting', (totals[1] or 0) + 1)
count_waiting(ARGV[3], 1, bytes, true)
redis.call('ZADD', KEYS[6], submitted, id)
if submitted % TIDY_EVERY == 0 then tidy_index(TIDY_EVERY * TIDY_EACH, totals[3]) end
if ARGV[9] ~= '0' then redis.call('ZADD', KEYS[8], ARGV[9], id) end
if KEYS[10] ~= '' then redis.call('SET', KEYS[10], id, 'EX', ARGV[10]) end
local tickets = tonumber(group[1] or '0')
if tickets <= 0 then push_ticket(KEYS[4], KEYS[7], ARGV[7], 0, ms) end
return {'created', id}
