-- Stands behind prelude.lua, before the scripts that choose who begins: which lots a worker can take, and whose
-- turn it is. The same as `fits` in offers.py.

local function as_set(list)
  local found = {}
  for _, one in ipairs(list or {}) do found[one] = true end
  return found
end

local known_offers = {}

-- An offer (JSON); nil for '': a worker of the version before, which knows no lots.
local function read_offer(text)
  if text == '' then return nil end
  if not known_offers[text] then
    local raw = cjson.decode(text)
    local host = string.lower(raw.host or '')
    known_offers[text] = {
      memory = raw.memory or 0, gpus = raw.gpus or 0, capability = raw.capability or 0,
      features = as_set(raw.features), labels = as_set(raw.labels),
      hosts = as_set({host, string.match(host, '^[^.]+')}), fits = {['']= true},
    }
  end
  return known_offers[text]
end

local function has(offer, letter, value)
  if letter == 'm' then return tonumber(value) <= offer.memory end
  if letter == 'p' then return offer.memory == 0 or tonumber(value) <= offer.memory end
  if letter == 'g' then return tonumber(value) <= offer.gpus end
  if letter == 'c' then return tonumber(value) <= offer.capability end
  if letter == 'f' then return offer.features[value] == true end
  if letter == 'h' then return offer.hosts[value] == true end
  if letter == 'l' then return offer.labels[value] == true end
  return letter == 'u' or letter == 'k'
end

local function fits(offer, lot)
  if not offer then return lot == '' end
  if offer.fits[lot] == nil then
    local found = true
    for letter, value in string.gmatch(lot, '(%a)=([^;]+)') do found = found and has(offer, letter, value) end
    offer.fits[lot] = found
  end
  return offer.fits[lot]
end

-- The lots of which there are ready jobs of a class under a root, the empty one among them.
local function lots_of(class, root)
  local found = redis.call('SMEMBERS', P .. 'lots:' .. class .. ':' .. root)
  table.insert(found, '')
  return found
end

-- Those workers that go on taking jobs, by name.
local function going_on()
  local workers = {}
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', P .. 'workers', stamp(now()), '+inf')) do
    local known = redis.call('HMGET', P .. 'worker:' .. name, 'classes', 'root_id', 'draining', 'yielding', 'remote_id', 'offer', 'slots')
    if known[1] and (known[3] or '') == '' and (known[4] or '') == '' then
      workers[name] = {classes = {}, root = known[2] or '', remote = known[5] or '', free = tonumber(known[7]) or 1,
        offer = read_offer(known[6] or '')}
      for class in string.gmatch(known[1], '[^,]+') do workers[name].classes[class] = true end
    end
  end
  return workers
end

local function reaches(worker, class, root)
  return worker.classes[class] and (root == '-' or root == worker.root or root == worker.remote)
end

local first_user, limits, shares = nil, nil, {}

-- (user, campaign) with whom jobs of a lot share.
local function share_of(lot)
  first_user = first_user or redis.call('GET', P .. 'first-user') or ''
  return string.match(';' .. lot, ';u=([^;]+)') or first_user, string.match(';' .. lot, ';k=([^;]+)') or ''
end

-- What counts for whose turn it is: jobs that run and seconds trained lately, of user and campaign.
local function turn_of(lot)
  local user, campaign = share_of(lot)
  local name = user .. '/' .. campaign
  if not shares[name] then
    shares[name] = {
      redis.call('SCARD', P .. 'user:' .. user .. ':running'), used(user),
      campaign == '' and 0 or redis.call('ZCARD', campaign_key(campaign, 'running')),
      campaign == '' and 0 or used(name),
    }
  end
  return shares[name]
end

-- Whether its user may have no more jobs running.
local function is_at_its_quota(lot)
  if limits == nil then limits = redis.call('EXISTS', P .. 'quota:running') == 1 end
  if not limits then return false end
  local user = share_of(lot)
  local most = tonumber(redis.call('HGET', P .. 'quota:running', user) or '')
  return most ~= nil and redis.call('SCARD', P .. 'user:' .. user .. ':running') >= most
end
