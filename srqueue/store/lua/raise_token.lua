-- raise_token: the run folder has seen higher tokens than Redis (it lost its newest second), so mine grows.
-- writes  job:<id>
-- ARGV: id, token, new token   Returns {standing}.
local id, token, new = ARGV[1], ARGV[2], tonumber(ARGV[3])
local how = standing(id, token)
if how == 'ok' and new > tonumber(token) then set(id, 'token', new) end
return {how}
