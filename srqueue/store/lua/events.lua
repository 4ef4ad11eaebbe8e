-- events: lines of the attempt go to the job's stream, of which about the newest `bound` are kept.
-- reads   job:<id>
-- writes  events:<id>
-- ARGV: id, token, bound, line...   Returns {standing}.
local how = standing(ARGV[1], ARGV[2])
if how == 'ok' then
  for i = 4, #ARGV do
    redis.call('XADD', P .. 'events:' .. ARGV[1], 'MAXLEN', '~', ARGV[3], '*', 'line', ARGV[i])
  end
end
return {how}
