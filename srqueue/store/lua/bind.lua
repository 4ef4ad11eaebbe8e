-- bind: the run folder exists, and the job goes on only where it is; and on which machine its owner is.
-- writes  job:<id>  machine:<machine>
-- ARGV: id, token, root id, path of the folder, machine ('' unknown)   Returns {standing}.
local how = standing(ARGV[1], ARGV[2])
if how == 'ok' then
  set(ARGV[1], 'root_id', ARGV[3], 'run_dir', ARGV[4], 'machine', ARGV[5])
  if ARGV[5] ~= '' then
    redis.call('SADD', P .. 'machine:' .. ARGV[5], ARGV[1])
    redis.call('EXPIRE', P .. 'machine:' .. ARGV[5], 30 * 86400)
  end
end
return {how}
