#!lua
-- run_export: ask for the answers of an ended run, all of whose shards are done, in another format. Asking again changes nothing, but for one that failed.
-- KEYS 1 run, 2 exports, 3 queue (Celery's), 4 api_keys
-- ARGV 1 prefix, 2 id, 3 format, 4 token (what run workers call the API with; '' none), 5 key_id ('' none),
--      6 key (the API key's record), 7 ticket
-- Returns what is known of the export (JSON); false for a run that is unknown or has no answers to write.
local f = redis.call('HMGET', KEYS[1], 'state', 'shards_total', 'shards_done')
if not ENDED[f[1]] or not f[2] or f[2] ~= f[3] then return false end
local known = redis.call('HGET', KEYS[2], ARGV[3])
if known and cjson.decode(known).state ~= 'failed' then return known end
local making = cjson.encode({state = 'making'})
redis.call('HSET', KEYS[2], ARGV[3], making)
if ARGV[4] ~= '' and redis.call('HEXISTS', KEYS[1], 'token') == 0 then -- another export's would do
  redis.call('HSET', KEYS[1], 'token', ARGV[4], 'key_id', ARGV[5])
  redis.call('HSET', KEYS[4], ARGV[5], ARGV[6])
end
offer(ARGV[2], 'export/' .. ARGV[3])
wake(KEYS[3], ARGV[7])
tell_run(ARGV[2])
return making
