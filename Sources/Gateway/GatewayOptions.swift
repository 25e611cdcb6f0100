/// Where the gateway listens and what it takes at most.
public struct GatewayOptions: Sendable {
    /// The address or host name to listen on.
    public var host = "127.0.0.1"
    /// The port; 0 takes any free one.
    public var port = 7433
    /// The longest wait for the end of a job that is honoured.
    public var waitMax = Duration.seconds(60)
    /// The longest request line in bytes.
    public var requestLineMaxBytes = 8 << 10
    /// The most headers of a request.
    public var headerCountMax = 100
    /// The most bytes of all headers.
    public var headerBytesMax = 16 << 10
    /// The longest time from the first byte of a header to its last.
    public var headerTimeout = Duration.seconds(10)
    /// The longest pause within a body.
    public var bodyTimeout = Duration.seconds(30)
    /// The longest time in which a client takes nothing of an answer before it is cut off.
    public var sendTimeout = Duration.seconds(30)
    /// The least average rate of bodies and answers that hold room.
    package var leastRate = LeastRate()
    /// The bytes of bodies that are held at a time.
    public var bodiesInFlightMaxBytes = 256 << 20
    /// The bytes of results that are on their way to clients at a time.
    public var resultsInFlightMaxBytes = 512 << 20
    /// How long requests that have begun may take to end when the gateway's task is cancelled.
    public var endTimeout = Duration.seconds(5)
    /// The longest wait for room for a body or a result.
    public var roomTimeout = Duration.seconds(30)
    /// The largest JSON body in bytes, the tasks in it not counted.
    public var jsonBodyMaxBytes = 1 << 20
    /// The deepest nesting of a JSON body.
    public var jsonDepthMax = 32
    /// The largest payload in bytes, as it is sent.
    public var payloadMaxBytes = 64 << 20
    /// The most jobs of one batch.
    public var batchMax = 1000
    /// The most connections at a time.
    public var connectionsMax = 1024
    /// The jobs that a tenant other than `default` may submit a minute; nil for any number.
    public var submitRate: Int? = 6000
    /// The unfinished jobs that the engine allows a tenant, for headers that say so.
    var queueMax = 100_000
    /// How long a connection without a request stays open.
    public var idleTimeout = Duration.seconds(75)
    /// How long an event stream stays silent before it sends a sign of life.
    public var heartbeat = Duration.seconds(15)
    /// How long a key that was looked up is trusted without looking again; a revoked key works for so long.
    public var keyLifetime = Duration.seconds(5)

    /// Makes options that have their defaults.
    public init() {}

    /// The largest body in bytes.
    var bodyMaxBytes: Int { jsonBodyMaxBytes + payloadMaxBytes }
}
