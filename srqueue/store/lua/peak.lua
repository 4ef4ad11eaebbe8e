-- peak: an attempt has measured what GPU memory the job takes: the next one gets no smaller card.
-- writes  job:<id>
-- ARGV: id, token, bytes   Returns {standing}.
local id, how = ARGV[1], standing(ARGV[1], ARGV[2])
if how == 'ok' and tonumber(ARGV[3]) > number_of(id, 'peak') then
  set(id, 'peak', ARGV[3])
  set(id, 'lot', lot_of(id))
end
return {how}
