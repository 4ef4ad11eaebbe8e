-- Stands behind prelude.lua, before the scripts by which a user's jobs come to wait: how many more he may have.

-- (most jobs queued or held that a user may have, how many he has); nil where nothing bounds him.
local function room_of(user)
  local most = tonumber(redis.call('HGET', P .. 'quota:queued', user) or '')
  return most, most and redis.call('SCARD', P .. 'user:' .. user .. ':waiting')
end

-- {'over', user, quota, how many he has, how many were to be added} where that is too many; nil where it is not.
local function over_for(user, number)
  local most, has = room_of(user)
  if most and number > 0 and has + number > most then return {'over', user, most, has, number} end
end

local LOOKED_AT = 100  -- the newest jobs of a spec

-- A job of that spec that a new one of it is joined to, unless it is asked for again; nil where there is none.
local function same(spec_id, campaign)
  for _, other in ipairs(redis.call('ZREVRANGE', P .. 'spec:' .. spec_id, 0, LOOKED_AT - 1)) do
    local state = get(other, 'state')
    if state ~= 'failed' and state ~= 'cancelled' and get(other, 'wish') ~= 'cancel' then return other end
    if campaign ~= '' and redis.call('ZSCORE', P .. 'campaign:' .. campaign, other) then return other end
  end
end

local function is_new(id, spec_id, again, campaign)
  return redis.call('EXISTS', job(id)) == 0 and (again or not same(spec_id, campaign))
end
