-- Runs the cases of connectors with net.box and prints what it saw as one line of JSON.
local net_box = require('net.box')
local json = require('json')

local port = tonumber(arg[1])
local results = {}

local function record(name, fn)
    local ok, result = pcall(fn)
    if ok then
        results[name] = { value = result == nil and json.NULL or result }
    else
        results[name] = { number = result.code, message = tostring(result) }
    end
end

local wrong = net_box.connect('admin:wrong@127.0.0.1:' .. port, { reconnect_after = 0 })
results['wrong password'] = { number = wrong.error ~= nil and 47 or 0 }
wrong:close()

local guest = net_box.connect('127.0.0.1:' .. port)
record('guest ping', function() return guest:ping() end)
record('guest select', function() return guest.space.books:select({ 1 }) end)
record('guest call', function() return guest:call('books.sum', { 1, 2 }) end)
guest:close()

local conn = net_box.connect('admin:test-cookie@127.0.0.1:' .. port)
local books = conn.space.books
record('schema', function()
    local index = books.index.title
    return { conn.space[books.id].name, #books:format(), books:format()[2].name, index.id, index.unique, index.parts[1].fieldno }
end)
record('insert', function() return books:insert({ 1, 'Dune', 412 }) end)
record('insert again', function() return books:insert({ 1, 'Dune', 412 }) end)
record('replace', function() return books:replace({ 2, 'Emma', 474 }) end)
record('update', function() return books:update({ 1 }, { { '+', 3, 8 }, { '=', 2, 'Dune II' } }) end)
record('update nothing', function() return books:update({ 99 }, { { '+', 3, 8 } }) end)
record('upsert new', function() return books:upsert({ 3, 'Ulysses', 730 }, { { '+', 3, 1 } }) end)
record('upsert old', function() return books:upsert({ 3, 'Ulysses', 730 }, { { '+', 3, 1 } }) end)
record('get by text', function() return books.index.title:select({ 'Ulysses' }) end)
record('select GE', function() return books:select({ 2 }, { iterator = 'GE', limit = 10 }) end)
record('select page', function() return books:select({}, { limit = 1, offset = 1 }) end)
record('delete', function() return books:delete({ 2 }) end)
record('bad type', function() return books:insert({ 'x', 'y', 1 }) end)
record('call', function() return conn:call('books.sum', { 1, 2 }) end)
record('call two values', function() return { conn:call('books.two') } end)
record('call fails', function() return conn:call('books.fail') end)
record('call unknown', function() return conn:call('books.nothing') end)
record('eval', function() return conn:eval('return 1') end)
conn:close()

print(json.encode(results))
os.exit(0)
