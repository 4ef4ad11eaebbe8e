-- defer: the run folder holds an attempt that Redis has forgotten, as it went back to older data, and its owner
-- may be alive. The claim is undone; within the seconds the owner can take the record over (see restore),
-- then the job is ready again and is not deferred for that attempt once more.
-- writes  job:<id>  attempts:<id>  leases  state:*  ready:*  delayed  bells
-- ARGV: id, token, newest token in the run folder, seconds, message
-- Returns {standing}, or {'known'} where it was deferred for that attempt before.
local id, newest = ARGV[1], ARGV[3]
local how = standing(id, ARGV[2])
if how ~= 'ok' then return {how} end
if get(id, 'deferred') == newest then return {'known'} end
redis.call('ZREM', P .. 'leases', id)
redis.call('RPOP', attempts(id))
redis.call('HINCRBY', job(id), 'token', -1)
redis.call('HINCRBY', job(id), 'attempts', -1)
set(id, 'owner', '', 'deferred', newest, 'message', ARGV[5])
delay(id, 'queued', tonumber(ARGV[4]))
return {'ok'}
