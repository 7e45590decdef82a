#!lua flags=no-writes,allow-oom
-- model_counts: what some models have done, for metrics.
-- KEYS 1.. models: stats ends took
-- ARGV 1 prefix
-- Returns for each {the fields below, of stats}, {how others than good ones ended, how many, ...}, {step, jobs, ...}.
local out = {}
for i = 1, #KEYS, 3 do
  out[#out + 1] = redis.call('HMGET', KEYS[i], 'success_count', 'inference_count', 'execution_count', 'capacity',
    'success_us', 'queue_us', 'input_us', 'compute_us', 'output_us', 'device_us')
  out[#out + 1] = redis.call('HGETALL', KEYS[i + 1])
  out[#out + 1] = redis.call('HGETALL', KEYS[i + 2])
end
return out
