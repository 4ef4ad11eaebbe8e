-- needs: what a job needs of its worker is another thing from now on; a running one goes on where it is.
-- writes  job:<id>  ready:*  lots:*
-- ARGV: id, bytes of GPU memory asked for (''), other needs (parts of a lot, ''), device class, 'forget' where what
-- was measured counts no more   Returns {'ok'|'refused'|'gone', state}.
local id, state = ARGV[1], get(ARGV[1], 'state')
if state == '' then return {'gone'} end
if state == 'succeeded' then return {'refused', state} end
local is_ready = redis.call('ZSCORE', ready_key(id), id)
if is_ready then take_out(id) end
set(id, 'gpu_memory', ARGV[2], 'needs', ARGV[3], 'device_class', ARGV[4], 'updated', stamp(now()))
if ARGV[5] == 'forget' then set(id, 'peak', '', 'guess', '', 'guess_off', '') end
if is_ready then put_in(id) else set(id, 'lot', lot_of(id)) end
return {'ok', state}
