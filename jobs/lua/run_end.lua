#!lua flags=allow-oom
-- run_end: a run ends: its output is there, or it cannot go on; the owner's of the step alone.
-- KEYS 1 run
-- ARGV 1 prefix, 2 id, 3 step, 4 owner, 5 state, 6 error (JSON; '' none), 7 output (JSON; '' none), 8 notes (JSON),
--      9 summary (JSON; '' none), 10 counts (JSON: rows, failed, labels, scores, errors as they are in the
--      output; '' as the shards told)
-- Returns whether it was the owner's.
local id = ARGV[2]
if not owns(id, ARGV[3], ARGV[4]) then return 0 end
redis.call('HSET', KEYS[1], 'output', ARGV[7], 'notes', ARGV[8], 'summary', ARGV[9])
if ARGV[10] ~= '' then
  local counts = cjson.decode(ARGV[10])
  redis.call('HSET', KEYS[1], 'rows_total', counts.rows, 'failed', counts.failed)
  for _, part in ipairs({'labels', 'scores', 'errors'}) do
    redis.call('DEL', of(id, part))
    add_counts(of(id, part), counts[part], MOST_LABELS)
  end
end
end_run(id, ARGV[5], ARGV[6])
tell_run(id)
return 1
