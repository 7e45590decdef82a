#!lua
-- celery_revoke: the job of a Celery task; where there is none yet, or it is on a family's own Redis, note that none
-- shall run: whoever stores one looks here when it has.
-- KEYS 1 task
-- ARGV 1 prefix, 2 ttl_s
-- Returns the job's id, '' for none.
local id = redis.call('GET', KEYS[1])
if id and string.sub(id, 1, 1) == '!' then return string.sub(id, 2) end
if id and id ~= '' and redis.call('EXISTS', key('job', id)) == 1 then return id end
redis.call('SET', KEYS[1], id and id ~= '' and '!' .. id or '', 'EX', ARGV[2])
return id or ''
