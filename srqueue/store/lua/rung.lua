-- rung: what a job's validation at one of its rungs found.
-- writes  rungs:<id>
-- ARGV: id, token ('' from its history), iteration, metrics (JSON)   Returns {standing}.
local id = ARGV[1]
local how = 'ok'
if ARGV[2] ~= '' then how = standing(id, ARGV[2])
elseif get(id, 'state') == '' then how = 'gone' end
if how == 'ok' then redis.call('HSET', P .. 'rungs:' .. id, ARGV[3], ARGV[4]) end
return {how}
