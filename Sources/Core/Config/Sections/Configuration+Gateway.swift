extension Configuration {
    /// The REST gateway: where it listens and what it takes at most.
    public struct Gateway: Sendable, Hashable {
        /// The address to listen on.
        public var host = "127.0.0.1"
        /// The port; 0 for any free one.
        public var port = 7433
        /// The longest `Prefer: wait`.
        public var waitMax = Duration.seconds(60)
        /// The longest request line.
        public var requestLineMaxBytes = Int.kibibytes(8)
        /// The most headers.
        public var headerCountMax = 100
        /// The most bytes of all headers.
        public var headerBytesMax = Int.kibibytes(16)
        /// The longest time until a request's headers are there.
        public var headerTimeout = Duration.seconds(10)
        /// The longest pause within a request's body.
        public var bodyTimeout = Duration.seconds(30)
        /// The longest time in which a client takes nothing of an answer.
        public var sendTimeout = Duration.seconds(30)
        /// The bytes of all bodies that are held at a time.
        public var bodiesInFlightMaxBytes = Int.mebibytes(256)
        /// The bytes of all results on their way to clients.
        public var resultsInFlightMaxBytes = Int.mebibytes(512)
        /// The longest wait for room for a body or a result.
        public var roomTimeout = Duration.seconds(30)
        /// The largest JSON body, payloads not counted.
        public var jsonBodyMaxBytes = Int.mebibytes(1)
        /// The deepest nesting of a JSON body.
        public var jsonDepthMax = 32
        /// The most connections at a time.
        public var connectionsMax = 1024
        /// The jobs that a tenant other than `default` may submit a minute.
        public var submitRate: Int? = 6000

        /// The section with every value at its default.
        public init() {}
    }
}

extension Configuration.Gateway: ConfigurationSection {
    package static var fields: [ConfigurationField<Self>] {
        Field.value(
            "host", \.host, .word("an address or a host name", extra: ".:-", max: 253, leading: ":"),
            "Address on which the gateway listens.",
            tune: "Set 0.0.0.0 only behind a proxy with TLS: keys travel in every request.")
        Field.value(
            "port", \.port, .integer(0...65_535),
            "Port on which the gateway listens; 0 takes any free one.",
            tune: "Change it when another service has it.")
        Field.value(
            "wait_max", \.waitMax, .duration(.seconds(0) ... .hours(1)),
            "Longest Prefer: wait that is honoured.",
            tune: "Keep it below the timeout of a proxy in front.")
        Field.value(
            "request_line_max", \.requestLineMaxBytes, .size(256 ... .mebibytes(1)),
            "Longest request line; a longer one is answered 414.",
            tune: "Leave it, unless clients send very long queries.")
        Field.value(
            "header_count_max", \.headerCountMax, .integer(8...10_000),
            "Most headers of a request; more are answered 431.",
            tune: "Raise it when proxies in front add many.")
        Field.value(
            "header_bytes_max", \.headerBytesMax, .size(.kibibytes(1) ... .mebibytes(1)),
            "Most bytes of all headers of a request; more are answered 431.",
            tune: "Raise it when proxies in front add large ones.")
        Field.value(
            "header_timeout", \.headerTimeout, .duration(.milliseconds(100) ... .minutes(10)),
            "Longest time until the headers of a request are there; then 408.",
            tune: "Raise it for clients on very slow networks.")
        Field.value(
            "body_timeout", \.bodyTimeout, .duration(.milliseconds(100) ... .hours(1)),
            "Longest pause within the body of a request; then 408. A body over 64 KiB has 10 seconds, and one more for "
                + "every 16 KiB that has come, whatever its pauses.",
            tune: "Raise it for clients on very slow networks.")
        Field.value(
            "send_timeout", \.sendTimeout, .duration(.milliseconds(100) ... .hours(1)),
            "Longest time in which a client takes nothing of an answer that waits for it; then it is cut off. For a "
                + "result over 64 KiB it has 10 seconds, and one more for every 16 KiB that it has taken.",
            tune: "Raise it for clients on very slow networks.")
        Field.value(
            "bodies_in_flight_max", \.bodiesInFlightMaxBytes, .size(.mebibytes(1) ... .tebibytes(1)),
            "Bytes of all bodies over 64 KiB that are held at a time. Further ones are not read until there is room, at "
                + "most room_timeout; then 503. No tenant comes to hold more than it leaves to the others, but for a "
                + "single body.",
            tune: "Payloads take about four times their size while they are checked: keep this below an eighth of the "
                + "memory.")
        Field.value(
            "results_in_flight_max", \.resultsInFlightMaxBytes, .size(.mebibytes(1) ... .tebibytes(1)),
            "Bytes of all results, logs and stored events over 64 KiB that are on their way to clients at a time. Further "
                + "ones wait, at most room_timeout; then 503. No tenant comes to hold more than it leaves to the others, "
                + "but for a single answer.",
            tune: "Lower it on small machines, raise it for many readers of large results.")
        Field.value(
            "room_timeout", \.roomTimeout, .duration(.zero ... .minutes(1)),
            "Longest wait of a request for room for its body or its result; then 503 with Retry-After.",
            tune: "Lower it when clients have another gateway to turn to.")
        Field.value(
            "json_body_max", \.jsonBodyMaxBytes, .size(.kibibytes(1) ... .gibibytes(1)),
            "Largest JSON body, its payloads not counted; larger ones are answered 413.",
            tune: "Raise it for batches with long sources.")
        Field.value(
            "json_depth_max", \.jsonDepthMax, .integer(4...512),
            "Deepest nesting of a JSON body.", tune: "Raise it for arguments that are nested deeper.")
        Field.value(
            "connections_max", \.connectionsMax, .integer(1...1_000_000),
            "Connections that may be open at a time.",
            tune: "Raise it, with the process's open-file limit, for many waiting clients.")
        Field.value(
            "submit_rate", \.submitRate, .optional(.integer(1...10_000_000), null: "no limit"),
            "Jobs that a tenant may submit a minute, a batch counting its items; more are answered 429. It does not hold "
                + "for the tenant default.",
            tune: "Lower it to keep one tenant's flood away from the others, raise it for tenants with many small jobs."
        )
    }
}
