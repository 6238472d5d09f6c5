-- Records what Tarantool makes of updates and upserts of tuples:
--   tarantool scripts/record-update-vectors.lua 2>/dev/null > runtime/src/core/storage/testdata/tuple-update-vectors.json
-- It needs no data directory, and gives the same cases on every run. Tarantool itself reports each skipped operation
-- of an upsert on standard error.
local decimal = require('decimal')
local ffi = require('ffi')
local msgpack = require('msgpack')
local uuid = require('uuid')

local function hex(bytes)
    return (bytes:gsub('.', function(c) return string.format('%02x', c:byte()) end))
end

local seed = 20260211
local function random(n)
    seed = (seed * 1103515245 + 12345) % 2147483648
    return math.floor(seed / 65536) % n
end
local function pick(list) return list[1 + random(#list)] end

local function double(x) return ffi.new('double', x) end
local function float(x) return ffi.new('float', x) end

local cases = {}
local function record(tuple, operations)
    local made = box.tuple.new(tuple)
    local function outcome(method)
        local ok, result = pcall(made[method], made, operations)
        if ok then return '"' .. hex(msgpack.encode(result)) .. '"' end
        return tostring(type(result) == 'cdata' and result.code or 1)
    end
    cases[#cases + 1] = string.format('["%s","%s",%s,%s]', hex(msgpack.encode(made)),
        hex(msgpack.encode(operations)), outcome('update'), outcome('upsert'))
end

-- Counting: every kind of number with every other.
local numbers = {
    0, 1, -1, 5, 127, 128, 255, 256, -32, -33, -128, -129, 65535, 65536, 4294967295LL, 4294967296LL,
    9007199254740993LL, 9223372036854775807LL, -9223372036854775807LL - 1, 9223372036854775808ULL,
    18446744073709551615ULL, double(0), double(1.5), double(-2.25), double(3), double(1e300), double(0.1),
    float(1.5), float(-3), decimal.new('1.50'), decimal.new('-7'), decimal.new('0.1'),
    decimal.new('99999999999999999999999999999999999999'), decimal.new('1e-38'), decimal.new('1e33'),
    'text', box.NULL, true,
}
for i, left in ipairs(numbers) do
    for j, right in ipairs(numbers) do
        if (i * 7 + j) % 4 == 0 or i > 19 and i < 36 and j > 19 then
            record({1, left, 'end'}, {{(i + j) % 4 < 3 and '+' or '-', 2, right}})
        end
    end
    record({1, left}, {{'-', 2, 1}})
    record({1, left}, {{'-', -1, 9223372036854775807LL}})
end

-- Bits.
local bits = {0, 1, 6, 255, 65537, 4294967296LL, 18446744073709551615ULL, 9007199254740993ULL, -1, 1.5, 'a'}
for i, left in ipairs(bits) do
    for j, right in ipairs(bits) do
        if (i + j) % 2 == 0 then record({1, left}, {{pick{'&', '|', '^'}, 2, right}}) end
    end
end

-- Splices.
local texts = {'', 'a', 'hello', 'héllo', string.rep('x', 40)}
for _, text in ipairs(texts) do
    for _, offset in ipairs{-50, -6, -5, -2, -1, 0, 1, 2, 3, 6, 7, 50} do
        for _, length in ipairs{-50, -3, -1, 0, 1, 2, 50} do
            if random(3) == 0 then record({1, text, 2}, {{':', 2, offset, length, pick{'', 'Z', 'wörld'}}}) end
        end
    end
end
for _, bad in ipairs{{':', 2, 1, 1}, {':', 2, 'a', 1, 'x'}, {':', 2, 1, 'a', 'x'}, {':', 2, 1, 1, 5}, {':', 1, 1, 1, 'x'},
    {':', 2, 1.5, 1, 'x'}, {':', 2, 1, 1, 'x', 'y'}, {':', 9, 1, 1, 'x'}} do
    record({1, 'hello'}, {bad})
end
record({1, 'hello'}, {{':', 2, 1, 1, 'x'}, {':', 2, 1, 1, 'y'}})

-- Fields that are put, inserted and taken out.
local id = uuid.fromstr('5f0a4a30-0000-4000-8000-00000000000f')
local values = {box.NULL, false, 7, -7, 'new', {1, 2}, {a = 1}, double(2), decimal.new('3.0'), id, string.rep('long', 20)}
for _, field in ipairs{-9, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 100} do
    for _, operator in ipairs{'=', '!', '#'} do
        record({1, 'two', {3}}, {{operator, field, operator == '#' and 1 + random(2) or pick(values)}})
    end
    record({1, 'two', 3}, {{'+', field, 1}})
end
for _, count in ipairs{0, 1, 2, 3, 4, 100, 4294967295LL, -1, 'a', 1.5} do record({1, 2, 3}, {{'#', 2, count}}) end
record({1, 2, 3}, {{'#', 1, 3}})
record({}, {{'!', 1, 1}})
record({}, {{'=', 1, 1}})
record({}, {{'#', 1, 1}})
record({}, {{'!', -1, 'x'}})

-- What is no operation.
for _, bad in ipairs{{}, {'='}, {'=', 1}, {'=', 1, 2, 3}, {'?', 1, 1}, {'==', 1, 1}, {'', 1, 1}, {1, 1, 1}, {'+', 1}, {'#', 1},
    {'=', 'no such name', 1}, {'=', 1.5, 1}, {'=', {1}, 1}, {'=', 4294967296LL, 1}, {'=', -4294967296LL, 1},
    {'=', 2147483647, 1}, {'=', -2147483648LL, 1}, {'=', box.NULL, 1}, {'&', 1}, {'!', 1}} do
    record({1, 2}, {bad})
    record({1, 2}, {{'=', 2, 5}, bad})
end
record({1, 2}, {})
record({1, 2}, {5})
record({1, 2}, {'='})

-- Several at once.
local function operation(width)
    local operator = pick{'=', '=', '=', '+', '+', '-', '&', '|', '^', '!', '!', '#', ':'}
    local field = random(8) == 0 and -1 - random(width + 1) or 1 + random(width + 1)
    if operator == '=' or operator == '!' then return {operator, field, pick(values)} end
    if operator == '#' then return {operator, field, 1 + random(2)} end
    if operator == ':' then return {operator, field, random(6) - 2, random(6) - 2, pick{'', 'ab'}} end
    return {operator, field, 1 + random(9)}
end
for _ = 1, 400 do
    local tuple = {}
    for i = 1, 2 + random(7) do tuple[i] = pick{i, 100 + i, 'text' .. i, double(i + 0.5), 2 * i, 3 * i} end
    local operations = {}
    for i = 1, 1 + random(4) do operations[i] = operation(#tuple) end
    record(tuple, operations)
end
for _, width in ipairs{14, 15, 16, 17} do
    local tuple = {}
    for i = 1, width do tuple[i] = i end
    record(tuple, {{'!', 3, 'in'}})
    record(tuple, {{'!', 3, 'in'}, {'!', 3, 'in'}, {'=', width, 'x'}})
    record(tuple, {{'#', 2, 1}, {'#', 2, 1}, {'+', 1, 1}})
    record(tuple, {{'=', width + 1, 'x'}, {'+', width, 1}, {'=', width + 2, 'y'}})
end

print('[\n' .. table.concat(cases, ',\n') .. '\n]')
os.exit(0)
