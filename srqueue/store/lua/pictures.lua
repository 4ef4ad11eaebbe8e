-- pictures: the newest validation pictures of a job, for a while; of so many jobs at most.
-- What never changes of them is sent once: where Redis has other crops, or none, all are asked for.
-- writes  pictures:<id>  pictures (zset: ids by the time of their last pictures)
-- ARGV: id, token, crops (JSON), iteration, whether these are all images, seconds, most jobs, field, PNG, ...
-- Returns {standing, 'taken' | 'incomplete'}.
local id, key, all = ARGV[1], P .. 'pictures:' .. ARGV[1], P .. 'pictures'
local how = standing(id, ARGV[2])
if how ~= 'ok' then return {how} end
if redis.call('HGET', key, 'crops') ~= ARGV[3] or ARGV[5] == '1' then
  if ARGV[5] ~= '1' then return {how, 'incomplete'} end
  redis.call('DEL', key)
end
redis.call('HSET', key, 'crops', ARGV[3], 'iteration', ARGV[4], unpack(ARGV, 8))
redis.call('EXPIRE', key, ARGV[6])
redis.call('ZADD', all, stamp(now()), id)
redis.call('ZREMRANGEBYSCORE', all, '-inf', stamp(now() - tonumber(ARGV[6])))
local beyond = redis.call('ZCARD', all) - tonumber(ARGV[7])
if beyond > 0 then
  for _, old in ipairs(redis.call('ZRANGE', all, 0, beyond - 1)) do
    redis.call('DEL', P .. 'pictures:' .. old)
    redis.call('ZREM', all, old)
  end
end
return {how, 'taken'}
