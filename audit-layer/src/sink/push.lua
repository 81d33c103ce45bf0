-- Pushes a batch if the cursor is where the sender believes it to be; else says where it is.
--
-- KEYS: the cursor, then the lists. ARGV: the expected cursor, the new one, the lengths to keep and the
-- seconds to live, then how many lines each list gets, then the lines of one list after the other,
-- oldest first.
--
-- A list gets its lines in one command: Lua costs more than a push. A script that fails half way is not
-- undone, so whatever can fail is looked at before the first push.
local cursor = redis.call('GET', KEYS[1]) or ''
if cursor ~= ARGV[1] then
  return cursor
end
for i = 2, #KEYS do
  local kind = redis.call('TYPE', KEYS[i]).ok
  if kind ~= 'list' and kind ~= 'none' then
    return redis.error_reply('WRONGTYPE ' .. KEYS[i] .. ' is a ' .. kind .. '; delete it')
  end
end
local at = 4 + #KEYS
for i = 2, #KEYS do
  local behind = at + tonumber(ARGV[3 + i])
  redis.call('LPUSH', KEYS[i], unpack(ARGV, at, behind - 1))
  at = behind
  redis.call('LTRIM', KEYS[i], 0, tonumber(ARGV[3]) - 1)
  redis.call('EXPIRE', KEYS[i], tonumber(ARGV[4]))
end
redis.call('SET', KEYS[1], ARGV[2])
return false
