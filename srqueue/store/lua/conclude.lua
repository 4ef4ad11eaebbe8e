-- conclude: the budget of a campaign is spent. Its running jobs get the wish `finish`: they end with their best
-- weights. So do queued ones that have a checkpoint; the others are held by the campaign again.
-- writes  job:<id>  state:*  campaign:*  ready:*  bells
-- ARGV: name, message, id...   Jobs that another campaign, or nobody, made first are left alone.
-- Returns {id, device class, ...} of queued ones to ring for.
local name, message, bells = ARGV[1], ARGV[2], {}
for i = 3, #ARGV do
  local id = ARGV[i]
  local state, wish = get(id, 'state'), get(id, 'wish')
  local maker = get(id, 'maker')
  if maker == '' then maker = string.match(get(id, 'campaigns'), '^[^,]+') end
  local own = maker == name and stage_of(id, name)
  if own and wish ~= 'cancel' and wish ~= 'pause' and wish ~= 'finish' then
    if state == 'running' then
      set(id, 'wish', 'finish', 'finishing', message, 'updated', stamp(now()), 'yields_to', '', 'preempted_by', '')
    elseif state == 'queued' and get(id, 'seq') ~= '' then
      set(id, 'wish', 'finish', 'finishing', message, 'message', message)
      make_ready(id, '1')
      table.insert(bells, id)
      table.insert(bells, get(id, 'device_class'))
    elseif state == 'queued' then
      unqueue(id)
      set(id, 'message', message)
      keep(id, name, '')
    end
  end
end
return bells
