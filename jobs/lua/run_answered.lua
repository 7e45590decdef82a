#!lua flags=allow-oom
-- run_answered: every row of a shard has its answer or its error, and all of that is in the store; the owner's alone.
-- KEYS 1 run, 2 shards, 3 queue (Celery's)
-- ARGV 1 prefix, 2 id, 3 number (the shard's), 4 owner, 5 segment (names of the last), 6 more (of the record, JSON: counts, rows,
--      what is in the store), 7 labels (JSON: label -> count), 8 scores, 9 errors, 10 ticket
-- Returns whether it was the owner's.
local id, step = ARGV[2], 'shard/' .. ARGV[3]
if not owns(id, step, ARGV[4]) then return 0 end
let_go(id, step)
list_segments(id, ARGV[3], ARGV[5])
local record, more = cjson.decode(redis.call('HGET', KEYS[2], ARGV[3])), cjson.decode(ARGV[6])
count_shard(id, record, more)
for name, value in pairs(more) do record[name] = value end
record.state = 'done'
redis.call('HSET', KEYS[2], ARGV[3], cjson.encode(record))
end_pace(id, ARGV[3], record, now_ms())
add_counts(of(id, 'labels'), cjson.decode(ARGV[7]), MOST_LABELS)
add_counts(of(id, 'scores'), cjson.decode(ARGV[8]), MOST_LABELS)
add_counts(of(id, 'errors'), cjson.decode(ARGV[9]), MOST_LABELS)
redis.call('HINCRBY', KEYS[1], 'shards_done', 1)
local state = redis.call('HGET', KEYS[1], 'state')
if not past_limits(id) then
  if state == 'paused' then
    redis.call('HSET', KEYS[1], 'before', 'running')
  else
    go_on(id)
  end
  wake(KEYS[3], ARGV[10])
end
tell_run(id)
return 1
