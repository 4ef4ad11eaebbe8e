-- priority: another place among the ready jobs. What one asked another to give way for may be in vain now.
-- writes  job:<id>  ready:*  running
-- ARGV: id, priority   Returns {'ok'|'gone'}.
local id = ARGV[1]
if get(id, 'state') == '' then return {'gone'} end
set(id, 'priority', ARGV[2], 'updated', stamp(now()))
redis.call('ZADD', ready_key(id), 'XX', ready_score(id), id)
redis.call('ZADD', P .. 'running', 'XX', ARGV[2], id)
give_way_only_for_better(id)
if get(id, 'asked') ~= '' then give_way_only_for_better(string.match(get(id, 'asked'), '^%S+')) end
return {'ok'}
