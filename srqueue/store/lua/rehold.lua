-- rehold: failed or cancelled cells of a campaign are held by it once more, to be let go as the others are; so are
-- those that ended because its budget was spent.
-- writes  job:<id>  state:*  campaign:*  followers:*
-- ARGV: name, id...   Returns the ids that are.
local name, answer = ARGV[1], {}
for i = 2, #ARGV do
  local id = ARGV[i]
  local state, cut = get(id, 'state'), 'campaign ' .. name .. ': '
  local spent = state == 'succeeded' and get(id, 'reason') == 'budget_spent' and string.sub(get(id, 'message'), 1, #cut) == cut
  if state == 'failed' or state == 'cancelled' or spent then
    set(id, 'failures', 0, 'reason', '', 'message', '', 'wish', '', 'reaped', '', 'finished', '')
    keep(id, name, get(id, 'after'))
    table.insert(answer, id)
  end
end
return answer
