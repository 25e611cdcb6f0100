import CShimCurl

/// Turns a libcurl return code into an error; every call's code goes through here on the calling line.
func checkCurl(_ code: CURLcode, _ action: @autoclosure () -> String) throws(CurlError) {
    guard code == CURLE_OK else {
        throw CurlError(
            .internalFault, "\(action()): \(String(cString: curl_easy_strerror(code))) (curl \(code.rawValue))")
    }
}

/// The same for the multi interface.
func checkCurl(_ code: CURLMcode, _ action: @autoclosure () -> String) throws(CurlError) {
    guard code == CURLM_OK else {
        let reason = String(cString: curl_multi_strerror(code))
        throw CurlError(.internalFault, "\(action()): \(reason) (curl multi \(code.rawValue))")
    }
}

/// Initialises libcurl once per process, and tells its version.
package enum CurlLibrary {
    /// The version of the libcurl that is linked, such as `7.88.1`.
    package static var version: String {
        // `libcurl/7.88.1 OpenSSL/3.0.15 ...`
        let own = String(cString: curl_version()).prefix { $0 != " " }
        return String(own.drop { $0 != "/" }.dropFirst())
    }

    private static let outcome: CurlError? = {
        do throws(CurlError) {
            try checkCurl(slipway_global_init(), "initialise libcurl")
            return nil
        } catch {
            return error
        }
    }()

    static func initialise() throws(CurlError) {
        if let outcome { throw outcome }
    }
}

extension CurlError.Kind {
    /// What a transfer's result code means for a caller.
    init(transferResult code: CURLcode) {
        // 100 is CURLE_TOO_LARGE, which older headers lack; they report an endless header line as out of memory.
        if code.rawValue == 100 || code == CURLE_OUT_OF_MEMORY {
            self = .malformedResponse
            return
        }
        switch code {
        case CURLE_COULDNT_CONNECT, CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: self = .couldNotConnect
        case CURLE_OPERATION_TIMEDOUT: self = .timedOut
        case CURLE_PARTIAL_FILE, CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_GOT_NOTHING: self = .connectionLost
        case CURLE_UNSUPPORTED_PROTOCOL, CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING, CURLE_HTTP2:
            self = .malformedResponse
        case CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER, CURLE_PEER_FAILED_VERIFICATION,
            CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR:
            self = .tls
        default: self = .internalFault
        }
    }
}
