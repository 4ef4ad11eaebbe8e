-- ask: pause or cancel. A running job gets the wish, which its worker reads at the next renewal; it stands
-- above one to give way. A job that
-- has a checkpoint is cancelled by a worker, which exports its best weights; asked again, and where nothing
-- was ever saved, it is cancelled at once. Others change at once.
-- writes  job:<id>  state:*  ready:*  delayed  bells
-- ARGV: id, wish, state to go to, '1' where that is final, its text, text of a job to be exported first
-- Returns {'ok'|'refused'|'gone', state}.
local id, wish, to, final = ARGV[1], ARGV[2], ARGV[3], ARGV[4] == '1'
local state, before = get(id, 'state'), get(id, 'wish')
if state == '' then return {'gone'} end
if wish == 'pause' and before == 'cancel' then return {'refused', state} end
if state == 'running' then
  set(id, 'wish', wish, 'updated', stamp(now()), 'yields_to', '', 'preempted_by', '')
elseif state == 'queued' or state == 'held' or (state == 'paused' and final) then
  if wish == 'cancel' and before ~= 'cancel' and get(id, 'seq') ~= '' then
    set(id, 'reason', '')
    export_first(id, ARGV[6])
  else
    park(id, to, final)
    set(id, 'reason', to, 'message', ARGV[5])
  end
elseif state == to and get(id, 'reason') == 'rung' and get(id, 'stopped') == '' then
  park(id, to, final)  -- no search takes it on, until it is resumed
  set(id, 'reason', to, 'message', ARGV[5])
elseif state ~= to then
  return {'refused', state}
end
return {'ok', state}
