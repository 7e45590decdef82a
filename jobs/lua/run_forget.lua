#!lua flags=allow-oom
-- run_forget: take an ended run out of the books; its blobs are a run worker's to remove.
-- KEYS 1 run, 2 expiring (runs), 3 removing, 4.. indexes (that it is in)
-- ARGV 1 prefix, 2 id, 3 expired_only ('1': only if its time is over)
-- Returns 1 if it was there, 0 for an unknown id or one whose time is not over, -1 for one that has not ended.
local state = redis.call('HGET', KEYS[1], 'state')
if not state or ARGV[3] == '1' and not expired(KEYS[2], ARGV[2], 0) then return 0 end
if not ENDED[state] then return -1 end
drop_steps(ARGV[2]) -- somebody may be making an export of it
drop_key(ARGV[2])
for i = 4, #KEYS do redis.call('ZREM', KEYS[i], ARGV[2]) end
redis.call('ZREM', KEYS[2], ARGV[2])
for _, part in ipairs({'shards', 'owners', 'attempts', 'faults', 'segments', 'labels', 'scores', 'errors', 'exports',
  'paces', 'asked', 'left', 'waits'}) do
  redis.call('DEL', of(ARGV[2], part))
end
redis.call('DEL', KEYS[1])
redis.call('ZADD', KEYS[3], text(now_ms()), ARGV[2])
tell_run(ARGV[2])
return 1
