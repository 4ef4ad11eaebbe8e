-- room: how many of these jobs are new, for each user who has a quota; nothing is made.
-- reads   quota:queued  user:*  job:<id>  spec:*  campaign:*
-- ARGV: again ('1'), campaign ('' none), then for each job: id, spec_id, user. Of one spec there is one, unless again.
-- Returns {user, quota, how many he has queued or held, how many are to be made, ...}; {} where nobody has a quota.
if redis.call('EXISTS', P .. 'quota:queued') == 0 then return {} end
local wanted, answer = {}, {}
for i = 3, #ARGV, 3 do
  if is_new(ARGV[i], ARGV[i + 1], ARGV[1] == '1', ARGV[2]) then wanted[ARGV[i + 2]] = (wanted[ARGV[i + 2]] or 0) + 1 end
end
for user, number in pairs(wanted) do
  local most, has = room_of(user)
  if most then for _, one in ipairs({user, most, has, number}) do table.insert(answer, one) end end
end
return answer
