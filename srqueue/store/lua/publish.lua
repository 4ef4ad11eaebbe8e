-- publish: a durable checkpoint becomes the job's newest. (token, seq) only grows: an attempt that fell back
-- from a damaged checkpoint numbers its own from an earlier seq.
-- writes  job:<id>
-- ARGV: id, token, seq, iteration   Returns {standing}.
local id, token, seq = ARGV[1], ARGV[2], tonumber(ARGV[3])
local how = standing(id, token)
if how == 'ok' and is_newer(id, token, seq) then
  set_published(id, token, seq, ARGV[4])
  set(id, 'failures', 0, 'updated', stamp(now()))
end
return {how}
