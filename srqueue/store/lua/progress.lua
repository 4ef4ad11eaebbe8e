-- progress: where the training stands.
-- writes  job:<id>
-- ARGV: id, token, iteration, progress (JSON)   Returns {standing}.
local how = standing(ARGV[1], ARGV[2])
if how == 'ok' then
  set(ARGV[1], 'iteration', ARGV[3], 'progress', ARGV[4], 'updated', stamp(now()))
end
return {how}
