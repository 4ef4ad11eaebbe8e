-- raise_token: the run folder has seen higher tokens than Redis (it lost its newest second), so mine grows.
-- Said twice (an answer was lost) it grows once.
-- writes  job:<id>  attempts:<id>
-- ARGV: id, token, new token   Returns {standing}.
local id, token, new = ARGV[1], ARGV[2], ARGV[3]
if get(id, 'token') == new and get(id, 'raised_from') == token then return {(standing(id, new))} end
local how = standing(id, token)
if how == 'ok' and tonumber(new) > tonumber(token) then
  set(id, 'token', new, 'raised_from', token)
  note_attempt(id, function(attempt) attempt.token = tonumber(new) end)
end
return {how}
