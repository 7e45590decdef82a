#!lua flags=allow-oom
-- run_steal: a run worker is free and no step waits: have the shard that is furthest behind left to others. Its owner is
-- asked to, and has it taken away where it does not hear.
-- KEYS 1 leases, 2 ready (runs), 3 queue (Celery's)
-- ARGV 1 prefix, 2 worker (that is free), 3 least_ms (to be gained), 4 patience_ms (for who is asked), 5 ticket
-- Returns the run's id, the step and what was done (asked, taken); false for nothing.
local ms = now_ms()
if redis.call('EXISTS', KEYS[2]) == 1 or redis.call('ZCOUNT', KEYS[1], '-inf', text(ms)) > 0 then return false end
local most, id, step, owner = 0, nil, nil, nil
for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, 999)) do
  local run, name = string.match(member, '^(%S+) (shard/%d+)$')
  local who = run and redis.call('HGET', of(run, 'owners'), name)
  if who and string.match(who, '^(.*)|') ~= ARGV[2] and redis.call('HGET', key('run', run), 'state') == 'running' then
    local _, names = who_left(run, name)
    local _, times = string.gsub(names, '\n', '')
    local behind = times <= MOST_LEFT and not has_left(names, ARGV[2])
      and behind_ms(run, string.sub(name, 7), tonumber(ARGV[3]), ms) or 0
    if behind > most then most, id, step, owner = behind, run, name, who end
  end
end
if not id then return false end
local since, asked = string.match(redis.call('HGET', of(id, 'asked'), step) or '', '^(%d+) (.*)$')
if asked ~= owner then
  redis.call('HSET', of(id, 'asked'), step, text(ms) .. ' ' .. owner)
  return {id, step, 'asked'}
end
if ms - since < tonumber(ARGV[4]) then return false end
pass_on(id, step, owner, ms)
wake(KEYS[3], ARGV[5])
tell_run(id)
return {id, step, 'taken'}
