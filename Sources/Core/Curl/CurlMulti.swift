import CShimCurl

/// The owner of one libcurl multi handle, confined to the transfer thread.
final class CurlMulti {
    /// A descriptor that is watched along with libcurl's own.
    struct Watch {
        let descriptor: Int32
        let wantsRead: Bool
        let wantsWrite: Bool
        var isReady = false
    }

    /// A transfer that ended, with everything read before the handle is removed.
    struct Finished {
        let key: UInt
        let failure: CurlError.Kind?
        let reason: String
    }

    let raw: CurlWakeup

    init(maxIdleConnections: Int) throws(CurlError) {
        try CurlLibrary.initialise()
        guard let handle = curl_multi_init() else {
            throw CurlError(.internalFault, "make a libcurl multi handle: out of memory")
        }
        raw = CurlWakeup(pointer: handle)
        let code = slipway_multi_set_long(handle, CURLMOPT_MAXCONNECTS, maxIdleConnections)
        try checkCurl(code, "limit idle connections")
    }

    deinit {
        curl_multi_cleanup(raw.pointer)
    }

    /// Moves every transfer as far as it goes without blocking.
    func perform() throws(CurlError) {
        var running: Int32 = 0
        try checkCurl(curl_multi_perform(raw.pointer, &running), "run transfers")
    }

    /// The next transfer that ended, if any.
    func nextFinished() -> Finished? {
        var remaining: Int32 = 0
        while let message = curl_multi_info_read(raw.pointer, &remaining) {
            guard message.pointee.msg == CURLMSG_DONE else { continue }
            let code = slipway_message_result(message)
            return Finished(
                key: UInt(bitPattern: message.pointee.easy_handle),
                failure: code == CURLE_OK ? nil : CurlError.Kind(transferResult: code),
                reason: String(cString: curl_easy_strerror(code)))
        }
        return nil
    }

    /// Sleeps until a descriptor is ready, a wake-up comes, libcurl has work, or the time is over.
    func poll(_ watches: inout [Watch], timeout: Duration) throws(CurlError) {
        let milliseconds = Int32(clamping: timeout.milliseconds)
        var descriptors = watches.map { watch in
            curl_waitfd(
                fd: watch.descriptor,
                events: Int16((watch.wantsRead ? slipway_wait_in : 0) | (watch.wantsWrite ? slipway_wait_out : 0)),
                revents: 0)
        }
        var ready: Int32 = 0
        let code = curl_multi_poll(raw.pointer, &descriptors, UInt32(descriptors.count), milliseconds, &ready)
        try checkCurl(code, "wait for transfers")
        for index in watches.indices { watches[index].isReady = descriptors[index].revents != 0 }
    }
}

/// The one thing that other threads may do with a multi handle.
///
/// `@unchecked Sendable`: libcurl documents `curl_multi_wakeup` alone as callable from any thread. The mailbox calls
/// it under its lock and forgets it, under the same lock, before the transfer thread frees the handle.
struct CurlWakeup: @unchecked Sendable {
    fileprivate(set) var pointer: OpaquePointer

    func wake() {
        // It fails only without a wake-up socket; then the thread still looks at its next time-out.
        _ = curl_multi_wakeup(pointer)
    }
}
