-- events: lines of the attempt go to the job's stream. Redis notes up to which byte of the attempt's file it was
-- told: where the lines begin elsewhere (an answer was lost, or Redis went back to older data) it takes none and
-- says where to begin. Without a token: lines of a job that was restored from its run folder.
-- A stream of more than 3/2 `bound` lines is thinned to `bound`: the newest quarter stays as it is; what is
-- older keeps its first line of a kind and then those whose iteration is larger by a share, so that the curve is whole
-- from its first iteration on. What stays keeps its position, and readers go on behind theirs.
-- reads   job:<id>
-- writes  job:<id>  events:<id>
-- ARGV: id, token (''), bound, first byte ('' unknown), byte after the last, line...
-- Returns {standing} or {'elsewhere', first byte}.
local id, token, bound, first = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local stream = P .. 'events:' .. id

local SHARE = 0.01  -- of the iteration, between two lines; doubled until the lines fit
-- The round in which a kind is thinned for the first time, where the rounds before were not enough.
local ROUND, ROUNDS = {train = 1, checkpoint = 2, resource = 2, val = 3, message = 4}, 14
local OTHERS = 5  -- action, phase, fingerprint

-- The places of those among the first `old` entries that a round leaves. An iteration that fell (the training went
-- back) begins anew.
local function left_by(round, kinds, iterations, old)
  local left, last = {}, {}
  for i = 1, old do
    local kind, it = kinds[i], iterations[i]
    local begins = ROUND[kind] or OTHERS
    local share, before = SHARE * 2 ^ (round - begins), last[kind]
    if round < begins or not before or it < before or it >= math.max(before, 1) * (1 + share) then
      last[kind] = it
      table.insert(left, i)
    end
  end
  return left
end

local function thin()
  local entries = redis.call('XRANGE', stream, '-', '+')
  local old, kinds, iterations = #entries - math.floor(bound / 4), {}, {}
  for i = 1, old do
    local line = entries[i][2][2]
    kinds[i] = string.match(line, '"kind": ?"(%a+)"') or ''
    iterations[i] = tonumber(string.match(line, '"it": ?(%d+)')) or 0
  end
  local room, left = bound - (#entries - old), nil
  for round = 1, ROUNDS do
    left = left_by(round, kinds, iterations, old)
    if #left <= room then break end
  end
  redis.call('DEL', stream)
  local function keep(i) redis.call('XADD', stream, entries[i][1], 'line', entries[i][2][2]) end
  for place, i in ipairs(left) do
    if place == 1 or place > #left - room + 1 then keep(i) end
  end
  for i = old + 1, #entries do keep(i) end
end

local how = 'ok'
if token == '' then
  if get(id, 'state') == '' then return {'gone'} end
else
  how = standing(id, token)
  if how ~= 'ok' then return {how} end
  local told = get(id, 'told_token') == token and get(id, 'told') or '0'
  if first ~= '' and first ~= told then return {'elsewhere', told} end
end
for i = 6, #ARGV do redis.call('XADD', stream, '*', 'line', ARGV[i]) end
if token ~= '' and first ~= '' then set(id, 'told', ARGV[5], 'told_token', token) end
if redis.call('XLEN', stream) > bound * 3 / 2 then thin() end
return {how}
