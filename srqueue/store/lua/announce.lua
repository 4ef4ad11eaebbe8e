-- announce: a worker is there, for `seconds`.
-- writes  workers  worker:<name>
-- ARGV: name, seconds, field, value, ...
local name, at = ARGV[1], now()
redis.call('HSET', P .. 'worker:' .. name, 'name', name, unpack(ARGV, 3))
redis.call('HSETNX', P .. 'worker:' .. name, 'since', stamp(at))
redis.call('PEXPIRE', P .. 'worker:' .. name, math.ceil(tonumber(ARGV[2]) * 1000))
redis.call('ZADD', P .. 'workers', stamp(at + tonumber(ARGV[2])), name)
redis.call('ZREMRANGEBYSCORE', P .. 'workers', '-inf', stamp(at))
return {}
