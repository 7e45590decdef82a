#!lua
-- celery_revoke: the job of a Celery task; where there is none yet, note that none shall run.
-- KEYS 1 task
-- ARGV 1 prefix, 2 ttl_s
-- Returns the job's id, '' for none.
local id = redis.call('GET', KEYS[1])
if id and id ~= '' and redis.call('EXISTS', key('job', id)) == 1 then return id end
redis.call('SET', KEYS[1], '', 'EX', ARGV[2])
return ''
