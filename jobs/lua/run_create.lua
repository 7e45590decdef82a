#!lua
-- run_create: write a run down and offer its first step. A known id stays as it is.
-- KEYS 1 run, 2 api_keys, 3 queue (Celery's), 4 removing (forgotten runs), 5 outs,
--      6.. indexes (that it is in)
-- ARGV 1 prefix, 2 id, 3 spec, 4 fingerprint, 5 webhook, 6 group, 7 kept_ms (0 for ever), 8 max_errors ('' any),
--      9 max_device_ms ('' any), 10 deadline_ms (from now; '' none), 11 sampling ('1': held after its
--      first shard), 12 token (what run workers call the API with; '' none), 13 key_id ('' none),
--      14 key (the API key's record), 15 out (where it writes to; ''
--      in the store), 16 ticket, 17 trace ('' none)
-- Returns 1 if it is new, 0 if it is there, -1 if another is there under its id, -2 while the blobs of a
-- forgotten one of its id go: this one's would go with them; -3 while another run writes to its out.
local known = redis.call('HGET', KEYS[1], 'fingerprint')
if known then return known == ARGV[4] and 0 or -1 end
if redis.call('ZSCORE', KEYS[4], ARGV[2]) then return -2 end
if ARGV[15] ~= '' and redis.call('HSETNX', KEYS[5], ARGV[15], ARGV[2]) == 0 then return -3 end
local ms = now_ms()
redis.call('HSET', KEYS[1], 'spec', ARGV[3], 'fingerprint', ARGV[4], 'state', 'queued', 'error', '',
  'webhook', ARGV[5], 'group', ARGV[6], 'kept_ms', ARGV[7], 'max_errors', ARGV[8],
  'max_device_ms', ARGV[9], 'sampling', ARGV[11], 'key_id', ARGV[13], 'out', ARGV[15], 'shards_done', 0)
for _, name in ipairs(COUNTS) do redis.call('HSET', KEYS[1], name, 0) end
if ARGV[12] ~= '' then redis.call('HSET', KEYS[1], 'token', ARGV[12]) end
if ARGV[17] ~= '' then redis.call('HSET', KEYS[1], 'trace', ARGV[17]) end
if ARGV[13] ~= '' then redis.call('HSET', KEYS[2], ARGV[13], ARGV[14]) end
redis.call('SADD', P .. ':runs:live', ARGV[2])
for i = 6, #KEYS do redis.call('ZADD', KEYS[i], text(ms), ARGV[2]) end
if ARGV[10] ~= '' then redis.call('ZADD', P .. ':runs:deadlines', text(ms + ARGV[10]), ARGV[2]) end
offer(ARGV[2], 'plan')
wake(KEYS[3], ARGV[16])
tell_run(ARGV[2])
return 1
