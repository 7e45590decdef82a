#!lua flags=allow-oom
-- run_release: give a step back for another to take; the owner's alone.
-- KEYS 1 run, 2 leases, 3 queue (Celery's)
-- ARGV 1 prefix, 2 id, 3 step, 4 owner, 5 pause_ms (before it may be taken), 6 fault ('1': of ours), 7 ticket,
--      8 waits (what it waits for; '' nothing)
-- Returns whether it was the owner's.
local id, step = ARGV[2], ARGV[3]
if not owns(id, step, ARGV[4]) then return 0 end
local state = redis.call('HGET', KEYS[1], 'state')
let_go(id, step)
if ARGV[8] ~= '' then note_wait(id, step, ARGV[8]) end
if ARGV[6] == '1' and redis.call('HINCRBY', of(id, 'faults'), step, 1) > MOST_FAULTS then
  give_up(id, step, state, encoded('internal_error', 'internal error'))
elseif not may(step, state) then
  redis.call('ZADD', of(id, 'ready'), order(step), step)
elseif tonumber(ARGV[5]) > 0 then
  redis.call('ZADD', KEYS[2], text(now_ms() + tonumber(ARGV[5])), lease_of(id, step))
else
  offer(id, step)
  wake(KEYS[3], ARGV[7])
end
tell_run(id)
return 1
