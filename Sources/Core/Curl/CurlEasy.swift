import CShimCurl

/// The owner of one libcurl easy handle: sets it up, frees it once.
///
/// Confined to the transfer thread. It must have left the multi handle before it goes away.
final class CurlEasy {
    fileprivate let handle: OpaquePointer
    private var headers: UnsafeMutablePointer<curl_slist>?
    private let errorText: UnsafeMutablePointer<CChar>

    init() throws(CurlError) {
        guard let handle = curl_easy_init() else {
            throw CurlError(.internalFault, "make a libcurl handle: out of memory")
        }
        self.handle = handle
        errorText = .allocate(capacity: slipway_error_size)
        errorText.initialize(repeating: 0, count: slipway_error_size)
        try checkCurl(slipway_easy_set_pointer(handle, CURLOPT_ERRORBUFFER, errorText), "set the error buffer")
        try set(CURLOPT_NOSIGNAL, 1)
        // Neither the environment's proxies nor redirects may send engine traffic elsewhere.
        try set(CURLOPT_PROXY, "")
        try set(CURLOPT_FOLLOWLOCATION, 0)
        try set(CURLOPT_PATH_AS_IS, 1)
        // A remote engine that vanishes without a word is noticed by the kernel's probes.
        try set(CURLOPT_TCP_KEEPALIVE, 1)
        try checkCurl(slipway_easy_allow_only_http(handle), "allow only http")
    }

    deinit {
        curl_easy_cleanup(handle)
        curl_slist_free_all(headers)
        errorText.deallocate()
    }

    /// Identifies the handle in the multi handle's messages.
    var key: UInt { UInt(bitPattern: handle) }

    /// libcurl's own words about the last failure.
    var failureText: String { String(cString: errorText) }

    /// The errno of the last failed connect, or zero.
    var systemError: Int32 {
        var value = 0
        // A detail for a message: without it the message is only shorter.
        guard slipway_easy_get_long(handle, CURLINFO_OS_ERRNO, &value) == CURLE_OK else { return 0 }
        return Int32(truncatingIfNeeded: value)
    }

    /// Sets address, socket and TLS files.
    func prepare(origin: CurlOrigin, target: String, connectTimeout: Duration) throws(CurlError) {
        try set(CURLOPT_URL, origin.base + target)
        if let path = origin.unixSocketPath { try set(CURLOPT_UNIX_SOCKET_PATH, path) }
        try set(CURLOPT_CONNECTTIMEOUT_MS, max(1, connectTimeout.milliseconds))
        if let tls = origin.tls {
            try set(CURLOPT_SSL_VERIFYPEER, tls.verifiesPeer ? 1 : 0)
            try set(CURLOPT_SSL_VERIFYHOST, tls.verifiesPeer ? 2 : 0)
            if let path = tls.trustedCertificatesPath { try set(CURLOPT_CAINFO, path) }
            if let path = tls.clientCertificatePath { try set(CURLOPT_SSLCERT, path) }
            if let path = tls.clientKeyPath { try set(CURLOPT_SSLKEY, path) }
        }
    }

    /// Sets method, headers and body of a request.
    func prepare(_ request: CurlRequest) throws(CurlError) {
        try prepare(origin: request.origin, target: request.target, connectTimeout: request.timeouts.connect)
        try set(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1)
        if !request.reusesConnection { try set(CURLOPT_FRESH_CONNECT, 1) }
        // An empty Expect saves the pause before a body, an empty Content-Type the form type that POST implies.
        try append(header: "Expect:")
        if !request.headers.contains(where: { $0.name.lowercased() == "content-type" }) {
            try append(header: "Content-Type:")
        }
        for (name, value) in request.headers { try append(header: value.isEmpty ? "\(name);" : "\(name): \(value)") }
        try checkCurl(slipway_easy_set_list(handle, CURLOPT_HTTPHEADER, headers), "set the headers")
        switch (request.body, request.method) {
        case (.none, "GET"): try set(CURLOPT_HTTPGET, 1)
        case (.none, "HEAD"): try set(CURLOPT_NOBODY, 1)
        case (.none, "POST"): try setBody([])
        case (.none, _): break
        case (.bytes(let bytes), _): try setBody(bytes)
        case (.upload(_, let lengthBytes), _):
            try set(CURLOPT_UPLOAD, 1)
            if let lengthBytes {
                let code = slipway_easy_set_offset(handle, CURLOPT_INFILESIZE_LARGE, curl_off_t(lengthBytes))
                try checkCurl(code, "set the body's length")
            }
        }
        if request.method != "GET", request.method != "HEAD" { try set(CURLOPT_CUSTOMREQUEST, request.method) }
    }

    /// Makes the handle only connect, for `receive` and `send`.
    func prepareConnectOnly() throws(CurlError) {
        try set(CURLOPT_CONNECT_ONLY, 1)
    }

    /// Points libcurl's callbacks at a transfer, which must outlive its time in the multi handle.
    func attach(_ transfer: CurlTransfer) throws(CurlError) {
        let user = Unmanaged.passUnretained(transfer).toOpaque()
        try checkCurl(slipway_easy_set_pointer(handle, CURLOPT_WRITEDATA, user), "set the body's receiver")
        try checkCurl(slipway_easy_set_pointer(handle, CURLOPT_HEADERDATA, user), "set the head's receiver")
        try checkCurl(slipway_easy_set_pointer(handle, CURLOPT_READDATA, user), "set the body's source")
        try checkCurl(slipway_easy_set_write(handle, CURLOPT_WRITEFUNCTION, receiveBody), "set the body callback")
        try checkCurl(slipway_easy_set_write(handle, CURLOPT_HEADERFUNCTION, receiveHead), "set the head callback")
        try checkCurl(slipway_easy_set_read(handle, CURLOPT_READFUNCTION, provideBody), "set the upload callback")
    }

