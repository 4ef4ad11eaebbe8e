-- events: lines of the attempt go to the job's stream, of which about the newest `bound` are kept. Redis notes
-- up to which byte of the attempt's file it was told: where the lines begin elsewhere (an answer was lost, or
-- Redis went back to older data) it takes none and says where to begin.
-- reads   job:<id>
-- writes  job:<id>  events:<id>
-- ARGV: id, token, bound, first byte ('' unknown), byte after the last, line...
-- Returns {standing} or {'elsewhere', first byte}.
local id, token, first = ARGV[1], ARGV[2], ARGV[4]
local how = standing(id, token)
if how ~= 'ok' then return {how} end
local told = get(id, 'told_token') == token and get(id, 'told') or '0'
if first ~= '' and first ~= told then return {'elsewhere', told} end
for i = 6, #ARGV do
  redis.call('XADD', P .. 'events:' .. id, 'MAXLEN', '~', ARGV[3], '*', 'line', ARGV[i])
end
if first ~= '' then set(id, 'told', ARGV[5], 'told_token', token) end
return {how}
