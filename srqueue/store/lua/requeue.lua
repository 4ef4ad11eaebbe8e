-- requeue: resume or retry. Failures are counted anew.
-- writes  job:<id>  state:*  ready:*  delayed  bells
-- ARGV: id, state it may come from...   A running job that may come from 'paused' loses its wish to pause.
-- Returns {'ok'|'refused'|'gone', state}.
local id, state = ARGV[1], get(ARGV[1], 'state')
if state == '' then return {'gone'} end
for i = 2, #ARGV do
  if state == ARGV[i] then
    set(id, 'failures', 0, 'reason', '', 'message', '', 'wish', '', 'reaped', '')
    make_ready(id, '0')
    return {'ok', state}
  end
  if ARGV[i] == 'paused' and state == 'running' and get(id, 'wish') == 'pause' then
    set(id, 'wish', '', 'updated', stamp(now()))
    return {'ok', state}
  end
end
return {'refused', state}
