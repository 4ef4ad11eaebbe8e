-- publish: a durable checkpoint becomes the job's newest. seq only grows.
-- writes  job:<id>
-- ARGV: id, token, seq, iteration   Returns {standing}.
local id, token, seq = ARGV[1], ARGV[2], tonumber(ARGV[3])
local how = standing(id, token)
if how == 'ok' and seq > (tonumber(get(id, 'seq')) or -1) then
  set(id, 'seq', seq, 'failures', 0, 'updated', stamp(now()))
end
return {how}
