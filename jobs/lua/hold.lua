#!lua
-- hold: hold names that a client gave for the jobs of one Redis of the fleet's, home being the judge.
-- KEYS 1.. names
-- ARGV 1 prefix, 2 holder, 3 ttl_s
-- Returns who holds one of them already, or '': then all are held, from now on.
for i = 1, #KEYS do
  local held = redis.call('GET', KEYS[i])
  if held and held ~= ARGV[2] then return held end
end
for i = 1, #KEYS do redis.call('SET', KEYS[i], ARGV[2], 'EX', ARGV[3]) end
return ''
