-- announce: a worker is there, for `seconds` (0: it ends by itself); it learns whether it is to end.
-- reads   drain:<name>
-- writes  schema  workers  worker:<name>  left
-- ARGV: name, seconds, field, value, ...   Returns {now, when it was asked to end, how}, the last two if it was.
local name, at = ARGV[1], now()
note_schema()
redis.call('HSET', P .. 'worker:' .. name, 'name', name, unpack(ARGV, 3))
redis.call('HSETNX', P .. 'worker:' .. name, 'since', stamp(at))
redis.call('PEXPIRE', P .. 'worker:' .. name, math.ceil(tonumber(ARGV[2]) * 1000))
redis.call('ZADD', P .. 'workers', stamp(at + tonumber(ARGV[2])), name)
redis.call('ZREMRANGEBYSCORE', P .. 'workers', '-inf', stamp(at))
if tonumber(ARGV[2]) > 0 then
  redis.call('ZREM', P .. 'left', name)
else
  redis.call('ZADD', P .. 'left', stamp(at), name)
  redis.call('ZREMRANGEBYSCORE', P .. 'left', '-inf', stamp(at - 3600))
end
local asked = redis.call('HMGET', P .. 'drain:' .. name, 'at', 'how')
return {string.format('%.6f', at), asked[1], asked[2]}
