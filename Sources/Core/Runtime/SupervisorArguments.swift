/// The argument that a supervisor is started with: one small JSON object without secrets.
package struct SupervisorArguments: Sendable {
    package var sandbox: String
    /// The socket to dial; nil where standard input and output are the channel.
    package var socket: String?
    package var userIDs: [Int]
    package var slots: Int
    package var heartbeatSeconds: Double
    package var reconnectSeconds: Double
    package var temporaryFolder: String
    package var runtime: String
    /// The ports of the host that the supervisor offers on its loopback; nil where there are none.
    package var relay: Relay?
    /// Places that others of the host write to as well, which are never empty.
    package var shared: [String] = []
    /// Places in which tasks are to leave what they write.
    package var kept: [String] = []

    /// What the supervisor carries to the host.
    package struct Relay: Sendable {
        /// The socket to dial for each connection.
        package var socket: String
        package var ports: [Int]
        /// The most connections at a time.
        package var limit: Int
    }

    package init(
        sandbox: String, socket: String?, userIDs: [Int], slots: Int = 1, heartbeatSeconds: Double,
        reconnectSeconds: Double, temporaryFolder: String, runtime: String
    ) {
        self.sandbox = sandbox
        self.socket = socket
        self.userIDs = userIDs
        self.slots = slots
        self.heartbeatSeconds = heartbeatSeconds
        self.reconnectSeconds = reconnectSeconds
        self.temporaryFolder = temporaryFolder
        self.runtime = runtime
    }

    /// The JSON text.
    package var text: String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.name("sandbox")
            writer.value(sandbox)
            writer.name("socket")
            if let socket { writer.value(socket) } else { writer.null() }
            writer.name("uids")
            if let zygote = userIDs.first {
                writer.object { writer in
                    writer.name("zygote")
                    writer.value(zygote)
                    writer.name("tasks")
                    writer.array { for task in userIDs.dropFirst() { $0.value(task) } }
                }
            } else {
                writer.null()
            }
            writer.name("slots")
            writer.value(slots)
            writer.name("heartbeat")
            writer.value(heartbeatSeconds)
            writer.name("reconnect")
            writer.value(reconnectSeconds)
            writer.name("tmp")
            writer.value(temporaryFolder)
            writer.name("runtime")
            writer.value(runtime)
            if !shared.isEmpty {
                writer.name("shared")
                writer.array { for place in shared { $0.value(place) } }
            }
            if !kept.isEmpty {
                writer.name("kept")
                writer.array { for place in kept { $0.value(place) } }
            }
            if let relay {
                writer.name("relay")
                writer.object { writer in
                    writer.name("socket")
                    writer.value(relay.socket)
                    writer.name("ports")
                    writer.array { for port in relay.ports { $0.value(port) } }
                    writer.name("limit")
                    writer.value(relay.limit)
                }
            }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}
