#!lua
-- webhook_retry: deliver given-up webhooks after all, from the beginning: of some jobs, or all.
-- KEYS 1 due, 2 failed
-- ARGV 1 prefix, 2.. ids (of jobs; none: all)
-- Returns how many there were.
local wanted, count, ms = {}, 0, now_ms()
for i = 2, #ARGV do wanted[ARGV[i]] = true end
for _, name in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  local id = string.gsub(string.match(name, '|(.*)'), '^run\t', '')
  if #ARGV == 1 or wanted[id] then
    redis.call('ZREM', KEYS[2], name)
    local webhook = key('webhook', name)
    if redis.call('PERSIST', webhook) == 1 then
      redis.call('HSET', webhook, 'since', text(ms), 'tries', 0)
      redis.call('ZADD', KEYS[1], text(ms), name)
      count = count + 1
    end
  end
end
return count
