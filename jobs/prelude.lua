-- Shared by every verb. Key names are those of keys.py; `P` is the prefix, ARGV[1] of every verb.
local P = ARGV[1]
local function key(kind, id) return P .. ':' .. kind .. ':' .. id end
local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
-- Lua prints large numbers in powers of ten; Redis stores text.
local function text(number) return string.format('%.0f', number) end
-- A history with one more line: status|ms|attempt|worker.
local function history(old, status, ms, attempt, worker)
  local line = status .. '|' .. text(ms) .. '|' .. attempt .. '|' .. worker
  return old and (old .. '\n' .. line) or line
end
local function push_ticket(group, queue, ticket, tickets, ms)
  redis.call('LPUSH', queue, ticket)
  redis.call('HSET', group, 'tickets', tickets + 1, 'stamp', text(ms))
end
local function announce(lines)
  if #lines > 0 then redis.call('PUBLISH', P .. ':changes', table.concat(lines, '\n')) end
end
