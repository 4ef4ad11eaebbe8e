-- rehold: failed or cancelled cells of a campaign are held by it once more, to be let go as the others are; so are
-- those that ended because its budget was spent.
-- writes  job:<id>  state:*  campaign:*  followers:*
-- Where a user would have more queued or held than his quota, none is.
-- ARGV: name, id...   Returns the ids that are, or what over_for says.
local name, answer, users = ARGV[1], {}, {}
for i = 2, #ARGV do
  local id = ARGV[i]
  local state, cut = get(id, 'state'), 'campaign ' .. name .. ': '
  local spent = state == 'succeeded' and get(id, 'reason') == 'budget_spent' and string.sub(get(id, 'message'), 1, #cut) == cut
  if state == 'failed' or state == 'cancelled' or spent then
    table.insert(answer, id)
    users[get(id, 'user')] = (users[get(id, 'user')] or 0) + 1
  end
end
for user, number in pairs(users) do
  local over = over_for(user, number)
  if over then return over end
end
for _, id in ipairs(answer) do
  set(id, 'failures', 0, 'reason', '', 'message', '', 'wish', '', 'reaped', '', 'finished', '')
  keep(id, name, get(id, 'after'))
end
return answer
