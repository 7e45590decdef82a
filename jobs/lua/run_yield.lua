#!lua flags=allow-oom
-- run_yield: leave a step to others than its owner; the owner's alone.
-- KEYS 1 queue (Celery's)
-- ARGV 1 prefix, 2 id, 3 step, 4 owner, 5 ticket
-- Returns whether it was the owner's.
if not owns(ARGV[2], ARGV[3], ARGV[4]) then return 0 end
pass_on(ARGV[2], ARGV[3], ARGV[4], now_ms())
wake(KEYS[1], ARGV[5])
tell_run(ARGV[2])
return 1
