-- log: lines that a trainer printed. Redis notes up to which byte of the attempt's log it was told, so that lines
-- whose answer was lost are not there twice. The newest stay, by number and by bytes, for a while.
-- Of so many jobs at most. reads   job:<id>
-- writes  job:<id>  log:<id>  logs (zset: ids by the time of their last lines)
-- ARGV: id, token, first byte, byte after the last, most lines, most bytes, seconds, most jobs, line...
-- Returns {standing, byte up to which it was told}.
local id, token, key = ARGV[1], ARGV[2], P .. 'log:' .. ARGV[1]
local how = standing(id, token)
if how ~= 'ok' then return {how} end
local told = get(id, 'log_token') == token and tonumber(get(id, 'log_told')) or 0
if told > tonumber(ARGV[3]) then return {how, string.format('%.0f', told)} end
for i = 9, #ARGV do redis.call('XADD', key, '*', 'line', ARGV[i]) end
set(id, 'log_token', token, 'log_told', ARGV[4])
local lines, bytes, first = 0, 0, nil
for _, entry in ipairs(redis.call('XREVRANGE', key, '+', '-')) do
  lines, bytes = lines + 1, bytes + #entry[2][2]
  if lines > tonumber(ARGV[5]) or bytes > tonumber(ARGV[6]) then break end
  first = entry[1]
end
if first then redis.call('XTRIM', key, 'MINID', first) end
redis.call('EXPIRE', key, ARGV[7])
redis.call('ZADD', P .. 'logs', stamp(now()), id)
local beyond = redis.call('ZCARD', P .. 'logs') - tonumber(ARGV[8])
if beyond > 0 then
  for _, old in ipairs(redis.call('ZRANGE', P .. 'logs', 0, beyond - 1)) do
    redis.call('DEL', P .. 'log:' .. old)
    redis.call('ZREM', P .. 'logs', old)
  end
end
return {how, ARGV[4]}
