-- requeue: resume or retry. Failures are counted anew. A queued job that waits after a failure is ready at
-- once, and one that waits to be cancelled is not cancelled.
-- writes  job:<id>  state:*  ready:*  delayed  bells
-- One that waits or was stopped at a rung of a search goes on to its end.
-- ARGV: id, state it may come from...   A running job that may come from 'paused' loses its wish to pause.
-- Returns {'ok'|'refused'|'gone', state}, or, where its user would have too many queued, what over_for says.
local id, state = ARGV[1], get(ARGV[1], 'state')
if state == '' then return {'gone'} end
local may = state == 'queued' and (get(id, 'not_before') ~= '' or get(id, 'wish') == 'cancel')
for i = 2, #ARGV do
  may = may or state == ARGV[i]
  if ARGV[i] == 'paused' and state == 'running' and get(id, 'wish') == 'pause' then
    set(id, 'wish', '', 'updated', stamp(now()))
    return {'ok', state}
  end
end
if not may then return {'refused', state} end
local over = not WAITS[state] and over_for(get(id, 'user'), 1)
if over then return over end
if state == 'paused' and get(id, 'reason') == 'rung' then set(id, 'until', '') end
if get(id, 'left_until') ~= '' then set(id, 'left_until', stamp(now())) end  -- left no more
set(id, 'failures', 0, 'reason', '', 'message', '', 'wish', '', 'reaped', '')
make_ready(id, '0')
return {'ok', state}
