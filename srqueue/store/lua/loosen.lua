-- loosen: where no GPU has the memory that jobs of a kind are guessed to need, the guess keeps them from none.
-- A bound that was asked for, or was measured of the job itself, stays.
-- reads   workers  worker:<name>  lots:*
-- writes  loosened  job:<id>  ready:*  lots:*
-- ARGV: seconds in which one look is enough, whoever calls; most jobs of a ready set
-- Returns {id, device class, ...} to ring for.
local bells, seen = {}, {}
if not redis.call('SET', P .. 'loosened', '1', 'NX', 'PX', math.ceil(tonumber(ARGV[1]) * 1000)) then return bells end
local workers = going_on()

-- Whether there are GPUs for it, and none has so much; that a CPU would do is no comfort.
local function is_for_no_gpu(class, root, lot)
  local some = false
  for _, worker in pairs(workers) do
    if reaches(worker, class, root) and worker.offer and worker.offer.memory > 0 then
      some = true
      if fits(worker.offer, lot) then return false end
    end
  end
  return some
end

local function let_go_of_guesses(class, root, lot)
  for _, id in ipairs(redis.call('ZRANGE', ready_set(class, root, lot), 0, ARGV[2] - 1)) do
    local known = redis.call('HMGET', job(id), 'guess', 'guess_off', 'gpu_memory', 'peak')
    if (known[1] or '') ~= '' and (known[2] or '') == '' and (known[3] or '') == '' and (known[4] or '') == '' then
      take_out(id)
      set(id, 'guess_off', '1')
      put_in(id)
      table.insert(bells, id)
      table.insert(bells, class)
    end
  end
end

for _, worker in pairs(workers) do
  for class in pairs(worker.classes) do
    for _, root in ipairs({'-', worker.root, worker.remote}) do
      local place = class .. ':' .. root
      for _, lot in ipairs((root == '' or seen[place]) and {} or lots_of(class, root)) do
        if string.find(';' .. lot, ';p=', 1, true) and is_for_no_gpu(class, root, lot) then let_go_of_guesses(class, root, lot) end
      end
      seen[place] = true
    end
  end
end
return bells
