#!lua flags=allow-oom
-- reissue: give a group a ticket when none of its own has come to anything.
-- KEYS 1 group, 2 Celery queue
-- ARGV 1 prefix, 2 ticket, 3 patience ms, 4 most tickets outstanding
-- Returns 1 when one was pushed.
local ms = now_ms()
local f = redis.call('HMGET', KEYS[1], 'waiting', 'stamp', 'batch_ms', 'tickets')
if tonumber(f[1] or '0') <= 0 then return 0 end
local patience = tonumber(ARGV[3])
if patience > 0 then patience = math.max(patience, 4 * tonumber(f[3] or '0')) end
if ms - tonumber(f[2] or '0') < patience then return 0 end
local tickets = tonumber(f[4] or '0')
if redis.call('LLEN', KEYS[2]) == 0 then
  -- None is on its way: those counted are lost, or with a worker that has had no thread for them
  -- all this time. One too many costs a millisecond; one that is counted for ever would keep every
  -- later submit from sending any.
  tickets = 0
elseif tickets >= tonumber(ARGV[4]) then
  return 0 -- all still queue up: the workers are busy or gone
end
push_ticket(KEYS[1], KEYS[2], ARGV[2], tickets, ms)
return 1
