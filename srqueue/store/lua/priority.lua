-- priority: another place among the ready jobs.
-- writes  job:<id>  ready:*
-- ARGV: id, priority   Returns {'ok'|'gone'}.
local id = ARGV[1]
if get(id, 'state') == '' then return {'gone'} end
set(id, 'priority', ARGV[2], 'updated', stamp(now()))
redis.call('ZADD', ready_key(id), 'XX', ready_score(id), id)
return {'ok'}
