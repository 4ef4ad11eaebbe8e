-- drain: a worker is asked to end; it reads that with its next announcement, where it lives.
-- writes  drain:<name>
-- ARGV: worker, how, seconds until nobody remembers   Returns {when}.
-- Microseconds, for a request may follow an announcement at once.
local key, at = P .. 'drain:' .. ARGV[1], string.format('%.6f', now())
redis.call('HSET', key, 'at', at, 'how', ARGV[2])
redis.call('EXPIRE', key, ARGV[3])
return {at}
