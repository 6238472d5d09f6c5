-- The ancestor with the space of the measurement: tarantool tarantool.lua PORT FOLDER INDEX LOG_MODE MEMORY [LEADER_PORT]
local port, folder, index, log_mode, memory, leader_port = unpack(arg)
box.cfg({
    listen = '127.0.0.1:' .. port,
    work_dir = folder,
    memtx_memory = tonumber(memory),
    wal_mode = log_mode,
    -- Snapshots are made when the measurement asks for them, by SIGUSR1, never in its middle.
    checkpoint_interval = 0,
    -- With the default of 16 KiB sixteen connections with sixteen requests each get slower answers.
    readahead = 131072,
    replication = leader_port and { '127.0.0.1:' .. leader_port } or nil,
    read_only = leader_port ~= nil,
})
if leader_port == nil then
    local space = box.schema.space.create('employee', { id = 512, if_not_exists = true })
    space:create_index('primary', { type = index, parts = { { 2, 'string' } }, if_not_exists = true })
    space:create_index('bucket_id', { parts = { { 1, 'unsigned' } }, unique = false, if_not_exists = true })
    space:create_index('salary', { parts = { { 6, 'unsigned' } }, unique = false, if_not_exists = true })
    box.schema.user.grant('guest', 'read,write,execute', 'universe', nil, { if_not_exists = true })
    box.schema.user.grant('guest', 'replication', nil, nil, { if_not_exists = true })
end
