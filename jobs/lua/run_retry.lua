#!lua
-- run_retry: let a run that failed, was canceled or expired go on from what it has.
-- KEYS 1 run, 2 api_keys, 3 queue (Celery's), 4 outs, 5 expiring (runs), 6 live (runs), 7 deadlines (of runs)
-- ARGV 1 prefix, 2 id, 3 token (what run workers call the API with; '' none), 4 key_id ('' none),
--      5 key (the API key's record), 6 deadline_ms (from now; '' none), 7 ticket
-- Returns 1 if it goes on, 0 for an unknown id or one that has not ended so, -1 while an export of it is made,
-- -2 where it is past its limits, -3 while another run writes to its out.
local id, run = ARGV[2], KEYS[1]
local f = redis.call('HMGET', run, 'state', 'out', 'shards_total', 'max_errors', 'failed', 'max_device_ms', 'device_ms')
if not ENDED[f[1]] or f[1] == 'succeeded' then return 0 end
for _, known in ipairs(redis.call('HVALS', of(id, 'exports'))) do
  if cjson.decode(known).state == 'making' then return -1 end
end
if f[4] ~= '' and tonumber(f[5]) > tonumber(f[4]) or f[6] ~= '' and tonumber(f[7]) > tonumber(f[6]) then return -2 end
if f[2] ~= '' and redis.call('HSETNX', KEYS[4], f[2], id) == 0 then return -3 end
redis.call('HDEL', run, 'ended_at', 'finished_at', 'expires_at', 'rate', 'rate_at')
redis.call('HSET', run, 'error', '', 'in_flight', 0)
redis.call('DEL', of(id, 'faults'))
redis.call('ZREM', KEYS[5], id)
redis.call('SADD', KEYS[6], id)
if ARGV[6] ~= '' then redis.call('ZADD', KEYS[7], text(now_ms() + ARGV[6]), id) end
if ARGV[3] ~= '' then
  redis.call('HSET', run, 'token', ARGV[3], 'key_id', ARGV[4])
  redis.call('HSET', KEYS[2], ARGV[4], ARGV[5])
end
if not f[3] then
  redis.call('HSET', run, 'state', 'queued')
  offer(id, 'plan')
else
  redis.call('HSET', run, 'state', 'running')
  local sampling = redis.call('HGET', run, 'sampling') == '1'
  if redis.call('HGET', run, 'following') == '1' then
    redis.call('DEL', of(id, 'exports')) -- rows are to come that they lack
    offer(id, 'follow')
  end
  for _, n in ipairs(redis.call('HKEYS', of(id, 'shards'))) do
    local record = cjson.decode(redis.call('HGET', of(id, 'shards'), n))
    if record.state ~= 'done' then
      -- Jobs that were canceled with the run are not those that it sends now.
      record.in_flight, record.retried = 0, (record.retried or 0) + 1
      redis.call('HSET', of(id, 'shards'), n, cjson.encode(record))
      if n == '0' or not sampling then offer(id, 'shard/' .. n) end
    end
  end
  go_on(id)
end
wake(KEYS[3], ARGV[7])
tell_run(id)
return 1
