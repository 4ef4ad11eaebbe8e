-- postpone: a claim is undone, since the windows of the job are closed, or it is left to a faster worker; at `at`
-- it is ready by itself.
-- writes  job:<id>  attempts:<id>  leases  state:*  ready:*  opening  bells
-- ARGV: id, token, at (UTC s), message, until when it is left at the longest ('' a window)   Returns {standing}.
local id = ARGV[1]
local how = standing(id, ARGV[2])
if how ~= 'ok' then return {how} end
redis.call('ZREM', P .. 'leases', id)
redis.call('RPOP', attempts(id))
redis.call('HINCRBY', job(id), 'token', -1)
if redis.call('HINCRBY', job(id), 'attempts', -1) == 0 then redis.call('HDEL', job(id), 'started') end
if (ARGV[5] or '') ~= '' then set(id, 'left_until', ARGV[5]) end
set(id, 'owner', '', 'message', ARGV[4], 'yielded_at', number_of(id, 'yields') > 0 and stamp(now()) or '')
wait_until(id, ARGV[3])
return {'ok'}
