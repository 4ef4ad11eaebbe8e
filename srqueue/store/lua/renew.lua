-- renew: the lease lasts longer; tells the wish. A lease that ran out while nobody claimed the job is taken
-- back: a healthy run is not ended because Redis was away.
-- writes  seen  job:<id>  leases  (and, taken back, attempts:<id>  state:*  ready:*  delayed  bells)
-- ARGV: id, token, lease (s), when the caller claimed ('' unknown)   Returns {standing, wish}.
local id, token, lease = ARGV[1], ARGV[2], tonumber(ARGV[3])
note(lease)
local how = twin(id, token, ARGV[4]) or standing(id, token)
if how ~= 'ok' and how ~= 'reaped' then return {how} end
if how == 'reaped' then
  unqueue(id)
  move(id, 'running')
  set(id, 'owner', get(id, 'last_owner'), 'failures', get(id, 'reaped'), 'front', '0')
  set(id, 'reason', '', 'message', '', 'reaped', '', 'finished', '')
  reopen_attempt(id)
end
hold(id, lease)
return {'ok', get(id, 'wish')}
