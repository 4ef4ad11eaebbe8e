-- ask: pause or cancel. A running job gets the wish, which its worker reads at the next renewal; others
-- change at once.
-- writes  job:<id>  state:*  ready:*  delayed  bells
-- ARGV: id, wish, state to go to, '1' where that is final   Returns {'ok'|'refused'|'gone', state}.
local id, wish, to, final = ARGV[1], ARGV[2], ARGV[3], ARGV[4] == '1'
local state = get(id, 'state')
if state == '' then return {'gone'} end
if state == 'running' then
  if wish == 'pause' and get(id, 'wish') == 'cancel' then return {'refused', state} end
  set(id, 'wish', wish, 'updated', stamp(now()))
elseif state == 'queued' or state == 'held' or (state == 'paused' and final) then
  park(id, to, final)
  set(id, 'reason', to)
elseif state ~= to then
  return {'refused', state}
end
return {'ok', state}
