import NIOCore

/// The files of one attempt on their way from the sandbox into a bundle; confined to the engine's loop.
///
/// It checks what the supervisor says and queues the parts; another thread packs them.
final class OutputIntake {
    /// With so much waiting the sandbox is not read.
    static let highBytes = 4 << 20
    /// From here on it is read again.
    static let lowBytes = 1 << 20

    /// Where the parts go, on another thread.
    let bundle: OutputBundle
    /// What OUTPUTS said; nil before.
    var summary: OutputSummary?
    /// Why the files cannot be kept.
    var failure: EngineError?
    /// Whether parts are being packed.
    var isPacking = false
    /// Whether the sandbox is not read meanwhile.
    var isPaused = false
    /// Called when everything that came is packed.
    var whenPacked: (() -> Void)?
    /// Files that came whole.
    private(set) var files = 0

    private let limits: OutputLimits
    private var queue: [OutputBundle.Piece] = []
    private var queuedBytes = 0
    /// As bytes: two spellings of an accent are one text to Swift and two files to a sandbox.
    private var names: Set<[UInt8]> = []
    private var index = 0
    private var offset = 0
    private var total = 0
    private var isOpen = false

    init(_ bundle: OutputBundle, limits: OutputLimits) {
        self.bundle = bundle
        self.limits = limits
    }

    /// Whether more waits than should.
    var isFull: Bool { queuedBytes > Self.highBytes }
    /// Whether there is room again.
    var hasRoom: Bool { queuedBytes <= Self.lowBytes }

    /// Takes a part; the reason when it is not one that may come now.
    func take(_ part: OutputPart, _ bytes: ByteBuffer) -> String? {
        if let name = part.name {
            guard !isOpen, part.index == index + 1, index < limits.files else { return "out of order" }
            guard OutputName.fault(in: name) == nil, names.insert(Array(name.utf8)).inserted else {
                return "with a bad name"
            }
            index += 1
            offset = 0
            isOpen = true
        }
        guard isOpen, part.index == index, part.offset == offset, summary == nil else { return "out of order" }
        offset += bytes.readableBytes
        total += bytes.readableBytes
        guard offset <= limits.fileBytes, total <= limits.bytes else { return "beyond its limits" }
        if part.isLast {
            isOpen = false
            files += 1
        }
        guard failure == nil else { return nil }
        queue.append(.init(name: part.name, bytes: Array(bytes.readableBytesView), isLast: part.isLast))
        queuedBytes += bytes.readableBytes
        return nil
    }

    /// The parts that wait, which are then being packed.
    func takeQueue() -> [OutputBundle.Piece] {
        defer {
            queue = []
            queuedBytes = 0
        }
        return queue
    }
}
