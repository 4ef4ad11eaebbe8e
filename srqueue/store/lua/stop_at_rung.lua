-- stop_at_rung: jobs that wait at a rung stay there, for good unless somebody resumes them.
-- writes  job:<id>  campaign:<name>:{stopped, open:<stage>, due}
-- ARGV: name, then id, the rung that it was to train to, message, ...
for i = 2, #ARGV, 3 do
  local id = ARGV[i]
  if get(id, 'state') == 'paused' and get(id, 'reason') == 'rung' and get(id, 'until') == ARGV[i + 1] then
    set(id, 'message', ARGV[i + 2], 'updated', stamp(now()))
    if get(id, 'stopped') == '' then rest(id) end
  end
end
return {}
