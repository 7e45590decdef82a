#!lua flags=allow-oom
-- run_exported: an export is made, or cannot be; the owner's alone.
-- KEYS none
-- ARGV 1 prefix, 2 id, 3 format, 4 owner, 5 made (JSON)
-- Returns whether it was the owner's.
local step = 'export/' .. ARGV[3]
if not owns(ARGV[2], step, ARGV[4]) then return 0 end
let_go(ARGV[2], step)
redis.call('HDEL', of(ARGV[2], 'faults'), step)
note_wait(ARGV[2], step, '')
end_export(ARGV[2], ARGV[3], ARGV[5])
tell_run(ARGV[2])
return 1