    /// Resumes both directions after a pause.
    func resume() throws(CurlError) {
        try checkCurl(curl_easy_pause(handle, Int32(slipway_pause_none)), "resume a transfer")
    }

    /// The descriptor of a connect-only connection.
    func activeSocket() throws(CurlError) -> Int32 {
        var socket: curl_socket_t = -1
        try checkCurl(slipway_easy_get_socket(handle, &socket), "ask for the socket")
        guard socket >= 0 else { throw CurlError(.connectionLost, "the connection has no socket") }
        return socket
    }

    /// Reads from a connect-only connection: nil when nothing is there yet, 0 at the end.
    func receive(into buffer: UnsafeMutableRawBufferPointer) throws(CurlError) -> Int? {
        var count = 0
        let code = curl_easy_recv(handle, buffer.baseAddress, buffer.count, &count)
        if code == CURLE_AGAIN { return nil }
        guard code == CURLE_OK else { throw lost(code) }
        return count
    }

    /// Writes to a connect-only connection; 0 when it takes nothing now.
    func send(_ bytes: UnsafeRawBufferPointer) throws(CurlError) -> Int {
        var count = 0
        let code = curl_easy_send(handle, bytes.baseAddress, bytes.count, &count)
        if code == CURLE_AGAIN { return 0 }
        guard code == CURLE_OK else { throw lost(code) }
        return count
    }

    private func lost(_ code: CURLcode) -> CurlError {
        let reason = failureText.isEmpty ? String(cString: curl_easy_strerror(code)) : failureText
        return CurlError(
            CurlError.tellsOfTLS(reason) ? .tls : .connectionLost, "the connection broke: \(reason)",
            systemError: systemError)
    }

    private func setBody(_ bytes: [UInt8]) throws(CurlError) {
        try set(CURLOPT_POST, 1)
        let size = slipway_easy_set_offset(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(bytes.count))
        try checkCurl(size, "set the body's length")
        let code = bytes.withUnsafeBytes { buffer in
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1) { empty in
                empty[0] = 0
                let start = buffer.baseAddress?.assumingMemoryBound(to: CChar.self) ?? UnsafePointer(empty.baseAddress)
                return slipway_easy_set_string(handle, CURLOPT_COPYPOSTFIELDS, start)
            }
        }
        try checkCurl(code, "set the body")
    }

    private func append(header: String) throws(CurlError) {
        guard !header.utf8.contains(where: { $0 == 10 || $0 == 13 || $0 == 0 }) else {
            throw CurlError(.internalFault, "a header holds a line end")
        }
        guard let list = curl_slist_append(headers, header) else {
            throw CurlError(.internalFault, "set a header: out of memory")
        }
        headers = list
    }

    private func set(_ option: CURLoption, _ value: Int) throws(CurlError) {
        try checkCurl(slipway_easy_set_long(handle, option, value), "set libcurl option \(option.rawValue)")
    }

    private func set(_ option: CURLoption, _ value: String) throws(CurlError) {
        try checkCurl(slipway_easy_set_string(handle, option, value), "set libcurl option \(option.rawValue)")
    }
}

extension CurlMulti {
    /// Hands an easy handle to libcurl's scheduler.
    func add(_ easy: CurlEasy) throws(CurlError) {
        try checkCurl(curl_multi_add_handle(raw.pointer, easy.handle), "start a transfer")
    }

    /// Takes an easy handle back; a transfer in progress is aborted and its connection closed.
    func remove(_ easy: CurlEasy) throws(CurlError) {
        try checkCurl(curl_multi_remove_handle(raw.pointer, easy.handle), "end a transfer")
    }
}

private let receiveBody: curl_write_callback = { bytes, size, count, user in
    guard let user else { return 0 }
    let transfer = Unmanaged<CurlTransfer>.fromOpaque(user).takeUnretainedValue()
    switch transfer.received(UnsafeRawBufferPointer(start: bytes, count: size * count)) {
    case .taken: return size * count
    case .pause: return slipway_write_pause
    case .abort: return size * count == 0 ? 1 : 0
    }
}

private let receiveHead: curl_write_callback = { bytes, size, count, user in
    guard let user else { return 0 }
    let transfer = Unmanaged<CurlTransfer>.fromOpaque(user).takeUnretainedValue()
    let accepted = transfer.receivedHead(line: UnsafeRawBufferPointer(start: bytes, count: size * count))
    return accepted ? size * count : 0
}

private let provideBody: curl_read_callback = { bytes, size, count, user in
    guard let user else { return slipway_read_abort }
    let transfer = Unmanaged<CurlTransfer>.fromOpaque(user).takeUnretainedValue()
    switch transfer.provide(into: UnsafeMutableRawBufferPointer(start: bytes, count: size * count)) {
    case .bytes(let used): return used
    case .nothingYet: return slipway_read_pause
    case .end: return 0
    }
}

extension Duration {
    /// Whole milliseconds, rounded up, never below zero.
    var milliseconds: Int {
        let (seconds, attoseconds) = components
        let rounded = attoseconds > 0 ? (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000 : 0
        guard seconds >= 0 else { return 0 }
        guard seconds < 1_000_000_000 else { return 1_000_000_000_000 }
        return Int(seconds) * 1000 + Int(rounded)
    }
}
