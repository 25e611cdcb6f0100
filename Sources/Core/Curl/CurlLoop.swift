/// The body of the transfer thread: one multi handle, every transfer, every raw connection.
///
/// Everything here runs on that thread; the mailbox is the only way in, continuations and channels the only way out.
final class CurlLoop {
    private let mailbox: CurlMailbox
    private let options: CurlTransport.Options
    private let multi: CurlMulti
    private var transfers: [UInt64: CurlTransfer] = [:]
    private var sockets: [UInt64: CurlSocket] = [:]
    /// Which request or connection an easy handle serves.
    private var owners: [UInt: UInt64] = [:]
    private var waiting: [CurlRequest.Lane: [CurlPendingTransfer]] = [:]
    private var running: [CurlRequest.Lane: Int] = [:]
    private var socketsToService: Set<UInt64> = []
    private var isStopping = false
    private var stopWaiters: [CheckedContinuation<Void, Never>] = []
    private let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: 16)

    /// Runs until shutdown; what still waits then fails.
    static func run(mailbox: CurlMailbox, options: CurlTransport.Options) {
        var stopWaiters: [CheckedContinuation<Void, Never>] = []
        do throws(CurlError) {
            let loop = try CurlLoop(mailbox: mailbox, options: options)
            stopWaiters = loop.run()
        } catch {
            stopWaiters = reject(mailbox.close(), error)
        }
        for waiter in stopWaiters { waiter.resume() }
    }

    private init(mailbox: CurlMailbox, options: CurlTransport.Options) throws(CurlError) {
        self.mailbox = mailbox
        self.options = options
        multi = try CurlMulti(maxIdleConnections: options.maxIdleConnections)
        mailbox.open(multi.raw)
    }

    deinit {
        scratch.deallocate()
    }

    private func run() -> [CheckedContinuation<Void, Never>] {
        var failure = CurlError.closed
        do throws(CurlError) {
            while !isStopping { try turn() }
        } catch {
            failure = error
        }
        stopWaiters += Self.reject(mailbox.close(), failure)
        for pending in waiting.values.joined() { pending.fail(failure) }
        // The handles go whatever happens: a removal that fails now has nobody left to tell.
        for transfer in transfers.values {
            try? multi.remove(transfer.easy)
            transfer.finish(failure)
        }
        for socket in sockets.values {
            try? multi.remove(socket.easy)
            socket.finish(failure)
        }
        return stopWaiters
    }

    private func turn() throws(CurlError) {
        for command in mailbox.drain() { try handle(command) }
        if isStopping { return }
        startWaiting()
        try multi.perform()
        while let finished = multi.nextFinished() { try conclude(finished) }
        try expire()
        try serviceSockets()
        startWaiting()
        try wait()
    }

    private func handle(_ command: CurlCommand) throws(CurlError) {
        switch command {
        case .start(let pending): enqueue(pending)
        case .connect(let pending): connect(pending)
        case .cancel(let id): try cancel(id)
        case .resume(let id):
            if let socket = sockets[id] {
                socket.resume()
                socketsToService.insert(id)
            }
            try transfers[id]?.resume()
        case .shutdown(let waiter):
            isStopping = true
            if let waiter { stopWaiters.append(waiter) }
        }
    }

    // MARK: Starting

    private func enqueue(_ pending: CurlPendingTransfer) {
        if pending.ticket.isCancelled { return pending.fail(.cancelled) }
        let queue = waiting[pending.request.lane, default: []]
        guard queue.count < options.maxWaitingRequests else {
            return pending.fail(CurlError(.queueFull, "\(queue.count) requests already wait"))
        }
        waiting[pending.request.lane, default: []].append(pending)
    }

    private func startWaiting() {
        for lane in CurlRequest.Lane.allCases {
            let limit = lane == .brief ? options.maxBriefRequests : options.maxLastingRequests
            let count = min(limit - running[lane, default: 0], waiting[lane]?.count ?? 0)
            guard count > 0, let batch = waiting[lane]?.prefix(count) else { continue }
            waiting[lane]?.removeFirst(count)
            for pending in batch { start(pending) }
        }
    }

    private func start(_ pending: CurlPendingTransfer) {
        do throws(CurlError) {
            let transfer = try CurlTransfer(pending)
            try multi.add(transfer.easy)
            transfers[pending.id] = transfer
            owners[transfer.easy.key] = pending.id
            running[transfer.lane, default: 0] += 1
        } catch {
            pending.fail(error)
        }
    }

    private func connect(_ pending: CurlPendingConnection) {
        do throws(CurlError) {
            if pending.ticket.isCancelled { throw CurlError.cancelled }
            guard sockets.count < options.maxLastingRequests else {
                throw CurlError(.queueFull, "\(sockets.count) raw connections are open")
            }
            let socket = try CurlSocket(pending)
            try multi.add(socket.easy)
            sockets[pending.id] = socket
            owners[socket.easy.key] = pending.id
        } catch {
            pending.outbound.close(error)
            pending.inbound.finish(error)
            pending.opened.resume(throwing: error)
        }
    }

    // MARK: Ending

    private func conclude(_ finished: CurlMulti.Finished) throws(CurlError) {
        guard let id = owners[finished.key] else { return }
        if let transfer = transfers[id] {
            try end(transfer, finished.failure.map { failure($0, finished.reason, transfer.easy) })
        } else if let socket = sockets[id] {
            if let kind = finished.failure {
                try end(socket, failure(kind, finished.reason, socket.easy))
            } else {
                do throws(CurlError) {
                    try socket.connected()
                    socketsToService.insert(id)
                } catch {
                    try end(socket, error)
                }
            }
        }
    }

    private func failure(_ kind: CurlError.Kind, _ reason: String, _ easy: CurlEasy) -> CurlError {
        let text = easy.failureText
        let kind = kind == .connectionLost && CurlError.tellsOfTLS(text) ? .tls : kind
        return CurlError(kind, text.isEmpty ? reason : text, systemError: easy.systemError)
    }

    private func cancel(_ id: UInt64) throws(CurlError) {
        if let transfer = transfers[id] { return try end(transfer, .cancelled) }
        if let socket = sockets[id] { return try end(socket, .cancelled) }
        for lane in CurlRequest.Lane.allCases {
            guard let index = waiting[lane]?.firstIndex(where: { $0.id == id }) else { continue }
            waiting[lane]?.remove(at: index).fail(.cancelled)
        }
    }

    private func end(_ transfer: CurlTransfer, _ error: CurlError?) throws(CurlError) {
        transfers[transfer.id] = nil
        owners[transfer.easy.key] = nil
        running[transfer.lane, default: 0] -= 1
        defer { transfer.finish(error) }
        try multi.remove(transfer.easy)
    }

    private func end(_ socket: CurlSocket, _ error: CurlError?) throws(CurlError) {
        sockets[socket.id] = nil
        socketsToService.remove(socket.id)
        owners[socket.easy.key] = nil
        defer { socket.finish(error) }
        try multi.remove(socket.easy)
    }

    private func expire() throws(CurlError) {
        let now = ContinuousClock.now
        for transfer in Array(transfers.values) {
            if let error = transfer.expired(at: now) { try end(transfer, error) }
        }
        for lane in CurlRequest.Lane.allCases {
            guard let queue = waiting[lane], queue.contains(where: { $0.hasExpired(at: now) }) else { continue }
            waiting[lane] = queue.filter { !$0.hasExpired(at: now) }
            for pending in queue where pending.hasExpired(at: now) {
                pending.fail(CurlError(.timedOut, "no free slot for the request in time"))
            }
        }
    }

    // MARK: Raw connections and sleeping

    private func serviceSockets() throws(CurlError) {
        for id in socketsToService {
            guard let socket = sockets[id] else { continue }
            do throws(CurlError) {
                if try socket.service(scratch) { try end(socket, nil) }
            } catch {
                try end(socket, error)
            }
        }
        socketsToService.removeAll(keepingCapacity: true)
    }

    private func wait() throws(CurlError) {
        var ids: [UInt64] = []
        var watches: [CurlMulti.Watch] = []
        for (id, socket) in sockets {
            guard let watch = socket.watch else { continue }
            ids.append(id)
            watches.append(watch)
        }
        try multi.poll(&watches, timeout: timeUntilNextDeadline())
        for (index, watch) in watches.enumerated() where watch.isReady { socketsToService.insert(ids[index]) }
    }

    private func timeUntilNextDeadline() -> Duration {
        var earliest: ContinuousClock.Instant?
        for deadline in transfers.values.lazy.compactMap(\.deadline) {
            earliest = min(earliest ?? deadline, deadline)
        }
        for deadline in waiting.values.joined().lazy.compactMap(\.deadline) {
            earliest = min(earliest ?? deadline, deadline)
        }
        guard let earliest else { return .seconds(60) }
        return max(.zero, min(.seconds(60), earliest - .now))
    }

    /// Fails what the thread never took up, and returns who waits for its end.
    private static func reject(_ commands: [CurlCommand], _ error: CurlError) -> [CheckedContinuation<Void, Never>] {
        var stopWaiters: [CheckedContinuation<Void, Never>] = []
        for command in commands {
            switch command {
            case .start(let pending): pending.fail(error)
            case .connect(let pending):
                pending.outbound.close(error)
                pending.inbound.finish(error)
                pending.opened.resume(throwing: error)
            case .shutdown(let waiter): if let waiter { stopWaiters.append(waiter) }
            case .cancel, .resume: break
            }
        }
        return stopWaiters
    }
}

extension CurlPendingTransfer {
    fileprivate func hasExpired(at now: ContinuousClock.Instant) -> Bool {
        deadline.map { $0 <= now } ?? false
    }
}
