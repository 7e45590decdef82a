#!lua
-- submit: write a job and wake its group, or refuse; nothing in between.
-- KEYS 1 job, 2 payload, 3 wait list, 4 group, 5 totals, 6 groups, 7 index, 8 Celery queue,
--      9 deadlines, 10 unloaded, 11 idempotency (or '')
-- ARGV 1 prefix, 2 id, 3 group id, 4 fingerprint, 5 payload ('' if already set or in the store),
--      6 payload ref, 7 ticket, 8 max waiting, 9 start-by ms, 10 result ttl s, 11 model,
--      12.. job fields and values
-- Returns {verdict, id}: created, known, conflict, full, unloaded, lost.
local id, fingerprint = ARGV[2], ARGV[4]
if KEYS[11] ~= '' then id = redis.call('GET', KEYS[11]) or id end
local old = redis.call('HGET', key('job', id), 'fingerprint')
if old then return {old == fingerprint and 'known' or 'conflict', id} end
if redis.call('SISMEMBER', KEYS[10], ARGV[11]) == 1 then return {'unloaded', id} end
local totals = redis.call('HMGET', KEYS[5], 'waiting', 'submitted')
local waiting, submitted = tonumber(totals[1] or '0'), tonumber(totals[2] or '0') + 1
if waiting >= tonumber(ARGV[8]) then return {'full', id} end

if ARGV[5] ~= '' then
  redis.call('SET', KEYS[2], ARGV[5])
elseif ARGV[6] == '' and redis.call('PERSIST', KEYS[2]) == 0 and redis.call('EXISTS', KEYS[2]) == 0 then
  return {'lost', id}
end
local ms = now_ms()
local group = redis.call('HMGET', KEYS[4], 'tickets', 'pushed', 'waiting')
local seq = tonumber(group[2] or '0') + 1
redis.call('HSET', KEYS[1], 'id', id, 'group', ARGV[3], 'fingerprint', fingerprint, 'status', 'queued',
  'attempt', 0, 'seq', seq, 'created_at', text(ms), 'payload_key', KEYS[2], 'payload_ref', ARGV[6],
  'start_by', ARGV[9], 'history', history(false, 'queued', ms, 0, ''), unpack(ARGV, 12))
redis.call('RPUSH', KEYS[3], id)
redis.call('HSET', KEYS[4], 'pushed', seq, 'waiting', tonumber(group[3] or '0') + 1)
if not group[2] then redis.call('SADD', KEYS[6], ARGV[3]) end -- both are forgotten together
redis.call('HSET', KEYS[5], 'waiting', waiting + 1, 'submitted', submitted)
redis.call('ZADD', KEYS[7], submitted, id)
if ARGV[9] ~= '0' then redis.call('ZADD', KEYS[9], ARGV[9], id) end
if KEYS[11] ~= '' then redis.call('SET', KEYS[11], id, 'EX', ARGV[10]) end
local tickets = tonumber(group[1] or '0')
if tickets <= 0 then push_ticket(KEYS[4], KEYS[8], ARGV[7], 0, ms) end
return {'created', id}
